"""What was acknowledged in time counts, though its fact reaches the journey after the deadline."""

from datetime import timedelta

import pytest

from contracts.envelope import CaseFact
from contracts.events.applications import ExamResult
from contracts.events.eligibility import Eligibility
from contracts.journey import UPDATE_DECIDE, Decision, Outcome, Stage
from contracts.steps.applications import CLOSE_CASE, LAPSE_CASE, Awaited, CaseLapsed
from contracts.steps.eligibility import DETERMINE
from contracts.steps.payments import HOLD_FUNDS, FundsHeld, HoldStatus
from tests.workflows.driver import Case
from tests.workflows.fakes import PLAN_WITH_EXAM, FakeSteps, determined
from tests.workflows.test_eligibility_stage import decide

IN_TIME = CaseLapsed(lapsed=False)


async def heard_late(case: Case, steps: FakeSteps, awaited: Awaited, stage: Stage, wait: timedelta) -> None:
    """Let the deadline pass on a report that applications has and the journey has not."""
    steps.script(LAPSE_CASE, IN_TIME)
    await case.passes(wait)
    await case.reaches(stage, noted=f"{awaited} was reported in time")
    assert steps.of(LAPSE_CASE)[-1].awaited is awaited
    assert not steps.of(CLOSE_CASE)


async def test_an_answer_of_the_college_heard_after_its_deadline(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await heard_late(case, steps, Awaited.COLLEGE_ANSWER, Stage.ENROLLMENT, timedelta(days=18))
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)


async def test_an_answer_on_its_way_while_staff_let_the_request_lapse(case: Case, steps: FakeSteps) -> None:
    steps.script(LAPSE_CASE, IN_TIME)
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=11))
    await case.reaches(Stage.ENROLLMENT, question="silent_college")
    await case.act(UPDATE_DECIDE, decide("silent_college", Decision.REFUSE))
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)


@pytest.mark.parametrize("fact", ["completed", "left"])
async def test_the_end_of_the_course_heard_after_its_deadline(case: Case, steps: FakeSteps, fact: str) -> None:
    await case.start()
    await case.to_learning()
    await heard_late(case, steps, Awaited.COMPLETION, Stage.LEARNING, timedelta(days=181))
    told: CaseFact = case.completed() if fact == "completed" else case.left_course()
    await case.tell(told)
    if fact == "completed":
        await case.reaches(Stage.CLAIM)
    else:
        assert await case.outcome() is Outcome.NOT_COMPLETED
        assert "left_course" in steps.of(CLOSE_CASE)[0].reasons


async def test_an_exam_whose_registration_and_result_are_heard_late(case: Case, steps: FakeSteps) -> None:
    steps.plan = PLAN_WITH_EXAM
    await case.start()
    await case.to_exam()
    await heard_late(case, steps, Awaited.EXAM_REGISTRATION, Stage.EXAM, timedelta(days=31))
    await case.tell(case.registered())
    await heard_late(case, steps, Awaited.EXAM_RESULT, Stage.EXAM, timedelta(days=46))
    assert [(each.exam_id, each.attempt_number) for each in steps.of(LAPSE_CASE)] == [("security-plus", 1)] * 2
    await case.tell(case.resulted(ExamResult.PASSED))
    await case.reaches(Stage.CLAIM)


async def test_a_claim_heard_after_its_deadline(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_claim()
    await heard_late(case, steps, Awaited.CLAIM, Stage.CLAIM, timedelta(days=43))
    await case.tell(case.claimed())
    await case.reaches(Stage.REIMBURSEMENT)


async def test_a_document_heard_after_its_deadline(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, determined(Eligibility.MORE_INFORMATION, missing=["income_proof"]))
    await case.start()
    await case.reaches(Stage.INFORMATION)
    await heard_late(case, steps, Awaited.EVIDENCE, Stage.INFORMATION, timedelta(days=15))
    await case.tell(case.document())
    await case.reaches(Stage.ENROLLMENT)
    assert steps.of(LAPSE_CASE)[0].documents_known == 0


async def test_an_appeal_heard_after_its_window_is_put_to_staff(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, determined(Eligibility.INELIGIBLE))
    await case.start()
    await case.reaches(Stage.APPEAL)
    await heard_late(case, steps, Awaited.EVIDENCE, Stage.APPEAL, timedelta(days=31))
    await case.tell(case.document())
    await case.reaches(Stage.APPEAL, question="appeal")
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.APPROVE))
    await case.reaches(Stage.ENROLLMENT)


async def test_money_that_came_while_the_place_ran_out(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, FundsHeld(status=HoldStatus.WAITING, reason="over_award"))
    await case.start()
    await case.reaches(Stage.WAITING_LIST)
    await case.passes(timedelta(days=61))
    await case.reaches(Stage.ENROLLMENT)
    first, again = steps.of(HOLD_FUNDS)
    assert first == again


async def test_a_fact_that_never_arrives_does_not_keep_the_case_for_ever(case: Case, steps: FakeSteps) -> None:
    steps.script(LAPSE_CASE, IN_TIME)
    await case.start()
    await case.to_learning()
    assert await case.outcome() is Outcome.NOT_COMPLETED
