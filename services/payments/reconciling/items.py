"""What is matched with what, and how each ends."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from services.payments.nacha.banking_days import is_banking_day
from services.payments.statements import StatementLine

CANDIDATES_MAX = 5
CANDIDATE_DAYS_MAX = 10
RETURN_DAYS_MAX = 90
SETTLE_DAYS_BEFORE = 1
SETTLE_DAYS_AFTER = 5
OVERDUE_AFTER_DAYS = 5
BUCKETS = ((2, "0-2 days"), (5, "3-5 days"), (10, "6-10 days"))
LAST_BUCKET = "11 days and more"
"""Banking days, as every age here."""
AGE_MAX = 999

MEANINGS = {
    "settles": "the bank paid it",
    "confirms": "the bank paid what the finance system had confirmed",
    "confirms_return": "the money came back, as the finance system had said",
    "settles_in_parts": "the bank paid it in parts that add up",
    "settles_batch": "the bank paid the batch in one debit",
    "returns": "the payment came back",
    "already_recorded": "the ledger knows this line",
    "duplicate_reversed": "debited twice; the bank gave one back",
    "nothing_moved": "no money moved",
    "other_activity": "not a payment of this program",
    "duplicate_debit": "the bank debited a payment again",
    "partial_payment": "the bank paid less than was ordered",
    "wrong_amount": "the bank paid another amount than was ordered",
    "debit_after_return": "the bank debited a payment that had come back",
    "duplicate_return": "the payment had come back before",
    "return_amount_differs": "another amount came back than was paid",
    "reference_ambiguous": "the references lead to several payments",
    "batch_total_differs": "the debit is not the batch's total",
    "batch_ambiguous": "several batches have this total, and nothing says which of them it is",
    "duplicate_batch_debit": "the bank debited a batch again",
    "candidates_found": "no reference; amount and day fit",
    "digits_transposed": "no reference; two digits of the amount stand the other way round",
    "unknown_payment": "a debit that no payment explains",
    "unknown_return": "a return that no payment explains",
    "not_looked_at": "not matched yet",
    "books_refused": "the bank moved it, but the ledger refuses the posting",
    "matched_by_person": "a person found the payment behind it",
    "explained_by_person": "a person explained it",
    "match_undone": "a person undid its match",
    "not_in_ledger": "the file ordered it, the ledger does not have it in transit",
    "settled": "paid, on the bank's word",
    "confirmed": "paid, on the finance system's word and now on the bank's",
    "return_confirmed": "came back, on the finance system's word and now on the bank's",
    "return_awaited": "debited; came back by the finance system's word, the bank's credit is still to come",
    "debit_awaited": "confirmed by the finance system; the bank's debit is still to come",
    "debit_overdue": "confirmed by the finance system; the bank's debit should have come",
    "settled_in_parts": "paid in parts that add up",
    "settled_in_batch": "paid with its batch",
    "returned": "came back; payable again",
    "late_return": "came back after it was settled; open again as payable",
    "settled_before": "paid earlier",
    "returned_before": "came back earlier",
    "awaiting": "sent; the bank's word is still to come",
    "overdue": "sent; the bank's word should have come",
    "not_in_file": "in transit, but no file ordered it",
    "amounts_disagree": "file and ledger name different amounts",
    "duplicate_trace": "two entries bear one trace number",
    "entry_twice": "one payment stands in the files twice",
    "ledger_item_twice": "one payment stands in the ledger's list twice",
}


class ItemState(StrEnum):
    """Where a payment stands in the ledger."""

    IN_TRANSIT = "in_transit"
    SETTLED = "settled"
    RETURNED = "returned"


class Ending(StrEnum):
    """How a line or payment ends."""

    MATCHED = "matched"
    EXPLAINED = "explained"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class TransitItem:
    """A payment of the ledger: in transit, or settled or returned and still within reach of a return."""

    disbursement_id: str
    amount_cents: int
    sent_on: date
    state: ItemState = ItemState.IN_TRANSIT
    evidence: tuple[str, ...] = ()
    """Statement lines that brought it where it stands."""
    references: tuple[str, ...] = ()
    """What else the bank may call it: payment number, voucher number."""
    debit_due: bool = False
    """It is not in transit any more, by the finance system's word or by its return; no debit has been seen yet."""
    credit_due: bool = False
    """It came back on the finance system's word; no credit of the bank's has been seen."""

    @property
    def debit_expected(self) -> bool:
        return self.state is ItemState.IN_TRANSIT or self.debit_due


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of a file that was sent."""

    trace: str
    disbursement_id: str
    company_id: str
    batch_id: str
    effective_on: date
    amount_cents: int
    batch_reference: str = ""
    """What the batch in the file is called in its header, where statements may give it back."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A payment or batch that a person may find behind a line; `days` between them."""

    id: str
    days: int
    reason: Literal["amount", "digits_transposed", "batch_total"]


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """How a line ends."""

    line: StatementLine
    ending: Ending
    reason: str
    age_days: int
    disbursement_ids: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    difference_cents: int = 0
    """What the bank moved more (or, negative, less) than was expected."""


@dataclass(frozen=True, slots=True)
class ItemVerdict:
    """Where a payment stands now, and which lines say so."""

    item: TransitItem
    state: ItemState
    ending: Ending
    reason: str
    age_days: int
    line_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something a person should know: stable reason, what it concerns, cents at stake."""

    subject: Literal["line", "item", "entry"]
    id: str
    reason: str
    cents: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The whole result, in an order that does not depend on the input's."""

    as_of: date
    lines: tuple[LineVerdict, ...]
    items: tuple[ItemVerdict, ...]
    findings: tuple[Finding, ...]
    repeated: int
    """Lines that came more than once, with the same id, and count once."""

    @property
    def open(self) -> bool:
        """Something still waits for the bank or for a person."""
        return any(one.ending is Ending.OPEN for one in (*self.lines, *self.items)) or any(
            finding.subject == "entry" for finding in self.findings
        )

    @property
    def aging(self) -> dict[str, tuple[int, int, int, int]]:
        """Bucket → open lines, their cents, open payments, their cents."""
        rows = {name: [0, 0, 0, 0] for _, name in BUCKETS} | {LAST_BUCKET: [0, 0, 0, 0]}
        for one in self.lines:
            if one.ending is Ending.OPEN:
                row = rows[bucket(one.age_days)]
                row[0], row[1] = row[0] + 1, row[1] + abs(one.line.amount_cents)
        for one in self.items:
            if one.ending is Ending.OPEN:
                row = rows[bucket(one.age_days)]
                row[2], row[3] = row[2] + 1, row[3] + one.item.amount_cents
        return {name: (row[0], row[1], row[2], row[3]) for name, row in rows.items()}


def bucket(age_days: int) -> str:
    """The aging bucket of so many days."""
    return next((name for last, name in BUCKETS if age_days <= last), LAST_BUCKET)


@lru_cache(maxsize=4096)
def age(on: date, as_of: date) -> int:
    """Banking days after the one up to the other, none where it lies ahead; 999 stands for more."""
    days = 0
    while on < as_of and days < AGE_MAX:
        on += timedelta(1)
        days += is_banking_day(on)
    return days
