"""`cairn statement read` and `cairn reconcile`: bank files against the ledger's payments, without a running stack."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.exits import Exit
from cairn.output import JsonFlag, columns

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


def register(app: typer.Typer) -> None:
    app.add_typer(statement, name="statement")
    app.command()(reconcile)


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


def reconcile(
    statement: Annotated[Path, typer.Option(help="BAI2 or camt.053.", exists=True, dir_okay=False)],
    transit: Annotated[Path, typer.Option(help="CSV of payments in transit.", exists=True, dir_okay=False)],
    entries: Annotated[Path, typer.Option(help="CSV of the sent files' entries.", exists=True, dir_okay=False)],
    as_of: DayOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Match payments in transit, file entries and statement lines; exit code 1 where something is open.

    Payments: disbursement_id, amount_cents, sent_on; optional state (in_transit, settled, returned), evidence.
    Entries: trace, disbursement_id, company_id, effective_on, amount_cents; optional batch_id.
    """
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
