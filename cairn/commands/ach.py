"""`cairn ach`: write ACH files from a list of payments, and judge ACH files, without a running stack."""

import json
import os
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cairn.exits import Exit
from cairn.output import JsonFlag, answer, columns, complain

if TYPE_CHECKING:
    from services.payments.nacha import ChangeAddendum, FileReader, FileWriter, Found, Originator, PaymentLines, Verdict

CSV_HELP = (
    "Columns of the CSV file, in any order: payee_name, routing_number, account_number, account_type"
    " (checking, savings), amount_cents; and, where wanted, identification, invoices (INV-1, or"
    " INV-1:1200;INV-2:800 in cents; needed for CTX), kind (payment, prenote, reversal). docs/money.md says more."
)
READ_BYTES = 256 * 1024
ENTRIES_SHOWN = 100
FAULTS_SHOWN = 20
KINDS = ("payments", "prenotes", "returns", "changes", "acknowledgments")

ach = typer.Typer(help="ACH files: write them, judge them.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(ach, name="ach")


@ach.command(epilog=CSV_HELP)
def write(
    out: Annotated[Path, typer.Option("--out", help="The file to write; put in place when it is complete.")],
    entry_class: Annotated[Literal["CCD", "CTX", "PPD"], typer.Option("--class", help="The standard entry class.")],
    payments: Annotated[Path | None, typer.Option(help="CSV, one payment a line.", exists=True, dir_okay=False)] = None,
    sample: Annotated[int | None, typer.Option(min=1, max=999_999, help="So many payments nobody made.")] = None,
    originator: Annotated[
        Path | None, typer.Option(help="TOML: who sends the file; a made-up sender if left out.", exists=True)
    ] = None,
    effective: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day it is to settle; else the next banking day."),
    ] = None,
    modifier: Annotated[str, typer.Option(help="A-Z or 0-9: tells the files of one day apart.")] = "A",
    as_json: JsonFlag = False,
) -> None:
    """Write an ACH file: CCD+ with one addendum, CTX with an 820, or PPD; prenotes and reversals as the CSV says."""
    from services.payments.nacha import EntryClass, FilePlan, FileWriter, NotWritten, PlanRefused, RecordMisfit
    from services.payments.nacha.banking_days import after

    if (payments is None) == (sample is None):
        raise typer.BadParameter("give either --payments FILE.csv or --sample N")
    sender = _originator(originator, as_json)
    made_at = datetime.now().astimezone()
    settles_on: date = effective.date() if effective else after(made_at.date(), 1)
    try:
        plan = FilePlan(sender, EntryClass(entry_class), made_at, settles_on, modifier)
    except PlanRefused as refused:
        raise typer.BadParameter(str(refused)) from refused
    writer = FileWriter(plan.header)
    try:
        lines = _write(writer, plan, payments, sample, out)
    except (NotWritten, RecordMisfit) as refused:
        complain(as_json, "not_written", f"{refused}; nothing was written")
        raise typer.Exit(Exit.FAILED) from refused
    except OSError as error:
        complain(as_json, "not_written", f"{error.strerror}: {error.filename}")
        raise typer.Exit(Exit.FAILED) from error
    if lines is not None and lines.fault_count:
        _complain_of_lines(lines, as_json)
        raise typer.Exit(Exit.FAILED)
    made_up = "" if originator else " The sender is made up: give --originator for one that exists."
    answer(as_json, _written(writer, entry_class, settles_on, out), f"{_summary(writer)} in {out}.{made_up}")


@ach.command()
def read(
    file: Annotated[Path, typer.Argument(help="The ACH file.", exists=True, dir_okay=False)],
    entries: Annotated[int, typer.Option(min=0, help="How many entries to show.")] = ENTRIES_SHOWN,
    as_json: JsonFlag = False,
) -> None:
    """Judge an ACH file: verdict, first fault with record and field, entries, totals; exit code 1 if it is invalid."""
    from services.payments.nacha import FileReader

    reader = FileReader(_chunks(file))
    shown: list[dict[str, Any]] = []
    kinds: dict[str, int] = dict.fromkeys(KINDS, 0)
    for found in reader:
        facts = _entry(found)
        kinds[facts.pop("counted_as")] += 1
        if len(shown) < entries:
            shown.append(facts)
    verdict = reader.verdict
    facts = _verdict(verdict, reader) | {"kinds": kinds, "shown": shown}
    if as_json:
        print(json.dumps({"ok": verdict.valid, **facts}, default=str), flush=True)
    else:
        print(_report(verdict, kinds, shown), flush=True)
    if not verdict.valid:
        raise typer.Exit(Exit.FAILED)


@ach.command("pain001", epilog=CSV_HELP)
def credit_transfer(
    out: Annotated[Path, typer.Option("--out", help="The XML file to write; put in place when it is complete.")],
    debtor_account: Annotated[str, typer.Option(help="The account at your bank from which is paid.")],
    entry_class: Annotated[
        Literal["CCD", "CTX", "PPD"], typer.Option("--class", help="The entry class, as local instrument.")
    ] = "CCD",
    payments: Annotated[Path | None, typer.Option(help="CSV, one payment a line.", exists=True, dir_okay=False)] = None,
    sample: Annotated[int | None, typer.Option(min=1, max=10_000, help="So many payments nobody made.")] = None,
    originator: Annotated[Path | None, typer.Option(help="TOML: who pays; made up if left out.", exists=True)] = None,
    effective: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day it is to settle; else the next banking day.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the same payments as ISO 20022 pain.001.001.09, valid by its schema: payments to checking accounts."""
    from contracts.ids import PaymentBatchId
    from services.payments.nacha import EntryClass, PaymentLines, sample_payments
    from services.payments.nacha.banking_days import after
    from services.payments.rails.pain001 import MESSAGE, CreditTransferRefused
    from services.payments.rails.pain001 import credit_transfer as message_of

    if (payments is None) == (sample is None):
        raise typer.BadParameter("give either --payments FILE.csv or --sample N")
    sender, chosen = _originator(originator, as_json), EntryClass(entry_class)
    if payments is None:
        made = sample_payments(2 * (sample or 1) + 10, chosen)
        listed = [one for one in made if one.kind == "payment" and one.account_type == "checking"][: sample or 1]
    else:
        with payments.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            lines = PaymentLines(text, file=payments.name, entry_class=chosen)
            listed = list(lines)
        if lines.fault_count:
            _complain_of_lines(lines, as_json)
            raise typer.Exit(Exit.FAILED)
    made_at, message_id = datetime.now().astimezone(), PaymentBatchId.new()
    execute_on = effective.date() if effective else after(made_at.date(), 1)
    try:
        content = message_of(
            sender,
            listed,
            entry_class=chosen,
            message_id=message_id,
            debtor_account=debtor_account,
            made_at=made_at,
            execute_on=execute_on,
        )
    except CreditTransferRefused as refused:
        complain(as_json, "not_written", f"{refused}; nothing was written")
        raise typer.Exit(Exit.FAILED) from refused
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.chmod(0o600)
    beside.replace(out)
    total = sum(one.amount_cents for one in listed)
    facts = {"file": str(out), "message": MESSAGE, "message_id": message_id, "entries": len(listed)}
    said = f"{MESSAGE} with {len(listed)} payments in {out}, valid by its schema."
    answer(as_json, facts | {"total_cents": total, "execute_on": execute_on}, said)


def _originator(path: Path | None, as_json: bool) -> "Originator":
    from services.payments.nacha import SAMPLE_ORIGINATOR, originator_from

    if path is None:
        return SAMPLE_ORIGINATOR
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        complain(as_json, "originator_faulty", f"{path.name} is not TOML: {error}")
        raise typer.Exit(Exit.FAILED) from error
    found, faults = originator_from(given)
    if found is None:
        complain(as_json, "originator_faulty", "; ".join(f"{path.name}, {key}: {reason}" for key, reason in faults))
        raise typer.Exit(Exit.FAILED)
    return found


def _write(
    writer: "FileWriter", plan: Any, payments: Path | None, sample: int | None, out: Path
) -> "PaymentLines | None":
    """Write beside the place and put it there when all is well; a line with a fault leaves no file."""
    from services.payments.nacha import NotWritten, PaymentLines, sample_payments

    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    beside, lines = Path(name), None
    try:
        with os.fdopen(handle, "wb") as file:
            if payments is None:
                file.writelines(writer.write(plan.batches(sample_payments(sample or 1, plan.entry_class))))
            else:
                # Names of people may come in any encoding; what is not ASCII is a fault of its cell, not of the run.
                with payments.open(encoding="utf-8-sig", errors="replace", newline="") as text:
                    lines = PaymentLines(text, file=payments.name, entry_class=plan.entry_class)
                    try:
                        file.writelines(writer.write(plan.batches(lines)))
                    except NotWritten:
                        if not lines.fault_count:
                            raise
            file.flush()
            os.fsync(file.fileno())
        if lines is None or not lines.fault_count:
            beside.chmod(0o600)
            beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return lines


def _complain_of_lines(lines: "PaymentLines", as_json: bool) -> None:
    message = f"{lines.fault_count} faults; nothing was written"
    if as_json:
        faults = [fault.as_json() for fault in lines.faults]
        facts = {"ok": False, "code": "payments_faulty", "message": message, "faults": faults}
        print(json.dumps(facts), flush=True)
        return
    complain(False, "payments_faulty", "\n".join([message, *(f"  {fault}" for fault in lines.faults[:FAULTS_SHOWN])]))


def _written(writer: "FileWriter", entry_class: str, settles_on: date, out: Path) -> dict[str, Any]:
    return {
        "file": str(out),
        "class": entry_class,
        "effective_on": settles_on.isoformat(),
        "file_id_modifier": writer.header.id_modifier,
        "batches": writer.batches,
        "entries": writer.sums.entries,
        "addenda": writer.sums.records - writer.sums.entries,
        "records": writer.records,
        "blocks": writer.blocks,
        "entry_hash": f"{writer.sums.entry_hash:010d}",
        "debit_cents": writer.sums.debit_cents,
        "credit_cents": writer.sums.credit_cents,
        "first_trace": writer.first_trace,
        "last_trace": writer.last_trace,
    }


def _summary(writer: "FileWriter") -> str:
    from contracts.money import dollars

    sums = writer.sums
    return (
        f"Entries {sums.entries}, addenda {sums.records - sums.entries}, batches {writer.batches},"
        f" credits {dollars(sums.credit_cents)}, debits {dollars(sums.debit_cents)}, entry hash {sums.entry_hash:010d},"
        f" blocks {writer.blocks},"
    )


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(READ_BYTES):
            yield chunk


def _entry(found: "Found") -> dict[str, Any]:
    """One entry for people: its account masked, its return or change explained."""
    from services.payments.nacha import CHANGE_REASONS, RETURN_REASONS
    from services.payments.nacha.changes import REFUSALS
    from services.payments.nacha.transactions import ACKNOWLEDGMENTS, TRANSACTIONS

    entry = found.entry
    facts: dict[str, Any] = {
        "record": found.record,
        "class": found.batch.entry_class,
        "transaction_code": entry.transaction_code,
        "routing_number": entry.routing_number,
        "account": entry.masked_account,
        "amount_cents": entry.amount_cents,
        "name": entry.name,
        "identification": entry.identification,
        "trace": entry.trace,
        "addenda": len(entry.addenda),
    }
    if (returned := entry.returned) is not None:
        reason = RETURN_REASONS.get(returned.code)
        facts |= {"counted_as": "returns", "return_code": returned.code, "original_trace": returned.original_trace}
        facts |= {"died_on": returned.died_on, "information": returned.information}
        facts |= {"dispute": returned.dispute and asdict(returned.dispute)}
        facts |= {"meaning": reason and reason.title, "requires": reason and str(reason.requires)}
    elif (change := entry.change) is not None:
        reason = CHANGE_REASONS.get(change.code)
        title = reason.title if reason else REFUSALS.get(change.code)
        facts |= {"counted_as": "changes", "change_code": change.code, "original_trace": change.original_trace}
        facts |= {"meaning": title, "correction": _correction(change), "refused_code": change.refused_code or None}
    elif found.batch.entry_class in ACKNOWLEDGMENTS:
        facts |= {"counted_as": "acknowledgments", "original_trace": entry.identification}
    else:
        known = TRANSACTIONS.get(entry.transaction_code)
        facts["counted_as"] = "prenotes" if known is not None and known.kind == "prenote" else "payments"
    return facts


def _correction(change: "ChangeAddendum") -> dict[str, str | int] | None:
    """What the bank says is right, the account by its last four characters; None where it cannot be read."""
    from services.payments.nacha import correction
    from services.payments.nacha.changes import CHANGE_REASONS, CorrectionFaulty
    from services.payments.payees.account_numbers import last_four

    if change.code not in CHANGE_REASONS:
        return None
    try:
        found = asdict(correction(change.code, change.corrected_data))
    except CorrectionFaulty:
        return None
    if found["account_number"] is not None:
        found["account_number"] = f"****{last_four(found['account_number'])}"
    return {name: value for name, value in found.items() if value is not None}


def _verdict(verdict: "Verdict", reader: "FileReader") -> dict[str, Any]:
    sums, header = verdict.sums, reader.header
    return {
        "verdict": "valid" if verdict.valid else "invalid",
        "first_fault": verdict.first_fault and verdict.first_fault.as_json(),
        "fault_count": verdict.fault_count,
        "faults": [fault.as_json() for fault in verdict.faults],
        "created_on": header and header.created_on,
        "file_id_modifier": header and header.id_modifier,
        "batches": verdict.batches,
        "entries": sums.entries,
        "records": verdict.records,
        "totals": {
            "entry_addenda_count": sums.records,
            "entry_hash": f"{sums.entry_hash:010d}",
            "debit_cents": sums.debit_cents,
            "credit_cents": sums.credit_cents,
        },
    }


def _report(verdict: "Verdict", kinds: dict[str, int], shown: list[dict[str, Any]]) -> str:
    from contracts.money import dollars

    sums = verdict.sums
    lines = [f"{'Valid' if verdict.valid else 'Invalid'}."]
    if verdict.first_fault is not None:
        lines.append(f"First fault: {verdict.first_fault}.")
        others = [fault for fault in verdict.faults if fault != verdict.first_fault]
        lines += [f"  {fault}" for fault in others[:FAULTS_SHOWN]]
        if (hidden := verdict.fault_count - 1 - len(others[:FAULTS_SHOWN])) > 0:
            lines.append(f"  and {hidden} more; --json shows up to a thousand.")
    counted = ", ".join(f"{kind} {count}" for kind, count in kinds.items() if count)
    lines.append(f"Entries {sums.entries}, batches {verdict.batches}: {counted or 'none'}.")
    totals = f"Credits {dollars(sums.credit_cents)}, debits {dollars(sums.debit_cents)}"
    lines.append(f"{totals}, entry hash {sums.entry_hash:010d}, {verdict.records} records.")
    if shown:
        head = ("record", "code", "routing", "account", "amount", "name", "trace", "")
        rows = [
            (
                str(one["record"]),
                str(one["transaction_code"]),
                one["routing_number"],
                one["account"],
                dollars(one["amount_cents"]),
                one["name"],
                one["trace"],
                _remark(one),
            )
            for one in shown
        ]
        lines.append(columns([head, *rows]))
    return "\n".join(lines)


def _remark(entry: dict[str, Any]) -> str:
    code = entry.get("return_code") or entry.get("change_code")
    if code is None:
        return ""
    todo = f" ({entry['requires']})" if entry.get("requires") else ""
    return f"{code} {entry['meaning']}{todo}, original {entry['original_trace']}"
