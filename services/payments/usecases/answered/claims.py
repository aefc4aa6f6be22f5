"""What the doors to claims do: one effect and one answer per Idempotency-Key, in one transaction."""

from contracts.ids import ClaimId
from kit.db import Connection
from kit.idempotency import Answer
from services.payments.usecases import advances, claim_queues
from services.payments.usecases.answered.asked import Asked
from services.payments.views.claims import (
    ClosedRequestShown,
    DecideClaim,
    NewRefund,
    RefundShown,
    ReviewShown,
    refund_shown,
    request_shown,
    review_shown,
)


async def decide_claim(asked: Asked, claim_id: ClaimId, word: DecideClaim) -> Answer:
    """Keep one person's word on a stopped claim."""

    async def act(tx: Connection) -> ReviewShown:
        review = await claim_queues.decide_stopped(
            tx, claim_id, approve=word.decision == "approve", actor=asked.by, note=word.note, now=asked.now
        )
        return review_shown(claim_id, review)

    return await asked.answer(act)


async def assess_refund(asked: Asked, new: NewRefund) -> Answer:
    """Assess what a provider owes back of its advances of a round, for another person to agree."""

    async def act(tx: Connection) -> RefundShown:
        refund = await advances.propose_refund(
            tx, new.program_id, new.round_id, new.provider_id, maker=asked.by, now=asked.now
        )
        return refund_shown(refund)

    return await asked.answer(act)


async def agree_refund(asked: Asked, refund_id: str) -> Answer:
    """Agree to a refund that somebody else assessed."""

    async def act(tx: Connection) -> RefundShown:
        return refund_shown(await advances.agree_refund(tx, refund_id, checker=asked.by, now=asked.now))

    return await asked.answer(act)


async def close_request(asked: Asked, program_id: str, provider_id: str) -> Answer:
    """Close the provider's request of this month."""

    async def act(tx: Connection) -> ClosedRequestShown:
        closed = await claim_queues.close_request(tx, program_id, provider_id, by=asked.by, now=asked.now)
        return request_shown(closed)

    return await asked.answer(act)
