"""The notice of a claim's defects: on record as it went, called for where it did not, and what a late one costs."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from contracts.events.notifications import ClaimDefectsNotified
from contracts.ids import ClaimId
from contracts.steps.payments import ClaimStatus
from services.payments.claims.prompt_pay import end_of
from services.payments.store.claims import Claim
from services.payments.usecases.claim_notices import (
    ClaimNotReturned,
    NoticeDayImpossible,
    call_for_untold,
    follow_notification,
    record_notice,
)
from services.payments.usecases.claims import any_claim
from services.payments.usecases.late_payments import record_interest, what_is_late
from services.payments.usecases.screening import open_alerts
from tests.services.payments.case import NOW, PROVIDER, Case, Desk
from tests.services.payments.usecases.test_claim_queues import FIFTEENTH, ready, ruled
from tests.services.payments.usecases.test_claims import batch_of, confirm
from tests.services.payments.usecases.test_late_payments import paid, rated

__all__ = ["rated", "ruled"]

ZONE = "America/New_York"
MENDED_AT = datetime(2026, 4, 20, 15, 0, tzinfo=UTC)


async def returned(desk: Desk, name: str = "ann") -> Case:
    """A claim that came on 10 March and lacks something."""
    case = await ready(desk, name)
    assert (await desk.review(case, 300_001)).status is ClaimStatus.RETURNED
    return case


async def notified(desk: Desk, case: Case, at: datetime, way: str = "letter") -> None:
    fact = ClaimDefectsNotified.model_validate(
        {
            "application_id": case.id,
            "claim_id": case.claim_id,
            "provider_id": PROVIDER,
            "way": way,
            "notified_at": at,
        }
    )
    async with desk.db.transaction() as tx:
        await follow_notification(fact, tx)


async def kept(desk: Desk, claim_id: str) -> Claim:
    return await any_claim(claim_id, db=desk.db)


async def mend(desk: Desk, case: Case, at: datetime = MENDED_AT) -> ClaimId:
    claim_id = ClaimId.derive(f"{case.name} mended")
    desk.now = at
    answer = await desk.review(case, claim_id=claim_id, submitted_at=at, claim_due_at=at + timedelta(days=1))
    assert answer.status is ClaimStatus.APPROVED
    return claim_id


async def test_the_first_notice_is_kept_in_whatever_order_they_are_heard_of(ruled):
    case = await returned(ruled)
    assert (await kept(ruled, case.claim_id)).notice_due_at == FIFTEENTH
    assert (await kept(ruled, case.claim_id)).notice_sent_at is None
    for hours, way in ((5, "letter"), (3, "webhook"), (9, "letter")):
        await notified(ruled, case, NOW + timedelta(hours=hours), way)
    assert (await kept(ruled, case.claim_id)).notice_sent_at == NOW + timedelta(hours=3)


async def test_only_a_returned_claim_has_a_notice(ruled):
    case = await ruled.approved(Case("bea"))
    await notified(ruled, case, NOW)
    one = await kept(ruled, case.claim_id)
    assert (one.notice_due_at, one.notice_sent_at) == (None, None)
    with pytest.raises(ClaimNotReturned):
        await record_notice(case.claim_id, told_on=NOW.date(), document="D-1", by="anna", db=ruled.db, now=NOW)


async def test_a_notice_that_does_not_go_calls_people_once(ruled):
    told, untold = await returned(ruled, "ann"), await returned(ruled, "bea")
    await notified(ruled, told, NOW)
    assert await call_for_untold(db=ruled.db, now=NOW + timedelta(hours=23)) == 0
    assert await call_for_untold(db=ruled.db, now=NOW + timedelta(days=1)) == 1
    assert await call_for_untold(db=ruled.db, now=NOW + timedelta(days=2)) == 0
    [raised] = await open_alerts(db=ruled.db)
    assert (raised.code, raised.provider_id) == ("claim_untold", PROVIDER)
    assert untold.claim_id in raised.explanation
    late = await what_is_late(db=ruled.db, now=FIFTEENTH + timedelta(seconds=1))
    assert ([one.claim_id for one in late.untold], late.overdue_notices) == ([untold.claim_id], 1)


async def test_nobody_is_called_for_a_claim_that_was_mended(ruled):
    case = await returned(ruled)
    await mend(ruled, case, NOW + timedelta(hours=1))
    assert await call_for_untold(db=ruled.db, now=NOW + timedelta(days=20)) == 0


@pytest.mark.parametrize("day", [date(2026, 3, 9), date(2026, 3, 13)])
async def test_a_letter_went_neither_before_the_return_nor_tomorrow(ruled, day):
    case = await returned(ruled)
    with pytest.raises(NoticeDayImpossible):
        await record_notice(
            case.claim_id, told_on=day, document="D-1", by="anna", db=ruled.db, now=NOW + timedelta(days=2)
        )


async def test_people_take_down_the_letter_that_they_sent(ruled):
    case = await returned(ruled)
    now = NOW + timedelta(days=20)
    day = date(2026, 3, 12)
    one = await record_notice(case.claim_id, told_on=day, document="D-1", by="finance/anna", db=ruled.db, now=now)
    assert one.notice_sent_at == end_of(day, ZONE)
    assert await call_for_untold(db=ruled.db, now=now) == 0
    async with ruled.db.connection() as connection:
        row = await connection.fetchrow("SELECT notice_way, notice_document, notice_recorded_by FROM claim")
    assert row is not None
    assert tuple(row) == ("document", "D-1", "anna")


@pytest.mark.parametrize(
    "wrong", ["notice_sent_at = now()", "notice_sent_at = now(), notice_way = 'document', notice_document = 'D-1'"]
)
async def test_the_table_keeps_no_notice_without_its_way_and_no_document_without_a_name(ruled, wrong):
    await returned(ruled)
    with pytest.raises(asyncpg.CheckViolationError):
        async with ruled.db.transaction() as tx:
            await tx.execute(f"UPDATE claim SET {wrong}")


@pytest.mark.parametrize(
    ("told_at", "due_on", "due_from"),
    [
        (FIFTEENTH, date(2026, 5, 20), None),
        (FIFTEENTH + timedelta(seconds=1), date(2026, 4, 9), date(2026, 3, 10)),
        (None, date(2026, 4, 9), date(2026, 3, 10)),
    ],
)
async def test_the_mended_claim_is_due_from_the_one_whose_notice_was_late(ruled, told_at, due_on, due_from):
    case = await returned(ruled)
    if told_at is not None:
        await notified(ruled, case, told_at)
    one = await kept(ruled, await mend(ruled, case))
    assert (one.due_on, one.due_from) == (due_on, due_from)


async def test_interest_runs_from_the_first_invoice_where_the_notice_was_late(rated):
    case = await returned(rated)
    await notified(rated, case, FIFTEENTH + timedelta(days=1))
    claim_id = await mend(rated, case, datetime(2026, 4, 15, 15, 0, tzinfo=UTC))
    payment = await rated.pay(case, claim_id=claim_id)
    await batch_of(rated)
    await confirm(rated, paid(payment, date(2026, 4, 19)))
    assert await record_interest(db=rated.db, now=rated.now) == 1
    [owed] = (await what_is_late(db=rated.db, now=rated.now)).interest
    assert (owed.claim_id, owed.first_on, owed.days, owed.cents) == (claim_id, date(2026, 4, 10), 10, 575)
