"""The payment-voucher file: written once for a batch, readable again to the last byte."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from contracts.money import CENTS_MAX
from services.payments.remittance.columns import Field, Kind, Layout, LineFaulty, day_of

VOUCHER_SUFFIX = ".pvf"
VOUCHER_LAYOUT = "CAIRNPV1"
PAYMENTS_MAX = 999_999
_WIDTH = 320
_HASH = 10**10

HEADER = Layout(
    (
        Field("record", 1),
        Field("layout", 8),
        Field("batch_id", 30),
        Field("made_at", 14, Kind.MOMENT),
        Field("business_unit", 5),
    ),
    _WIDTH,
)
DETAIL = Layout(
    (
        Field("record", 1),
        Field("number", 6, Kind.NUMBER),
        Field("business_unit", 5),
        Field("supplier_number", 10, Kind.NUMBER),
        Field("invoice_number", 64),
        Field("invoice_on", 8, Kind.DAY),
        Field("amount_cents", 10, Kind.NUMBER),
        Field("account", 30),
        Field("application_id", 30),
        Field("disbursement_id", 30),
        Field("message", 70),
        Field("due_on", 8, Kind.DAY),
    ),
    _WIDTH,
)
TRAILER = Layout(
    (
        Field("record", 1),
        Field("payments", 6, Kind.NUMBER),
        Field("total_cents", 15, Kind.NUMBER),
        Field("supplier_hash", 10, Kind.NUMBER),
        Field("batch_id", 30),
    ),
    _WIDTH,
)


class FileFaulty(ValueError):
    """A payment-voucher file is not one: `line` (from 1), `reason`, and what was found."""

    def __init__(self, line: int, reason: str, explanation: str) -> None:
        super().__init__(f"line {line}: {explanation}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PaymentVoucher:
    """One payment in the file."""

    supplier_number: str
    invoice_number: str
    invoice_on: date
    amount_cents: int
    account: str
    application_id: str
    disbursement_id: str
    message: str
    due_on: date


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


def write_vouchers(file: VoucherFile) -> bytes:
    """The file's bytes: the same content always gives the same. `LineFaulty` where a value does not fit."""
    if not 0 < len(file.payments) <= PAYMENTS_MAX:
        raise LineFaulty("payments", "file", f"{len(file.payments)} payments do not make a file")
    lines = [
        HEADER.write(
            {
                "record": "H",
                "layout": VOUCHER_LAYOUT,
                "batch_id": file.batch_id,
                "made_at": file.made_at.astimezone(UTC),
                "business_unit": file.business_unit,
            }
        ),
        *(_detail(number, file.business_unit, payment) for number, payment in enumerate(file.payments, 1)),
        TRAILER.write(
            {
                "record": "T",
                "payments": len(file.payments),
                "total_cents": file.total_cents,
                "supplier_hash": file.supplier_hash,
                "batch_id": file.batch_id,
            }
        ),
    ]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def read_vouchers(content: bytes) -> VoucherFile:
    """The payments of a file whose control totals agree; `FileFaulty` names the first fault."""
    lines = _lines(content)
    if len(lines) < 3:
        raise FileFaulty(len(lines), "too_short", "header, details and trailer expected")
    header = _read(HEADER, lines, 1, "H")
    if header["layout"] != VOUCHER_LAYOUT:
        raise FileFaulty(1, "layout", f"layout {header['layout']!r} instead of {VOUCHER_LAYOUT}")
    payments: list[PaymentVoucher] = []
    for at in range(2, len(lines)):
        row = _read(DETAIL, lines, at, "D")
        if int(row["number"]) != at - 1 or row["business_unit"] != header["business_unit"]:
            raise FileFaulty(at, "out_of_place", "line number or business unit does not belong here")
        payments.append(_payment(at, row))
    file = VoucherFile(
        header["batch_id"],
        datetime.strptime(header["made_at"], "%Y%m%d%H%M%S").replace(tzinfo=UTC),
        header["business_unit"],
        tuple(payments),
    )
    trailer = _read(TRAILER, lines, len(lines), "T")
    totals = (int(trailer["payments"]), int(trailer["total_cents"]), int(trailer["supplier_hash"]), trailer["batch_id"])
    if totals != (len(payments), file.total_cents, file.supplier_hash, file.batch_id):
        raise FileFaulty(len(lines), "control_totals", "the control totals do not agree with the details")
    return file


def _detail(number: int, business_unit: str, payment: PaymentVoucher) -> str:
    if not 0 < payment.amount_cents <= CENTS_MAX:
        raise LineFaulty("amount", "amount_cents", "a payment is more than zero and at most $99,999,999.99")
    return DETAIL.write(
        {
            "record": "D",
            "number": number,
            "business_unit": business_unit,
            "supplier_number": int(payment.supplier_number),
            "invoice_number": payment.invoice_number,
            "invoice_on": payment.invoice_on,
            "amount_cents": payment.amount_cents,
            "account": payment.account,
            "application_id": payment.application_id,
            "disbursement_id": payment.disbursement_id,
            "message": payment.message,
            "due_on": payment.due_on,
        }
    )


def _payment(at: int, row: dict[str, str]) -> PaymentVoucher:
    amount_cents = int(row["amount_cents"])
    if amount_cents == 0:
        raise FileFaulty(at, "amount", "a payment of nothing")
    return PaymentVoucher(
        supplier_number=row["supplier_number"],
        invoice_number=row["invoice_number"],
        invoice_on=day_of(row["invoice_on"]),
        amount_cents=amount_cents,
        account=row["account"],
        application_id=row["application_id"],
        disbursement_id=row["disbursement_id"],
        message=row["message"],
        due_on=day_of(row["due_on"]),
    )


def _lines(content: bytes) -> Sequence[str]:
    if not content.endswith(b"\n"):
        raise FileFaulty(content.count(b"\n") + 1, "cut_off", "the last line has no end")
    return content.decode("ascii", errors="replace").removesuffix("\n").split("\n")


def _read(layout: Layout, lines: Sequence[str], at: int, record: str) -> dict[str, str]:
    try:
        row = layout.read(lines[at - 1])
    except LineFaulty as fault:
        raise FileFaulty(at, fault.reason, str(fault)) from fault
    if row["record"] != record:
        raise FileFaulty(at, "record_type", f"a record {row['record']!r} where {record!r} belongs")
    return row
