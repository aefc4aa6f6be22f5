"""Reads a vendor's redemption report. Faults are named by line and column; no cell is repeated: it may be a code."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from services.payments.exam_vouchers.errors import ReportUnreadable
from services.payments.exam_vouchers.expiry import end_of_day, zone_of
from services.payments.exam_vouchers.formats import VendorFormat, Word, fold

REPORT_BYTES_MAX = 16 * 1024 * 1024
LINES_MAX = 60_000
CELL_CHARS_MAX = 200
_CODE = re.compile(r"^[\x21-\x7e]{4,128}$")
_REFERENCE = re.compile(r"^[A-Za-z0-9._/-]{0,64}$")
_HOURS = re.compile(r"%[HIcXM]")


class LineFault(StrEnum):
    """What is wrong with a line, or with the file where the line is 0."""

    COLUMNS = "columns"
    CODE = "code"
    STATUS = "status"
    EXAM = "exam"
    MOMENT = "moment"
    REFERENCE = "reference"
    TOTALS = "totals"
    TOTALS_MISSING = "totals_missing"
    TOO_MANY_LINES = "too_many_lines"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """What the vendor says of one code. `code` is in the clear: it is turned into its MAC at once and never kept."""

    number: int
    """The line of the file, the heading being line 1."""
    code: str = field(repr=False)
    word: Word
    event_at: datetime
    told_at: datetime
    exam_id: str | None
    reference: str


@dataclass(frozen=True, slots=True)
class FaultyLine:
    """A line that cannot be used, without anything that stands in it; line 0 speaks of the whole file."""

    number: int
    fault: LineFault
    explanation: str


@dataclass(frozen=True, slots=True)
class Report:
    """What could be read and what could not."""

    lines: tuple[ReportLine, ...]
    faults: tuple[FaultyLine, ...]
    announced: int | None
    """How many lines the vendor says there are."""

    @property
    def count(self) -> int:
        return len(self.lines) + len({one.number for one in self.faults if one.number})


class _Faulty(Exception):
    def __init__(self, fault: LineFault, explanation: str) -> None:
        super().__init__(fault)
        self.fault, self.explanation = fault, explanation


def read_report(content: bytes, form: VendorFormat) -> Report:
    """Every line that can be read; `ReportUnreadable` where the file is no report of this vendor at all."""
    if len(content) > REPORT_BYTES_MAX:
        raise ReportUnreadable(why=f"it is larger than {REPORT_BYTES_MAX} bytes")
    try:
        text = content.decode("utf-8-sig" if form.encoding == "utf-8" else form.encoding)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=form.delimiter, strict=True)
        heading = [cell.strip() for cell in next(rows, [])]
        places = _places(heading, form)
        return _lines(rows, heading, places, form)
    except (UnicodeError, csv.Error):
        raise ReportUnreadable(why=f"it is not CSV in {form.encoding}") from None


def _places(heading: Sequence[str], form: VendorFormat) -> dict[str, int]:
    """Where each column stands, by our name for it."""
    wanted = {name: theirs for name, theirs in form.columns.model_dump().items() if theirs is not None}
    if form.totals is not None:
        wanted |= {"totals": form.totals.column, "count": form.totals.count_column}
    missing = sorted(theirs for theirs in wanted.values() if heading.count(theirs) != 1)
    if missing:
        # The headings are our own configuration's words: they may be named.
        raise ReportUnreadable(why=f"there is not exactly one column {', '.join(missing)}")
    return {name: heading.index(theirs) for name, theirs in wanted.items()}


def _lines(rows: Iterator[list[str]], heading: Sequence[str], places: dict[str, int], form: VendorFormat) -> Report:
    lines: list[ReportLine] = []
    faults: list[FaultyLine] = []
    announced: int | None = None
    seen = 0
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if seen >= LINES_MAX:
            faults.append(FaultyLine(0, LineFault.TOO_MANY_LINES, f"only {LINES_MAX} lines are read"))
            break
        try:
            if len(row) != len(heading):
                raise _Faulty(LineFault.COLUMNS, f"{len(row)} columns, the heading has {len(heading)}")
            cells = {name: row[place].strip() for name, place in places.items()}
            if form.totals is not None and fold(cells["totals"]) == fold(form.totals.label):
                announced = _count(cells["count"])
                continue
            seen += 1
            lines.append(_line(number, cells, form))
        except _Faulty as faulty:
            seen += faulty.fault is LineFault.COLUMNS
            faults.append(FaultyLine(number, faulty.fault, faulty.explanation))
    if form.totals is not None and announced is None:
        faults.append(FaultyLine(0, LineFault.TOTALS_MISSING, "the line of totals is missing: it may be cut off"))
    elif announced is not None and announced != seen:
        faults.append(FaultyLine(0, LineFault.TOTALS, f"{announced} lines are announced, there are {seen}"))
    return Report(tuple(lines), tuple(faults), announced)


def _count(cell: str) -> int:
    if not re.fullmatch(r"\d{1,7}", cell):
        raise _Faulty(LineFault.TOTALS, "the total is not a number of lines")
    return int(cell)


def _line(number: int, cells: dict[str, str], form: VendorFormat) -> ReportLine:
    if any(len(cell) > CELL_CHARS_MAX for cell in cells.values()):
        raise _Faulty(LineFault.COLUMNS, f"a cell is longer than {CELL_CHARS_MAX} characters")
    if _CODE.match(cells["code"]) is None:
        raise _Faulty(LineFault.CODE, "the code is not 4 to 128 visible characters")
    word = form.words.get(fold(cells["status"]))
    if word is None:
        raise _Faulty(LineFault.STATUS, f"the status is none of the {len(form.words)} words of this vendor's format")
    exam_id = None
    if "exam" in cells:
        exam_id = form.exams.get(cells["exam"])
        if exam_id is None:
            raise _Faulty(LineFault.EXAM, f"the exam is none of the {len(form.exams)} of this vendor's format")
    if _REFERENCE.match(cells.get("reference", "")) is None:
        raise _Faulty(LineFault.REFERENCE, "the registration's number is longer than 64, or has other characters")
    event_at = _moment(cells["event_at"], form)
    told = cells.get("told_at", "")
    return ReportLine(
        number=number,
        code=cells["code"],
        word=word,
        event_at=event_at,
        told_at=_moment(told, form) if told else event_at,
        exam_id=exam_id,
        reference=cells.get("reference", ""),
    )


def _moment(cell: str, form: VendorFormat) -> datetime:
    for layout in form.moments:
        try:
            read = datetime.strptime(cell, layout)  # noqa: DTZ007 - the vendor's zone is added where it gave no offset
        except ValueError:
            continue
        if not 2000 <= read.year <= 2200:
            break
        if read.tzinfo is not None:
            return read.astimezone(UTC)
        if _HOURS.search(layout) is None:
            return end_of_day(read.date(), form.zone)
        return read.replace(tzinfo=zone_of(form.zone)).astimezone(UTC)
    raise _Faulty(LineFault.MOMENT, f"a date is in none of the {len(form.moments)} forms of this vendor's format")
