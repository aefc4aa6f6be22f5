"""People decide claims: what waits in which queue, who may say what, and what follows once enough have said it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.errors import NotFound
from contracts.events.applications import ClaimSubmitted
from contracts.events.payments import ClaimEscalated
from kit import outbox
from kit.db import Connection, Database
from services.payments.claims.prompt_pay import ESCALATION_DAYS, day_in
from services.payments.claims.queues import ApprovedBefore, DecidedInItsCase, NotInReview, PayeeRecorder, Queue
from services.payments.claims.requests import RequestSlot, slot_for
from services.payments.domain import person, two_people
from services.payments.store import claim_queues as store
from services.payments.store import claim_rules
from services.payments.store import claims as claim_store
from services.payments.store import funding as funding_store
from services.payments.store.claim_queues import OpenReview
from services.payments.usecases.charges import resume_claim, revoke_claim
from services.payments.usecases.screening import alert

QUEUE_SHOWN_MAX = 500
ESCALATIONS_PER_SWEEP_MAX = 200
CLAIM_UNDECIDED = "claim_undecided"


@dataclass(frozen=True, slots=True)
class ClosedRequest:
    """A provider's request that takes no more claims."""

    slot: RequestSlot
    claims: int
    cents: int


async def queue_of(queue: Queue | None, *, db: Database) -> list[OpenReview]:
    """What waits for people, the oldest first."""
    async with db.connection() as connection:
        return await store.waiting(connection, queue, QUEUE_SHOWN_MAX)


async def decide_stopped(
    tx: Connection, claim_id: str, *, approve: bool, actor: str, note: str, now: datetime
) -> OpenReview | None:
    """One person's word on a claim that was stopped after its approval; None once that decided it.

    As many different people as the amount takes let it go on; one refusal is enough to revoke it. Raises also
    `DecidedInItsCase`; `PaymentUnderWay` for a refusal while the bank's word on its payment is not there.
    """
    application_id = await claim_store.case_of(tx, claim_id)
    if application_id is None:
        raise NotFound(kind="claim")
    await funding_store.lock_case(tx, application_id)
    claim = await claim_store.claim(tx, claim_id)
    assert claim is not None
    if (await _may_decide(tx, claim_id, actor)).origin != "charge":
        raise DecidedInItsCase
    who = person(actor)
    await store.say(tx, claim_id, who, "approve" if approve else "refuse", note, now=now)
    review = await store.review_of(tx, claim_id)
    assert review is not None
    if not approve:
        await store.decide(tx, claim_id, "refused", now=now)
        await revoke_claim(tx, claim, who, now=now)
        return None
    if len(review.approved) < review.approvers_needed:
        return review
    await store.decide(tx, claim_id, "approved", now=now)
    await resume_claim(tx, claim, list(review.approved), now=now)
    return None


async def decide_one(
    claim_id: str, *, approve: bool, actor: str, note: str, db: Database, now: datetime
) -> OpenReview | None:
    """`decide_stopped` in a transaction of its own."""
    async with db.transaction() as tx:
        return await decide_stopped(tx, claim_id, approve=approve, actor=actor, note=note, now=now)


async def may_decide(claim_id: str, actor: str, *, db: Database) -> OpenReview:
    """The open review of the claim, if this person may decide it.

    Raises `NotInReview`, `MakerIsChecker` (the provider's own), `ApprovedBefore`, `PayeeRecorder`.
    """
    async with db.transaction() as tx:
        return await _may_decide(tx, claim_id, actor)


async def _may_decide(tx: Connection, claim_id: str, actor: str) -> OpenReview:
    review = await store.review_of(tx, claim_id)
    if review is None:
        raise NotInReview
    who = person(actor)
    two_people(who, review.submitted_by)
    if who in review.approved:
        raise ApprovedBefore
    if who in {person(name) for name in await store.payee_recorders(tx, review.provider_id)}:
        raise PayeeRecorder
    return review


async def follow_claim(fact: ClaimSubmitted, tx: Connection) -> None:
    """Note when the claim came: the days for naming its defects count from here."""
    await store.received(tx, fact)


async def escalate_undecided(*, db: Database, now: datetime) -> int:
    """Call for people where a claim is still undecided while there is time to name its defects; returns how many."""
    async with db.transaction() as tx:
        before = now - timedelta(days=ESCALATION_DAYS)
        late = await store.escalate(tx, before, ESCALATIONS_PER_SWEEP_MAX, now=now)
        facts = [
            ClaimEscalated(
                application_id=one.application_id,
                claim_id=one.claim_id,
                provider_id=one.provider_id,
                received_at=one.received_at,
                notice_due_at=one.notice_due_at,
                escalated_at=now,
            )
            for one in late
        ]
        await outbox.append_all(tx, facts, now=now)
        for fact in facts:
            explanation = (
                f"claim {fact.claim_id} is undecided: its defects are named to the provider in writing by"
                f" {fact.notice_due_at:%Y-%m-%d %H:%M} UTC, by letter where the provider has no webhook endpoint"
            )
            await alert(tx, CLAIM_UNDECIDED, explanation, provider_id=fact.provider_id, key=fact.claim_id, now=now)
    return len(late)


async def close_request(tx: Connection, program_id: str, provider_id: str, *, by: str, now: datetime) -> ClosedRequest:
    """Close the provider's request of this month: later claims of the month go into the next one that is free."""
    rules = await claim_rules.rules_of(tx, program_id)
    if program_id not in await claim_rules.programs_of(tx, provider_id):
        raise NotFound(kind="program")
    await store.lock_requests(tx, program_id, provider_id)
    month = day_in(rules.time_zone, now).replace(day=1)
    closed = await store.closed_requests(tx, program_id, provider_id, month)
    slot = slot_for(now, rules.time_zone, None, {one for one in closed if one.month == month})
    if rules.per_month_max is not None and slot.number > rules.per_month_max:
        # Every request of the month is closed already: closing again is the same.
        slot = RequestSlot(month, rules.per_month_max)
    claims, cents = await store.close_request(tx, program_id, provider_id, slot, by=by, now=now)
    return ClosedRequest(slot, claims, cents)
