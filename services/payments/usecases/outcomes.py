"""What became of sent payments: settled on evidence, returned, returned after settlement. One way in for every rail.

Confirmation files, ACH files and bank statements all end here; each says what stands behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from contracts.events.payments import DisbursementReturned, DisbursementSettled
from contracts.ids import DisbursementId, TransferId
from kit import outbox
from kit.db import Connection
from services.payments.books.cost_lines import Move
from services.payments.books.ledger import Kind
from services.payments.domain import DisbursementState, PostingFailed
from services.payments.store import batches as batch_store
from services.payments.store import disbursements as store
from services.payments.store import funding as funding_store
from services.payments.store.disbursements import Disbursement
from services.payments.store.reconciliation import savepoint
from services.payments.usecases.batches import mark_transmitted
from services.payments.usecases.disbursements import payment_move
from services.payments.usecases.postings import post_moves
from services.payments.usecases.return_effects import payee_effect
from services.payments.usecases.screening import alert

STATES = {
    Kind.SETTLE: DisbursementState.SETTLED,
    Kind.RETURN: DisbursementState.RETURNED,
    Kind.RETURN_LATE: DisbursementState.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One payment's outcome. `kind` is settle, return or return_late; `evidence` names the line or entry behind it."""

    disbursement_id: DisbursementId
    kind: Kind
    evidence: str
    payment_number: str
    day: date
    voucher_number: str = ""
    return_code: str | None = None


async def payments_of_words(tx: Connection, ids: Sequence[str], *, now: datetime) -> dict[DisbursementId, Disbursement]:
    """The payments somebody speaks of, locked; a file of theirs that we had not noted as out is out."""
    for batch_id in await store.approved_batches_of(tx, ids):
        await mark_transmitted(tx, batch_id, now=now)
    return await store.many(tx, ids)


def after(payment: Disbursement, outcome: Outcome, move: Move) -> Disbursement:
    """The payment as the outcome leaves it: a second line about it in one file meets this."""
    settled = move.id if outcome.kind is Kind.SETTLE else payment.settle_transfer_id
    return replace(
        payment,
        state=STATES[outcome.kind],
        payment_number=outcome.payment_number,
        return_code=outcome.return_code,
        settle_transfer_id=settled,
        return_transfer_id=payment.return_transfer_id if outcome.kind is Kind.SETTLE else move.id,
    )


async def apply_outcomes(
    tx: Connection,
    outcomes: Sequence[Outcome],
    payments: dict[DisbursementId, Disbursement],
    *,
    actor: str,
    now: datetime,
) -> dict[tuple[DisbursementId, Kind], TransferId]:
    """Post and save outcomes in their order and tell the cases; `payments` are locked and hold each one's payment.

    A settle needs a sent payment, a return a sent one, a late return a settled one: the journal refuses the rest
    (`PostingFailed`). Returns the move of each.
    """
    fundings = await funding_store.expended(tx, [one.application_id for one in payments.values()])
    steps: list[tuple[Outcome, Disbursement, Move]] = []
    for outcome in outcomes:
        payment = payments[outcome.disbursement_id]
        reason = outcome.return_code or "paid"
        move = payment_move(
            fundings[payment.application_id], payment, outcome.kind, actor=actor, reason=reason, now=now
        )
        payments[outcome.disbursement_id] = changed = after(payment, outcome, move)
        steps.append((outcome, changed, move))
    await post_moves(tx, [move for _, _, move in steps])
    facts = [await _save(tx, *step, now=now) for step in steps]
    await outbox.append_all(tx, facts, now=now)
    for batch_id in sorted({payment.batch_id for _, payment, _ in steps if payment.batch_id is not None}):
        await batch_store.acknowledge(tx, batch_id)
    return {(outcome.disbursement_id, outcome.kind): move.id for outcome, _, move in steps}


async def apply_apart(
    tx: Connection,
    outcomes: Sequence[Outcome],
    payments: dict[DisbursementId, Disbursement],
    *,
    actor: str,
    now: datetime,
) -> dict[DisbursementId, str]:
    """As `apply_outcomes`, but a payment that the ledger refuses to move costs no other; those, with their alerts.

    What one file says of a payment is applied whole or not at all. Finance staff are called for what was refused.
    """
    by_payment: dict[DisbursementId, list[Outcome]] = {}
    for outcome in outcomes:
        by_payment.setdefault(outcome.disbursement_id, []).append(outcome)
    refused: dict[DisbursementId, str] = {}
    # Halves of what was refused, down to single payments: at most twice as many tries as payments.
    waiting = [list(by_payment)] if by_payment else []
    while waiting:
        part = waiting.pop()
        tried = {one: payments[one] for one in part}
        try:
            async with savepoint(tx):
                await apply_outcomes(tx, [o for one in part for o in by_payment[one]], tried, actor=actor, now=now)
        except PostingFailed as failed:
            if len(part) > 1:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            refused[part[0]] = await _call_for_refused(tx, payments[part[0]], by_payment[part[0]], failed, now=now)
        else:
            payments.update(tried)
    return refused


async def _call_for_refused(
    tx: Connection, payment: Disbursement, outcomes: Sequence[Outcome], failed: PostingFailed, *, now: datetime
) -> str:
    last = outcomes[-1]
    explanation = (
        f"{last.evidence} says {last.kind} of a payment that is {payment.state}; the ledger refuses the posting"
        f" ({failed.facts['code']}): look at both"
    )
    return await alert(
        tx,
        "books_refused",
        explanation,
        provider_id=payment.provider_id,
        disbursement_id=payment.disbursement_id,
        key=last.evidence,
        now=now,
    )


async def _save(
    tx: Connection, outcome: Outcome, payment: Disbursement, move: Move, *, now: datetime
) -> DisbursementSettled | DisbursementReturned:
    if outcome.kind is Kind.SETTLE:
        await store.settled(
            tx,
            payment.disbursement_id,
            voucher_number=outcome.voucher_number,
            payment_number=outcome.payment_number,
            paid_on=outcome.day.isoformat(),
            evidence=outcome.evidence,
            transfer_id=move.id,
            now=now,
        )
        return DisbursementSettled(
            application_id=payment.application_id,
            disbursement_id=payment.disbursement_id,
            claim_id=payment.claim_id,
            provider_id=payment.provider_id,
            amount_cents=payment.amount_cents,
            purpose=payment.purpose,
            payment_number=outcome.payment_number,
            paid_on=outcome.day.isoformat(),
            settled_at=now,
        )
    assert outcome.return_code is not None
    await store.returned(
        tx,
        payment.disbursement_id,
        voucher_number=outcome.voucher_number,
        payment_number=outcome.payment_number,
        return_code=outcome.return_code,
        transfer_id=move.id,
        now=now,
    )
    await payee_effect(tx, payment, outcome.return_code, now=now)
    is_late = outcome.kind is Kind.RETURN_LATE
    if is_late:
        explanation = (
            f"came back with {outcome.return_code} after it had settled: repair the payee, and it is paid again"
        )
        await alert(
            tx,
            "returned_after_settlement",
            explanation,
            provider_id=payment.provider_id,
            disbursement_id=payment.disbursement_id,
            now=now,
        )
    return DisbursementReturned(
        application_id=payment.application_id,
        disbursement_id=payment.disbursement_id,
        claim_id=payment.claim_id,
        provider_id=payment.provider_id,
        amount_cents=payment.amount_cents,
        purpose=payment.purpose,
        return_code=outcome.return_code,
        after_settlement=is_late,
        returned_at=now,
    )
