"""The ordinary path, from application to settled payment."""

from datetime import timedelta

from contracts.events.applications import ExamResult
from contracts.journey import Outcome, Stage
from contracts.steps.applications import CLOSE_CASE, RECORD_CREDENTIAL
from contracts.steps.payments import PAY_CLAIM, RELEASE_FUNDS, REVIEW_CLAIM
from tests.workflows.driver import Case
from tests.workflows.fakes import PLAN_WITH_EXAM, FakeSteps


async def test_sixteen_weeks_from_application_to_settled_payment(case: Case, steps: FakeSteps) -> None:
    steps.plan = PLAN_WITH_EXAM
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=3))
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)
    await case.passes(timedelta(weeks=16))
    await case.tell(case.completed())
    await case.reaches(Stage.EXAM)
    await case.tell(case.registered())
    await case.passes(timedelta(weeks=2))
    await case.tell(case.resulted(ExamResult.PASSED))
    await case.reaches(Stage.CLAIM)
    await case.passes(timedelta(days=10))
    await case.tell(case.claimed())
    await case.reaches(Stage.REIMBURSEMENT)
    await case.passes(timedelta(days=8))
    await case.tell(case.settled())

    assert await case.outcome() is Outcome.REIMBURSED
    assert steps.verbs() == [
        "determine",
        "hold_funds",
        "request_enrollment",
        "encumber_funds",
        "issue_exam_voucher",
        "record_credential",
        "review_claim",
        "pay_claim",
        "close_case",
    ]
    assert steps.of(RECORD_CREDENTIAL)[0].earned_on == "2026-08-14"
    assert steps.of(REVIEW_CLAIM)[0].credential_earned_on == "2026-08-14"
    assert steps.of(PAY_CLAIM)[0].attempt_number == 1
    assert steps.of(CLOSE_CASE)[0].outcome == Outcome.REIMBURSED
    assert steps.of(CLOSE_CASE)[0].stage == Stage.REIMBURSEMENT
    assert steps.of(RELEASE_FUNDS) == []
