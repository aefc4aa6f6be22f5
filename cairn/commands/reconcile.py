"""`cairn statement` and `cairn reconcile`: the bank's statements against the ledger, in the database or on files."""

import asyncio
import getpass
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands import reconcile_acts
from cairn.exits import Exit
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from services.payments.reconciling import Reconciliation
    from services.payments.statements import StatementFile

statement = typer.Typer(help="Bank statements: BAI2 and camt.053.", no_args_is_help=True)

TABLE_BYTES_MAX = 64 * 1024 * 1024
LINES_SHOWN_MAX = 200

StatementFileArgument = Annotated[Path, typer.Argument(help="BAI2 or camt.053.", exists=True, dir_okay=False)]
DayOption = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Ages count to this day; default: the statement's last day."),
]


reconciling = typer.Typer(invoke_without_command=True)
reconcile_acts.register(reconciling)


def register(app: typer.Typer) -> None:
    app.add_typer(statement, name="statement")
    app.add_typer(reconciling, name="reconcile")


@statement.command("import")
def import_statement(file: StatementFileArgument, as_json: JsonFlag = False) -> None:
    """Take a statement into the books and match it. Again is no harm; what does not prove itself is held."""
    from services.payments.desk import reconciliation as desk
    from services.payments.statements import FILE_BYTES_MAX

    if file.stat().st_size > FILE_BYTES_MAX:
        raise typer.BadParameter(f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
    given = reconcile_acts.payments_settings()
    taken, turn = asyncio.run(
        desk.import_statement(given, file.name, file.read_bytes(), taker=f"cli/{getpass.getuser()}")
    )
    held = [
        {"statement_id": one.statement_id, "reason": one.reason, "explanation": one.explanation} for one in taken.held
    ]
    facts = {
        "again": taken.again,
        "format": taken.form,
        "accepted": len(taken.accepted) + len(taken.followed),
        "held": held,
        "new_lines": taken.new_lines,
        "repeated_lines": taken.repeated_lines,
        "matching": asdict(turn),
    }
    text = [f"{file.name} was taken before: nothing changed."] if taken.again else []
    if not taken.again:
        text.append(f"{taken.form}: {taken.new_lines} new lines, {taken.repeated_lines} known ones.")
        text += [f"Held {one['statement_id']}: {one['reason']}: {one['explanation']}" for one in held]
        text.append(f"{turn.ended} lines ended: {turn.settled} payments settled, {turn.returned} came back.")
    answer(as_json, facts, "\n".join(text))
    if held:
        raise typer.Exit(Exit.FAILED)


@statement.command()
def read(file: StatementFileArgument, as_json: JsonFlag = False) -> None:
    """Read and verify a statement: verdict, first fault, lines, totals; exit code 1 where it has a fault."""
    found = _statement(file)
    if as_json:
        print(json.dumps(_statement_facts(found), default=str))
    else:
        print(_statement_text(found))
    if not found.ok:
        raise typer.Exit(Exit.FAILED)


@reconciling.callback()
def reconcile(
    context: typer.Context,
    statement: Annotated[
        Path | None, typer.Option(help="Match files alone: BAI2 or camt.053.", exists=True, dir_okay=False)
    ] = None,
    transit: Annotated[
        Path | None, typer.Option(help="With --statement: CSV of payments in transit.", exists=True, dir_okay=False)
    ] = None,
    entries: Annotated[
        Path | None, typer.Option(help="With --statement: CSV of the sent files' entries.", exists=True, dir_okay=False)
    ] = None,
    as_of: DayOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Match what is open and show the page: what agrees, what is open and how old, what waits for whom.

    With --statement, --transit and --entries it matches these files alone, without a running stack.
    Payments: disbursement_id, amount_cents, sent_on; optional state (in_transit, settled, returned), evidence.
    Entries: trace, disbursement_id, company_id, effective_on, amount_cents; optional batch_id.
    Exit code 1 where something is open.
    """
    if context.invoked_subcommand is not None:
        return
    given = [path for path in (statement, transit, entries) if path is not None]
    if statement is not None and transit is not None and entries is not None:
        _reconcile_files(statement, transit, entries, as_of, as_json=as_json)
    elif given or as_of is not None:
        raise typer.BadParameter("--statement, --transit and --entries go together; --as-of goes with them")
    else:
        reconcile_acts.show_page(as_json=as_json)


def _reconcile_files(statement: Path, transit: Path, entries: Path, as_of: datetime | None, *, as_json: bool) -> None:
    from services.payments.reconciling import read_entries, read_transit, render
    from services.payments.reconciling import reconcile as match

    found = _statement(statement)
    given = (read_transit, transit), (read_entries, entries)
    items, sent = (_table(read_table, path) for read_table, path in given)
    last = max((line.day for line in found.lines), default=datetime.now(UTC).date())
    result = match(items, sent, found.lines, as_of=as_of.date() if as_of else last)
    good = found.ok and not result.open
    if as_json:
        print(json.dumps({**_facts(result), "ok": good, "statement": _verdict(found)}, default=str))
    else:
        if not found.ok:
            print(f"{_verdict_text(found)}\n")
        print(render(result))
    if not good:
        raise typer.Exit(Exit.FAILED)


def _statement(path: Path) -> "StatementFile":
    from services.payments.statements import FILE_BYTES_MAX, read_statement

    # One byte more than the reader takes: it says itself that the file is too large.
    with path.open("rb") as file:
        return read_statement(file.read(FILE_BYTES_MAX + 1))


def _table(read_table: Any, path: Path) -> Any:
    from services.payments.reconciling import FileFaulty

    if path.stat().st_size > TABLE_BYTES_MAX:
        raise typer.BadParameter(f"{path.name} is larger than {TABLE_BYTES_MAX} bytes")
    try:
        return read_table(path.read_text("utf-8"))
    except (FileFaulty, UnicodeDecodeError) as fault:
        raise typer.BadParameter(f"{path.name}: {fault}") from fault


def _verdict(found: "StatementFile") -> dict[str, Any]:
    return {
        "ok": found.ok,
        "format": found.form,
        "accounts": len(found.accounts),
        "accounts_left_out": found.accounts_left_out,
        "lines": len(found.lines),
        "first_fault": asdict(found.faults[0]) if found.faults else None,
        "faults": [asdict(fault) for fault in found.faults],
    }


def _statement_facts(found: "StatementFile") -> dict[str, Any]:
    accounts = [
        {
            "account": one.account,
            "bank": one.bank,
            "day": one.day,
            "opening_cents": one.opening_cents,
            "closing_cents": one.closing_cents,
            "balances_agree": one.balances_agree,
            "debits_cents": one.debits_cents,
            "credits_cents": one.credits_cents,
            "lines": [asdict(line) for line in one.lines],
        }
        for one in found.accounts
    ]
    totals = {
        "debits_cents": sum(one.debits_cents for one in found.accounts),
        "credits_cents": sum(one.credits_cents for one in found.accounts),
    }
    return {**_verdict(found), "lines": len(found.lines), "totals": totals, "by_account": accounts}


def _verdict_text(found: "StatementFile") -> str:
    if found.ok:
        return f"{found.form}: no fault. {len(found.accounts)} accounts, {len(found.lines)} lines."
    first = found.faults[0]
    place = f"record {first.record}, {first.field}" if first.record else first.field
    return (
        f"{found.form}: {len(found.faults)} faults; {found.accounts_left_out} accounts are left out."
        f" First fault: {place}: {first.reason}: {first.explanation}"
    )


def _statement_text(found: "StatementFile") -> str:
    from contracts.money import dollars

    parts = [_verdict_text(found)]
    for one in found.accounts:
        balances = [
            f"{n} {dollars(c)}" for n, c in (("opening", one.opening_cents), ("closing", one.closing_cents)) if c
        ]
        agree = {True: ", they agree with the lines", False: ", THEY DO NOT AGREE WITH THE LINES", None: ""}
        parts += ["", f"Account {one.account} at {one.bank or 'a bank not named'}, {one.day}"]
        parts += [f"{', '.join(balances)}{agree[one.balances_agree]}"] if balances else []
        parts += [f"{len(one.lines)} lines: debits {dollars(one.debits_cents)}, credits {dollars(one.credits_cents)}"]
        rows = [("record", "day", "amount", "kind", "code", "reference", "trace", "description")]
        for line in one.lines[:LINES_SHOWN_MAX]:
            row = (str(line.record), str(line.day), dollars(line.amount_cents), line.kind, line.return_code or "")
            rows.append((*row, line.reference, line.trace, line.description))
        parts += [columns(rows)] if one.lines else []
        parts += [f"and {len(one.lines) - LINES_SHOWN_MAX} more"] * (len(one.lines) > LINES_SHOWN_MAX)
    parts += ["", *(f"record {f.record}, {f.field}: {f.reason}: {f.explanation}" for f in found.faults[1:21])]
    return "\n".join(parts).rstrip()


def _facts(result: "Reconciliation") -> dict[str, Any]:
    return {
        "as_of": result.as_of,
        "lines": [
            {
                "line_id": one.line.line_id,
                "day": one.line.day,
                "amount_cents": one.line.amount_cents,
                "ending": one.ending,
                "reason": one.reason,
                "age_days": one.age_days,
                "difference_cents": one.difference_cents,
                "disbursement_ids": one.disbursement_ids,
                "candidates": [asdict(candidate) for candidate in one.candidates],
            }
            for one in result.lines
        ],
        "payments": [
            {
                "disbursement_id": one.item.disbursement_id,
                "amount_cents": one.item.amount_cents,
                "state": one.state,
                "ending": one.ending,
                "reason": one.reason,
                "age_days": one.age_days,
                "line_ids": one.line_ids,
            }
            for one in result.items
        ],
        "findings": [asdict(finding) for finding in result.findings],
        "aging": {
            name: {"lines": row[0], "lines_cents": row[1], "payments": row[2], "payments_cents": row[3]}
            for name, row in result.aging.items()
        },
        "repeated": result.repeated,
    }
