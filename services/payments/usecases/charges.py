"""Ask the person whether the provider charged, before money moves; stop the payment where it did."""

from dataclasses import replace
from datetime import datetime, timedelta

from contracts.events.applications import ChargeAnswered
from contracts.events.payments import (
    ClaimChargeAsked,
    ClaimChargeUnanswered,
    ClaimResumed,
    ClaimRevoked,
    ClaimStopped,
)
from contracts.steps.payments import ClaimStatus, ReviewClaim
from kit import outbox
from kit.db import Connection, Database
from services.payments.books.ledger import Kind
from services.payments.claims.checks import approvers_by_level
from services.payments.claims.queues import Queue
from services.payments.claims.stops import PaymentUnderWay
from services.payments.domain import DisbursementState, FundingState
from services.payments.store import charges as store
from services.payments.store import claim_queues as queue_store
from services.payments.store import claim_rules
from services.payments.store import claims as claim_store
from services.payments.store import funding as funding_store
from services.payments.store.charges import LastPayment
from services.payments.store.claim_queues import OpenReview
from services.payments.store.claims import Claim
from services.payments.usecases.advances import owe_back
from services.payments.usecases.funding import give_back_encumbered
from services.payments.usecases.postings import move_of, post_moves

PERSON_SAYS_CHARGED = "person_says_charged"
QUESTIONS_PER_SWEEP_MAX = 200


async def ask_whether_charged(
    tx: Connection, ask: ReviewClaim, cents: int, *, days: int, word: bool | None, now: datetime
) -> None:
    """Put the question to the person of an approved claim; not where the person has said it, or nobody is asked."""
    answer_by = now + timedelta(days=days)
    if word is None and days > 0:
        await store.ask(tx, ask.claim_id, ask.application_id, answer=None, answer_by=answer_by, now=now)
        fact = ClaimChargeAsked(
            application_id=ask.application_id,
            claim_id=ask.claim_id,
            provider_id=ask.provider_id,
            amount_cents=cents,
            answer_by=answer_by,
            asked_at=now,
        )
        await outbox.append(tx, fact, now=now)
    elif word is not None:
        answer = "charged" if word else "not_charged"
        await store.ask(tx, ask.claim_id, ask.application_id, answer=answer, answer_by=answer_by, now=now)


async def follow_charge_answer(fact: ChargeAnswered, tx: Connection, *, now: datetime) -> None:
    """Take the person's word: a no lets the payment go on, a yes stops it and puts the claim before people.

    A claim that people look at for another reason stays with them, and is stopped once they approve it.
    """
    await funding_store.lock_case(tx, fact.application_id)
    if not await store.take_word(tx, fact):
        return
    await store.close(tx, fact.application_id, "charged" if fact.charged else "not_charged", now=now)
    if not fact.charged:
        return
    await queue_store.doubt(tx, fact.application_id, Queue.CHARGES, PERSON_SAYS_CHARGED)
    claim_id = await store.approved_claim(tx, fact.application_id)
    claim = await claim_store.claim(tx, claim_id) if claim_id else None
    if claim is not None:
        await _stop(tx, claim, now=now)


def not_answered_by(review: OpenReview | None, charged: bool | None) -> bool:
    """Whether the person says that the provider charged, and the people who approved were not asked about that."""
    return charged is True and (review is None or PERSON_SAYS_CHARGED not in review.reasons)


async def stop_approved(tx: Connection, claim_id: str, *, now: datetime) -> None:
    """Stop a claim that was just approved while the person's yes was not before the people who approved it."""
    claim = await claim_store.claim(tx, claim_id)
    assert claim is not None
    await _stop(tx, claim, now=now)


async def close_unanswered(*, db: Database, now: datetime) -> int:
    """Let payments go on whose person did not answer in time, on record; returns how many."""
    async with db.transaction() as tx:
        overdue = await store.overdue(tx, now, QUESTIONS_PER_SWEEP_MAX)
        await store.unanswered(tx, [one.claim_id for one in overdue], now=now)
        facts = [
            ClaimChargeUnanswered(
                application_id=one.application_id, claim_id=one.claim_id, provider_id=one.provider_id, closed_at=now
            )
            for one in overdue
        ]
        await outbox.append_all(tx, facts, now=now)
    return len(overdue)


async def _stop(tx: Connection, claim: Claim, *, now: datetime) -> None:
    """Take back what no file has yet; what is in one is looked at by people, but not called back."""
    payment = await store.last_payment(tx, claim.claim_id)
    rules = await claim_rules.rules_of(tx, claim.program_id or "")
    if payment is None or payment.state in {DisbursementState.ORDERED, DisbursementState.BATCHED}:
        await _take_back(tx, claim, payment, now=now)
    await queue_store.open_review(
        tx,
        claim.claim_id,
        queue=Queue.CHARGES,
        origin="charge",
        reasons=[PERSON_SAYS_CHARGED],
        approvers_needed=approvers_by_level(claim.claimed_cents, rules),
        submitted_by=claim.provider_id,
        now=now,
    )


async def _take_back(tx: Connection, claim: Claim, payment: LastPayment | None, *, now: datetime) -> Claim:
    """What is payable of an approved claim is encumbered again; the claim as it stands then."""
    funding = (await funding_store.expended(tx, [claim.application_id])).get(claim.application_id)
    if funding is None or funding.state is not FundingState.EXPENDED:
        return claim
    pending = payment.owed_by if payment else claim.payable_transfer_id
    cents = claim.payable_cents
    unexpend = move_of(funding, Kind.UNEXPEND, cents, of=pending, reason=PERSON_SAYS_CHARGED, at=now, key=pending or "")
    await post_moves(tx, [unexpend])
    await funding_store.encumbered_again(
        tx, funding, transfer_id=unexpend.id, cents=cents + funding.advanced_cents, now=now
    )
    if payment is not None:
        await store.stop(tx, payment.disbursement_id, now=now)
    stopped = replace(claim, status=ClaimStatus.REFERRED, approved_cents=0, payable_transfer_id=None)
    await claim_store.stand(tx, stopped, now=now)
    fact = ClaimStopped(
        application_id=claim.application_id,
        claim_id=claim.claim_id,
        provider_id=claim.provider_id,
        amount_cents=cents,
        reason=PERSON_SAYS_CHARGED,
        stopped_at=now,
    )
    await outbox.append(tx, fact, now=now)
    return stopped


async def resume_claim(tx: Connection, claim: Claim, approvers: list[str], *, now: datetime) -> None:
    """Make a stopped claim payable again, on the word of people; its payment waits for the next batch."""
    funding = await funding_store.current(tx, claim.application_id)
    if claim.status is not ClaimStatus.REFERRED or funding is None or funding.state is not FundingState.ENCUMBERED:
        return
    pending = funding.encumbrance_transfer_id
    cents = funding.open_cents
    expend = move_of(
        funding, Kind.EXPEND, cents, of=pending, reason="claim approved after review", at=now, key=pending or ""
    )
    await post_moves(tx, [expend])
    await funding_store.ended(tx, funding, FundingState.EXPENDED, "claim_approved", funding.released_cents, now=now)
    resumed = replace(
        claim,
        status=ClaimStatus.APPROVED,
        approved_cents=cents + claim.advanced_cents + claim.netted_cents,
        payable_transfer_id=expend.id,
        approvers=tuple(approvers),
        approvers_needed=len(approvers),
    )
    await claim_store.stand(tx, resumed, now=now)
    await store.resume(tx, claim.claim_id, expend.id, now=now)
    assert claim.due_at is not None
    fact = ClaimResumed(
        application_id=claim.application_id,
        claim_id=claim.claim_id,
        provider_id=claim.provider_id,
        amount_cents=cents,
        due_at=claim.due_at,
        resumed_at=now,
    )
    await outbox.append(tx, fact, now=now)


async def revoke_claim(tx: Connection, claim: Claim, refused_by: str, *, now: datetime) -> None:
    """Refuse the claim for good: what can be kept is kept, what was paid for the person is owed back.

    Before it is paid its case ends without payment and its money goes back. Raises `PaymentUnderWay` while nobody
    knows whether the money arrived.
    """
    if (sent := await store.under_way(tx, claim.application_id)) is not None:
        raise PaymentUnderWay(disbursement_id=sent)
    payment = await store.last_payment(tx, claim.claim_id)
    is_paid = payment is not None and payment.state is DisbursementState.SETTLED
    if claim.status is ClaimStatus.APPROVED and not is_paid:
        claim = await _take_back(tx, claim, payment, now=now)
    if claim.status is ClaimStatus.REFERRED:
        await _revoke(tx, claim, refused_by, now=now)
        if payment is not None and payment.case_is_closed:
            await give_back_encumbered(tx, claim.application_id, PERSON_SAYS_CHARGED, now=now)
    await owe_back(tx, claim, PERSON_SAYS_CHARGED, maker=refused_by, now=now)


async def _revoke(tx: Connection, claim: Claim, refused_by: str, *, now: datetime) -> None:
    await claim_store.stand(tx, replace(claim, status=ClaimStatus.REFUSED, refused_by=refused_by), now=now)
    fact = ClaimRevoked(
        application_id=claim.application_id,
        claim_id=claim.claim_id,
        provider_id=claim.provider_id,
        reason=PERSON_SAYS_CHARGED,
        revoked_at=now,
    )
    await outbox.append(tx, fact, now=now)
