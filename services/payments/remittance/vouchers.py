"""The payment-voucher file: written once for a batch, readable again to the last byte, in the columns asked for."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from contracts.money import CENTS_MAX
from services.payments.remittance.columns import LineFaulty
from services.payments.remittance.interface import STANDARD, Column, Form, Interface

VOUCHER_SUFFIX = ".pvf"
VOUCHER_LAYOUT = STANDARD.name
PAYMENTS_MAX = 999_999
FAULTS_KEPT_MAX = 1_000
TWICE = "twice"
_HASH = 10**10
_PRINTABLE = re.compile(r"[\x20-\x7e\t]*")


class FileFaulty(ValueError):
    """A payment-voucher file is not one: `line` (from 1), `record`, `field`, `reason`, and what was found."""

    def __init__(self, line: int, reason: str, explanation: str, *, record: str = "file", field: str = "") -> None:
        super().__init__(f"line {line} ({record}): {explanation}")
        self.line = line
        self.record = record
        self.field = field
        self.reason = reason
        self.explanation = explanation


@dataclass(frozen=True, slots=True)
class PaymentVoucher:
    """One payment in the file; what an interface does not carry is empty when it is read back."""

    supplier_number: str
    invoice_number: str
    invoice_on: date
    amount_cents: int
    account: str
    application_id: str
    disbursement_id: str
    message: str
    due_on: date
    location: str = ""


@dataclass(frozen=True, slots=True)
class VoucherFile:
    """The content of one file."""

    batch_id: str
    made_at: datetime
    business_unit: str
    payments: tuple[PaymentVoucher, ...]

    @property
    def total_cents(self) -> int:
        return sum(payment.amount_cents for payment in self.payments)

    @property
    def supplier_hash(self) -> int:
        """Finds a supplier number changed on the way: their sum, its last ten digits."""
        return sum(int(payment.supplier_number) for payment in self.payments) % _HASH


@dataclass(slots=True)
class VoucherVerdict:
    """What can be said of a file. Act on nothing of one that has a fault."""

    file: VoucherFile
    faults: list[FileFaulty] = field(default_factory=list[FileFaulty])
    fault_count: int = 0

    @property
    def is_valid(self) -> bool:
        return self.fault_count == 0

    def add(self, fault: FileFaulty) -> None:
        self.fault_count += 1
        if len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.append(fault)


def write_vouchers(file: VoucherFile, interface: Interface = STANDARD) -> bytes:
    """The file's bytes: the same content always gives the same. `LineFaulty` where a value does not fit."""
    if not 0 < len(file.payments) <= PAYMENTS_MAX:
        raise LineFaulty("payments", "file", f"{len(file.payments)} payments do not make a file")
    made_at = file.made_at.astimezone(UTC)
    lines: list[str] = []
    if interface.column_names:
        lines.append(_line(interface, [column.name for column in interface.detail]))
    if interface.header:
        head = {"batch_id": file.batch_id, "made_at": made_at, "business_unit": file.business_unit}
        lines.append(_written(interface, interface.header, head))
    for number, payment in enumerate(file.payments, 1):
        lines.append(detail_line(interface, number, file.business_unit, payment))
    if interface.trailer:
        totals = {
            "payments": len(file.payments),
            "total_cents": file.total_cents,
            "supplier_hash": file.supplier_hash,
            "batch_id": file.batch_id,
        }
        lines.append(_written(interface, interface.trailer, totals))
    return "".join(f"{line}{interface.line_end}" for line in lines).encode("ascii")


def detail_line(interface: Interface, number: int, business_unit: str, payment: PaymentVoucher) -> str:
    """One payment's line; `LineFaulty` names the column that a value does not fit."""
    return _written(interface, interface.detail, _values(number, business_unit, payment))


def read_vouchers(content: bytes, interface: Interface = STANDARD) -> VoucherFile:
    """The payments of a file whose control totals agree; `FileFaulty` names the first fault.

    What stands there twice is read: it may have gone out, and `judge_vouchers` tells of it.
    """
    verdict = judge_vouchers(content, interface)
    if faults := [fault for fault in verdict.faults if fault.reason != TWICE]:
        raise min(faults, key=lambda fault: fault.line)
    return verdict.file


def judge_vouchers(content: bytes, interface: Interface = STANDARD) -> VoucherVerdict:
    """Every fault of a file with its line, record and column, and the payments that could be read."""
    empty = VoucherFile("", datetime(1970, 1, 1, tzinfo=UTC), "", ())
    verdict = VoucherVerdict(empty)
    end = interface.line_end.encode()
    if not content.endswith(end):
        line = content.count(b"\n") + 1
        verdict.add(FileFaulty(line, "cut_off", "the last line has no end"))
    lines = content.decode("ascii", errors="replace").removesuffix(interface.line_end).split(interface.line_end)
    first = int(interface.column_names) + int(bool(interface.header))
    if len(lines) < first + 1 + int(bool(interface.trailer)) or not content:
        verdict.add(FileFaulty(len(lines), "too_short", "header, details and trailer expected"))
        return verdict
    head: Mapping[str, Any] = {}
    if interface.column_names:
        _column_names(verdict, interface, lines[0])
    if interface.header:
        head = _read(verdict, interface, "header", interface.header, lines, first) or {}
    last = len(lines) - int(bool(interface.trailer))
    payments = tuple(_payments(verdict, interface, head, lines, first, last))
    made_at = head.get("made_at")
    verdict.file = VoucherFile(
        batch_id=str(head.get("batch_id", "")),
        made_at=made_at.replace(tzinfo=UTC) if isinstance(made_at, datetime) else empty.made_at,
        business_unit=str(head.get("business_unit", "")),
        payments=payments,
    )
    if interface.trailer:
        _compare_totals(verdict, interface, lines, complete=len(payments) == last - first)
    return verdict


def _payments(
    verdict: VoucherVerdict, interface: Interface, head: Mapping[str, Any], lines: Sequence[str], first: int, last: int
) -> Iterator[PaymentVoucher]:
    twice = Twice()
    for at in range(first + 1, last + 1):
        row = _read(verdict, interface, "detail", interface.detail, lines, at)
        if row is None:
            continue
        if row.get("number", at - first) != at - first:
            verdict.add(_fault(at, "detail", "number", "out_of_place", f"{row['number']} on detail {at - first}"))
        if row.get("business_unit", "") != head.get("business_unit", row.get("business_unit", "")):
            explanation = "the business unit is not the header's"
            verdict.add(_fault(at, "detail", "business_unit", "out_of_place", explanation))
        if not 0 < row["amount_cents"] <= CENTS_MAX:
            explanation = "a payment is more than zero and at most $99,999,999.99"
            verdict.add(_fault(at, "detail", "amount_cents", "amount", explanation))
        supplier = row["supplier_number"]
        payment = PaymentVoucher(
            supplier_number=f"{supplier:010d}" if isinstance(supplier, int) else supplier,
            invoice_number=row["invoice_number"],
            invoice_on=row.get("invoice_on", date.min),
            amount_cents=row["amount_cents"],
            account=row.get("account", ""),
            application_id=row.get("application_id", ""),
            disbursement_id=row["disbursement_id"],
            message=row.get("message", ""),
            due_on=row.get("due_on", date.min),
            location=row.get("location", ""),
        )
        for name, before in twice.found(payment, at):
            verdict.add(_fault(at, "detail", name, TWICE, f"stands on line {before} as well"))
        yield payment


class Twice:
    """Which lines of a file order what a line before them has ordered."""

    def __init__(self) -> None:
        self._lines: dict[tuple[object, ...], int] = {}

    def found(self, payment: PaymentVoucher, line: int) -> Iterator[tuple[str, int]]:
        """The field and the line before: the finance system tells invoices apart by supplier, number and amount."""
        invoice = (payment.supplier_number, payment.invoice_number, payment.amount_cents)
        for name, key in (("invoice_number", invoice), ("disbursement_id", (payment.disbursement_id,))):
            before = self._lines.setdefault((name, *key), line)
            if before != line:
                yield name, before


def _compare_totals(verdict: VoucherVerdict, interface: Interface, lines: Sequence[str], *, complete: bool) -> None:
    at, file = len(lines), verdict.file
    row = _read(verdict, interface, "trailer", interface.trailer, lines, at)
    # Totals prove nothing while a detail could not be read.
    if row is None or not complete:
        return
    hashable = all(payment.supplier_number.isdecimal() for payment in file.payments)
    counted = {"payments": len(file.payments), "total_cents": file.total_cents}
    counted |= {"supplier_hash": file.supplier_hash} if hashable else {}
    counted |= {"batch_id": file.batch_id} if interface.header else {}
    for name, expected in counted.items():
        if name in row and row[name] != expected:
            explanation = f"{row[name]} where the details make {expected}"
            verdict.add(_fault(at, "trailer", name, "control_totals", explanation))


def _column_names(verdict: VoucherVerdict, interface: Interface, line: str) -> None:
    expected = [column.name for column in interface.detail]
    if (found := _cells(interface, line)) != expected:
        verdict.add(_fault(1, "column names", "", "column_names", f"{found} where {expected} belong"))


def _values(number: int, business_unit: str, payment: PaymentVoucher) -> Mapping[str, Any]:
    if not 0 < payment.amount_cents <= CENTS_MAX:
        raise LineFaulty("amount", "amount_cents", "a payment is more than zero and at most $99,999,999.99")
    return {
        "number": number,
        "business_unit": business_unit,
        "supplier_number": payment.supplier_number,
        "location": payment.location,
        "invoice_number": payment.invoice_number,
        "invoice_on": payment.invoice_on,
        "amount_cents": payment.amount_cents,
        "account": payment.account,
        "application_id": payment.application_id,
        "disbursement_id": payment.disbursement_id,
        "message": payment.message,
        "due_on": payment.due_on,
    }


def _written(interface: Interface, columns: Sequence[Column], values: Mapping[str, Any]) -> str:
    padded = interface.form is Form.FIXED
    texts = [column.written(values, padded=padded) for column in columns]
    return "".join(texts).ljust(interface.width) if padded else _line(interface, texts)


def _line(interface: Interface, cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=interface.delimiter, lineterminator="").writerow(cells)
    return text.getvalue()


def _cells(interface: Interface, line: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=interface.delimiter, strict=True), [])
    except csv.Error as error:
        raise LineFaulty("not_delimited", "line", str(error)) from None


def _read(
    verdict: VoucherVerdict, interface: Interface, record: str, columns: Sequence[Column], lines: Sequence[str], at: int
) -> dict[str, Any] | None:
    """The values of one line, its first fault kept; nothing where it cannot be read."""
    try:
        texts = _texts(interface, columns, lines[at - 1])
        return {column.value or column.name: column.read(text) for column, text in zip(columns, texts, strict=True)}
    except LineFaulty as fault:
        verdict.add(_fault(at, record, fault.field, fault.reason, fault.explanation))
        return None


def _texts(interface: Interface, columns: Sequence[Column], line: str) -> list[str]:
    if interface.form is Form.FIXED and len(line) != interface.width:
        raise LineFaulty("line_length", "line", f"{len(line)} characters instead of {interface.width}")
    if _PRINTABLE.fullmatch(line) is None:
        raise LineFaulty("not_printable", "line", "a character that is not printable ASCII")
    if interface.form is Form.DELIMITED:
        cells = _cells(interface, line)
        if len(cells) != len(columns):
            raise LineFaulty("cells", "line", f"{len(cells)} cells where {len(columns)} belong")
        return cells
    texts: list[str] = []
    at = 0
    for column in columns:
        texts.append(line[at : at + column.width])
        at += column.width
    if line[at:].strip():
        raise LineFaulty("trailing_text", "line", f"text after column {at}")
    return texts


def _fault(line: int, record: str, field: str, reason: str, explanation: str) -> FileFaulty:
    return FileFaulty(line, reason, explanation, record=record, field=field)
