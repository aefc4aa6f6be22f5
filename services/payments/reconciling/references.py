"""By reference: lines whose trace number or disbursement id names one payment, and what they do to it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.payments.reconciling.items import Ending, FileEntry, ItemState, TransitItem
from services.payments.statements import StatementLine

Ends = tuple[Ending, str, int]
"""Ending, reason, cents more than expected."""


@dataclass(slots=True)
class Judged:
    """What a payment's own lines make of it."""

    state: ItemState
    ending: Ending | None = None
    reason: str = ""
    debited: bool = False
    """The bank named this payment in a debit: it is no part of a batch's debit."""
    lines: dict[str, Ends] = field(default_factory=dict[str, Ends])

    def end(self, line: StatementLine, ending: Ending, reason: str, difference_cents: int = 0) -> None:
        self.lines[line.line_id] = (ending, reason, difference_cents)


def index_of(items: Iterable[TransitItem], entries: Iterable[FileEntry]) -> Mapping[str, set[str]]:
    """Reference, in lower case as banks change case → the payments it names."""
    index: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        index[item.disbursement_id.casefold()].add(item.disbursement_id)
    for entry in entries:
        index[entry.disbursement_id.casefold()].add(entry.disbursement_id)
        index[entry.trace.casefold()].add(entry.disbursement_id)
    return index


def named_by(line: StatementLine, index: Mapping[str, set[str]]) -> set[str]:
    """The payments a line names: by its reference, by its trace number."""
    found: set[str] = set()
    for text in (line.reference, line.trace):
        if text:
            found |= index.get(text.casefold(), set())
    return found


def judge(item: TransitItem, lines: Sequence[StatementLine]) -> Judged:
    """A payment with the new lines that name it. Debits first, as the bank books them, then what came back."""
    ordered = sorted(lines, key=lambda line: (line.day, line.line_id))
    judged = Judged(item.state)
    spare = _debits(item, [line for line in ordered if line.amount_cents < 0], judged)
    _credits(item, [line for line in ordered if line.amount_cents >= 0], spare, judged)
    return judged


def _debits(item: TransitItem, debits: Sequence[StatementLine], judged: Judged) -> list[StatementLine]:
    """Settle the payment; the debits that were one too many."""
    if not debits:
        return []
    judged.debited = True
    expected = item.amount_cents
    if item.state is ItemState.RETURNED:
        for line in debits:
            judged.end(line, Ending.OPEN, "debit_after_return", -line.amount_cents)
        return []
    spare = list(debits)
    if item.state is ItemState.IN_TRANSIT:
        exact = next((line for line in debits if -line.amount_cents == expected), None)
        total = -sum(line.amount_cents for line in debits)
        if exact is not None:
            judged.end(exact, Ending.MATCHED, "settles")
            spare.remove(exact)
            judged.state, judged.ending, judged.reason = ItemState.SETTLED, Ending.MATCHED, "settled"
        elif total == expected:
            for line in debits:
                judged.end(line, Ending.MATCHED, "settles_in_parts")
            judged.state, judged.ending, judged.reason = ItemState.SETTLED, Ending.MATCHED, "settled_in_parts"
            return []
        else:
            reason = "partial_payment" if total < expected else "wrong_amount"
            for line in debits:
                judged.end(line, Ending.OPEN, reason, total - expected)
            judged.ending, judged.reason = Ending.OPEN, reason
            return []
    for line in spare:
        judged.end(line, Ending.OPEN, "duplicate_debit", -line.amount_cents)
    return spare


def _credits(item: TransitItem, credits_: Sequence[StatementLine], spare: list[StatementLine], judged: Judged) -> None:
    for line in credits_:
        twin = next((debit for debit in spare if debit.amount_cents == -line.amount_cents), None)
        if line.amount_cents == 0:
            judged.end(line, Ending.EXPLAINED, "nothing_moved")
        elif twin is not None and line.return_code is None:
            # A return reason speaks of the payment; without one, the bank corrects its own second debit.
            spare.remove(twin)
            judged.end(twin, Ending.EXPLAINED, "duplicate_reversed")
            judged.end(line, Ending.EXPLAINED, "duplicate_reversed")
        elif line.amount_cents != item.amount_cents:
            judged.end(line, Ending.OPEN, "return_amount_differs", line.amount_cents - item.amount_cents)
        elif judged.state is ItemState.RETURNED:
            judged.end(line, Ending.OPEN, "duplicate_return", line.amount_cents)
        else:
            judged.end(line, Ending.MATCHED, "returns")
            late = item.state is ItemState.SETTLED
            judged.state, judged.ending = ItemState.RETURNED, Ending.MATCHED
            judged.reason = "late_return" if late else "returned"
