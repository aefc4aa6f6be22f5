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
from services.payments.reconciling.references import Ends, Judged, index_of, judge, named_by
from services.payments.statements import Kind, StatementLine

_NAMED_ITEMS = frozenset({"overdue", "not_in_file", "returned", "late_return", "amounts_disagree"})


def reconcile(
    items: Iterable[TransitItem], entries: Iterable[FileEntry], lines: Iterable[StatementLine], *, as_of: date
) -> Reconciliation:
    """Match the payments, the entries of the files and the bank's lines: the new ones and those still open."""
    return _Run(items, entries, lines, as_of).result()


def carry_forward(items: Iterable[TransitItem], result: Reconciliation) -> list[TransitItem]:
    """The payments as the ledger holds them once the result is posted."""
    found = {verdict.item.disbursement_id: verdict for verdict in result.items}
    return [
        replace(
            item,
            state=found[item.disbursement_id].state,
            evidence=tuple(sorted({*item.evidence, *found[item.disbursement_id].line_ids})),
        )
        for item in items
    ]


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
        self.behind: defaultdict[str, list[str]] = defaultdict(list)
        self.candidates: dict[str, list[Candidate]] = {}
        self.judged: dict[str, Judged] = {}
        self.disagreeing: set[str] = set()
        self.ordered: set[str] = set()
        self.matched_lines: defaultdict[str, list[str]] = defaultdict(list)

    def result(self) -> Reconciliation:
        self._compare_files()
        self._by_reference()
        batches = self._by_batch()
        self._candidates(batches)
        for line_id, disbursement_ids in self.behind.items():
            if self.ends[line_id][0] is Ending.MATCHED:
                for disbursement_id in disbursement_ids:
                    self.matched_lines[disbursement_id].append(line_id)
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
        index = index_of(self.items.values(), self.entries)
        recorded = {line_id: item.disbursement_id for item in self.items.values() for line_id in item.evidence}
        own: defaultdict[str, list[StatementLine]] = defaultdict(list)
        for line in self.lines.values():
            named = named_by(line, index)
            if line.line_id in recorded:
                self.ends[line.line_id] = (Ending.MATCHED, "already_recorded", 0)
            elif len(named) > 1:
                self.ends[line.line_id] = (Ending.OPEN, "reference_ambiguous", 0)
                self.behind[line.line_id] = sorted(named)
            elif named and (disbursement_id := min(named)) in self.items:
                own[disbursement_id].append(line)
                self.behind[line.line_id] = [disbursement_id]
            elif named:
                self.ends[line.line_id] = (Ending.OPEN, "not_in_ledger", 0)
                self.behind[line.line_id] = sorted(named)
        for disbursement_id, lines in own.items():
            self.judged[disbursement_id] = judged = judge(self.items[disbursement_id], lines)
            self.ends |= judged.lines

    def _by_batch(self) -> Batches:
        def waits(disbursement_id: str) -> bool:
            item, judged = self.items.get(disbursement_id), self.judged.get(disbursement_id)
            return (item is None or item.state is ItemState.IN_TRANSIT) and not (judged and judged.debited)

        def may_wait(disbursement_id: str) -> bool:
            item = self.items.get(disbursement_id)
            return item is not None and item.state is ItemState.RETURNED and len(item.evidence) < 2

        batches = Batches(self.entries, waits=waits, may_wait=may_wait)
        for line in sorted(self.lines.values(), key=lambda one: (one.day, one.line_id)):
            if line.line_id in self.ends or line.amount_cents >= 0:
                continue
            outcome = batches.match(line)
            if outcome is None or outcome.reason == "unknown_payment":
                continue
            matched = outcome.reason == "settles_batch"
            ending = Ending.MATCHED if matched else Ending.OPEN
            self.ends[line.line_id] = (ending, outcome.reason, outcome.difference_cents)
            self.behind[line.line_id] = sorted({entry.disbursement_id for entry in outcome.paid})
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
        if judged.state is ItemState.IN_TRANSIT:
            judged.state, judged.ending, judged.reason = ItemState.SETTLED, Ending.MATCHED, "settled_in_batch"

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
            elif line.kind is Kind.RETURN:
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
            disbursement_ids=tuple(self.behind.get(line.line_id, ())),
            candidates=tuple(self.candidates.get(line.line_id, ())),
            difference_cents=difference_cents,
        )

    def _item_verdict(self, item: TransitItem) -> ItemVerdict:
        judged = self.judged.get(item.disbursement_id)
        days = age(item.sent_on, self.as_of)
        if judged is not None and judged.ending is not None:
            state, ending, reason = judged.state, judged.ending, judged.reason
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
