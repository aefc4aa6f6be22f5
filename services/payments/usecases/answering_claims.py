"""What the doors to claims do: one effect and one answer per Idempotency-Key, in one transaction."""

from datetime import datetime

from contracts.ids import ClaimId
from kit.access import Principal
from kit.db import Connection, Database
from kit.idempotency import Answer, Once
from services.payments.usecases import claim_queues
from services.payments.usecases.answering import answer_once
from services.payments.views.claims import ClosedRequestShown, DecideClaim, ReviewShown, request_shown, review_shown


async def decide_claim(
    claim_id: ClaimId, asked: DecideClaim, *, actor: str, once: Once, db: Database, now: datetime
) -> Answer:
    """Keep one person's word on a stopped claim."""

    async def act(tx: Connection) -> ReviewShown:
        review = await claim_queues.decide_stopped(
            tx, claim_id, approve=asked.decision == "approve", actor=actor, note=asked.note, now=now
        )
        return review_shown(claim_id, review)

    return await answer_once(act, once=once, db=db, now=now)


async def close_request(program_id: str, who: Principal, *, once: Once, db: Database, now: datetime) -> Answer:
    """Close the provider's request of this month."""

    async def act(tx: Connection) -> ClosedRequestShown:
        return request_shown(await claim_queues.close_request(tx, program_id, who.id, by=who.name, now=now))

    return await answer_once(act, once=once, db=db, now=now)
