"""Stages 7 and 8: the claim is matched, decided, paid."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from contracts.journey import UPDATE_DECIDE, Decision, Outcome, Stage
from contracts.steps.applications import CLOSE_CASE
from contracts.steps.payments import PAY_CLAIM, RELEASE_FUNDS, REVIEW_CLAIM, ClaimStatus
from tests.workflows.driver import Case, until_asked
from tests.workflows.fakes import AWARD_CENTS, FakeSteps, reviewed
from tests.workflows.test_eligibility_stage import decide
from tests.workflows.test_failing_steps import refused
from tests.workflows.test_staff import rejected
from workflows.reimbursement import REVIEWS_MAX

REFERRED = reviewed(ClaimStatus.REFERRED)


async def test_the_provider_does_not_claim_in_time(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_claim()
    assert await case.outcome() is Outcome.CLAIM_LAPSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["not_claimed_in_time"]
    assert len(steps.of(RELEASE_FUNDS)) == 1


async def test_a_returned_claim_is_mended_and_claimed_again(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.RETURNED))
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed(1))
    await case.reaches(Stage.CLAIM, noted="returned")
    await case.tell(case.claimed(2))
    await case.reaches(Stage.REIMBURSEMENT)
    first, second = steps.of(REVIEW_CLAIM)
    assert first.claim_due_at == second.claim_due_at
    assert steps.of(PAY_CLAIM)[0].claim_id == case.claimed(2).claim_id


async def test_a_refused_claim_ends_the_case_with_every_reason(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.REFUSED, reason="participant_was_charged"))
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    assert await case.outcome() is Outcome.CLAIM_REFUSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["participant_was_charged"]


async def test_a_claim_for_less_ends_as_reimbursed(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed(amount_cents=100_000))
    await case.reaches(Stage.REIMBURSEMENT)
    await case.tell(case.settled())
    assert await case.outcome() is Outcome.REIMBURSED
    assert steps.of(REVIEW_CLAIM)[0].amount_cents == 100_000


async def test_two_people_approve_a_referred_claim(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, REFERRED, REFERRED)
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await case.reaches(Stage.CLAIM, question="claim_review")
    await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, "m.ortiz"))
    await case.reaches(Stage.CLAIM, question="claim_review")
    with pytest.raises(WorkflowUpdateFailedError) as same_person:
        await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, "m.ortiz"))
    assert "second person" in str(same_person.value.cause)
    await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, "j.lee"))
    await case.reaches(Stage.REIMBURSEMENT)
    assert [each.approved_by for each in steps.of(REVIEW_CLAIM)] == [[], ["m.ortiz"], ["m.ortiz", "j.lee"]]


async def approve(case: Case, steps: FakeSteps, *people: str) -> None:
    """Each of them approves when asked, and is heard by payments."""
    for name in people:
        await case.reaches(Stage.CLAIM, question="claim_review")
        asked = len(steps.of(REVIEW_CLAIM))
        await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, name))
        await until_asked(steps, REVIEW_CLAIM, asked + 1)


async def test_approvals_that_do_not_count_never_cost_the_provider_its_claim(case: Case, steps: FakeSteps) -> None:
    """Four people recorded changes of the payee: they are told, and others are asked."""
    barred = ["rita", "rob", "ruth", "ron"]
    steps.script(REVIEW_CLAIM, REFERRED, *(reviewed(ClaimStatus.REFERRED, barred=[each]) for each in barred), REFERRED)
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await approve(case, steps, *barred)
    view = await case.reaches(Stage.CLAIM, question="claim_review")
    assert sum("does not count" in line for line in view.history) == len(barred)
    assert await rejected(case, UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, "rita")) == "may_not_approve"
    await approve(case, steps, "ann", "ben")
    await case.reaches(Stage.REIMBURSEMENT)
    heard = [each.approved_by for each in steps.of(REVIEW_CLAIM)]
    assert heard == [[], ["rita"], ["rob"], ["ruth"], ["ron"], ["ann"], ["ann", "ben"]]


async def test_approvals_before_another_doubt_are_given_anew_by_whoever_gave_them(case: Case, steps: FakeSteps) -> None:
    anew = reviewed(ClaimStatus.REFERRED, review_number=2)
    steps.script(REVIEW_CLAIM, REFERRED, REFERRED, anew, anew)
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await approve(case, steps, "ann", "ben")
    view = await case.reaches(Stage.CLAIM, question="claim_review")
    assert sum("another doubt came up" in line for line in view.history) == 1
    await approve(case, steps, "ann", "ben")
    await case.reaches(Stage.REIMBURSEMENT)
    heard = [(each.review_number, each.approved_by) for each in steps.of(REVIEW_CLAIM)]
    assert heard == [(1, []), (1, ["ann"]), (1, ["ann", "ben"]), (2, ["ann"]), (2, ["ann", "ben"])]


async def test_more_approvals_than_any_amount_takes_begin_anew(case: Case, steps: FakeSteps) -> None:
    """Payments of an earlier release does not say who was barred."""
    steps.script(REVIEW_CLAIM, *[REFERRED] * 5)
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await approve(case, steps, "ann", "ben", "cid", "dan", "eve")
    await case.reaches(Stage.REIMBURSEMENT)
    assert steps.of(REVIEW_CLAIM)[-1].approved_by == ["eve"]


async def test_a_claim_that_nobody_may_approve_ends_after_a_bounded_number_of_questions(
    case: Case, steps: FakeSteps
) -> None:
    steps.script(REVIEW_CLAIM, *[REFERRED] * (REVIEWS_MAX + 1))
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await approve(case, steps, *(f"person-{number}" for number in range(REVIEWS_MAX)))
    assert await case.outcome() is Outcome.CLAIM_REFUSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["never_reviewed"]


async def test_staff_refuse_a_referred_claim(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, REFERRED, reviewed(ClaimStatus.REFUSED, reason="invoice_not_proper"))
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await case.reaches(Stage.CLAIM, question="claim_review")
    await case.act(UPDATE_DECIDE, decide("claim_review", Decision.REFUSE))
    assert await case.outcome() is Outcome.CLAIM_REFUSED
    assert steps.of(REVIEW_CLAIM)[1].refused_by == "m.ortiz"


async def test_a_claim_does_not_lapse_because_staff_are_late(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, REFERRED)
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await case.reaches(Stage.CLAIM, question="claim_review")
    await case.passes(timedelta(days=60))
    await case.reaches(Stage.CLAIM, question="claim_review", noted="overdue")
    await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE))
    await case.reaches(Stage.REIMBURSEMENT)


async def test_a_payment_that_came_back_is_repaired_and_paid_again(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_reimbursement()
    await case.tell(case.returned(1))
    await case.reaches(Stage.REIMBURSEMENT, noted="came back")
    await case.tell(case.repaired(1))
    await case.reaches(Stage.REIMBURSEMENT, noted="disbursement repaired")
    await case.tell(case.settled(2))
    assert await case.outcome() is Outcome.REIMBURSED
    assert [each.attempt_number for each in steps.of(PAY_CLAIM)] == [1, 2]


async def test_an_overdue_payment_calls_staff_and_stays_open(case: Case) -> None:
    await case.start()
    await case.to_reimbursement()
    await case.passes(timedelta(days=90))
    await case.reaches(Stage.REIMBURSEMENT, noted="overdue")
    await case.tell(case.settled())
    assert await case.outcome() is Outcome.REIMBURSED


async def test_every_payment_has_a_deadline_of_its_own(case: Case) -> None:
    """The first one was overdue: that says nothing of when the second one is."""

    async def told_overdue() -> int:
        return sum("the payment is overdue" in line for line in (await case.view()).history)

    await case.start()
    await case.to_reimbursement()
    await case.passes(timedelta(days=31))
    await case.reaches(Stage.REIMBURSEMENT, noted="the payment is overdue")
    await case.tell(case.returned(1))
    view = await case.reaches(Stage.REIMBURSEMENT, noted="came back")
    assert view.due_at is not None
    assert view.due_at <= await case.env.get_current_time() + timedelta(days=30)
    await case.tell(case.repaired(1))
    await case.reaches(Stage.REIMBURSEMENT, noted="disbursement repaired")
    assert await told_overdue() == 1
    await case.passes(timedelta(days=31))
    assert await told_overdue() == 2
    await case.tell(case.settled(2))
    assert await case.outcome() is Outcome.REIMBURSED


async def test_a_payment_that_never_settles_is_given_up_after_two_years(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_reimbursement()
    assert await case.outcome() is Outcome.CLOSED_BY_STAFF
    assert steps.of(CLOSE_CASE)[0].reasons == ["payment_never_settled"]


async def test_a_payment_that_keeps_coming_back_goes_to_staff(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_reimbursement()
    for attempt in range(1, 11):
        await case.tell(case.returned(attempt))
        await case.tell(case.repaired(attempt))
    await case.reaches(Stage.REIMBURSEMENT, question="payment_returned")
    await case.act(UPDATE_DECIDE, decide("payment_returned", Decision.REFUSE))
    assert await case.outcome() is Outcome.CLOSED_BY_STAFF
    assert steps.of(CLOSE_CASE)[0].reasons == ["payment_returned"]
    assert len(steps.of(PAY_CLAIM)) == 10
    assert steps.of(REVIEW_CLAIM)[0].auto_approve_max_cents == AWARD_CENTS


async def test_a_claim_revoked_before_its_payment_ends_the_case_and_gives_its_money_back(
    case: Case, steps: FakeSteps
) -> None:
    await case.start()
    await case.to_reimbursement()
    await case.tell(case.revoked())
    assert await case.outcome() is Outcome.CLAIM_REFUSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["person_says_charged"]
    assert len(steps.of(RELEASE_FUNDS)) == 1


@pytest.mark.parametrize("heard", ["while it is ordered", "after the order was refused", "after it came back"])
async def test_a_revoked_claim_ends_the_case_whatever_its_payment_was_doing(
    case: Case, steps: FakeSteps, heard: str
) -> None:
    await case.start()
    await case.to_claim()
    if heard != "after it came back":
        steps.script(PAY_CLAIM, refused())
    gate = steps.block(PAY_CLAIM)
    await case.tell(case.claimed())
    await until_asked(steps, PAY_CLAIM, 1)
    if heard == "while it is ordered":
        await case.tell(case.revoked())
    gate.set()
    if heard == "after the order was refused":
        await case.reaches(Stage.REIMBURSEMENT, question="step_refused")
        await case.tell(case.revoked())
    if heard == "after it came back":
        await case.tell(case.returned(1))
        await case.reaches(Stage.REIMBURSEMENT, noted="came back")
        await case.tell(case.revoked())
    assert await case.outcome() is Outcome.CLAIM_REFUSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["person_says_charged"]
    assert len(steps.of(RELEASE_FUNDS)) == len(steps.of(PAY_CLAIM)) == 1
