"""Records of fixed columns: what a field may hold, writing a line, reading it back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

_PRINTABLE = re.compile(r"^[\x20-\x7e]*$")


class Kind(StrEnum):
    """How a field is written."""

    TEXT = "text"
    NUMBER = "number"
    DAY = "day"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Field:
    """A named run of columns."""

    name: str
    width: int
    kind: Kind = Kind.TEXT


class LineFaulty(ValueError):
    """A line or value does not fit its columns; `reason` is stable, `field` names the columns."""

    def __init__(self, reason: str, field: str, explanation: str) -> None:
        super().__init__(f"{field}: {explanation}")
        self.reason = reason
        self.field = field
        self.explanation = f"{field}: {explanation}"


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of record: its fields in order, padded with spaces to `width`."""

    fields: tuple[Field, ...]
    width: int

    def write(self, values: Mapping[str, str | int | date | datetime]) -> str:
        """The line without its line feed; `LineFaulty` where a value does not fit."""
        return "".join(_written(field, values[field.name]) for field in self.fields).ljust(self.width)

    def read(self, line: str) -> dict[str, str]:
        """The columns of a line, each without its padding; numbers and days are checked, not converted."""
        if len(line) != self.width:
            raise LineFaulty("line_length", "line", f"{len(line)} characters instead of {self.width}")
        if _PRINTABLE.match(line) is None:
            raise LineFaulty("not_printable", "line", "a character that is not printable ASCII")
        found: dict[str, str] = {}
        at = 0
        for field in self.fields:
            found[field.name] = _read(field, line[at : at + field.width])
            at += field.width
        if line[at:].strip():
            raise LineFaulty("trailing_text", "line", f"text after column {at}")
        return found


def day_of(text: str) -> date:
    """`20260310` as a day."""
    return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone


def _written(field: Field, value: str | int | date | datetime) -> str:
    match field.kind:
        case Kind.NUMBER:
            text = f"{value:0{field.width}d}"
        case Kind.DAY:
            text = f"{value:%Y%m%d}"
        case Kind.MOMENT:
            text = f"{value:%Y%m%d%H%M%S}"
        case Kind.TEXT:
            text = str(value)
            if text != text.strip(" ") or _PRINTABLE.match(text) is None:
                raise LineFaulty("not_printable", field.name, "text that fixed columns cannot carry")
            text = text.ljust(field.width)
    if len(text) != field.width:
        raise LineFaulty("too_wide", field.name, f"{len(text)} characters do not fit in {field.width}")
    return text


def _read(field: Field, text: str) -> str:
    match field.kind:
        case Kind.NUMBER if re.fullmatch(r"\d+", text) is None:
            raise LineFaulty("not_a_number", field.name, "digits expected")
        case Kind.DAY | Kind.MOMENT:
            pattern = "%Y%m%d" if field.kind is Kind.DAY else "%Y%m%d%H%M%S"
            try:
                datetime.strptime(text, pattern)  # noqa: DTZ007 - only its form is checked
            except ValueError:
                raise LineFaulty("not_a_day", field.name, "a day or moment expected") from None
        case Kind.TEXT:
            return text.strip(" ")
        case _:
            pass
    return text
