"""BAI2's records: lines with their continuations, fields in order, amounts, days and funds types.

Source: Cash Management Balance Reporting Specifications, Version 2 (BAI). Fields are divided by commas, a record ends
with a slash; the text of a transaction is the last field, runs to the end of the record and may hold both.
"""

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from datetime import date, datetime

RECORDS_MAX = 1_000_000
CONTINUATIONS_MAX = 500
DISTRIBUTIONS_MAX = 31
_CODES = frozenset({"01", "02", "03", "16", "49", "88", "98", "99"})
_UNSIGNED = re.compile(r"^\+?\d{1,18}$")
_SIGNED = re.compile(r"^[+-]?\d{1,18}$")
_COUNT = re.compile(r"^\d{1,9}$")
_TIME = re.compile(r"^(?:(?:[01]\d|2[0-4])[0-5]\d|9999)$")


class FieldFaulty(ValueError):
    """A field does not hold what it should."""

    def __init__(self, field: str, reason: str, explanation: str) -> None:
        super().__init__(f"{field}: {explanation}")
        self.field, self.reason, self.explanation = field, reason, explanation


@dataclass(frozen=True, slots=True)
class Record:
    """A record with its continuations. `number` is its line in the file; `bodies` what follows `NN,` in each line."""

    number: int
    code: str
    bodies: tuple[str, ...]
    longest: int

    @property
    def physical(self) -> int:
        """How many it counts in control records."""
        return len(self.bodies)


def records_of(content: bytes) -> list[Record]:
    """Every record of the file. One that is none of the standard's has an empty code; blank lines are no records."""
    found: list[Record] = []
    for number, line in enumerate(content.removeprefix(BOM_UTF8).decode("latin-1").removesuffix("\x1a").split("\n"), 1):
        text = line.rstrip("\r ")
        if not text:
            continue
        code = text[:2] if text[:2] in _CODES and text[2:3] in {"", ",", "/"} else ""
        body = text[3:].removesuffix("/") if text[2:3] == "," else ""
        last = found[-1] if found else None
        if code == "88" and last and last.code and last.physical <= CONTINUATIONS_MAX:
            longest = max(last.longest, len(text))
            found[-1] = Record(last.number, last.code, (*last.bodies, body), longest)
        else:
            found.append(Record(number, code, (body,), len(text)))
    return found


class Fields:
    """A record's fields, taken one after the other across its continuations."""

    def __init__(self, record: Record) -> None:
        self._bodies = record.bodies
        self._rows = [body.split(",") for body in record.bodies]
        self._row = self._column = 0

    @property
    def more(self) -> bool:
        self._turn()
        return self._row < len(self._rows)

    def optional(self, name: str, pattern: re.Pattern[str] | None = None) -> str:
        """The next field, empty where it is left out or the record has ended."""
        self._turn()
        if self._row == len(self._rows):
            return ""
        text = self._rows[self._row][self._column].strip()
        self._column += 1
        if text and pattern is not None and pattern.match(text) is None:
            raise FieldFaulty(name, "malformed", f"{text[:40]!r} does not belong here")
        return text

    def required(self, name: str, pattern: re.Pattern[str] | None = None) -> str:
        text = self.optional(name, pattern)
        if not text:
            raise FieldFaulty(name, "missing", "a value is required")
        return text

    def rest(self) -> str:
        """The text that ends a record: commas and slashes are part of it, continuations are joined by a space."""
        self._turn()
        if self._row == len(self._rows):
            return ""
        begun = ",".join(self._rows[self._row][self._column :])
        text = " ".join((begun, *self._bodies[self._row + 1 :]))
        self._row = len(self._rows)
        return text.strip()

    def cents(self, name: str, *, signed: bool) -> int:
        return int(self.required(name, _SIGNED if signed else _UNSIGNED))

    def optional_cents(self, name: str, *, signed: bool) -> int | None:
        text = self.optional(name, _SIGNED if signed else _UNSIGNED)
        return int(text) if text else None

    def count(self, name: str) -> int:
        return int(self.required(name, _COUNT))

    def day(self, name: str) -> date:
        """`YYMMDD`, in this century."""
        return _day(name, self.required(name))

    def time(self, name: str) -> str:
        """`HHMM`, 2400 and 9999 being the end of the day; optional."""
        return self.optional(name, _TIME)

    def funds(self, amount_cents: int | None) -> date | None:
        """A funds type with what belongs to it; the value day, where the type gives one.

        Z, 0, 1, 2: unknown, immediate, one day, two days. S: three amounts. V: day and time. D: pairs of days, amount.
        """
        kind = self.optional("funds type")
        match kind:
            case "" | "Z" | "0" | "1" | "2":
                return None
            case "V":
                day = self.optional("value day")
                self.time("value time")
                return _day("value day", day) if day else None
            case "S":
                parts = [self.optional_cents("availability", signed=True) for _ in range(3)]
            case "D":
                pairs = self.count("distributions")
                if pairs > DISTRIBUTIONS_MAX:
                    raise FieldFaulty("distributions", "too_many", f"{pairs}, at most {DISTRIBUTIONS_MAX}")
                parts = []
                for _ in range(pairs):
                    self.count("distribution days")
                    parts.append(self.cents("distribution amount", signed=True))
            case _:
                raise FieldFaulty("funds type", "malformed", f"{kind[:40]!r} is none of S, V, D, Z, 0, 1, 2")
        given = [part for part in parts if part is not None]
        if given and amount_cents is not None and sum(given) != amount_cents:
            explanation = f"parts give {sum(given)}, the amount is {amount_cents}"
            raise FieldFaulty("availability", "distribution_sum", explanation)
        return None

    def _turn(self) -> None:
        while self._row < len(self._rows) and self._column == len(self._rows[self._row]):
            self._row, self._column = self._row + 1, 0


def _day(name: str, text: str) -> date:
    try:
        if not re.fullmatch(r"\d{6}", text):
            raise ValueError
        return datetime.strptime(f"20{text}", "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise FieldFaulty(name, "not_a_day", f"{text[:40]!r} is no day YYMMDD") from None
