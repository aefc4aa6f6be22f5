"""Stage 3: the college answers, is reminded, stays silent; the price is encumbered."""

from datetime import timedelta

from contracts.events.applications import EnrollmentRefused, EnrollmentWaitlisted
from contracts.journey import UPDATE_DECIDE, Decision, Outcome, Stage
from contracts.steps.applications import CLOSE_CASE, REMIND_COLLEGE, REQUEST_ENROLLMENT
from contracts.steps.payments import (
    ENCUMBER_FUNDS,
    HOLD_FUNDS,
    RELEASE_FUNDS,
    EncumbranceStatus,
    FundsEncumberedResult,
    FundsHeld,
    HoldStatus,
)
from tests.workflows.driver import LONG_AGO, Case, until_asked
from tests.workflows.fakes import AWARD_CENTS, FakeSteps
from tests.workflows.test_eligibility_stage import decide
from workflows.journey import ENROLLMENT_REQUESTS_MAX

EXCEEDS = FundsEncumberedResult(status=EncumbranceStatus.EXCEEDS_HOLD)
NO_HOLD = FundsEncumberedResult(status=EncumbranceStatus.NO_HOLD)


async def test_a_silent_college_is_reminded_and_then_answers(case: Case, steps: FakeSteps) -> None:
    await case.start()
    view = await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=6))
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)
    (reminder,) = steps.of(REMIND_COLLEGE)
    assert (reminder.reminder_number, reminder.escalated) == (1, False)
    assert reminder.respond_by == steps.of(REQUEST_ENROLLMENT)[0].respond_by == view.due_at


async def test_a_college_that_stays_silent_lapses_after_staff_were_asked(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=11))
    await case.reaches(Stage.ENROLLMENT, question="silent_college")
    assert [(each.reminder_number, each.escalated) for each in steps.of(REMIND_COLLEGE)] == [(1, False), (2, True)]
    assert await case.outcome() is Outcome.ENROLLMENT_LAPSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["college_silent"]
    assert len(steps.of(RELEASE_FUNDS)) == 1


async def test_the_college_answers_while_staff_are_asked(case: Case) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=11))
    await case.reaches(Stage.ENROLLMENT, question="silent_college")
    await case.tell(case.accepted())
    view = await case.reaches(Stage.LEARNING)
    assert view.question is None


async def test_staff_have_the_college_asked_again(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=11))
    await case.reaches(Stage.ENROLLMENT, question="silent_college")
    await case.act(UPDATE_DECIDE, decide("silent_college", Decision.RETRY))
    await until_asked(steps, REMIND_COLLEGE, 3)
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)
    (request,) = steps.of(REQUEST_ENROLLMENT)
    again = steps.of(REMIND_COLLEGE)[-1]
    assert (again.reminder_number, again.escalated) == (3, False)
    assert again.respond_by > request.respond_by


async def test_a_college_is_not_asked_for_ever(case: Case, steps: FakeSteps) -> None:
    await case.start()
    for number in range(1, ENROLLMENT_REQUESTS_MAX + 1):
        await until_asked(steps, REMIND_COLLEGE, 3 * (number - 1))
        await case.passes(timedelta(days=11))
        await case.reaches(Stage.ENROLLMENT, question="silent_college")
        await case.act(UPDATE_DECIDE, decide("silent_college", Decision.RETRY))
    assert await case.outcome() is Outcome.ENROLLMENT_LAPSED
    assert max(each.reminder_number for each in steps.of(REMIND_COLLEGE)) <= 10


async def test_staff_let_the_silent_college_lapse(case: Case) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=11))
    await case.reaches(Stage.ENROLLMENT, question="silent_college")
    await case.act(UPDATE_DECIDE, decide("silent_college", Decision.REFUSE))
    assert await case.outcome() is Outcome.ENROLLMENT_LAPSED


async def test_the_college_refuses_and_the_hold_goes_back(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(EnrollmentRefused(**case.enrollment(), reasons=["course_full"], answered_at=LONG_AGO))
    assert await case.outcome() is Outcome.ENROLLMENT_REFUSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["course_full"]
    assert len(steps.of(RELEASE_FUNDS)) == 1


async def test_a_seat_becomes_free_on_the_colleges_waiting_list(case: Case) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(EnrollmentWaitlisted(**case.enrollment(), answered_at=LONG_AGO))
    await case.passes(timedelta(days=20))
    assert (await case.view()).stage is Stage.ENROLLMENT
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)


async def test_no_seat_becomes_free_in_time(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(EnrollmentWaitlisted(**case.enrollment(), answered_at=LONG_AGO))
    assert await case.outcome() is Outcome.ENROLLMENT_LAPSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["college_waiting_list_expired"]


async def test_the_price_is_encumbered(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.accepted(price_cents=180_000))
    await case.reaches(Stage.LEARNING)
    assert steps.of(ENCUMBER_FUNDS)[0].price_cents == 180_000


async def test_staff_confirm_that_the_college_takes_the_award_as_its_price(case: Case, steps: FakeSteps) -> None:
    steps.script(ENCUMBER_FUNDS, EXCEEDS)
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.accepted(price_cents=AWARD_CENTS + 1))
    await case.reaches(Stage.ENROLLMENT, question="price_exceeds_hold")
    await case.act(UPDATE_DECIDE, decide("price_exceeds_hold", Decision.APPROVE))
    await case.reaches(Stage.LEARNING)
    assert [each.price_cents for each in steps.of(ENCUMBER_FUNDS)] == [AWARD_CENTS + 1, AWARD_CENTS]


async def test_the_college_corrects_its_price(case: Case, steps: FakeSteps) -> None:
    steps.script(ENCUMBER_FUNDS, EXCEEDS)
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.accepted(price_cents=AWARD_CENTS + 1))
    await case.reaches(Stage.ENROLLMENT, question="price_exceeds_hold")
    await case.tell(case.accepted(price_cents=200_000))
    await case.act(UPDATE_DECIDE, decide("price_exceeds_hold", Decision.RETRY))
    await case.reaches(Stage.LEARNING)
    assert steps.of(ENCUMBER_FUNDS)[1].price_cents == 200_000


async def test_nobody_settles_a_price_above_the_hold(case: Case, steps: FakeSteps) -> None:
    steps.script(ENCUMBER_FUNDS, EXCEEDS)
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.accepted(price_cents=AWARD_CENTS + 1))
    assert await case.outcome() is Outcome.ENROLLMENT_REFUSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["price_exceeds_hold"]


async def test_an_expired_hold_is_placed_again_before_the_price_is_encumbered(case: Case, steps: FakeSteps) -> None:
    steps.script(ENCUMBER_FUNDS, NO_HOLD)
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)
    assert [each.hold_number for each in steps.of(HOLD_FUNDS)] == [1, 2]
    assert [each.hold_number for each in steps.of(ENCUMBER_FUNDS)] == [1, 2]


async def test_after_an_expired_hold_the_case_may_have_to_wait_for_money(case: Case, steps: FakeSteps) -> None:
    waiting = FundsHeld(status=HoldStatus.WAITING, reason="over_round")
    steps.script(HOLD_FUNDS, waiting, waiting)
    steps.script(ENCUMBER_FUNDS, NO_HOLD)
    await case.start()
    await case.reaches(Stage.WAITING_LIST)
    await case.tell(case.hold_placed(1))
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.accepted())
    # The hold told of before was the first one: it must not count for the second.
    await case.reaches(Stage.WAITING_LIST)
    await case.tell(case.hold_placed(2))
    await case.reaches(Stage.LEARNING)
