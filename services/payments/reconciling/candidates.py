"""For a person: payments whose amount and day fit a line that names none of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from services.payments.reconciling.batches import Batch
from services.payments.reconciling.items import (
    CANDIDATE_DAYS_MAX,
    CANDIDATES_MAX,
    RETURN_DAYS_MAX,
    Candidate,
    ItemState,
    TransitItem,
)
from services.payments.statements import StatementLine

ByAmount = dict[int, list[TransitItem]]


def by_amount(items: Iterable[tuple[TransitItem, ItemState]]) -> tuple[ByAmount, ByAmount]:
    """Amount → payments whose debit is still to come, and payments that may come back."""
    waiting: defaultdict[int, list[TransitItem]] = defaultdict(list)
    returnable: defaultdict[int, list[TransitItem]] = defaultdict(list)
    for item, state in items:
        if state is ItemState.IN_TRANSIT or (item.debit_due and state is item.state):
            waiting[item.amount_cents].append(item)
        if state is not ItemState.RETURNED:
            returnable[item.amount_cents].append(item)
    return waiting, returnable


def payments_behind(line: StatementLine, waiting: ByAmount, batches: dict[int, list[Batch]]) -> list[Candidate]:
    """Payments or batches of exactly this amount, sent at most ten days from the line."""
    cents = -line.amount_cents
    found = _near(line, waiting.get(cents, ()), CANDIDATE_DAYS_MAX, "amount")
    for batch in batches.get(cents, ()):
        days = abs((line.day - batch.effective_on).days)
        if days <= CANDIDATE_DAYS_MAX:
            found.append(Candidate(batch.name, days, "batch_total"))
    return _best(found)


def transposed_behind(line: StatementLine, waiting: ByAmount) -> list[Candidate]:
    """Payments whose amount has two neighboring digits the other way round."""
    digits = str(-line.amount_cents)
    turned = {
        int(digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :])
        for at in range(len(digits) - 1)
        if digits[at] != digits[at + 1]
    }
    found = [
        one for cents in turned for one in _near(line, waiting.get(cents, ()), CANDIDATE_DAYS_MAX, "digits_transposed")
    ]
    return _best(found)


def returns_behind(line: StatementLine, returnable: ByAmount) -> list[Candidate]:
    """Payments of exactly this amount, sent at most ninety days before."""
    sent_before = [item for item in returnable.get(line.amount_cents, ()) if item.sent_on <= line.day]
    return _best(_near(line, sent_before, RETURN_DAYS_MAX, "amount"))


def _near(line: StatementLine, items: Sequence[TransitItem], days_max: int, reason: str) -> list[Candidate]:
    found: list[Candidate] = []
    for item in items:
        days = abs((line.day - item.sent_on).days)
        if days <= days_max:
            found.append(Candidate(item.disbursement_id, days, "amount" if reason == "amount" else "digits_transposed"))
    return found


def _best(found: list[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda one: (one.days, one.reason, one.id))[:CANDIDATES_MAX]
