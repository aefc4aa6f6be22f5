"""The three passes, one after the other."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Literal

from services.payments.reconciling.batches import Batches
from services.payments.reconciling.candidates import by_amount, payments_behind, returns_behind, transposed_behind
from services.payments.reconciling.items import (
    OVERDUE_AFTER_DAYS,
    Candidate,
    Ending,
    FileEntry,
    Finding,
    ItemState,
    ItemVerdict,
    LineVerdict,
    Reconciliation,
    TransitItem,
    age,
)
from services.payments.reconciling.references import Ends, Judged, References, judge
from services.payments.statements import Kind, StatementLine

_NAMED_ITEMS = frozenset({"overdue", "debit_overdue", "not_in_file", "returned", "late_return", "amounts_disagree"})
_BANKED = frozenset({"confirmed", "settled_in_parts", "settled_in_batch", "return_awaited", "return_confirmed"})


def reconcile(
    items: Iterable[TransitItem], entries: Iterable[FileEntry], lines: Iterable[StatementLine], *, as_of: date
) -> Reconciliation:
    """Match the payments, the entries of the files and the bank's lines: the new ones and those still open."""
    return _Run(items, entries, lines, as_of).result()


def carry_forward(items: Iterable[TransitItem], result: Reconciliation) -> list[TransitItem]:
    """The payments as the ledger holds them once the result is posted."""
    found = {verdict.item.disbursement_id: verdict for verdict in result.items}
    return [_carried(item, found[item.disbursement_id]) for item in items]


def _carried(item: TransitItem, verdict: ItemVerdict) -> TransitItem:
    seen = verdict.reason in _BANKED
    return replace(
        item,
        state=verdict.state,
        evidence=tuple(sorted({*item.evidence, *verdict.line_ids})),
        debit_due=item.debit_due and not seen,
        credit_due=item.credit_due and verdict.reason != "return_confirmed",
    )


class _Run:
    """One reconciliation, from input in any order."""

    def __init__(
        self,
        items: Iterable[TransitItem],
        entries: Iterable[FileEntry],
        lines: Iterable[StatementLine],
        as_of: date,
    ) -> None:
        self.as_of = as_of
        self.findings: set[Finding] = set()
        self.items: dict[str, TransitItem] = {}
        # Sorted: what follows takes the first that fits, so the input's order must not decide.
        for item in sorted(items, key=lambda one: (one.disbursement_id, one.amount_cents, one.sent_on, one.state)):
            if self.items.setdefault(item.disbursement_id, item) is not item:
                self._find("item", item.disbursement_id, "ledger_item_twice", item.amount_cents)
        self.entries = sorted(entries, key=lambda e: (e.trace, e.disbursement_id, e.effective_on, e.amount_cents))
        self.lines: dict[str, StatementLine] = {}
        self.repeated = 0
        for line in lines:
            seen = self.lines.get(line.line_id)
            self.repeated += seen is not None
            self.lines[line.line_id] = line if seen is None else min(seen, line, key=repr)
        self.ends: dict[str, Ends] = {}
        self.behind: dict[str, tuple[str, ...]] = {}
        self.candidates: dict[str, list[Candidate]] = {}
        self.judged: dict[str, Judged] = {}
        self.disagreeing: set[str] = set()
        self.ordered: set[str] = set()
        self.matched_lines: dict[str, tuple[str, ...]] = {}

    def result(self) -> Reconciliation:
        self._compare_files()
        self._by_reference()
        batches = self._by_batch()
        self._candidates(batches)
        for line_id, disbursement_ids in self.behind.items():
            if self.ends[line_id][0] is Ending.MATCHED:
                for disbursement_id in disbursement_ids:
                    self.matched_lines[disbursement_id] = (*self.matched_lines.get(disbursement_id, ()), line_id)
        lines = sorted(map(self._line_verdict, self.lines.values()), key=lambda one: (one.line.day, one.line.line_id))
        items = [self._item_verdict(item) for item in self.items.values()]
        for line in lines:
            if line.ending is Ending.OPEN or line.reason == "duplicate_reversed":
                self._find("line", line.line.line_id, line.reason, line.line.amount_cents)
        for item in items:
            if item.reason in _NAMED_ITEMS:
                self._find("item", item.item.disbursement_id, item.reason, item.item.amount_cents)
        return Reconciliation(self.as_of, tuple(lines), tuple(items), tuple(sorted(self.findings)), self.repeated)

    def _compare_files(self) -> None:
        """The files against the ledger, before the bank is asked."""
        traces = Counter(entry.trace for entry in self.entries)
        ordered = Counter(entry.disbursement_id for entry in self.entries)
        for entry in self.entries:
            item = self.items.get(entry.disbursement_id)
            if traces[entry.trace] > 1:
                self._find("entry", entry.trace, "duplicate_trace", entry.amount_cents)
            if ordered[entry.disbursement_id] > 1:
                self._find("entry", entry.trace, "entry_twice", entry.amount_cents)
            if item is None:
                self._find("entry", entry.trace, "not_in_ledger", entry.amount_cents)
            elif item.amount_cents != entry.amount_cents:
                self.disagreeing.add(item.disbursement_id)
        self.ordered = set(ordered)

    def _by_reference(self) -> None:
        references = References(self.items.values(), self.entries)
        recorded = {line_id: item.disbursement_id for item in self.items.values() for line_id in item.evidence}
        own: defaultdict[str, list[StatementLine]] = defaultdict(list)
        for line in self.lines.values():
            if line.line_id in recorded:
                self.ends[line.line_id] = (Ending.MATCHED, "already_recorded", 0)
                continue
            named = references.named_by(line)
            if named:
                self.behind[line.line_id] = named
            if len(named) > 1:
                self.ends[line.line_id] = (Ending.OPEN, "reference_ambiguous", 0)
            elif named and named[0] in self.items:
                own[named[0]].append(line)
            elif named:
                self.ends[line.line_id] = (Ending.OPEN, "not_in_ledger", 0)
        for disbursement_id, lines in own.items():
            self.judged[disbursement_id] = judge(self.items[disbursement_id], lines, self.ends)

    def _by_batch(self) -> Batches:
        def waits(disbursement_id: str) -> bool:
            item, judged = self.items.get(disbursement_id), self.judged.get(disbursement_id)
            expected = item is None or (item.debit_expected and item.state is not ItemState.RETURNED)
            return expected and not (judged and judged.debited)

        def may_wait(disbursement_id: str) -> bool:
            item = self.items.get(disbursement_id)
            if item is None or item.state is not ItemState.RETURNED:
                return False
            return item.debit_due or len(item.evidence) < 2

        batches = Batches(self.entries, waits=waits, may_wait=may_wait)
        debits = [one for one in self.lines.values() if one.line_id not in self.ends and one.amount_cents < 0]
        for line, outcome in batches.match(debits):
            matched = outcome.reason == "settles_batch"
            ending = Ending.MATCHED if matched else Ending.OPEN
            self.ends[line.line_id] = (ending, outcome.reason, outcome.difference_cents)
            self.behind[line.line_id] = tuple(sorted({entry.disbursement_id for entry in outcome.paid}))
            self.candidates[line.line_id] = [Candidate(name, 0, "batch_total") for name in outcome.batches]
            for entry in outcome.paid:
                self._paid_in_batch(entry)
        return batches

    def _paid_in_batch(self, entry: FileEntry) -> None:
        item = self.items.get(entry.disbursement_id)
        if item is None or item.disbursement_id in self.disagreeing:
            return
        judged = self.judged.setdefault(item.disbursement_id, Judged(item.state))
        judged.debited = True
        if judged.state is ItemState.IN_TRANSIT or (judged.state is ItemState.SETTLED and item.debit_due):
            judged.state, judged.ending, judged.reason = ItemState.SETTLED, Ending.MATCHED, "settled_in_batch"
        elif judged.state is ItemState.RETURNED and item.credit_due and judged.ending is None:
            judged.ending, judged.reason = Ending.OPEN, "return_awaited"

    def _candidates(self, batches: Batches) -> None:
        states = ((item, self._state(item)) for item in self.items.values())
        waiting, returnable = by_amount(states)
        totals = batches.by_total()
        for line in self.lines.values():
            if line.line_id in self.ends:
                continue
            if line.amount_cents == 0:
                self.ends[line.line_id] = (Ending.EXPLAINED, "nothing_moved", 0)
                continue
            reason, found = "candidates_found", list[Candidate]()
            if line.amount_cents < 0:
                found = payments_behind(line, waiting, totals)
                if not found and line.kind is Kind.PAYMENT:
                    reason, found = "digits_transposed", transposed_behind(line, waiting)
            elif line.kind is not Kind.PAYMENT:
                # Also what the bank calls no return: money of a payment's very amount is not explained away.
                found = returns_behind(line, returnable)
            if found:
                self.ends[line.line_id] = (Ending.OPEN, reason, 0)
                self.candidates[line.line_id] = found
            elif line.kind is Kind.OTHER:
                self.ends[line.line_id] = (Ending.EXPLAINED, "other_activity", 0)
            else:
                reason = "unknown_payment" if line.amount_cents < 0 else "unknown_return"
                self.ends[line.line_id] = (Ending.OPEN, reason, 0)

    def _state(self, item: TransitItem) -> ItemState:
        judged = self.judged.get(item.disbursement_id)
        return judged.state if judged else item.state

    def _line_verdict(self, line: StatementLine) -> LineVerdict:
        ending, reason, difference_cents = self.ends[line.line_id]
        return LineVerdict(
            line=line,
            ending=ending,
            reason=reason,
            age_days=age(line.day, self.as_of),
            disbursement_ids=self.behind.get(line.line_id, ()),
            candidates=tuple(self.candidates.get(line.line_id, ())),
            difference_cents=difference_cents,
        )

    def _item_verdict(self, item: TransitItem) -> ItemVerdict:
        judged = self.judged.get(item.disbursement_id)
        days = age(item.sent_on, self.as_of)
        if judged is not None and judged.ending is not None:
            state, ending, reason = judged.state, judged.ending, judged.reason
        elif item.state is ItemState.SETTLED and item.debit_due:
            reason = "debit_overdue" if days > OVERDUE_AFTER_DAYS else "debit_awaited"
            state, ending = item.state, Ending.OPEN
        elif item.state is ItemState.RETURNED and item.credit_due and not item.debit_due:
            state, ending, reason = item.state, Ending.OPEN, "return_awaited"
        elif item.state is not ItemState.IN_TRANSIT:
            state, ending, reason = item.state, Ending.MATCHED, f"{item.state}_before"
        else:
            state, ending, reason = item.state, Ending.OPEN, "overdue" if days > OVERDUE_AFTER_DAYS else "awaiting"
            if item.disbursement_id not in self.ordered:
                reason = "not_in_file"
        if item.disbursement_id in self.disagreeing:
            ending, reason = Ending.OPEN, "amounts_disagree"
        line_ids = tuple(sorted(self.matched_lines.get(item.disbursement_id, ())))
        return ItemVerdict(item, state, ending, reason, days, line_ids)

    def _find(self, subject: Literal["line", "item", "entry"], id_: str, reason: str, cents: int) -> None:
        self.findings.add(Finding(subject, id_, reason, cents))


def open_lines(result: Reconciliation) -> Sequence[StatementLine]:
    """The lines to hand in again next time, with the new ones."""
    return [verdict.line for verdict in result.lines if verdict.ending is Ending.OPEN]
