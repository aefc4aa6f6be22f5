"""By batch: one debit for all entries of a company and day, or for a named batch, less those debited on their own."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from services.payments.reconciling.items import SETTLE_DAYS_AFTER, SETTLE_DAYS_BEFORE, FileEntry
from services.payments.statements import StatementLine

Key = tuple[str, str]


@dataclass(slots=True)
class Batch:
    """Entries that the bank may debit together."""

    key: Key
    effective_on: date
    entries: list[FileEntry] = field(default_factory=list[FileEntry])

    @property
    def whole_cents(self) -> int:
        return sum(entry.amount_cents for entry in self.entries)

    @property
    def name(self) -> str:
        return " ".join(self.key)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a line is to the batches it names: entries it pays, or why it pays none."""

    reason: str
    paid: tuple[FileEntry, ...] = ()
    difference_cents: int = 0
    batches: tuple[str, ...] = ()


class Batches:
    """The batches of the files, and which of their entries still wait for a debit."""

    def __init__(self, entries: Iterable[FileEntry], *, waits: Callable[[str], bool], may_wait: Callable[[str], bool]):
        """`waits`: no debit has named this payment. `may_wait`: it came back before any debit was seen."""
        self._waits, self._may_wait = waits, may_wait
        self._paid: set[str] = set()
        self._companies: defaultdict[str, dict[date, Batch]] = defaultdict(dict)
        self._named: dict[str, Batch] = {}
        self._totals: dict[Key, tuple[int, int]] = {}
        for entry in entries:
            company, day = entry.company_id.casefold(), entry.effective_on
            days = self._companies[company]
            days.setdefault(day, Batch((entry.company_id, day.isoformat()), day)).entries.append(entry)
            if entry.batch_id:
                name = entry.batch_id.casefold()
                self._named.setdefault(name, Batch((entry.batch_id, ""), day)).entries.append(entry)

    def match(self, line: StatementLine) -> Outcome | None:
        """The line's outcome; None where it names neither a batch nor a company."""
        reference = line.reference.casefold()
        if reference and reference in self._named:
            near = [self._named[reference]]
        else:
            company = next((c for c in (line.company_id.casefold(), reference) if c and c in self._companies), None)
            if company is None:
                return None
            near = self._within_reach(company, line.day)
        cents = -line.amount_cents
        if not near or cents <= 0:
            return Outcome("unknown_payment" if cents > 0 else "unknown_return")
        fitting = [batch for batch in near if cents in self._open(batch) and cents > 0]
        if fitting:
            closest = sorted(fitting, key=lambda batch: (abs((line.day - batch.effective_on).days), batch.key))
            distances = [abs((line.day - batch.effective_on).days) for batch in closest]
            if len(distances) > 1 and distances[0] == distances[1]:
                return Outcome("batch_ambiguous", batches=tuple(batch.name for batch in closest))
            return Outcome("settles_batch", self._pay(closest[0], cents))
        if any(batch.whole_cents == cents for batch in near if not any(self._open(batch))):
            return Outcome("duplicate_batch_debit", difference_cents=cents)
        nearest = min(near, key=lambda batch: (abs(cents - self._open(batch)[0]), batch.key))
        return Outcome("batch_total_differs", (), cents - self._open(nearest)[0], (nearest.name,))

    def by_total(self) -> dict[int, list[Batch]]:
        """Open total → the batches of two entries and more that have it: for lines that name nothing."""
        found: defaultdict[int, list[Batch]] = defaultdict(list)
        for days in self._companies.values():
            for batch in days.values():
                if len(batch.entries) > 1 and (total := self._open(batch)[0]) > 0:
                    found[total].append(batch)
        return found

    def _within_reach(self, company: str, day: date) -> list[Batch]:
        days = self._companies[company]
        reach = range(-SETTLE_DAYS_AFTER, SETTLE_DAYS_BEFORE + 1)
        return [days[on] for on in (day + timedelta(days=shift) for shift in reach) if on in days]

    def _open(self, batch: Batch) -> tuple[int, int]:
        """What is still to be debited: without and with the payments that came back before any debit was seen."""
        if batch.key not in self._totals:
            left = [entry for entry in batch.entries if entry.trace not in self._paid]
            sure = sum(entry.amount_cents for entry in left if self._waits(entry.disbursement_id))
            more = sum(entry.amount_cents for entry in left if self._may_wait(entry.disbursement_id))
            self._totals[batch.key] = (sure, sure + more)
        return self._totals[batch.key]

    def _pay(self, batch: Batch, cents: int) -> tuple[FileEntry, ...]:
        sure, _ = self._open(batch)
        paid = tuple(
            entry
            for entry in batch.entries
            if entry.trace not in self._paid
            and (self._waits(entry.disbursement_id) or (cents != sure and self._may_wait(entry.disbursement_id)))
        )
        self._paid |= {entry.trace for entry in paid}
        self._totals.clear()
        return paid
