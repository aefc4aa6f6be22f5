"""Payments as lines of CSV, for writing a payment-voucher file by hand; every fault named by line and column."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from contracts.ids import ApplicationId, DisbursementId
from contracts.money import CENTS_MAX
from services.payments.line_faults import FAULTS_KEPT_MAX, CsvLines, LineFault
from services.payments.remittance.columns import LineFaulty
from services.payments.remittance.interface import Interface
from services.payments.remittance.vouchers import PaymentVoucher, Twice, detail_line

COLUMNS = {
    "supplier_number": "up to ten digits",
    "invoice_number": "up to 64 characters",
    "invoice_on": "the invoice's day, 2026-03-10",
    "amount_cents": "whole cents, more than 0",
    "due_on": "the day it is due",
    "account": "optional: the account coding; else --account",
    "message": "optional: up to 70 characters; else --message",
    "location": "optional: the supplier's location",
    "application_id": "optional: the encumbrance",
    "disbursement_id": "optional: the payment's id; else one is made from the line",
}
REQUIRED = ("supplier_number", "invoice_number", "invoice_on", "amount_cents", "due_on")
SAMPLE_DAY = date(2026, 3, 10)


def read_payments(
    lines: Iterable[str], *, file: str, account: str, message: str, business_unit: str, interface: Interface
) -> tuple[list[PaymentVoucher], list[LineFault]]:
    """The payments without a fault, and the faults; write nothing where there is one."""
    found, faults = list[PaymentVoucher](), list[LineFault]()
    lines, twice = CsvLines(lines), Twice()
    rows = csv.reader(lines, strict=True)
    names: list[str] | None = None
    try:
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = [cell.strip().lower() for cell in cells]
                faults += _heading(file, rows.line_num, names)
                if faults:
                    return [], faults
                continue
            row = dict.fromkeys(COLUMNS, "") | {n: c.strip() for n, c in zip(names, cells, strict=False)}
            wrong = list(_faults(file, rows.line_num, row, len(cells), len(names)))
            if not wrong:
                payment = _payment(row, len(found) + 1, account, message)
                wrong = list(_unfit(file, rows.line_num, payment, twice, business_unit, interface))
                found.append(payment)
            faults += wrong[: FAULTS_KEPT_MAX - len(faults)]
    except csv.Error as error:
        faults.append(LineFault(file, rows.line_num, *lines.refused(names or (), error)))
    if not found and not faults:
        faults.append(LineFault(file, max(rows.line_num, 1), "", "the file holds no payments"))
    return found, faults


def sample_payments(count: int, *, account: str, message: str) -> list[PaymentVoucher]:
    """Payments that nobody made; the same number always gives the same."""
    return [
        PaymentVoucher(
            supplier_number=f"{1_000_000 + number % 97:010d}",
            invoice_number=f"INV-{number:06d}",
            invoice_on=SAMPLE_DAY - timedelta(number % 30),
            amount_cents=1_000 + 7_919 * number % 299_000,
            account=account,
            application_id=ApplicationId.derive("sample", number),
            disbursement_id=DisbursementId.derive("sample", number),
            message=message,
            due_on=SAMPLE_DAY + timedelta(30 - number % 30),
        )
        for number in range(1, count + 1)
    ]


def _heading(file: str, line: int, names: Sequence[str]) -> list[LineFault]:
    known = ", ".join(COLUMNS)
    faults = [LineFault(file, line, n, f"is not a column; the columns are {known}") for n in names if n not in COLUMNS]
    faults += [LineFault(file, line, n, "stands there twice") for n in COLUMNS if names.count(n) > 1]
    return faults + [LineFault(file, line, n, "this column is missing") for n in REQUIRED if n not in names]


def _faults(file: str, line: int, row: dict[str, str], cells: int, wanted: int) -> Iterator[LineFault]:
    if cells != wanted:
        yield LineFault(file, line, "", f"{cells} cells where the header has {wanted}")
        return
    if re.fullmatch(r"[0-9]{1,10}", row["supplier_number"]) is None:
        yield LineFault(file, line, "supplier_number", f"{row['supplier_number']!r} is not up to ten digits")
    if re.fullmatch(r"[0-9]{1,10}", row["amount_cents"]) is None or not 0 < int(row["amount_cents"]) <= CENTS_MAX:
        yield LineFault(file, line, "amount_cents", "is not between 1 and 9,999,999,999 ($99,999,999.99)")
    for column in ("invoice_on", "due_on"):
        if _day(row[column]) is None:
            yield LineFault(file, line, column, f"{row[column]!r} is no day like 2026-03-10")
    if not row["invoice_number"]:
        yield LineFault(file, line, "invoice_number", "is empty")


def _unfit(
    file: str, line: int, payment: PaymentVoucher, twice: Twice, business_unit: str, interface: Interface
) -> Iterator[LineFault]:
    """What the columns of the file cannot say, and what another line has said."""
    for name, before in twice.found(payment, line):
        yield LineFault(file, line, name, f"stands on line {before} as well")
    try:
        detail_line(interface, 1, business_unit, payment)
    except LineFaulty as fault:
        yield LineFault(file, line, fault.field, fault.explanation.removeprefix(f"{fault.field}: "))


def _payment(row: dict[str, str], number: int, account: str, message: str) -> PaymentVoucher:
    invoice_on, due_on = _day(row["invoice_on"]), _day(row["due_on"])
    assert invoice_on is not None
    assert due_on is not None
    made = DisbursementId.derive(row["supplier_number"], row["invoice_number"], row["amount_cents"], number)
    return PaymentVoucher(
        supplier_number=row["supplier_number"].rjust(10, "0"),
        invoice_number=row["invoice_number"],
        invoice_on=invoice_on,
        amount_cents=int(row["amount_cents"]),
        account=row["account"] or account,
        application_id=row["application_id"],
        disbursement_id=row["disbursement_id"] or made,
        message=row["message"] or message,
        due_on=due_on,
        location=row["location"],
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
