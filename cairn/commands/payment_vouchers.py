"""`cairn payment-vouchers`: write payment-voucher files from a list, and judge them, without a running stack."""

import json
import os
import tempfile
import tomllib
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.exits import Exit
from cairn.output import JsonFlag, answer, columns, complain

if TYPE_CHECKING:
    from services.payments.remittance import Interface, VoucherVerdict
    from services.payments.remittance.vouchers import PaymentVoucher

FILE_BYTES_MAX = 512 * 1024 * 1024
ENTRIES_SHOWN = 100
FAULTS_SHOWN = 20
CSV_HELP = (
    "Columns of the CSV file, in any order: supplier_number, invoice_number, invoice_on, amount_cents, due_on; and,"
    " where wanted, account, message, location, application_id, disbursement_id. docs/money.md says more."
)
LayoutOption = Annotated[
    Path | None, typer.Option(help="TOML: the columns of the finance system; CAIRNPV1 if left out.", exists=True)
]

payment_vouchers = typer.Typer(help="Payment-voucher files: write them, judge them.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(payment_vouchers, name="payment-vouchers")


@payment_vouchers.command(epilog=CSV_HELP)
def write(
    out: Annotated[Path, typer.Option("--out", help="The file to write; put in place when it is complete.")],
    payments: Annotated[Path | None, typer.Option(help="CSV, one payment a line.", exists=True, dir_okay=False)] = None,
    sample: Annotated[int | None, typer.Option(min=1, max=999_999, help="So many payments nobody made.")] = None,
    layout: LayoutOption = None,
    business_unit: Annotated[str, typer.Option(help="The agency's business unit.")] = "DEV01",
    account: Annotated[str, typer.Option(help="The account coding.")] = "5ZE0-195553-IMAP",
    message: Annotated[str, typer.Option(help="What the payee reads.")] = "Micro-credential reimbursement",
    batch: Annotated[str | None, typer.Option(help="The batch's id; else a new one.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a payment-voucher file in the finance system's columns; a fault anywhere leaves no file."""
    from contracts.ids import PaymentBatchId
    from services.payments.remittance import LineFaulty, VoucherFile, write_vouchers

    if (payments is None) == (sample is None):
        raise typer.BadParameter("give either --payments FILE.csv or --sample N")
    interface = _layout(layout, as_json)
    told = {"account": account, "message": message, "business_unit": business_unit, "interface": interface}
    listed = _listed(payments, sample, told, as_json)
    made_at = datetime.now(UTC).replace(microsecond=0)
    file = VoucherFile(batch or PaymentBatchId.new(), made_at, business_unit, tuple(listed))
    try:
        content = write_vouchers(file, interface)
        _put(out, content)
    except LineFaulty as refused:
        complain(as_json, "not_written", f"{refused}; nothing was written")
        raise typer.Exit(Exit.FAILED) from refused
    except OSError as error:
        complain(as_json, "not_written", f"{error.strerror}: {error.filename}")
        raise typer.Exit(Exit.FAILED) from error
    facts = {"file": str(out), "layout": interface.name, "batch_id": file.batch_id, **_totals(file.payments)}
    answer(as_json, facts, f"{_summary(file.payments)} in {out}.")


@payment_vouchers.command()
def read(
    file: Annotated[Path, typer.Argument(help="The payment-voucher file.", exists=True, dir_okay=False)],
    layout: LayoutOption = None,
    entries: Annotated[int, typer.Option(min=0, help="How many entries to show.")] = ENTRIES_SHOWN,
    as_json: JsonFlag = False,
) -> None:
    """Judge a file: verdict, first fault with record and field, entries, totals; exit code 1 if it is invalid."""
    from services.payments.remittance import judge_vouchers

    if file.stat().st_size > FILE_BYTES_MAX:
        raise typer.BadParameter(f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
    interface = _layout(layout, as_json)
    verdict = judge_vouchers(file.read_bytes(), interface)
    if as_json:
        print(json.dumps(_facts(verdict, interface, entries), default=str), flush=True)
    else:
        print(_report(verdict, entries), flush=True)
    if not verdict.is_valid:
        raise typer.Exit(Exit.FAILED)


def _layout(path: Path | None, as_json: bool) -> "Interface":
    from services.payments.remittance import STANDARD, interface_from

    if path is None:
        return STANDARD
    try:
        found, faults = interface_from(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        complain(as_json, "layout_faulty", f"{path.name} is not TOML: {error}")
        raise typer.Exit(Exit.FAILED) from error
    if found is None:
        complain(as_json, "layout_faulty", "; ".join(f"{path.name}, {key}: {reason}" for key, reason in faults))
        raise typer.Exit(Exit.FAILED)
    return found


def _listed(path: Path | None, sample: int | None, told: dict[str, Any], as_json: bool) -> "list[PaymentVoucher]":
    from services.payments.remittance.payments import read_payments, sample_payments

    if path is None:
        return sample_payments(sample or 1, account=told["account"], message=told["message"])
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        found, faults = read_payments(text, file=path.name, **told)
    if not faults:
        return found
    said = f"{len(faults)} faults; nothing was written"
    if as_json:
        facts = {"ok": False, "code": "payments_faulty", "message": said, "faults": [one.as_json() for one in faults]}
        print(json.dumps(facts), flush=True)
    else:
        complain(False, "payments_faulty", "\n".join([said, *(f"  {fault}" for fault in faults[:FAULTS_SHOWN])]))
    raise typer.Exit(Exit.FAILED)


def _put(out: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _totals(payments: "tuple[PaymentVoucher, ...]") -> dict[str, Any]:
    suppliers = [int(one.supplier_number) for one in payments if one.supplier_number.isdecimal()]
    return {
        "entries": len(payments),
        "total_cents": sum(one.amount_cents for one in payments),
        "supplier_hash": f"{sum(suppliers) % 10**10:010d}",
    }


def _summary(payments: "tuple[PaymentVoucher, ...]") -> str:
    from contracts.money import dollars

    totals = _totals(payments)
    return (
        f"Entries {totals['entries']}, total {dollars(totals['total_cents'])}, supplier hash {totals['supplier_hash']}"
    )


def _facts(verdict: "VoucherVerdict", interface: "Interface", entries: int) -> dict[str, Any]:
    faults = [
        {
            "record": one.line,
            "record_title": one.record,
            "field": one.field,
            "code": one.reason,
            "reason": one.explanation,
        }
        for one in sorted(verdict.faults, key=lambda fault: fault.line)
    ]
    return {
        "ok": verdict.is_valid,
        "verdict": "valid" if verdict.is_valid else "invalid",
        "layout": interface.name,
        "batch_id": verdict.file.batch_id,
        "first_fault": faults[0] if faults else None,
        "fault_count": verdict.fault_count,
        "faults": faults,
        "entries": len(verdict.file.payments),
        "totals": _totals(verdict.file.payments),
        "shown": [asdict(one) for one in verdict.file.payments[:entries]],
    }


def _report(verdict: "VoucherVerdict", entries: int) -> str:
    from contracts.money import dollars

    lines = ["Valid." if verdict.is_valid else "Invalid."]
    faults = sorted(verdict.faults, key=lambda fault: fault.line)
    for number, one in enumerate(faults[:FAULTS_SHOWN]):
        place = f"record {one.line} ({one.record}){', ' + one.field if one.field else ''}: {one.explanation}"
        lines.append(f"First fault: {place}." if number == 0 else f"  {place}")
    lines.append(f"{_summary(verdict.file.payments)}.")
    rows = [("supplier", "invoice", "amount", "due", "payment")]
    rows += [
        (one.supplier_number, one.invoice_number, dollars(one.amount_cents), _day(one.due_on), one.disbursement_id)
        for one in verdict.file.payments[:entries]
    ]
    return "\n".join([*lines, columns(rows)] if len(rows) > 1 else lines)


def _day(day: date) -> str:
    """A day that the layout does not carry is blank."""
    return "" if day == date.min else day.isoformat()
