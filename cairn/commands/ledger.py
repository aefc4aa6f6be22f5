"""`cairn ledger`: prove the books, and read them: balances, journal, statements, forecast."""

import asyncio
import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cairn.commands.preparation import settings
from cairn.exits import Exit
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from services.payments.settings import PaymentsSettings

ledger = typer.Typer(help="The books.", no_args_is_help=True)

ROWS = "line/<program>/<year>, round/<program>/<round>, award/<program>/<round>/<provider>, person/…"
By = Literal["program", "line", "round", "award", "person", "cost-line"]

Program = Annotated[str, typer.Argument(help="The program's id: oh-imap.")]
YearOption = Annotated[
    int | None, typer.Option("--year", min=1, max=9999, help="The fiscal year; the latest if left out.")
]
RowOption = Annotated[str | None, typer.Option(help=f"Only what moved this row: {ROWS}.")]
DAY = ["%Y-%m-%d"]


def register(app: typer.Typer) -> None:
    app.add_typer(ledger, name="ledger")


def _payments() -> "PaymentsSettings":
    from services.payments.settings import PaymentsSettings

    return PaymentsSettings.model_validate(settings().model_dump())


@ledger.command()
def prove(as_json: JsonFlag = False) -> None:
    """Fold the journal again and compare every balance row; exit code 1 where anything is not right."""
    from services.payments.main import prove_ledger

    proof: dict[str, Any] = asyncio.run(prove_ledger(_payments()))
    if as_json:
        print(json.dumps(proof, default=str))
    else:
        found = sum(len(proof[name]) for name in ("differences", "overdrawn", "repeated", "negative", "misplaced"))
        right = "The books are right." if proof["ok"] else f"The books are NOT right: {found} faults."
        print(f"{right} {proof['entries']} entries, {proof['balance_rows']} balance rows.")
        for name in ("differences", "overdrawn", "repeated", "negative", "misplaced"):
            for fault in proof[name]:
                print(f"  {name}: {fault}")
    if not proof["ok"]:
        raise typer.Exit(Exit.FAILED)


@ledger.command()
def balance(
    program: Program,
    by: Annotated[By, typer.Option(help="One row each, instead of the program as a whole.")] = "program",
    after: Annotated[str, typer.Option(help="For persons: `next` of the page before.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Where every cent of a program is; the stages add up to the appropriation."""
    from services.payments.desk import books as books_office
    from services.payments.main import money_by_stage

    if by == "program":
        money: dict[str, int] = asyncio.run(money_by_stage(_payments(), program))
        answer(as_json, {"program_id": program, **money}, columns([(_named(k), _dollars(v)) for k, v in money.items()]))
    elif by == "cost-line":
        found = asyncio.run(books_office.cost_lines(_payments(), program))
        table = [
            (line, *(_dollars(cents) for cents in stages.values())) for line, stages in found["cost_lines"].items()
        ]
        heading = ("cost line", *next(iter(found["cost_lines"].values())))
        answer(as_json, found | {"ok": found["agrees"]}, columns([heading, *table]))
        if not found["agrees"]:
            raise typer.Exit(Exit.FAILED)
    else:
        found = asyncio.run(books_office.rows_of_program(_payments(), program, by, after))
        answer(as_json, found, _rows(found["rows"]) if found["rows"] else f"No {by} of {program} has a row.")


@ledger.command()
def journal(
    program: Program,
    year: YearOption = None,
    kind: Annotated[str | None, typer.Option(help="hold, encumber, expend, send, settle, …")] = None,
    outcome: Annotated[str | None, typer.Option(help="ok, or why it was refused: over_award, closed, …")] = None,
    row: RowOption = None,
    case: Annotated[str | None, typer.Option(help="Only this application's entries: app_….")] = None,
    transfer: Annotated[str | None, typer.Option(help="This entry and what moved on or corrected its money.")] = None,
    after: Annotated[int, typer.Option(min=0, help="`next` of the page before.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most entries on one page.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """The entries of a budget line in their order, refused ones included."""
    from contracts.ids import ApplicationId
    from contracts.journey import workflow_id
    from services.payments.books.ledger import Kind
    from services.payments.desk import books as books_office
    from services.payments.store.journal import Wanted

    if kind is not None and kind not in list(Kind):
        raise typer.BadParameter(f"there is no kind {kind}; kinds are {', '.join(Kind)}")
    workflow = workflow_id(ApplicationId(case)) if case else None
    wanted = Wanted(Kind(kind) if kind else None, outcome, row, workflow, transfer)
    found = asyncio.run(books_office.journal(_payments(), program, year, wanted, after=after, limit=limit))
    answer(as_json, found, _entries(found))


@ledger.command()
def statement(
    row: Annotated[str, typer.Argument(help=f"A balance row: {ROWS}.")],
    since: Annotated[datetime, typer.Option("--from", formats=DAY, help="First day, in the program's time zone.")],
    until: Annotated[datetime, typer.Option("--to", formats=DAY, help="Last day, included.")],
    as_json: JsonFlag = False,
) -> None:
    """What a budget line or provider award had, what moved, and what it has."""
    from services.payments.desk import books as books_office

    first, last = since.date(), until.date()
    if last < first:
        raise typer.BadParameter("--to is before --from")
    found = asyncio.run(books_office.statement(_payments(), row, first, last))
    answer(as_json, found, _statement(found))


@ledger.command()
def forecast(program: Program, year: YearOption = None, as_json: JsonFlag = False) -> None:
    """What will be spent when the fiscal year ends, and which providers' money is about to lapse."""
    from services.payments.desk import books as books_office

    found = asyncio.run(books_office.forecast(_payments(), program, year))
    answer(as_json, found, _forecast(found))


def _named(name: str) -> str:
    return name.removesuffix("_cents").replace("_", " ")


def _dollars(cents: int) -> str:
    from contracts.money import dollars

    return dollars(cents)


def _rows(rows: list[dict[str, Any]]) -> str:
    stages = [name for name in rows[0] if name.endswith("_cents")]
    heading = ("row", "phase", *(_named(name) for name in stages))
    return columns([heading, *((row["row"], row["phase"], *(_dollars(row[name]) for name in stages)) for row in rows)])


def _cost_lines(lines: dict[str, dict[str, int]]) -> str:
    heading = ("cost line", *(_named(stage) for stage in next(iter(lines.values()))))
    return columns([heading, *((line, *map(_dollars, stages.values())) for line, stages in lines.items())])


def _entries(found: dict[str, Any]) -> str:
    if not found["entries"]:
        return f"Nothing in the journal of {found['line']}."
    table = [("entry", "recorded", "kind", "outcome", "cents", "id", "of", "reason")]
    for entry in found["entries"]:
        at: datetime = entry["recorded_at"]
        table.append(
            (
                str(entry["entry"]),
                f"{at:%Y-%m-%d %H:%M:%S}",
                entry["kind"],
                entry["outcome"],
                _dollars(entry["amount_cents"]),
                entry["id"],
                entry["pending_id"] or entry["links_to"] or "",
                entry["reason"],
            )
        )
    more = f"\nMore: --after {found['next']}" if found["next"] else ""
    return columns(table) + more


def _statement(found: dict[str, Any]) -> str:
    def stages(values: dict[str, int]) -> list[tuple[str, ...]]:
        return [(_named(stage), _dollars(cents), "", "") for stage, cents in values.items()]

    rows: list[tuple[str, ...]] = [("opening", _dollars(found["opening_appropriated_cents"]), "", "")]
    rows += stages(found["opening"])
    rows += [
        (one["kind"], _dollars(one["cents"]), f"{one['entries']} entries", f"{one['from']} → {one['to']}")
        for one in found["movements"]
    ]
    rows += [("closing", _dollars(found["closing_appropriated_cents"]), "", ""), *stages(found["closing"])]
    return f"{found['row']}, {found['from']} to {found['to']}\n{columns(rows)}"


def _forecast(found: dict[str, Any]) -> str:
    end = date.fromisoformat(found["year_end"])
    head = columns(
        [
            ("appropriated", _dollars(found["appropriated_cents"])),
            ("spent", _dollars(found["spent_cents"])),
            ("committed", _dollars(found["committed_cents"])),
            (f"of it spent by {end}", _dollars(found["expected_cents"])),
            ("left then", _dollars(found["lapsing_cents"])),
            ("utilisation", f"{found['utilisation']:.0%}"),
        ]
    )
    burn = [("month", "available", "committed", "spent", "lapsed")]
    burn += [
        (
            f"{date.fromisoformat(month['month']):%Y-%m}",
            *(_dollars(month[f"{stage}_cents"]) for stage in ("available", "committed", "spent", "lapsed")),
        )
        for month in found["burn_down"]
    ]
    providers = [("provider award", "spent", "open", "expected", "left", "risk", "on the record of")]
    providers += [
        (
            one["award"],
            *(_dollars(one[f"{name}_cents"]) for name in ("spent", "open", "expected", "lapsing")),
            one["risk"],
            one["basis"],
        )
        for one in found["providers"]
    ]
    return f"{found['line']} as of {found['as_of']}\n{head}\n\n{columns(burn)}\n\n{columns(providers)}"
