"""A case canceled in the Temporal UI comes to an orderly end. On a real server: the time-skipping one loses its
workflow task where an activity under way is canceled."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from contracts.journey import UPDATE_DECIDE, UPDATE_HOLD, Decision, Outcome, Stage
from contracts.steps.applications import CLOSE_CASE
from contracts.steps.payments import HOLD_FUNDS, PAY_CLAIM, RELEASE_FUNDS, REVIEW_CLAIM
from tests.workflows.driver import Case, journey_workers, until_asked
from tests.workflows.fakes import FakeSteps
from tests.workflows.test_eligibility_stage import decide
from tests.workflows.test_failing_steps import refused
from tests.workflows.test_staff import HOLD


@pytest.fixture
async def live(client: Client, steps: FakeSteps) -> AsyncIterator[Case]:
    env: Any = SimpleNamespace(client=client)
    async with journey_workers(env, steps):
        yield Case(env, steps, f"cancel {uuid4()}")


async def test_a_case_canceled_in_the_temporal_ui_gives_its_money_back(live: Case, steps: FakeSteps) -> None:
    await live.start()
    await live.to_learning()
    await live.handle.cancel()
    assert await live.outcome() is Outcome.CLOSED_BY_STAFF
    assert len(steps.of(RELEASE_FUNDS)) == 1
    assert steps.of(CLOSE_CASE)[0].reasons == ["canceled"]


async def test_a_case_canceled_during_a_step_gives_its_money_back(live: Case, steps: FakeSteps) -> None:
    gate = steps.block(HOLD_FUNDS)
    await live.start()
    await live.reaches(Stage.AWARD)
    await live.handle.cancel()
    assert await live.outcome() is Outcome.CLOSED_BY_STAFF
    gate.set()
    assert len(steps.of(RELEASE_FUNDS)) == 1


async def test_a_cancel_does_not_stop_a_payment_that_is_owed(live: Case, steps: FakeSteps) -> None:
    await live.start()
    await live.to_reimbursement()
    await live.handle.cancel()
    await live.tell(live.settled())
    assert await live.outcome() is Outcome.REIMBURSED
    assert {each.attempt_number for each in steps.of(PAY_CLAIM)} == {1}


async def test_a_cancel_while_the_claim_is_matched_waits_for_the_match(live: Case, steps: FakeSteps) -> None:
    gate = steps.block(REVIEW_CLAIM)
    await live.start()
    await live.to_claim()
    await live.tell(live.claimed())
    await live.reaches(Stage.CLAIM, noted="claim submitted")
    await live.handle.cancel()
    gate.set()
    await live.tell(live.settled())
    assert await live.outcome() is Outcome.REIMBURSED


async def test_a_cancel_in_the_moment_of_the_last_fact_still_closes_the_case(live: Case, steps: FakeSteps) -> None:
    gate = steps.block(CLOSE_CASE)
    await live.start()
    await live.to_learning()
    await live.tell(live.withdrawn())
    await live.reaches(Stage.CLOSED)
    await until_asked(steps, CLOSE_CASE, 1)
    await live.handle.cancel()
    gate.set()
    assert await live.outcome() is Outcome.WITHDRAWN


async def test_a_cancel_during_a_question_of_the_close_still_closes_the_case(live: Case, steps: FakeSteps) -> None:
    steps.script(RELEASE_FUNDS, refused())
    await live.start()
    await live.to_learning()
    await live.tell(live.withdrawn())
    await live.reaches(Stage.CLOSED, question="step_refused")
    await live.handle.cancel()
    assert await live.outcome() is Outcome.WITHDRAWN
    assert len(steps.of(RELEASE_FUNDS)) == 2
    assert len(steps.of(CLOSE_CASE)) == 1


async def test_a_case_canceled_during_a_hold_takes_staffs_answer_while_it_closes(live: Case, steps: FakeSteps) -> None:
    steps.script(RELEASE_FUNDS, refused())
    await live.start()
    await live.to_learning()
    await live.act(UPDATE_HOLD, HOLD)
    await live.handle.cancel()
    view = await live.reaches(Stage.CLOSED, question="step_refused")
    assert view.held is None
    await live.act(UPDATE_DECIDE, decide("step_refused", Decision.RETRY))
    assert await live.outcome() is Outcome.CLOSED_BY_STAFF
    assert len(steps.of(RELEASE_FUNDS)) == 2
