"""A step that fails goes to staff; it never fails the case."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from contracts.journey import UPDATE_DECIDE, Decision, Outcome, Stage
from contracts.steps.applications import CLOSE_CASE, RECORD_CREDENTIAL
from contracts.steps.payments import HOLD_FUNDS, PAY_CLAIM, RELEASE_FUNDS
from tests.workflows.driver import Case
from tests.workflows.fakes import FakeSteps
from tests.workflows.test_eligibility_stage import decide
from tests.workflows.test_staff import rejected


def refused(code: str = "not_found") -> ApplicationError:
    return ApplicationError("refused", type=code, non_retryable=True)


async def test_a_service_that_is_away_for_a_while_is_asked_again(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, *[ApplicationError("away", type="unavailable")] * 3)
    await case.start()
    await case.reaches(Stage.AWARD)
    await case.passes(timedelta(minutes=1))
    await case.reaches(Stage.ENROLLMENT)
    assert len(steps.of(HOLD_FUNDS)) == 4


async def test_a_refused_step_is_put_to_staff_and_tried_again(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, refused())
    await case.start()
    view = await case.reaches(Stage.AWARD, question="step_refused")
    assert any("payments.hold_funds.v1 failed: not_found" in line for line in view.history)
    await case.act(UPDATE_DECIDE, decide("step_refused", Decision.RETRY))
    await case.reaches(Stage.ENROLLMENT)


async def test_a_step_nobody_looks_at_is_tried_again_after_a_week(case: Case, steps: FakeSteps) -> None:
    steps.script(RECORD_CREDENTIAL, refused())
    await case.start()
    await case.to_learning()
    await case.tell(case.completed())
    await case.reaches(Stage.CREDENTIAL, question="step_refused")
    await case.passes(timedelta(days=8))
    await case.reaches(Stage.CLAIM)


async def test_staff_give_a_step_up_and_the_case_closes(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, refused())
    await case.start()
    await case.reaches(Stage.AWARD, question="step_refused")
    await case.act(UPDATE_DECIDE, decide("step_refused", Decision.REFUSE))
    assert await case.outcome() is Outcome.CLOSED_BY_STAFF
    assert steps.of(CLOSE_CASE)[0].reasons == ["step_refused"]


async def test_a_step_that_pays_may_not_be_given_up(case: Case, steps: FakeSteps) -> None:
    steps.script(PAY_CLAIM, refused())
    await case.start()
    await case.to_reimbursement()
    await case.reaches(Stage.REIMBURSEMENT, question="step_refused")
    assert await rejected(case, UPDATE_DECIDE, decide("step_refused", Decision.REFUSE)) == "not_offered"
    await case.act(UPDATE_DECIDE, decide("step_refused", Decision.RETRY))
    await case.tell(case.settled())
    assert await case.outcome() is Outcome.REIMBURSED


@pytest.mark.parametrize("step", [RELEASE_FUNDS, CLOSE_CASE], ids=lambda step: step.name.split(".")[1])
async def test_a_refused_step_while_closing_is_answered_by_staff(case: Case, steps: FakeSteps, step: object) -> None:
    steps.script(step, refused())  # type: ignore[arg-type]
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.withdrawn())
    await case.reaches(Stage.CLOSED, question="step_refused")
    await case.act(UPDATE_DECIDE, decide("step_refused", Decision.REFUSE))
    assert await case.outcome() is Outcome.WITHDRAWN
