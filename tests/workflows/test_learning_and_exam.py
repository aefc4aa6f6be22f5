"""Stages 4 to 6: learning, exam, credential."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.events.applications import EnrollmentStarted, EnrollmentWithdrawn, ExamResult, MilestoneReached
from contracts.journey import UPDATE_DECIDE, Decision, Outcome, Stage
from contracts.steps.applications import CLOSE_CASE, RECORD_CREDENTIAL
from contracts.steps.payments import ISSUE_EXAM_VOUCHER, RELEASE_FUNDS, ExamVoucherResult, ExamVoucherStatus
from tests.workflows.driver import LONG_AGO, Case
from tests.workflows.fakes import PLAN_WITH_EXAM, FakeSteps
from tests.workflows.test_eligibility_stage import decide
from workflows.exam import SITTINGS_MAX

NONE_LEFT = ExamVoucherResult(status=ExamVoucherStatus.NONE_AVAILABLE)


@pytest.fixture
def steps() -> FakeSteps:
    return FakeSteps(PLAN_WITH_EXAM)


async def test_start_and_milestones_are_noted(case: Case) -> None:
    await case.start()
    await case.to_learning()
    await case.tell(EnrollmentStarted(**case.enrollment(), started_at=LONG_AGO))
    await case.tell(MilestoneReached(**case.enrollment(), milestone="midpoint", reached_at=LONG_AGO))
    view = await case.reaches(Stage.LEARNING, noted="(midpoint)")
    assert any("enrollment started" in line for line in view.history)


async def test_completion_is_not_attested_in_time(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_learning()
    assert await case.outcome() is Outcome.NOT_COMPLETED
    assert steps.of(CLOSE_CASE)[0].reasons == ["completion_not_attested"]
    assert len(steps.of(RELEASE_FUNDS)) == 1


async def test_the_college_reports_that_the_person_left(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_learning()
    await case.tell(EnrollmentWithdrawn(**case.enrollment(), reason="stopped_attending", withdrawn_at=LONG_AGO))
    assert await case.outcome() is Outcome.NOT_COMPLETED
    assert steps.of(CLOSE_CASE)[0].reasons == ["left_course", "stopped_attending"]


async def test_a_failed_exam_is_taken_again_after_the_wait(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_exam()
    await case.tell(case.registered())
    await case.tell(case.resulted(ExamResult.FAILED))
    await case.reaches(Stage.EXAM, noted="exam resulted")
    assert len(steps.of(ISSUE_EXAM_VOUCHER)) == 1
    await case.passes(timedelta(days=15))
    await case.tell(case.registered(2))
    await case.tell(case.resulted(ExamResult.PASSED, 2))
    await case.reaches(Stage.CLAIM)
    assert [each.attempt_number for each in steps.of(ISSUE_EXAM_VOUCHER)] == [1, 2]
    assert steps.of(ISSUE_EXAM_VOUCHER)[0].usable_seconds == 90 * 24 * 3600


@pytest.mark.parametrize("last", [ExamResult.FAILED, ExamResult.NO_SHOW])
async def test_every_attempt_is_used_up(case: Case, steps: FakeSteps, last: ExamResult) -> None:
    await case.start()
    await case.to_exam()
    await case.tell(case.resulted(ExamResult.FAILED))
    await case.passes(timedelta(days=15))
    await case.tell(case.resulted(last, 2))
    assert await case.outcome() is Outcome.EXAM_NOT_PASSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["attempts_used_up"]
    assert steps.of(RECORD_CREDENTIAL) == []


async def test_a_canceled_sitting_is_no_attempt(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_exam()
    await case.tell(case.registered())
    await case.tell(case.resulted(ExamResult.CANCELED))
    await case.tell(case.registered())
    await case.tell(case.resulted(ExamResult.PASSED))
    await case.reaches(Stage.CLAIM)
    assert len(steps.of(ISSUE_EXAM_VOUCHER)) == 1


async def test_a_sitting_registered_after_a_cancel_has_deadlines_of_its_own(case: Case, steps: FakeSteps) -> None:
    """Registration may take thirty days and the result forty-five, however long the canceled sitting took."""
    await case.start()
    await case.to_exam()
    for wait in (timedelta(days=20), timedelta(days=40)):
        await case.passes(wait)
        await case.tell(case.registered() if wait.days == 20 else case.resulted(ExamResult.CANCELED))
        await case.reaches(Stage.EXAM, noted="exam registered" if wait.days == 20 else "exam resulted")
    await case.passes(timedelta(days=20))
    await case.tell(case.registered())
    await case.passes(timedelta(days=40))
    await case.tell(case.resulted(ExamResult.PASSED))
    await case.reaches(Stage.CLAIM)
    assert len(steps.of(ISSUE_EXAM_VOUCHER)) == 1


async def test_nobody_registers_again_after_a_cancel(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_exam()
    await case.tell(case.registered())
    await case.reaches(Stage.EXAM, noted="exam registered")
    await case.passes(timedelta(days=40))
    await case.tell(case.resulted(ExamResult.CANCELED))
    assert await case.outcome() is Outcome.EXAM_NOT_PASSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["not_registered"]


async def test_sittings_that_are_canceled_without_end_end_the_case(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_exam()
    for number in range(1, SITTINGS_MAX + 1):
        await case.tell(case.registered())
        await case.lines("exam registered", number)
        await case.tell(case.resulted(ExamResult.CANCELED))
        await case.lines("exam resulted", number)
    assert await case.outcome() is Outcome.EXAM_NOT_PASSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["too_many_sittings"]


@pytest.mark.parametrize(("zone", "day"), [("America/New_York", "2026-08-31"), (None, "2026-09-01")])
async def test_an_evening_result_counts_for_the_programs_own_day(
    case: Case, steps: FakeSteps, zone: str | None, day: str
) -> None:
    """Half past nine in the evening of 31 August in Ohio; plans without a zone keep to UTC."""
    steps.plan = PLAN_WITH_EXAM.model_copy(update={"time_zone": zone})
    evening = datetime(2026, 9, 1, 1, 30, tzinfo=UTC)
    await case.start()
    await case.to_exam()
    await case.tell(case.registered())
    await case.tell(case.resulted(ExamResult.PASSED).model_copy(update={"resulted_at": evening}))
    await case.reaches(Stage.CLAIM)
    assert steps.of(RECORD_CREDENTIAL)[0].earned_on == day


async def test_the_person_does_not_register(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_exam()
    assert await case.outcome() is Outcome.EXAM_NOT_PASSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["not_registered"]


async def test_no_result_is_reported(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_exam()
    await case.tell(case.registered())
    assert await case.outcome() is Outcome.EXAM_NOT_PASSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["no_result"]


async def test_a_new_lot_of_exam_vouchers_arrives(case: Case, steps: FakeSteps) -> None:
    steps.script(ISSUE_EXAM_VOUCHER, NONE_LEFT)
    await case.start()
    await case.to_learning()
    await case.tell(case.completed())
    await case.reaches(Stage.EXAM, question="no_exam_voucher")
    await case.act(UPDATE_DECIDE, decide("no_exam_voucher", Decision.RETRY))
    await case.tell(case.resulted(ExamResult.PASSED))
    await case.reaches(Stage.CLAIM)


async def test_no_exam_voucher_is_to_be_had(case: Case, steps: FakeSteps) -> None:
    steps.script(ISSUE_EXAM_VOUCHER, NONE_LEFT)
    await case.start()
    await case.to_learning()
    await case.tell(case.completed())
    assert await case.outcome() is Outcome.EXAM_NOT_PASSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["no_exam_voucher"]
