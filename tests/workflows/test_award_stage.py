"""Stage 2: money held before anything is promised, or the waiting list."""

from datetime import timedelta

from contracts.journey import Outcome, Stage
from contracts.steps.applications import CLOSE_CASE
from contracts.steps.payments import HOLD_FUNDS, RELEASE_FUNDS, FundsHeld, HoldStatus
from tests.workflows.driver import Case
from tests.workflows.fakes import AWARD_CENTS, FakeSteps

WAITING = FundsHeld(status=HoldStatus.WAITING, reason="over_award")


async def test_the_award_is_held_for_as_long_as_the_plan_says(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    (asked,) = steps.of(HOLD_FUNDS)
    assert asked.amount_cents == AWARD_CENTS
    assert asked.hold_seconds == 45 * 24 * 3600
    assert asked.hold_number == 1


async def test_a_limit_that_waiting_cannot_lift_ends_the_case(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, FundsHeld(status=HoldStatus.REFUSED, reason="over_person"))
    await case.start()
    assert await case.outcome() is Outcome.NO_FUNDS
    assert steps.of(CLOSE_CASE)[0].reasons == ["over_person"]


async def test_money_that_comes_back_serves_the_waiting_case(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, WAITING)
    await case.start()
    await case.reaches(Stage.WAITING_LIST)
    await case.passes(timedelta(days=50))
    await case.tell(case.hold_placed())
    await case.reaches(Stage.ENROLLMENT)


async def test_the_place_on_the_waiting_list_lapses_and_is_given_back(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, WAITING, WAITING)
    await case.start()
    assert await case.outcome() is Outcome.NO_FUNDS
    assert len(steps.of(RELEASE_FUNDS)) == 1
    assert steps.of(CLOSE_CASE)[0].stage == Stage.WAITING_LIST
    assert steps.of(CLOSE_CASE)[0].reasons == ["over_award"]
