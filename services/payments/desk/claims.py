"""What the command line asks about claims: queues, one claim, decisions, what is late, statements, as JSON values."""

from dataclasses import asdict
from datetime import date
from typing import Any

from contracts.errors import NotFound
from kit.clock import SystemClock
from services.payments.claims.queues import Queue
from services.payments.desk.opening import officer, opened
from services.payments.settings import PaymentsSettings
from services.payments.usecases import advances, claim_queues
from services.payments.usecases.claim_notices import record_notice
from services.payments.usecases.claims import any_claim
from services.payments.usecases.late_payments import LateClaim, what_is_late
from services.payments.usecases.provider_statements import statement_for
from services.payments.views.claims import review_shown, review_waiting, statement_shown
from services.payments.views.payments import claim_shown


async def queue(settings: PaymentsSettings, name: str | None) -> list[dict[str, Any]]:
    """The claims of a queue, or of all, the oldest first."""
    if name is not None and name not in set(Queue):
        raise NotFound(kind="queue")
    async with opened(settings) as db:
        found = await claim_queues.queue_of(None if name is None else Queue(name), db=db)
    return [review_waiting(one).model_dump(mode="json") for one in found]


async def claim(settings: PaymentsSettings, claim_id: str) -> dict[str, Any]:
    """One claim with every check and its reason."""
    async with opened(settings) as db:
        return claim_shown(await any_claim(claim_id, db=db)).model_dump(mode="json")


async def may_decide(settings: PaymentsSettings, claim_id: str, actor: str) -> tuple[str, str]:
    """Where this person decides the claim: its origin (`match`: in its case; `charge`: here) and its case."""
    async with opened(settings) as db:
        review = await claim_queues.may_decide(claim_id, officer(actor), db=db)
    return review.origin, review.application_id


async def decide_stopped(
    settings: PaymentsSettings, claim_id: str, *, approve: bool, actor: str, note: str
) -> dict[str, Any]:
    """One person's word on a stopped claim."""
    async with opened(settings) as db:
        review = await claim_queues.decide_one(
            claim_id, approve=approve, actor=officer(actor), note=note, db=db, now=SystemClock().now()
        )
        shown = await any_claim(claim_id, db=db)
    return review_shown(shown.claim_id, review).model_dump(mode="json")


async def notified(
    settings: PaymentsSettings, claim_id: str, *, told_on: date, document: str, actor: str
) -> dict[str, Any]:
    """Keep a notice of defects that people sent on paper; the claim."""
    async with opened(settings) as db:
        found = await record_notice(
            claim_id, told_on=told_on, document=document, by=officer(actor), db=db, now=SystemClock().now()
        )
    return claim_shown(found).model_dump(mode="json")


async def late(settings: PaymentsSettings) -> dict[str, Any]:
    """`{"undecided", "untold", "overdue_notices", "unpaid", "interest", "interest_count", "interest_cents"}`."""
    async with opened(settings) as db:
        found = await what_is_late(db=db, now=SystemClock().now())
    return {
        "undecided": [
            {
                "claim_id": one.claim_id,
                "provider_id": one.provider_id,
                "received_at": one.received_at.isoformat(),
                "notice_due_at": one.notice_due_at.isoformat(),
            }
            for one in found.undecided
        ],
        "untold": [
            {
                "claim_id": one.claim_id,
                "provider_id": one.provider_id,
                "notice_due_at": one.notice_due_at.isoformat(),
            }
            for one in found.untold
        ],
        "overdue_notices": found.overdue_notices,
        "unpaid": [_unpaid(one) for one in found.unpaid],
        "interest": [
            {"claim_id": one.claim_id, "provider_id": one.provider_id, "days": one.days, "cents": one.cents}
            for one in found.interest
        ],
        "interest_count": found.interest_count,
        "interest_cents": found.interest_cents,
    }


async def statement(settings: PaymentsSettings, provider_id: str, first: date, last: date) -> dict[str, Any]:
    """A provider's statement, as its HTTP door shows it."""
    async with opened(settings) as db:
        return statement_shown(await statement_for(provider_id, first, last, db=db)).model_dump(mode="json")


async def propose(
    settings: PaymentsSettings, program_id: str, round_id: str, provider_id: str, *, maker: str
) -> dict[str, Any]:
    """Assess what a provider owes back of its advances of a round."""
    async with opened(settings) as db:
        refund = await advances.propose_one(
            program_id, round_id, provider_id, maker=officer(maker), db=db, now=SystemClock().now()
        )
    return asdict(refund)


async def agree(settings: PaymentsSettings, refund_id: str, *, checker: str) -> dict[str, Any]:
    """Agree to a refund that somebody else assessed."""
    async with opened(settings) as db:
        refund = await advances.agree_one(refund_id, checker=officer(checker), db=db, now=SystemClock().now())
    return asdict(refund)


def _unpaid(one: LateClaim) -> dict[str, Any]:
    return {
        "claim_id": one.claim.claim_id,
        "provider_id": one.claim.provider_id,
        "due_on": one.claim.due_on.isoformat(),
        "amount_cents": one.claim.amount_cents,
        "interest_cents": one.interest.cents if one.interest else None,
    }
