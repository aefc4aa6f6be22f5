# pyright: strict
"""Records of 94 columns: what each field may hold, writing a record, reading it back, naming the field that misfits."""

import re
from dataclasses import dataclass

RECORD_WIDTH = 94
PRINTABLE = r"[\x20-\x7e]"
DAY = (
    r"[0-9][0-9](?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[02468][048]|[13579][26])0229"
)
"""YYMMDD of this century, leap days included."""


@dataclass(frozen=True, slots=True)
class Field:
    """A named run of columns; one without `template` holds the same text in every record."""

    name: str
    width: int
    pattern: str
    rule: str
    template: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A field that does not hold what it may hold; columns count from 1."""

    field: str
    first_column: int
    last_column: int
    reason: str


class RecordMisfit(ValueError):
    """A value cannot be written into its columns."""

    def __init__(self, record: str, misfit: Misfit) -> None:
        super().__init__(f"{record}, {misfit.field}: {misfit.reason}")
        self.record = record
        self.misfit = misfit


class Layout:
    """One kind of record: its fields in order, 94 columns together."""

    def __init__(self, title: str, *fields: Field) -> None:
        self.title = title
        self.fields = fields
        self.columns: dict[str, tuple[int, int]] = {}
        at = 1
        for field in fields:
            self.columns.setdefault(field.name, (at, at + field.width - 1))
            at += field.width
        if at != RECORD_WIDTH + 1:
            raise ValueError(f"{title}: {at - 1} columns instead of {RECORD_WIDTH}")
        self._template = "".join(field.template or field.text.replace("%", "%%") for field in fields)
        whole = "".join(f"({field.pattern})" if field.template else f"(?:{field.pattern})" for field in fields)
        self._whole = re.compile(whole)
        self._each = tuple(re.compile(field.pattern) for field in fields)

    @property
    def code(self) -> str:
        """The record type: the first column."""
        return self.fields[0].text

    def write(self, *values: str | int) -> str:
        """The record; `RecordMisfit` names the first field whose value does not fit."""
        record = self._template % values
        if self._whole.fullmatch(record) is None:
            raise RecordMisfit(self.title, self._misfit_of(values))
        return record

    def read(self, record: str) -> tuple[str | None, ...] | None:
        """The fields that vary, padding included; nothing where a field misfits."""
        found = self._whole.fullmatch(record)
        return None if found is None else found.groups()

    def misfits(self, record: str) -> list[Misfit]:
        """Every field of a record of 94 columns that does not hold what it may hold."""
        found: list[Misfit] = []
        at = 0
        for field, pattern in zip(self.fields, self._each, strict=True):
            text = record[at : at + field.width]
            if pattern.fullmatch(text) is None:
                found.append(Misfit(field.name, at + 1, at + field.width, f"{text!r} where {field.rule} is expected"))
            at += field.width
        return found

    def _misfit_of(self, values: tuple[str | int, ...]) -> Misfit:
        given = iter(values)
        for field, pattern in zip(self.fields, self._each, strict=True):
            if not field.template:
                continue
            text = field.template % next(given)
            first, last = self.columns[field.name]
            if len(text) > field.width:
                return Misfit(field.name, first, last, f"{text.strip()!r} does not fit in {field.width} columns")
            if pattern.fullmatch(text) is None:
                return Misfit(field.name, first, last, f"{text.strip()!r} where {field.rule} is expected")
        raise AssertionError("a record that misfits has a field that misfits")


def constant(name: str, text: str) -> Field:
    """Always the same text."""
    rule = repr(text) if text.strip() else "nothing but blanks"
    return Field(name, len(text), re.escape(text), rule, text=text)


def text(name: str, width: int) -> Field:
    """Printable ASCII, left-justified, blank-filled; may be blank."""
    return Field(name, width, f"{PRINTABLE}{{{width}}}", "printable ASCII text", f"%-{width}s")


def named(name: str, width: int) -> Field:
    """Printable ASCII that is not blank."""
    return Field(name, width, f"(?! {{{width}}}){PRINTABLE}{{{width}}}", "text that is not blank", f"%-{width}s")


def number(name: str, width: int) -> Field:
    """Digits, right-justified, zero-filled; written from an integer."""
    return Field(name, width, rf"[0-9]{{{width}}}", f"a number of {width} digits", f"%0{width}d")


def digits(name: str, width: int) -> Field:
    """Digits that are a name, not a quantity; written from text."""
    return Field(name, width, f"[0-9]{{{width}}}", f"{width} digits", f"%-{width}s")


def matching(name: str, width: int, pattern: str, rule: str) -> Field:
    """Text of a form of its own; the pattern spans the whole width."""
    return Field(name, width, f"(?:{pattern})", rule, f"%-{width}s")
