"""By batch: one debit for a batch, a file or a company's day, less what was debited on its own.

A line that gives back what a file or batch is called is for that. Another is for whatever has its total on the nearest
day; where several have it, it is for one of them only once there is a line for each.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from services.payments.reconciling.items import SETTLE_DAYS_AFTER, SETTLE_DAYS_BEFORE, FileEntry
from services.payments.statements import StatementLine

Key = tuple[str, ...]


@dataclass(slots=True, eq=False)
class Batch:
    """Entries that the bank may debit together: a company's of a day, those of one file, of one batch in it."""

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
        self._batches: dict[Key, Batch] = {}
        self._days: defaultdict[tuple[str, date], list[Batch]] = defaultdict(list)
        self._named: defaultdict[str, list[Batch]] = defaultdict(list)
        self._totals: dict[Key, tuple[int, int]] = {}
        self._expected: Counter[tuple[str, int, date]] = Counter()
        for entry in entries:
            for key in _keys(entry):
                if (batch := self._batches.get(key)) is None:
                    batch = self._batches[key] = self._begun(key, entry)
                batch.entries.append(entry)

    def _begun(self, key: Key, entry: FileEntry) -> Batch:
        batch = Batch(key, entry.effective_on)
        self._days[entry.company_id.casefold(), entry.effective_on].append(batch)
        # A bank may name the file on the debit of one of its batches, or one of them on the file's.
        _, _, *names = (name.casefold() for name in key)
        for name in names:
            self._named[name].append(batch)
        if len(names) > 1:
            self._named[names[-1]].append(self._batches[key[:-1]])
        return batch

    def match(self, lines: Iterable[StatementLine]) -> Iterator[tuple[StatementLine, Outcome]]:
        """The outcome of each debit that names a file, a batch or a company; the others are left out."""
        scoped = [(scope, line) for line in lines if (scope := self._scope(line)) is not None]
        # What is named is taken first: what names its company alone is then for what is left.
        scoped.sort(key=lambda one: (one[0] not in self._named, one[1].day, one[1].line_id))
        self._expected.update((scope, -line.amount_cents, line.day) for scope, line in scoped)
        waiting, before = scoped, len(scoped) + 1
        while len(waiting) < before:
            before, again = len(waiting), list[tuple[str, StatementLine]]()
            for scope, line in waiting:
                paid = self._paid_by(scope, line)
                if paid:
                    yield line, Outcome("settles_batch", paid)
                else:
                    # Another line may take away what makes this one ambiguous, or more than its total.
                    again.append((scope, line))
            waiting = again
        for scope, line in waiting:
            yield line, self._not_settled(scope, line)

    def _paid_by(self, scope: str, line: StatementLine) -> tuple[FileEntry, ...]:
        cents = -line.amount_cents
        fitting = self._fitting(scope, cents, line.day)
        paid = [self._left(batch, cents) for batch in fitting]
        traces = [entry.trace for entries in paid for entry in entries]
        # Several: apart, and with a line for each, it makes no difference to any payment which line is whose.
        if not fitting or len(traces) != len(set(traces)):
            return ()
        if len(fitting) > 1 and self._alike(scope, cents, fitting) < len(fitting):
            return ()
        self._expected[scope, cents, line.day] -= 1
        return self._pay(paid[0])

    def _not_settled(self, scope: str, line: StatementLine) -> Outcome:
        near, cents = self._near(scope, line.day), -line.amount_cents
        if fitting := self._fitting(scope, cents, line.day):
            return Outcome("batch_ambiguous", batches=tuple(batch.name for batch in fitting))
        if any(batch.whole_cents == cents for batch in near if not any(self._open(batch))):
            return Outcome("duplicate_batch_debit", difference_cents=cents)
        nearest = min(near, key=lambda batch: (abs(cents - self._open(batch)[0]), batch.key))
        return Outcome("batch_total_differs", (), cents - self._open(nearest)[0], (nearest.name,))

    def by_total(self) -> dict[int, list[Batch]]:
        """Open total → the batches of two entries and more that have it: for lines that name nothing."""
        found: defaultdict[int, list[Batch]] = defaultdict(list)
        for batch in self._batches.values():
            total = self._open(batch)[0]
            # A day of one file, and a file of one batch, are shown once.
            if len(batch.entries) > 1 and total > 0 and not any(_within(batch, other) for other in found[total]):
                found[total].append(batch)
        return found

    def _scope(self, line: StatementLine) -> str | None:
        """The file, batch or company that a line names."""
        for name in (line.reference.casefold(), line.batch_reference.casefold()):
            if name and name in self._named:
                return name
        companies = (line.company_id.casefold(), line.reference.casefold())
        return next((company for company in companies if company and self._near(company, line.day)), None)

    def _near(self, scope: str, day: date) -> list[Batch]:
        if scope in self._named:
            return self._named[scope]
        reach = range(-SETTLE_DAYS_AFTER, SETTLE_DAYS_BEFORE + 1)
        return [batch for shift in reach for batch in self._days.get((scope, day + timedelta(days=shift)), ())]

    def _fitting(self, scope: str, cents: int, day: date) -> list[Batch]:
        """What has the total on the nearest day; a day, its file and its batch that are the same entries once."""
        found = [batch for batch in self._near(scope, day) if cents in self._open(batch)]
        away = min((abs((day - batch.effective_on).days) for batch in found), default=0)
        once: dict[tuple[str, ...], Batch] = {}
        for batch in sorted(found, key=lambda one: one.key):
            if abs((day - batch.effective_on).days) == away:
                once.setdefault(tuple(entry.trace for entry in self._left(batch, cents)), batch)
        return list(once.values())

    def _alike(self, scope: str, cents: int, fitting: list[Batch]) -> int:
        """How many of the lines still to be matched, this one with them, could be for these same batches."""
        return sum(
            count
            for (other, amount, day), count in self._expected.items()
            if count and (other, amount) == (scope, cents) and self._fitting(scope, cents, day) == fitting
        )

    def _open(self, batch: Batch) -> tuple[int, int]:
        """What is still to be debited: without and with the payments that came back before any debit was seen."""
        if batch.key not in self._totals:
            left = [entry for entry in batch.entries if entry.trace not in self._paid]
            sure = sum(entry.amount_cents for entry in left if self._waits(entry.disbursement_id))
            more = sum(entry.amount_cents for entry in left if self._may_wait(entry.disbursement_id))
            self._totals[batch.key] = (sure, sure + more)
        return self._totals[batch.key]

    def _left(self, batch: Batch, cents: int) -> tuple[FileEntry, ...]:
        """The entries that a debit of so many cents is for."""
        sure, _ = self._open(batch)
        return tuple(
            entry
            for entry in batch.entries
            if entry.trace not in self._paid
            and (self._waits(entry.disbursement_id) or (cents != sure and self._may_wait(entry.disbursement_id)))
        )

    def _pay(self, paid: tuple[FileEntry, ...]) -> tuple[FileEntry, ...]:
        self._paid |= {entry.trace for entry in paid}
        for entry in paid:
            for key in _keys(entry):
                self._totals.pop(key, None)
        return paid


def _keys(entry: FileEntry) -> tuple[Key, ...]:
    """The day, the file and the batch of an entry, each under a name that people read as well."""
    day = (entry.company_id, entry.effective_on.isoformat())
    names = tuple(name for name in (entry.batch_id, entry.batch_reference) if name)
    return (day, *((*day, *names[:count]) for count in range(1, len(names) + 1)))


def _within(one: Batch, other: Batch) -> bool:
    return {entry.trace for entry in one.entries} <= {entry.trace for entry in other.entries}
