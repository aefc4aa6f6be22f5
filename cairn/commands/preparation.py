"""`cairn bootstrap`, `migrate`, `program load`, `keys issue`: what must be there before work begins."""

import asyncio
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.exits import Exit, Fault
from cairn.output import JsonFlag, answer

if TYPE_CHECKING:
    from kit.settings import ProcessSettings

program = typer.Typer(help="Program packs.", no_args_is_help=True)
keys = typer.Typer(help="API keys of partners, providers, issuers, staff and the finance system.", no_args_is_help=True)


class Kind(StrEnum):
    """Who may hold an API key."""

    PARTNER = "partner"
    PROVIDER = "provider"
    ISSUER = "issuer"
    STAFF = "staff"
    FINANCE = "finance"


def register(app: typer.Typer) -> None:
    app.command()(bootstrap)
    app.command()(migrate)
    program.command("load")(load_program)
    keys.command("issue")(issue_key)
    app.add_typer(program, name="program")
    app.add_typer(keys, name="keys")


def settings() -> "ProcessSettings":
    """The settings of this environment, else those of the running local stack."""
    from cairn.joining import join_local_stack
    from kit.settings import ProcessSettings

    join_local_stack()
    return ProcessSettings()  # type: ignore[call-arg]


class KeyRefused(Fault):
    """The holder or a scope is not written as it must be."""

    exit_code = Exit.USAGE
    code = "key_refused"


def bootstrap(as_json: JsonFlag = False) -> None:
    """Make roles, schemas, migrations, topics, namespace and search attributes; may be run again."""
    from cairn.bootstrap.everything import bootstrap as everything

    done = asyncio.run(everything(settings()))
    answer(as_json, done, "\n".join(f"{key}: {_said(value)}" for key, value in done.items()))


def migrate(as_json: JsonFlag = False) -> None:
    """Apply the migrations that are new, in every schema."""
    from cairn.bootstrap.everything import migrate as all_schemas

    applied = asyncio.run(all_schemas(settings()))
    answer(as_json, {"migrations_applied": applied}, "\n".join(applied) or "Everything is applied.")


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def load_program(
    folder: Annotated[Path, typer.Argument(help="The pack's folder.", exists=True, file_okay=False)],
    as_json: JsonFlag = False,
) -> None:
    """Validate a program pack, publish it to every service, and set the schedule of its fiscal year."""
    given = settings()
    done = asyncio.run(publish(given, folder))
    answer(as_json, done, "\n".join(f"{key}: {_said(value)}" for key, value in done.items()))


async def publish(given: "ProcessSettings", folder: Path) -> dict[str, Any]:
    """Load one pack and set its schedule; may be repeated."""
    from cairn.bootstrap.everything import reaching
    from cairn.bootstrap.schedules import ensure_schedules
    from services.eligibility.main import load_program as load
    from services.eligibility.settings import EligibilitySettings

    done = await load(EligibilitySettings(), folder)  # type: ignore[call-arg]
    with reaching("Temporal", given.temporal_address):
        return done | {"schedules_set": await ensure_schedules(given)}


def issue_key(
    kind: Annotated[Kind, typer.Option(help="What its holder is.")],
    identity: Annotated[str, typer.Option("--id", help="The holder's id, such as a provider's: lorain-ccc.")],
    scope: Annotated[list[str], typer.Option(help="What it may do (repeatable).")],
    days: Annotated[int, typer.Option(min=1, max=730, help="How long it is good for.")] = 365,
    as_json: JsonFlag = False,
) -> None:
    """Issue an API key; it is shown this once and kept only as a hash."""
    expires_at = datetime.now(UTC) + timedelta(days=days)
    key = asyncio.run(issue_for(settings(), kind.value, identity, scope, expires_at))
    answer(as_json, {"key": key, "kind": kind, "id": identity, "scopes": scope, "expires_at": expires_at}, key)


async def issue_for(given: "ProcessSettings", kind: str, identity: str, scopes: list[str], expires_at: datetime) -> str:
    """Issue an API key; the clear key, which is kept nowhere."""
    from pydantic import ValidationError

    from kit.access import issue_key as issue
    from kit.db import Database

    database = await Database.connect(
        given.dsn("cairn_owner"), schema="access", application_name="cairn keys", connections_max=1
    )
    try:
        async with database.transaction() as tx:
            return await issue(
                tx,
                kind=Kind(kind).value,
                principal_id=identity,
                scopes=scopes,
                now=datetime.now(UTC),
                expires_at=expires_at,
            )
    except ValidationError as fault:
        wrong = "; ".join(f"{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in fault.errors())
        raise KeyRefused(f"No key can be issued for that: {wrong}.") from None
    finally:
        await database.close()
