"""Before money moves the person is asked; a yes stops the payment until people decide, silence lets it go on."""

from datetime import timedelta

import pytest

from contracts.events.applications import ChargeAnswered
from contracts.events.eligibility import ListedApprovalLevel, ListedClaimRules
from contracts.events.payments import (
    ClaimChargeAsked,
    ClaimChargeUnanswered,
    ClaimResumed,
    ClaimRevoked,
    ClaimStopped,
)
from contracts.steps.payments import ClaimStatus
from services.payments.claims.queues import ApprovedBefore, DecidedInItsCase, NotInReview, Queue
from services.payments.domain import MakerIsChecker, NothingToPay
from services.payments.usecases.batches import build_batch
from services.payments.usecases.charges import close_unanswered, follow_charge_answer
from services.payments.usecases.claim_queues import decide_stopped, may_decide, queue_of
from services.payments.usecases.program import follow_program
from tests.services.payments.case import NOW, PROVIDER, Case, Desk, published
from tests.services.payments.usecases.test_batches import BOTH
from tests.services.payments.usecases.test_claims import batch_of, confirm, failed, word

RULES = ListedClaimRules(
    time_zone="America/New_York",
    per_month_max=1,
    charge_answer_days=5,
    approval_levels=[
        ListedApprovalLevel(up_to_cents=100_000, approvers=0),
        ListedApprovalLevel(up_to_cents=9_999_999_999, approvers=2),
    ],
)


@pytest.fixture
async def asking(desk: Desk) -> Desk:
    """A program whose rules have the person asked."""
    fact = published(version=2).model_copy(update={"claim_rules": RULES})
    async with desk.db.transaction() as tx:
        await follow_program(fact, tx, now=NOW)
    return desk


async def says(desk: Desk, case: Case, charged: bool) -> None:
    fact = ChargeAnswered(application_id=case.id, charged=charged, answered_at=NOW)
    async with desk.db.transaction() as tx:
        await follow_charge_answer(fact, tx, now=NOW)


async def decides(desk: Desk, case: Case, actor: str, *, approve: bool):
    async with desk.db.transaction() as tx:
        return await decide_stopped(tx, case.claim_id, approve=approve, actor=actor, note="looked at", now=NOW)


async def nothing_to_pay(desk: Desk) -> None:
    with pytest.raises(NothingToPay):
        async with desk.db.transaction() as tx:
            await build_batch(tx, maker="finance/anna", rails=BOTH, now=NOW)


async def test_the_payment_waits_for_the_answer_and_a_no_lets_it_go(asking):
    case = await asking.approved(Case("ann"))
    [asked] = await asking.told(ClaimChargeAsked)
    assert (asked["claim_id"], asked["answer_by"]) == (case.claim_id, NOW + timedelta(days=5))
    payment = await asking.pay(case)
    await nothing_to_pay(asking)
    await says(asking, case, charged=False)
    await batch_of(asking)
    await confirm(asking, word(payment))
    assert await asking.stages() == {"available": 700_000, "disbursed": 300_000}


async def test_silence_lets_the_payment_go_on_and_is_on_record(asking):
    await asking.pay(await asking.approved(Case("ann")))
    assert await close_unanswered(db=asking.db, now=NOW + timedelta(days=5) - timedelta(seconds=1)) == 0
    assert await close_unanswered(db=asking.db, now=NOW + timedelta(days=5)) == 1
    assert await close_unanswered(db=asking.db, now=NOW + timedelta(days=6)) == 0
    assert len(await asking.told(ClaimChargeUnanswered)) == 1
    assert (await batch_of(asking)).payments == 1


async def test_a_word_that_came_before_the_claim_counts(asking):
    honest, charged = Case("ann"), Case("bea")
    await says(asking, honest, charged=False)
    await asking.pay(await asking.approved(honest))
    assert await asking.told(ClaimChargeAsked) == []
    assert (await batch_of(asking)).payments == 1
    await says(asking, charged, charged=True)
    await asking.hold(charged)
    await asking.encumber(charged)
    await asking.learn(charged)
    reviewed = await asking.review(charged)
    assert (reviewed.status, failed(reviewed)) == (ClaimStatus.REFERRED, {"person_says_charged"})
    [waiting] = await queue_of(None, db=asking.db)
    assert (waiting.queue, waiting.origin) == (Queue.CHARGES, "match")
    with pytest.raises(DecidedInItsCase):
        await decides(asking, charged, "finance/anna", approve=True)


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_yes_stops_the_payment_and_two_people_let_it_go_on(asking, ordered):
    case = await asking.approved(Case("ann"))
    payment = await asking.pay(case) if ordered else None
    await says(asking, case, charged=True)
    await says(asking, case, charged=True)
    payment = payment or await asking.pay(case)
    assert await asking.stages() == {"available": 700_000, "encumbered": 300_000}
    [stopped] = await asking.told(ClaimStopped)
    assert (stopped["reason"], stopped["amount_cents"]) == ("person_says_charged", 300_000)
    await nothing_to_pay(asking)
    with pytest.raises(MakerIsChecker):
        await decides(asking, case, PROVIDER, approve=True)
    review = await decides(asking, case, "finance/anna", approve=True)
    assert review is not None
    assert (review.approved, review.approvers_needed) == (("anna",), 2)
    with pytest.raises(ApprovedBefore):
        await decides(asking, case, "staff/anna", approve=True)
    assert await asking.stages() == {"available": 700_000, "encumbered": 300_000}
    assert await decides(asking, case, "finance/ben", approve=True) is None
    assert await asking.stages() == {"available": 700_000, "payable": 300_000}
    assert len(await asking.told(ClaimResumed)) == 1
    with pytest.raises(NotInReview):
        await may_decide(case.claim_id, "finance/cid", db=asking.db)
    await batch_of(asking)
    await confirm(asking, word(payment))
    assert await asking.stages() == {"available": 700_000, "disbursed": 300_000}
    assert (await asking.prove()).is_right


@pytest.mark.parametrize("after", [[], ["ada"]])
async def test_a_yes_while_people_look_for_another_reason_is_looked_at_by_itself(asking, after):
    case, large = Case("ann"), {"auto_approve_max_cents": 100_000}
    await asking.hold(case)
    await asking.encumber(case)
    await asking.learn(case)
    for approved_by in ([], after):
        assert (await asking.review(case, approved_by=approved_by, **large)).status is ClaimStatus.REFERRED
    await says(asking, case, charged=True)
    [waiting] = await queue_of(Queue.CHARGES, db=asking.db)
    assert (waiting.origin, waiting.reasons, waiting.later_reasons) == (
        "match", ("above_self_approval",), ("person_says_charged",),
    )  # fmt: skip
    # Two people approve its size: what they were not asked about stays open.
    approved = await asking.review(case, approved_by=["ada", "ben"], **large)
    assert (approved.status, approved.approved_cents) == (ClaimStatus.APPROVED, 300_000)
    await asking.pay(case)
    assert await asking.stages() == {"available": 700_000, "encumbered": 300_000}
    await nothing_to_pay(asking)
    [waiting] = await queue_of(Queue.CHARGES, db=asking.db)
    assert (waiting.origin, waiting.reasons) == ("charge", ("person_says_charged",))
    # Asked again, the case hears what it heard, and no name given there counts on the other question.
    for names in (["ada", "ben"], ["ada", "ben", "cid"]):
        assert await asking.review(case, approved_by=names, **large) == approved
    await nothing_to_pay(asking)
    assert await decides(asking, case, "finance/anna", approve=True) is not None
    assert await decides(asking, case, "finance/ben", approve=True) is None
    assert (await batch_of(asking)).payments == 1
    assert (await asking.prove()).is_right


async def test_a_refusal_ends_it_and_the_money_goes_back_with_the_case(asking):
    case = await asking.approved(Case("ann"))
    await asking.pay(case)
    await says(asking, case, charged=True)
    assert await decides(asking, case, "finance/anna", approve=False) is None
    [revoked] = await asking.told(ClaimRevoked)
    assert revoked["claim_id"] == case.claim_id
    await nothing_to_pay(asking)
    assert (await asking.release(case, "claim_refused")).released_cents == 300_000
    assert await asking.stages() == {"available": 1_000_000}
    assert (await asking.prove()).is_right


async def test_a_yes_after_the_file_left_calls_people_and_moves_nothing(asking):
    case = await asking.approved(Case("ann"))
    await asking.pay(case)
    await close_unanswered(db=asking.db, now=NOW + timedelta(days=5))
    await batch_of(asking)
    await says(asking, case, charged=True)
    assert await asking.stages() == {"available": 700_000, "in_transit": 300_000}
    assert await asking.told(ClaimStopped) == []
    [waiting] = await queue_of(Queue.CHARGES, db=asking.db)
    assert waiting.claim_id == case.claim_id
    assert await asking.told(ClaimRevoked) == []
