"""What a reconciliation does to payments: which line stands behind which payment, and what is posted on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.payments.reconciling.items import Ending, ItemState, LineVerdict, Reconciliation
from services.payments.statements import StatementLine


class Effect(StrEnum):
    """What a line is to a payment. The first three move money in the ledger."""

    SETTLES = "settles"
    RETURNS = "returns"
    RETURNS_LATE = "returns_late"
    CONFIRMS = "confirms"
    """The finance system's word, or the return that came first, had told of it."""
    CONFIRMS_RETURN = "confirms_return"


POSTED = frozenset({Effect.SETTLES, Effect.RETURNS, Effect.RETURNS_LATE})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line behind one payment; `amount_cents` is the line's share in it, never negative."""

    line: StatementLine
    disbursement_id: str
    effect: Effect
    amount_cents: int


def effect_on(state: ItemState, line: StatementLine) -> Effect:
    """What a line that pays or returns a whole payment is to it, given where the payment stands."""
    if line.amount_cents < 0:
        return Effect.SETTLES if state is ItemState.IN_TRANSIT else Effect.CONFIRMS
    match state:
        case ItemState.IN_TRANSIT:
            return Effect.RETURNS
        case ItemState.SETTLED:
            return Effect.RETURNS_LATE
        case ItemState.RETURNED:
            return Effect.CONFIRMS_RETURN


def evidence_in(result: Reconciliation) -> list[Evidence]:
    """The evidence that the matched lines give."""
    verdicts = {one.item.disbursement_id: one for one in result.items}
    found: list[Evidence] = []
    for line in matched(result):
        for disbursement_id in line.disbursement_ids:
            verdict = verdicts[disbursement_id]
            item, shared = verdict.item, line.reason == "settles_batch"
            effect = effect_on(item.state, line.line)
            if effect is Effect.SETTLES and verdict.state is not ItemState.SETTLED:
                # Debited and returned on the same statement: the return alone is posted.
                effect = Effect.CONFIRMS
            amount = item.amount_cents if shared else abs(line.line.amount_cents)
            found.append(Evidence(line.line, disbursement_id, effect, amount))
    return found


def matched(result: Reconciliation) -> Sequence[LineVerdict]:
    """Lines that stand behind payments; none where file and ledger disagree about one of them."""
    disagreeing = {one.item.disbursement_id for one in result.items if one.reason == "amounts_disagree"}
    return [
        line
        for line in result.lines
        if line.ending is Ending.MATCHED and not disagreeing.intersection(line.disbursement_ids)
    ]
