"""`cairn budget` and `cairn fiscal-year`: documents that move budget authority, and the close of a year."""

import asyncio
import csv
import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands.preparation import settings
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from services.payments.settings import PaymentsSettings

budget = typer.Typer(help="Documents that set, allot, move and withdraw budget authority.", no_args_is_help=True)
fiscal_year = typer.Typer(name="fiscal-year", help="The close of a fiscal year.", no_args_is_help=True)

KINDS = "appropriation, withdrawal, allotment, transfer"
ROWS = "line/<program>/<year>, round/<program>/<round> or award/<program>/<round>/<provider>"

Program = Annotated[str, typer.Argument(help="The program's id: oh-imap.")]
Year = Annotated[int, typer.Argument(help="The fiscal year, by the calendar year in which it ends: 2026.")]
Document = Annotated[str, typer.Argument(metavar="DOCUMENT", help="The document's id: bud_….")]
ActorOption = Annotated[str | None, typer.Option("--actor", help="Who does it; this login's name where left out.")]


def register(app: typer.Typer) -> None:
    app.add_typer(budget, name="budget")
    app.add_typer(fiscal_year, name="fiscal-year")


def _payments() -> "PaymentsSettings":
    from services.payments.settings import PaymentsSettings

    return PaymentsSettings.model_validate(settings().model_dump())


@budget.command()
def propose(
    program: Program,
    kind: Annotated[str, typer.Option(help=f"One of: {KINDS}.")],
    reference: Annotated[str, typer.Option(help="The document's number in the budget office's files.")],
    cents: Annotated[int, typer.Option(min=1, help="How much, in cents.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence or two.")],
    from_row: Annotated[str | None, typer.Option("--from", help=f"From where: {ROWS}.")] = None,
    to_row: Annotated[str | None, typer.Option("--to", help=f"To where: {ROWS}.")] = None,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Put a budget document before a second person; nothing moves yet."""
    from services.payments.desk.budgets import propose_document

    values = {
        "program_id": program,
        "kind": kind,
        "reference": reference,
        "amount_cents": cents,
        "from_row": from_row,
        "to_row": to_row,
        "reason": reason,
    }
    _show_document(asyncio.run(propose_document(_payments(), values, actor=actor or getpass.getuser())), as_json)


@budget.command()
def approve(document: Document, actor: ActorOption = None, as_json: JsonFlag = False) -> None:
    """Approve and post what somebody else proposed; refused, with the limit, where the money is committed."""
    from services.payments.desk.budgets import approve_document

    _show_document(asyncio.run(approve_document(_payments(), document, actor=actor or getpass.getuser())), as_json)


@budget.command()
def refuse(
    document: Document,
    reason: Annotated[str, typer.Option(help="Why not.")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Refuse what somebody else proposed; nothing moves."""
    from services.payments.desk.budgets import refuse_document

    given = asyncio.run(refuse_document(_payments(), document, reason, actor=actor or getpass.getuser()))
    _show_document(given, as_json)


@budget.command("list")
def list_(
    program: Program,
    state: Annotated[str | None, typer.Option(help="Only these: proposed, approved, refused.")] = None,
    before: Annotated[str | None, typer.Option(help="The page after this document.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """The program's budget documents, the newest first."""
    from contracts.money import dollars
    from services.payments.desk.budgets import list_documents

    if state not in {None, "proposed", "approved", "refused"}:
        raise typer.BadParameter("proposed, approved or refused", param_hint="--state")
    page: dict[str, Any] = asyncio.run(list_documents(_payments(), program, state=state, before=before))
    rows = [
        (
            one["document_id"], one["state"], one["kind"], dollars(one["amount_cents"]), one["from_row"] or "",
            one["to_row"] or "", one["reference"], one["made_by"], one["checked_by"] or "", one["refusal"] or "",
        )
        for one in page["documents"]
    ]  # fmt: skip
    answer(as_json, page, columns(rows) or "There are none.")


def _show_document(shown: dict[str, Any], as_json: bool) -> None:
    facts = [(name, str(value)) for name, value in shown.items() if value is not None]
    answer(as_json, {"document": shown}, columns(facts))


@fiscal_year.command()
def close(program: Program, year: Year, as_json: JsonFlag = False) -> None:
    """Start the close of a year, or find the one that runs. It waits for the year's end and for two people."""
    from workflows.year_desk import begin_close

    name = asyncio.run(begin_close(settings(), program, year))
    answer(as_json, {"workflow_id": name}, f"{name} runs: see `cairn fiscal-year status {program} {year}`.")


@fiscal_year.command()
def turn(program: Program, as_json: JsonFlag = False) -> None:
    """Look now for years that are over, as the schedule does each year; again where its turn failed."""
    from workflows.year_desk import begin_turn

    name = asyncio.run(begin_turn(settings(), program))
    answer(as_json, {"workflow_id": name}, f"{name} runs: it starts a close for each year that is over.")


@fiscal_year.command()
def status(
    program: Program,
    year: Year,
    lines: Annotated[bool, typer.Option("--lines", help="Every open encumbrance as CSV instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Where the year's books stand: phase, what is proposed, who agreed, the report once they are shut."""
    from services.payments.desk.budgets import books_of_year, list_of_year

    if lines:
        asyncio.run(_print_lines(list_of_year(_payments(), program, year)))
        return
    books: dict[str, Any] = asyncio.run(books_of_year(_payments(), program, year))
    facts = [("phase", books["phase"]), ("year ends", books["ends_at"] or "not published")]
    for part in ("proposal", "report"):
        facts += [(f"{part}: {name.replace('_', ' ')}", str(value)) for name, value in (books[part] or {}).items()]
    facts += [
        ("agreed", f"{one['made_by']} and {one['checked_by']}, {one['approved_at']}") for one in books["approvals"]
    ]
    answer(as_json, books, columns(facts))


@fiscal_year.command("approve")
def approve_year(
    program: Program,
    year: Year,
    digest: Annotated[str, typer.Option(help="The list you looked at, from `cairn fiscal-year status`.")],
    note: Annotated[str, typer.Option(help="What you checked, in a sentence.")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Agree to the list, as one of two different people; the second agreement has it posted."""
    from services.payments.desk.budgets import approve_year as agree

    who = actor or getpass.getuser()
    view = asyncio.run(agree(_payments(), program, year, actor=who, digest=digest, note=note))
    answer(as_json, {"close": view}, f"{view['stage']}, agreed by {', '.join(view['approved_by'])}")


@fiscal_year.command()
def amend(
    program: Program,
    year: Year,
    encumbrance: Annotated[str, typer.Argument(help="The encumbrance's journal entry: trf_….")],
    disposition: Annotated[str, typer.Option(help="carry or lapse.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Carry what was to lapse, or the other way round; whoever agreed before has to agree again."""
    from services.payments.desk.budgets import amend_year

    who = actor or getpass.getuser()
    view = asyncio.run(
        amend_year(
            _payments(), program, year, actor=who, encumbrance=encumbrance, disposition=disposition, reason=reason
        )
    )
    answer(as_json, {"close": view}, f"{view['stage']}, the list is {view['proposal']['digest']} now")


async def _print_lines(lines: Any) -> None:
    writer: Any = None
    async for line in lines:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(line))
            writer.writeheader()
        writer.writerow(line)
