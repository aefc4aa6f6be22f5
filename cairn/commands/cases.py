"""`cairn case`: look at a case as staff, act on it by every update; see what came late, hand it over again."""

import asyncio
import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cairn.commands.preparation import settings
from cairn.output import JsonFlag, answer, columns

# The contracts spell these; importing them here would make every `--help` wait for pydantic.
HOLD_REASONS = "documents_in_doubt, possible_duplicate, provider_under_review, complaint, legal, other"
CLOSE_REASONS = "applicant_deceased, duplicate, fraud, provider_closed, program_ended, other"
DECISIONS = "approve, refuse, retry"

Application = Annotated[str, typer.Argument(metavar="APPLICATION", help="The application's id: app_….")]
Note = Annotated[str, typer.Option(help="Why, in a sentence or two; never a person's data.")]
ActorOption = Annotated[str | None, typer.Option("--actor", help="Who does it; this login's name where left out.")]

case = typer.Typer(help="One case, as program staff see and steer it.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(case, name="case")


@case.command()
def show(application: Application, as_json: JsonFlag = False) -> None:
    """Stage, deadline, open question and history of a case."""
    from workflows.desk import show_case

    view = asyncio.run(show_case(settings(), application))
    answer(as_json, {"case": view}, _text(view))


@case.command()
def hold(
    application: Application,
    reason: Annotated[str, typer.Option(help=f"One of: {HOLD_REASONS}.")],
    note: Note,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Stop a case where it stands; nothing moves and no deadline passes."""
    _act(application, "hold", {"reason": reason, "note": note}, actor, as_json)


@case.command()
def resume(application: Application, note: Note, actor: ActorOption = None, as_json: JsonFlag = False) -> None:
    """Let a held case go on."""
    _act(application, "resume", {"note": note}, actor, as_json)


@case.command()
def extend(
    application: Application,
    until: Annotated[datetime, typer.Option(help="The new deadline, in UTC.")],
    note: Note,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Give the current wait more time."""
    _act(application, "extend", {"until": until.replace(tzinfo=UTC), "note": note}, actor, as_json)


@case.command()
def decide(
    application: Application,
    question: Annotated[str, typer.Option(help="The open question, from `cairn case show`.")],
    decision: Annotated[str, typer.Option(help=f"What the question offers of: {DECISIONS}.")],
    reason: Annotated[str, typer.Option(help="A short code: looked_at, college_called …")],
    note: Note,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Answer the question that a case has put to staff."""
    given = {"question": question, "decision": decision, "reason": reason, "note": note}
    _act(application, "decide", given, actor, as_json)


@case.command()
def close(
    application: Application,
    reason: Annotated[str, typer.Option(help=f"One of: {CLOSE_REASONS}.")],
    note: Note,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """End a case now; unused money is given back."""
    _act(application, "close", {"reason": reason, "note": note}, actor, as_json)


@case.command()
def assign(
    application: Application,
    note: Note,
    to: Annotated[str | None, typer.Option("--to", help="Whose desk; nobody's where left out.")] = None,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say whose desk a case is on: the search attribute `Assignee`."""
    _act(application, "assign", {"assignee": to, "note": note}, actor, as_json)


@case.command()
def late(
    application: Annotated[str | None, typer.Argument(metavar="[APPLICATION]", help="Of this case only.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Facts that came when their case could no longer take them."""
    from workflows.late_desk import late_facts

    found = asyncio.run(late_facts(settings(), application))
    rows = [tuple(found[0]), *(_cells(each) for each in found)] if found else []
    answer(as_json, {"late_facts": found}, columns(rows) or "There are none.")


@case.command()
def redeliver(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The fact's event id, from `cairn case late`.")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Hand one late fact to its case again, once the case runs; kept with who did it and when."""
    from workflows.late_desk import redeliver as again

    fact = asyncio.run(again(settings(), event, actor or getpass.getuser()))
    text = f"{fact['type']} was handed to {fact['application_id']} again. `cairn case show` says what came of it."
    answer(as_json, {"late_fact": fact}, text)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple("-" if value is None else str(value) for value in row.values())


def _act(application: str, update: str, given: dict[str, Any], actor: str | None, as_json: bool) -> None:
    from workflows.desk import apply_update

    payload = given | {"actor": actor or getpass.getuser()}
    view = asyncio.run(apply_update(settings(), application, update, payload))
    answer(as_json, {"case": view}, _text(view))


def _text(view: dict[str, Any]) -> str:
    facts = {name: value for name, value in view.items() if name != "history" and value is not None}
    return "\n".join([*(f"{name:<16}{value}" for name, value in facts.items()), "", *view["history"]])
