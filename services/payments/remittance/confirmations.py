"""The confirmation file: read line by line, so that one garbled line costs no other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from contracts.ids import DisbursementId
from services.payments.remittance.columns import Field, Kind, Layout, LineFaulty, day_of

CONFIRMATION_SUFFIX = ".pcf"
CONFIRMATION_LAYOUT = "CAIRNPC1"
LINES_MAX = 200_000
_WIDTH = 160
_RETURN_CODE = re.compile(r"^[A-Z]\d{2}$")

HEADER = Layout((Field("record", 1), Field("layout", 8), Field("made_at", 14, Kind.MOMENT)), _WIDTH)
DETAIL = Layout(
    (
        Field("record", 1),
        Field("disbursement_id", 30),
        Field("voucher_number", 20),
        Field("payment_number", 20),
        Field("day", 8, Kind.DAY),
        Field("status", 8),
        Field("return_code", 3),
    ),
    _WIDTH,
)
TRAILER = Layout((Field("record", 1), Field("details", 6, Kind.NUMBER)), _WIDTH)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The finance system's word on one payment."""

    disbursement_id: DisbursementId
    voucher_number: str
    payment_number: str
    day: date
    status: Literal["PAID", "RETURNED"]
    return_code: str | None = None


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that cannot be used, as it came; line 0 speaks of the whole file."""

    number: int
    line: bytes
    reason: str
    explanation: str


@dataclass(frozen=True, slots=True)
class ConfirmationFile:
    """What could be read, with line numbers, and what could not."""

    confirmations: tuple[tuple[int, Confirmation], ...]
    rejected: tuple[RejectedLine, ...]
    lines: tuple[bytes, ...]


def write_confirmations(confirmations: Sequence[Confirmation], made_at: datetime) -> bytes:
    """The bytes of a confirmation file, as the finance system writes it."""
    lines = [HEADER.write({"record": "H", "layout": CONFIRMATION_LAYOUT, "made_at": made_at.astimezone(UTC)})]
    for one in confirmations:
        values = {
            "record": "D",
            "disbursement_id": one.disbursement_id,
            "voucher_number": one.voucher_number,
            "payment_number": one.payment_number,
            "day": one.day,
            "status": one.status,
            "return_code": one.return_code or "",
        }
        lines.append(DETAIL.write(values))
    lines.append(TRAILER.write({"record": "T", "details": len(confirmations)}))
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def read_confirmations(content: bytes) -> ConfirmationFile:
    """Read every line that can be read. Faults of the file as a whole are reported and stop nothing."""
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    confirmations: list[tuple[int, Confirmation]] = []
    rejected: list[RejectedLine] = []
    kinds: list[str] = []
    announced: int | None = None
    for number, raw in enumerate(lines, 1):
        text = raw.removesuffix(b"\r").decode("ascii", errors="replace")
        try:
            kinds.append(text[:1])
            match text[:1]:
                case "H":
                    _check_header(number, text)
                case "D":
                    confirmations.append((number, _confirmation(text)))
                case "T":
                    announced = int(TRAILER.read(text)["details"])
                case _:
                    raise LineFaulty("record_type", "record", "H, D or T expected")
        except LineFaulty as fault:
            rejected.append(RejectedLine(number, raw, fault.reason, fault.explanation))
        if number >= LINES_MAX:
            rejected.append(RejectedLine(0, b"", "too_many_lines", f"only {LINES_MAX} lines are read"))
            break
    rejected.extend(_whole_file(kinds, announced))
    return ConfirmationFile(tuple(confirmations), tuple(rejected), tuple(lines))


def _confirmation(text: str) -> Confirmation:
    row = DETAIL.read(text)
    try:
        disbursement_id = DisbursementId.parse(row["disbursement_id"])
    except ValueError:
        raise LineFaulty("disbursement_id", "disbursement_id", "not a disbursement id") from None
    if not row["payment_number"]:
        raise LineFaulty("payment_number", "payment_number", "a payment number expected")
    day, code = day_of(row["day"]), row["return_code"]
    match row["status"]:
        case "PAID" if not code:
            return Confirmation(disbursement_id, row["voucher_number"], row["payment_number"], day, "PAID")
        case "RETURNED" if _RETURN_CODE.match(code):
            return Confirmation(disbursement_id, row["voucher_number"], row["payment_number"], day, "RETURNED", code)
        case "PAID" | "RETURNED":
            raise LineFaulty("return_code", "return_code", "a letter and two digits when returned, blank when paid")
        case _:
            raise LineFaulty("status", "status", "PAID or RETURNED expected")


def _check_header(number: int, text: str) -> None:
    row = HEADER.read(text)
    if number != 1 or row["layout"] != CONFIRMATION_LAYOUT:
        raise LineFaulty("layout", "layout", f"one header of layout {CONFIRMATION_LAYOUT} expected, on line 1")


def _whole_file(kinds: Sequence[str], announced: int | None) -> list[RejectedLine]:
    details = kinds.count("D")
    if not kinds:
        return [RejectedLine(0, b"", "empty", "the file is empty")]
    found: list[RejectedLine] = []
    if kinds[0] != "H":
        found.append(RejectedLine(0, b"", "header_missing", "the first line is no header"))
    if announced is None:
        found.append(RejectedLine(0, b"", "trailer_missing", "the file has no trailer: it may be cut off"))
    elif announced != details:
        found.append(
            RejectedLine(0, b"", "control_totals", f"the trailer announces {announced} details, there are {details}")
        )
    return found
