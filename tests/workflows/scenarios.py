"""Whole cases whose histories are recorded and replayed: every later journey must still take them the same way."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from contracts.events.applications import EnrollmentStarted, EnrollmentWaitlisted, ExamResult, MilestoneReached
from contracts.events.eligibility import Eligibility
from contracts.ids import HoldId
from contracts.journey import (
    UPDATE_CLOSE,
    UPDATE_DECIDE,
    UPDATE_EXTEND,
    UPDATE_HOLD,
    UPDATE_RESUME,
    Decision,
    Outcome,
    Stage,
)
from contracts.steps.applications import LAPSE_CASE, CaseLapsed
from contracts.steps.eligibility import DETERMINE
from contracts.steps.payments import (
    ENCUMBER_FUNDS,
    HOLD_FUNDS,
    PAY_CLAIM,
    REVIEW_CLAIM,
    ClaimStatus,
    EncumbranceStatus,
    FundsEncumberedResult,
    FundsHeld,
    HoldStatus,
)
from tests.workflows.driver import LONG_AGO, Case, until_asked
from tests.workflows.fakes import PLAN_WITH_EXAM, FakeSteps, determined, reviewed
from tests.workflows.test_eligibility_stage import decide
from tests.workflows.test_staff import CLOSE, HOLD, RESUME, extend

Scenario = Callable[[Case, FakeSteps], Awaitable[Outcome]]


async def _pay(case: Case) -> Outcome:
    await case.tell(case.completed())
    await case.reaches(Stage.CLAIM)
    await case.tell(case.claimed())
    await case.reaches(Stage.REIMBURSEMENT)
    await case.tell(case.settled())
    return await case.outcome()


async def sixteen_weeks_with_a_retake(case: Case, steps: FakeSteps) -> Outcome:
    steps.plan = PLAN_WITH_EXAM
    await case.to_learning()
    await case.tell(EnrollmentStarted(**case.enrollment(), started_at=LONG_AGO))
    await case.passes(timedelta(weeks=8))
    await case.tell(MilestoneReached(**case.enrollment(), milestone="midpoint", reached_at=LONG_AGO))
    await case.passes(timedelta(weeks=8))
    await case.tell(case.completed())
    await case.reaches(Stage.EXAM)
    await case.tell(case.registered())
    await case.tell(case.resulted(ExamResult.FAILED))
    await case.passes(timedelta(days=15))
    await case.tell(case.registered(2))
    await case.tell(case.resulted(ExamResult.PASSED, 2))
    await case.reaches(Stage.CLAIM)
    await case.tell(case.claimed())
    await case.reaches(Stage.REIMBURSEMENT)
    await case.tell(case.settled())
    return await case.outcome()


async def information_missing_then_incomplete(case: Case, steps: FakeSteps) -> Outcome:
    more = determined(Eligibility.MORE_INFORMATION, missing=["income_proof"])
    steps.script(DETERMINE, more, more)
    await case.reaches(Stage.INFORMATION)
    await case.tell(case.document())
    await case.reaches(Stage.INFORMATION, noted="determination 2")
    return await case.outcome()


async def appeal_upheld_then_reimbursed(case: Case, steps: FakeSteps) -> Outcome:
    steps.script(DETERMINE, determined(Eligibility.INELIGIBLE))
    await case.reaches(Stage.APPEAL)
    await case.tell(case.document())
    await case.reaches(Stage.APPEAL, question="appeal", noted="document received")
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.APPROVE))
    await case.to_learning()
    return await _pay(case)


async def ineligible_after_the_appeal_window(case: Case, steps: FakeSteps) -> Outcome:
    steps.script(DETERMINE, determined(Eligibility.INELIGIBLE))
    return await case.outcome()


async def waited_for_money_then_reimbursed(case: Case, steps: FakeSteps) -> Outcome:
    steps.script(HOLD_FUNDS, FundsHeld(status=HoldStatus.WAITING, reason="over_award"))
    await case.reaches(Stage.WAITING_LIST)
    await case.passes(timedelta(days=20))
    await case.tell(case.hold_placed())
    await case.to_learning()
    return await _pay(case)


async def college_silent_asked_again_then_lapsed(case: Case, steps: FakeSteps) -> Outcome:
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=11))
    await case.reaches(Stage.ENROLLMENT, question="silent_college")
    await case.act(UPDATE_DECIDE, decide("silent_college", Decision.RETRY))
    return await case.outcome()


async def college_waitlisted_and_hold_expired_then_reimbursed(case: Case, steps: FakeSteps) -> Outcome:
    steps.script(ENCUMBER_FUNDS, FundsEncumberedResult(status=EncumbranceStatus.NO_HOLD))
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(EnrollmentWaitlisted(**case.enrollment(), answered_at=LONG_AGO))
    await case.passes(timedelta(days=3))
    await case.to_learning()
    return await _pay(case)


async def held_resumed_and_extended_then_withdrawn(case: Case, steps: FakeSteps) -> Outcome:
    await case.to_learning()
    await case.act(UPDATE_HOLD, HOLD)
    await case.passes(timedelta(days=10))
    view = await case.act(UPDATE_RESUME, RESUME)
    assert view.due_at is not None
    await case.act(UPDATE_EXTEND, extend(view.due_at + timedelta(days=30)))
    await case.passes(timedelta(days=10))
    await case.tell(case.withdrawn())
    return await case.outcome()


async def closed_by_staff_in_learning(case: Case, steps: FakeSteps) -> Outcome:
    await case.to_learning()
    await case.act(UPDATE_CLOSE, CLOSE)
    return await case.outcome()


async def claim_returned_then_approved_by_two(case: Case, steps: FakeSteps) -> Outcome:
    referred = reviewed(ClaimStatus.REFERRED)
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.RETURNED), referred, referred)
    await case.to_claim()
    await case.tell(case.claimed(1))
    await case.reaches(Stage.CLAIM, noted="returned")
    await case.tell(case.claimed(2))
    await case.reaches(Stage.CLAIM, question="claim_review")
    await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, "m.ortiz"))
    await until_asked(steps, REVIEW_CLAIM, 3)
    await case.reaches(Stage.CLAIM, question="claim_review")
    await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, "j.lee"))
    await case.reaches(Stage.REIMBURSEMENT)
    await case.tell(case.settled())
    return await case.outcome()


async def payment_overdue_returned_and_paid_again(case: Case, steps: FakeSteps) -> Outcome:
    await case.to_reimbursement()
    await case.passes(timedelta(days=40))
    await case.tell(case.returned(1))
    await case.reaches(Stage.REIMBURSEMENT, noted="came back")
    await case.tell(case.repaired(1))
    await case.tell(case.settled(2))
    return await case.outcome()


async def step_refused_and_mended_by_staff(case: Case, steps: FakeSteps) -> Outcome:
    steps.script(HOLD_FUNDS, ApplicationError("refused", type="not_found", non_retryable=True))
    await case.reaches(Stage.AWARD, question="step_refused")
    await case.act(UPDATE_DECIDE, decide("step_refused", Decision.RETRY))
    await case.to_learning()
    return await case.outcome()


async def college_answered_in_time_and_heard_late_then_not_completed(case: Case, steps: FakeSteps) -> Outcome:
    steps.script(LAPSE_CASE, CaseLapsed(lapsed=False))
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=20))
    await case.reaches(Stage.ENROLLMENT, noted="college_answer was reported in time")
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)
    return await case.outcome()


async def served_while_the_place_on_the_waiting_list_ran_out(case: Case, steps: FakeSteps) -> Outcome:
    steps.script(HOLD_FUNDS, FundsHeld(status=HoldStatus.WAITING, reason="over_award"))
    await case.reaches(Stage.WAITING_LIST)
    await case.passes(timedelta(days=61))
    await case.to_claim()
    steps.script(LAPSE_CASE, CaseLapsed(lapsed=False))
    await case.passes(timedelta(days=43))
    await case.reaches(Stage.CLAIM, noted="claim was reported in time")
    await case.tell(case.claimed())
    await case.reaches(Stage.REIMBURSEMENT)
    await case.tell(case.settled())
    return await case.outcome()


async def claim_revoked_before_its_payment(case: Case, steps: FakeSteps) -> Outcome:
    await case.to_reimbursement()
    await case.tell(case.revoked())
    return await case.outcome()


async def claim_revoked_while_its_payment_was_ordered(case: Case, steps: FakeSteps) -> Outcome:
    steps.script(PAY_CLAIM, ApplicationError("refused", type="claim_not_payable", non_retryable=True))
    await case.to_reimbursement()
    await case.reaches(Stage.REIMBURSEMENT, question="step_refused")
    await case.tell(case.revoked())
    return await case.outcome()


async def sitting_canceled_held_and_barred_then_reimbursed(case: Case, steps: FakeSteps) -> Outcome:
    steps.plan = PLAN_WITH_EXAM
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.REFERRED), reviewed(ClaimStatus.REFERRED, barred=["m.ortiz"]))
    await case.to_exam()
    await case.tell(case.registered())
    await case.reaches(Stage.EXAM, noted="exam registered")
    await case.passes(timedelta(days=40))
    await case.tell(case.resulted(ExamResult.CANCELED))
    await case.reaches(Stage.EXAM, noted="exam resulted")
    await case.act(UPDATE_HOLD, HOLD)
    await case.passes(timedelta(days=40))
    await case.act(UPDATE_RESUME, RESUME)
    await case.tell(case.registered())
    await case.tell(case.resulted(ExamResult.PASSED))
    await case.reaches(Stage.CLAIM)
    await case.tell(case.claimed())
    for asked, name in enumerate(("m.ortiz", "j.lee"), start=2):
        await case.reaches(Stage.CLAIM, question="claim_review")
        await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, name))
        await until_asked(steps, REVIEW_CLAIM, asked)
    await case.reaches(Stage.REIMBURSEMENT)
    await case.passes(timedelta(days=40))
    await case.tell(case.returned(1))
    await case.reaches(Stage.REIMBURSEMENT, noted="came back")
    await case.tell(case.repaired(1))
    await case.tell(case.settled(2))
    return await case.outcome()


async def year_soft_closed_before_the_college_answered(case: Case, steps: FakeSteps) -> Outcome:
    """The hold went back with the year, and a closed line takes no other."""
    steps.script(
        HOLD_FUNDS,
        FundsHeld(status=HoldStatus.HELD, hold_id=HoldId.derive(case.id, 1)),
        FundsHeld(status=HoldStatus.REFUSED, reason="closed"),
    )
    steps.script(ENCUMBER_FUNDS, FundsEncumberedResult(status=EncumbranceStatus.NO_HOLD))
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.accepted())
    return await case.outcome()


async def doubted_after_the_first_approval_then_approved_anew(case: Case, steps: FakeSteps) -> Outcome:
    referred, anew = reviewed(ClaimStatus.REFERRED), reviewed(ClaimStatus.REFERRED, review_number=2)
    steps.script(REVIEW_CLAIM, referred, referred, anew, anew)
    await case.to_claim()
    await case.tell(case.claimed())
    for asked, name in enumerate(("m.ortiz", "j.lee", "m.ortiz", "j.lee"), start=2):
        await case.reaches(Stage.CLAIM, question="claim_review")
        await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, name))
        await until_asked(steps, REVIEW_CLAIM, asked)
    await case.reaches(Stage.REIMBURSEMENT)
    await case.tell(case.settled())
    return await case.outcome()


SCENARIOS: dict[Scenario, Outcome] = {
    sixteen_weeks_with_a_retake: Outcome.REIMBURSED,
    information_missing_then_incomplete: Outcome.INCOMPLETE,
    appeal_upheld_then_reimbursed: Outcome.REIMBURSED,
    ineligible_after_the_appeal_window: Outcome.INELIGIBLE,
    waited_for_money_then_reimbursed: Outcome.REIMBURSED,
    college_silent_asked_again_then_lapsed: Outcome.ENROLLMENT_LAPSED,
    college_waitlisted_and_hold_expired_then_reimbursed: Outcome.REIMBURSED,
    held_resumed_and_extended_then_withdrawn: Outcome.WITHDRAWN,
    closed_by_staff_in_learning: Outcome.CLOSED_BY_STAFF,
    claim_returned_then_approved_by_two: Outcome.REIMBURSED,
    payment_overdue_returned_and_paid_again: Outcome.REIMBURSED,
    step_refused_and_mended_by_staff: Outcome.NOT_COMPLETED,
    college_answered_in_time_and_heard_late_then_not_completed: Outcome.NOT_COMPLETED,
    served_while_the_place_on_the_waiting_list_ran_out: Outcome.REIMBURSED,
    claim_revoked_before_its_payment: Outcome.CLAIM_REFUSED,
    claim_revoked_while_its_payment_was_ordered: Outcome.CLAIM_REFUSED,
    sitting_canceled_held_and_barred_then_reimbursed: Outcome.REIMBURSED,
    year_soft_closed_before_the_college_answered: Outcome.NO_FUNDS,
    doubted_after_the_first_approval_then_approved_anew: Outcome.REIMBURSED,
}
