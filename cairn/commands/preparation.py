"""`cairn bootstrap`, `migrate`, `program load`: what must be there before work begins."""

import asyncio
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.output import JsonFlag, answer

if TYPE_CHECKING:
    from kit.settings import ProcessSettings

program = typer.Typer(help="Program packs.", no_args_is_help=True)


class Phase(Enum):
    """How far migrations go."""

    PRE = "pre"
    ALL = "all"


PhaseOption = Annotated[
    Phase,
    typer.Option(help="pre: only what the release that still runs can bear; all: the rest too, once that one is gone."),
]


def register(app: typer.Typer) -> None:
    app.command()(bootstrap)
    app.command()(migrate)
    program.command("load")(load_program)
    app.add_typer(program, name="program")


def settings() -> "ProcessSettings":
    """The settings of this environment, else those of the running local stack."""
    from cairn.joining import join_local_stack
    from kit.settings import ProcessSettings

    join_local_stack()
    return ProcessSettings()  # type: ignore[call-arg]


def bootstrap(phase: PhaseOption = Phase.ALL, as_json: JsonFlag = False) -> None:
    """Make roles, schemas, migrations, topics, namespace and search attributes; may be run again."""
    from cairn.bootstrap.everything import bootstrap as everything

    done = asyncio.run(everything(settings(), phase.value))
    answer(as_json, done, "\n".join(f"{key}: {_said(value)}" for key, value in done.items()))


def migrate(phase: PhaseOption = Phase.ALL, as_json: JsonFlag = False) -> None:
    """Apply the migrations that are new, in every schema."""
    from cairn.bootstrap.everything import migrate as all_schemas

    applied = asyncio.run(all_schemas(settings(), phase.value))
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
    from cairn.bootstrap.programs import publish

    done = asyncio.run(publish(settings(), folder))
    answer(as_json, done, "\n".join(f"{key}: {_said(value)}" for key, value in done.items()))
