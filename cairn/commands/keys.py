"""`cairn keys`: API keys of partners, providers, issuers, staff and the finance system."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cairn.commands.acting import ActorOption, ReasonOption, acting, as_owner
from cairn.commands.preparation import settings
from cairn.exits import Exit, Fault
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from kit.settings import ProcessSettings

keys = typer.Typer(help="API keys of partners, providers, issuers, staff and the finance system.", no_args_is_help=True)


class Kind(StrEnum):
    """Who may hold an API key."""

    PARTNER = "partner"
    PROVIDER = "provider"
    ISSUER = "issuer"
    STAFF = "staff"
    FINANCE = "finance"


class KeyRefused(Fault):
    """The holder or a scope is not written as it must be."""

    exit_code = Exit.USAGE
    code = "key_refused"


def register(app: typer.Typer) -> None:
    app.add_typer(keys, name="keys")


@keys.command("issue")
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


@keys.command("list")
def list_all(
    kind: Annotated[Kind | None, typer.Option(help="Only holders of this kind.")] = None,
    identity: Annotated[str | None, typer.Option("--id", help="Only this holder.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also what is expired or revoked.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Keys by holder, without their secrets; the first thousand."""
    from cairn.issued_keys import list_keys

    now = datetime.now(UTC)
    wanted = kind.value if kind else None
    found = as_owner("access", lambda tx: list_keys(tx, now=now, kind=wanted, principal_id=identity, ended=ended))
    rows = [("prefix", "holder", "state", "good until", "issued", "scopes")]
    for one in found:
        holder, until, issued = (
            f"{one.kind}/{one.principal_id}",
            f"{one.not_after:%Y-%m-%d}",
            f"{one.created_at:%Y-%m-%d}",
        )
        rows.append((one.prefix, holder, one.state(now), until, issued, " ".join(one.scopes)))
    facts = {"keys": [asdict(one) | {"state": one.state(now)} for one in found]}
    answer(as_json, facts, columns(rows) if found else "There are none.")


@keys.command()
def revoke(
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="The twelve characters after `cairn_`; never the whole key.")
    ],
    reason: ReasonOption,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """End a key: its holder is refused within three seconds; kept with who did it and why."""
    from kit.access import revoke_key

    by = acting(actor, reason)
    as_owner("access", lambda tx: revoke_key(tx, prefix=prefix, by=by))
    facts = {"prefix": prefix, "actor": by.actor, "reason": by.reason}
    answer(as_json, facts, f"The key {prefix} is revoked.")
