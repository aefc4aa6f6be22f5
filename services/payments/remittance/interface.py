"""The payment-voucher interface as data: which columns, in which order, under which names, with what fixed in them.

State finance systems take vouchers in columns that each installation configures; a TOML file says how this one reads
them. What the layout of a file allows is checked before the first payment is written.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from services.payments.remittance.columns import LineFaulty

WIDTH_MAX = 2_000
COLUMNS_MAX = 100
DAYS = {"YYYYMMDD": "%Y%m%d", "YYYY-MM-DD": "%Y-%m-%d", "MM/DD/YYYY": "%m/%d/%Y", "MMDDYYYY": "%m%d%Y"}
MOMENTS = {"YYYYMMDDhhmmss": "%Y%m%d%H%M%S", "YYYY-MM-DDThh:mm:ssZ": "%Y-%m-%dT%H:%M:%SZ"}
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


class Form(StrEnum):
    """How columns are told apart."""

    FIXED = "fixed"
    DELIMITED = "delimited"


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    CENTS = "cents"
    DOLLARS = "dollars"
    DAY = "day"
    MOMENT = "moment"


VALUES: Mapping[str, Mapping[str, frozenset[Kind]]] = {
    "header": {
        "batch_id": frozenset({Kind.TEXT}),
        "made_at": frozenset({Kind.MOMENT, Kind.DAY}),
        "business_unit": frozenset({Kind.TEXT}),
    },
    "detail": {
        "number": frozenset({Kind.NUMBER}),
        "business_unit": frozenset({Kind.TEXT}),
        "supplier_number": frozenset({Kind.NUMBER, Kind.TEXT}),
        "location": frozenset({Kind.TEXT}),
        "invoice_number": frozenset({Kind.TEXT}),
        "invoice_on": frozenset({Kind.DAY}),
        "amount_cents": frozenset({Kind.CENTS, Kind.DOLLARS}),
        "account": frozenset({Kind.TEXT}),
        "application_id": frozenset({Kind.TEXT}),
        "disbursement_id": frozenset({Kind.TEXT}),
        "message": frozenset({Kind.TEXT}),
        "due_on": frozenset({Kind.DAY}),
    },
    "trailer": {
        "payments": frozenset({Kind.NUMBER}),
        "total_cents": frozenset({Kind.CENTS, Kind.DOLLARS}),
        "supplier_hash": frozenset({Kind.NUMBER}),
        "batch_id": frozenset({Kind.TEXT}),
    },
}
"""What each record can say, and how it may be written."""
NEEDED = ("amount_cents", "disbursement_id", "supplier_number", "invoice_number")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a value of the payment, or `fixed` text. `width` 0 is as wide as it gets (delimited only)."""

    name: str
    value: str = ""
    fixed: str | None = None
    width: int = 0
    kind: Kind = Kind.TEXT
    format: str = ""

    def written(self, given: Mapping[str, Any], *, padded: bool) -> str:
        """The column's text; `LineFaulty` where a value does not fit."""
        text = self.fixed if self.fixed is not None else self._text(given[self.value], padded=padded)
        if padded:
            text = text.rjust(self.width) if self.kind is Kind.DOLLARS else text.ljust(self.width)
        if self.width and len(text) > self.width:
            raise LineFaulty("too_wide", self.name, f"{len(text)} characters do not fit in {self.width}")
        return text

    def _text(self, value: Any, *, padded: bool) -> str:
        match self.kind:
            case Kind.NUMBER | Kind.CENTS:
                return f"{int(value):0{self.width if padded else 0}d}"
            case Kind.DOLLARS:
                return f"{value // 100}.{value % 100:02d}"
            case Kind.DAY:
                return f"{value:{DAYS[self.format]}}"
            case Kind.MOMENT:
                return f"{value:{MOMENTS[self.format]}}"
            case Kind.TEXT:
                text = str(value)
                if text != text.strip(" ") or _PRINTABLE.fullmatch(text) is None:
                    raise LineFaulty("not_printable", self.name, "text that a column cannot carry")
                return text

    def read(self, text: str) -> Any:
        """The value of a column's text; `LineFaulty` names the column and what belongs there."""
        plain = text.strip(" ")
        if self.fixed is not None:
            if plain != self.fixed.strip(" "):
                reason = "record_type" if self.name == "record" else self.name
                raise LineFaulty(reason, self.name, f"{plain!r} where {self.fixed!r} belongs")
            return plain
        match self.kind:
            case Kind.NUMBER | Kind.CENTS:
                if re.fullmatch(r"\d+", plain if self.width == 0 else text) is None:
                    raise LineFaulty("not_a_number", self.name, "digits expected")
                return int(plain)
            case Kind.DOLLARS:
                found = re.fullmatch(r"(\d+)\.(\d\d)", plain)
                if found is None:
                    raise LineFaulty("not_an_amount", self.name, "dollars with two digits of cents expected")
                return 100 * int(found[1]) + int(found[2])
            case Kind.DAY:
                return self._moment(plain, DAYS[self.format]).date()
            case Kind.MOMENT:
                return self._moment(plain, MOMENTS[self.format])
            case Kind.TEXT:
                return plain

    def _moment(self, text: str, pattern: str) -> datetime:
        try:
            found = datetime.strptime(text, pattern)  # noqa: DTZ007 - the caller knows the zone
        except ValueError:
            raise LineFaulty("not_a_day", self.name, f"{self.format} expected") from None
        # strptime takes one digit where the format has two.
        if found.strftime(pattern) != text:
            raise LineFaulty("not_a_day", self.name, f"{self.format} expected")
        return found


@dataclass(frozen=True, slots=True)
class Interface:
    """One finance system's layout."""

    name: str
    form: Form
    width: int
    delimiter: str
    line_end: str
    header: tuple[Column, ...]
    detail: tuple[Column, ...]
    trailer: tuple[Column, ...]
    column_names: bool = False
    """A delimited file begins with a line of the details' column names."""


def interface_from(given: Mapping[str, Any]) -> tuple[Interface | None, list[tuple[str, str]]]:
    """The interface that a TOML file describes, or the keys that are wrong with their reasons."""
    faults: list[tuple[str, str]] = []
    known = {"name", "form", "width", "delimiter", "line_end", "column_names", *VALUES}
    faults += [(key, "is not a key of a layout") for key in given if key not in known]
    form = given.get("form", "fixed")
    if form not in {one.value for one in Form}:
        faults.append(("form", "is neither fixed nor delimited"))
    name, width = given.get("name"), given.get("width", 0)
    if not isinstance(name, str) or not re.fullmatch(r"[\x21-\x7e]{1,40}", name):
        faults.append(("name", "is not 1 to 40 characters"))
    if form == "fixed" and not (isinstance(width, int) and 0 < width <= WIDTH_MAX):
        faults.append(("width", f"is not between 1 and {WIDTH_MAX}"))
    delimiter, line_end = given.get("delimiter", "|"), given.get("line_end", "\n")
    if delimiter not in {"|", ",", ";", "\t"}:
        faults.append(("delimiter", "is none of | , ; and tab"))
    if line_end not in {"\n", "\r\n"}:
        faults.append(("line_end", "is neither \\n nor \\r\\n"))
    records: dict[str, tuple[Column, ...]] = {}
    for record in VALUES:
        records[record] = _columns(record, given.get(record, []), form == "fixed", width, faults)
    stated = {column.value for column in records["detail"]}
    faults += [("detail", f"{value} is nowhere in it") for value in NEEDED if value not in stated]
    if faults:
        return None, faults
    interface = Interface(
        str(name),
        Form(form),
        width,
        delimiter,
        line_end,
        column_names=bool(given.get("column_names", False)),
        **records,
    )
    return interface, []


def _columns(record: str, given: Any, is_fixed: bool, width: int, faults: list[tuple[str, str]]) -> tuple[Column, ...]:
    if not isinstance(given, list) or len(given) > COLUMNS_MAX:
        faults.append((record, f"is no list of at most {COLUMNS_MAX} columns"))
        return ()
    found: list[Column] = []
    for place, one in enumerate(given, 1):
        key = f"{record}[{place}]"
        try:
            column = Column(**(one | {"kind": Kind(one.get("kind", "text"))}))
        except (TypeError, ValueError, AttributeError):
            faults.append((key, "is not a column: name, value or fixed, width, kind, format"))
            continue
        faults += [(key, reason) for reason in _reasons(record, column, is_fixed)]
        found.append(column)
    if is_fixed and sum(column.width for column in found) > width:
        faults.append((record, f"its columns are wider than {width}"))
    return tuple(found)


def _reasons(record: str, column: Column, is_fixed: bool) -> list[str]:
    found: list[str] = []
    if column.fixed is None:
        kinds = VALUES[record].get(column.value)
        if kinds is None:
            return [f"{column.value!r} is no value of a {record}"]
        if column.kind not in kinds:
            found.append(f"{column.value} is not written as {column.kind}")
    if is_fixed and column.width < 1:
        found.append("a fixed column has a width")
    if column.kind is Kind.DAY and column.format not in DAYS:
        found.append(f"format is none of {', '.join(DAYS)}")
    if column.kind is Kind.MOMENT and column.format not in MOMENTS:
        found.append(f"format is none of {', '.join(MOMENTS)}")
    return found


def _standard() -> Interface:
    found, faults = interface_from(tomllib.loads(Path(__file__).with_name("cairnpv1.toml").read_text(encoding="utf-8")))
    if found is None:
        raise ValueError(f"cairnpv1.toml: {faults}")
    return found


STANDARD = _standard()
"""The layout `CAIRNPV1`, where nothing else is configured."""


def day_only(value: datetime | date) -> date:
    return value.date() if isinstance(value, datetime) else value
