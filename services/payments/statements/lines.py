"""What every statement is read into: accounts with lines, faults with their place, ids that stay the same."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from contracts.ids import Id

FILE_BYTES_MAX = 32 * 1024 * 1024
LINES_MAX = 200_000
FAULTS_MAX = 1_000
DESCRIPTION_CHARS_MAX = 120
REFERENCE_CHARS_MAX = 64

_LONG_NUMBER = re.compile(r"\d{6,}")
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
_NACHA_RETURN = re.compile(r"\bR\d{2}\b")
_TRACE = re.compile(r"(?<!\d)\d{15}(?!\d)")
_DISBURSEMENT = re.compile(r"\bdsb_[0-9a-z]{26}\b", re.IGNORECASE)
_COMPANY = re.compile(r"\b(?:CO(?:MPANY)?|ORIG(?:INATOR)?)[ .]*ID[ :.#]{1,3}([0-9A-Z]{9,10})\b", re.IGNORECASE)


BATCH_REFERENCE = re.compile(r"\bCRN\d{6}[A-Z0-9]\d{7}\b")
"""What our own ACH batches are called, in their headers and where banks repeat them."""


class Kind(StrEnum):
    """What a movement is to a payer."""

    PAYMENT = "payment"
    RETURN = "return"
    OTHER = "other"


class StatementLineId(Id, prefix="stl"):
    """One movement on a statement; the same movement always has the same id."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement; `amount_cents` is negative where money left the account, texts are empty where none is given."""

    line_id: StatementLineId
    account: str
    """The last four characters, behind a star."""
    day: date
    """The day it was booked."""
    value_on: date | None
    amount_cents: int
    bank_reference: str
    reference: str
    """The payer's reference: end-to-end id, customer reference, batch or company."""
    trace: str
    """The clearing system's number of the entry."""
    company_id: str
    kind: Kind
    return_code: str | None
    description: str
    record: int
    """Where it stands in the file: record (BAI2) or entry (camt.053), from 1."""
    batch_reference: str = ""
    """What a batch of ours is called, where the bank repeats it; no part of the line's id."""


@dataclass(frozen=True, slots=True)
class StatementFault:
    """What is wrong, where: record or entry number from 1 (0: the file), field, stable reason, what was found."""

    record: int
    field: str
    reason: str
    explanation: str


@dataclass(frozen=True, slots=True)
class StatementAccount:
    """One account of one day, proven by its own totals."""

    account: str
    bank: str
    day: date
    opening_cents: int | None
    closing_cents: int | None
    lines: tuple[StatementLine, ...]

    @property
    def debits_cents(self) -> int:
        return -sum(line.amount_cents for line in self.lines if line.amount_cents < 0)

    @property
    def credits_cents(self) -> int:
        return sum(line.amount_cents for line in self.lines if line.amount_cents > 0)

    @property
    def balances_agree(self) -> bool | None:
        """Opening balance and lines give the closing balance; None where the bank gives only one of them."""
        if self.opening_cents is None or self.closing_cents is None:
            return None
        return self.opening_cents + self.credits_cents - self.debits_cents == self.closing_cents


@dataclass(frozen=True, slots=True)
class StatementFile:
    """Everything one file proves, and every fault in it, in the order of the file."""

    form: Literal["bai2", "camt053", "unknown"]
    accounts: tuple[StatementAccount, ...]
    faults: tuple[StatementFault, ...]
    accounts_left_out: int

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def lines(self) -> tuple[StatementLine, ...]:
        return tuple(line for account in self.accounts for line in account.lines)


class LineIds:
    """Gives ids within one file. Movements that nothing tells apart are counted: two equal debits are two lines."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str | int, ...]] = Counter()

    def next(self, *said: str | int) -> StatementLineId:
        """The id of a movement, from what identifies it: never from its place or its description."""
        self._seen[said] += 1
        return StatementLineId.derive(*said, self._seen[said])


def masked(account: str) -> str:
    """`0975312468` → `*2468`; a number of four characters or fewer is not shown at all."""
    digits = re.sub(r"[^0-9A-Za-z]", "", account)
    return f"*{digits[-4:]}" if len(digits) > 4 else "*"


def reference(text: str) -> str:
    """A reference as printable ASCII of bounded length."""
    return _NOT_PRINTABLE.sub("?", " ".join(text.split()))[:REFERENCE_CHARS_MAX]


def described(text: str) -> str:
    """Free text for people: printable, bounded, long numbers down to their last four digits."""
    plain = _NOT_PRINTABLE.sub("?", " ".join(text[:4096].split()))
    return _LONG_NUMBER.sub(lambda found: masked(found.group()), plain)[:DESCRIPTION_CHARS_MAX]


def trace_in(text: str) -> str:
    """The one trace number or disbursement id that a text holds; empty where it holds none, or several."""
    found = {hit.lower() for hit in _DISBURSEMENT.findall(text)} or set(_TRACE.findall(text))
    return found.pop() if len(found) == 1 else ""


def company_in(text: str) -> str:
    """The company id a bank prints beside an ACH settlement (`CO ID:1234567890`)."""
    found = _COMPANY.search(text)
    return found.group(1).upper() if found else ""


def batch_in(text: str) -> str:
    """What one batch of ours is called in a text; empty where none is, or several are."""
    found = set(BATCH_REFERENCE.findall(text.upper()))
    return found.pop() if len(found) == 1 else ""


def return_code_in(text: str) -> str | None:
    """A Nacha return reason in a text: `R02`."""
    found = _NACHA_RETURN.search(text)
    return found.group() if found else None
