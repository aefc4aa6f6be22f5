"""By reference: lines whose trace number or disbursement id names one payment, and what they do to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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


class References:
    """Reference, in lower case as banks change case → the payment it names."""

    def __init__(self, items: Iterable[TransitItem], entries: Iterable[FileEntry]) -> None:
        self._one: dict[str, str] = {}
        self._several: dict[str, set[str]] = {}
        for item in items:
            for text in (item.disbursement_id, *item.references):
                self._add(text, item.disbursement_id)
        for entry in entries:
            self._add(entry.disbursement_id, entry.disbursement_id)
            self._add(entry.trace, entry.disbursement_id)

    def _add(self, text: str, disbursement_id: str) -> None:
        text = text.casefold()
        known = self._one.setdefault(text, disbursement_id)
        if known != disbursement_id:
            self._several.setdefault(text, {known}).add(disbursement_id)

    def named_by(self, line: StatementLine) -> tuple[str, ...]:
        """The payments a line names: by its reference, by its trace number."""
        found: tuple[str, ...] = ()
        for text in (line.reference, line.trace):
            if text and (one := self._one.get(text := text.casefold())) is not None:
                found = tuple(sorted({*found, *self._several[text]})) if text in self._several else (*found, one)
        return found if len(found) < 2 else tuple(sorted(set(found)))


def judge(item: TransitItem, lines: Sequence[StatementLine], ends: dict[str, Ends]) -> Judged:
    """A payment with the new lines that name it, whose ends are noted. Debits first, then what came back."""
    if len(lines) == 1:
        line = lines[0]
        # What nearly every payment is. Objects spared here are objects the collector need not walk again and again.
        if item.state is ItemState.IN_TRANSIT and line.amount_cents == -item.amount_cents:
            ends[line.line_id] = (Ending.MATCHED, "settles", 0)
            return Judged(ItemState.SETTLED, Ending.MATCHED, "settled", debited=True)
        return _Judging(item, ends).judge(lines)
    return _Judging(item, ends).judge(sorted(lines, key=lambda line: (line.day, line.line_id)))


class _Judging:
    """One payment and its lines, in the order in which the bank booked them."""

    def __init__(self, item: TransitItem, ends: dict[str, Ends]) -> None:
        self.item, self.ends = item, ends
        self.judged = Judged(item.state)
        self.spare: list[StatementLine] = []

    def judge(self, lines: Sequence[StatementLine]) -> Judged:
        debits = [line for line in lines if line.amount_cents < 0]
        if debits:
            self.judged.debited = True
            self._debits(debits)
        for line in lines:
            if line.amount_cents >= 0:
                self._credit(line)
        return self.judged

    def _end(self, line: StatementLine, ending: Ending, reason: str, difference_cents: int = 0) -> None:
        self.ends[line.line_id] = (ending, reason, difference_cents)

    def _become(self, state: ItemState, reason: str) -> None:
        self.judged.state, self.judged.ending, self.judged.reason = state, Ending.MATCHED, reason

    def _debits(self, debits: list[StatementLine]) -> None:
        """Settle the payment; the debits that were one too many are spare."""
        item, expected = self.item, self.item.amount_cents
        if not item.debit_expected:
            reason = "debit_after_return" if item.state is ItemState.RETURNED else "duplicate_debit"
            self._open(debits, reason)
            self.spare = debits if item.state is ItemState.SETTLED else []
            return
        exact = next((line for line in debits if -line.amount_cents == expected), None)
        total = -sum(line.amount_cents for line in debits)
        if exact is not None:
            self._end(exact, Ending.MATCHED, "settles" if item.state is ItemState.IN_TRANSIT else "confirms")
            self._paid("settled" if item.state is ItemState.IN_TRANSIT else "confirmed")
            self.spare = [line for line in debits if line is not exact]
            self._open(self.spare, "duplicate_debit")
        elif total == expected:
            for line in debits:
                self._end(line, Ending.MATCHED, "settles_in_parts")
            self._paid("settled_in_parts")
        else:
            reason = "partial_payment" if total < expected else "wrong_amount"
            for line in debits:
                self._end(line, Ending.OPEN, reason, total - expected)
            self.judged.ending, self.judged.reason = Ending.OPEN, reason

    def _paid(self, reason: str) -> None:
        if self.item.state is ItemState.RETURNED and self.item.credit_due:
            # The finance system has told of the return; the bank's credit is still to come.
            self.judged.ending, self.judged.reason = Ending.OPEN, "return_awaited"
        elif self.item.state is ItemState.RETURNED:
            # Its return was on a statement that came before this one.
            self._become(ItemState.RETURNED, "return_confirmed")
        else:
            self._become(ItemState.SETTLED, reason)

    def _open(self, lines: Sequence[StatementLine], reason: str) -> None:
        for line in lines:
            self._end(line, Ending.OPEN, reason, -line.amount_cents)

    def _credit(self, line: StatementLine) -> None:
        item, judged = self.item, self.judged
        twin = next((debit for debit in self.spare if debit.amount_cents == -line.amount_cents), None)
        if line.amount_cents == 0:
            self._end(line, Ending.EXPLAINED, "nothing_moved")
        elif twin is not None and line.return_code is None:
            # A return reason speaks of the payment; without one, the bank corrects its own second debit.
            self.spare.remove(twin)
            for one in (twin, line):
                self._end(one, Ending.EXPLAINED, "duplicate_reversed")
        elif line.amount_cents != item.amount_cents:
            self._end(line, Ending.OPEN, "return_amount_differs", line.amount_cents - item.amount_cents)
        elif item.credit_due and judged.reason != "return_confirmed":
            self._end(line, Ending.MATCHED, "confirms_return")
            self._become(ItemState.RETURNED, "return_confirmed")
        elif judged.state is ItemState.RETURNED:
            self._end(line, Ending.OPEN, "duplicate_return", line.amount_cents)
        else:
            self._end(line, Ending.MATCHED, "returns")
            self._become(ItemState.RETURNED, "late_return" if item.state is ItemState.SETTLED else "returned")
