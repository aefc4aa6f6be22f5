"""The turn of the fiscal year: it starts each close once; one that fails is seen, and can be run again."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from contracts.fiscal_year import TURN_TYPE, CloseStage, StartTurn, close_id, turn_id
from contracts.steps.base import Queue
from contracts.steps.fiscal_year import LIST_ENDED_YEARS
from tests.kit.kafka_tools import until
from tests.workflows.books_of_year import PROGRAM, YEAR, FakeBooks, YearClose, year_workers
from workflows import year_desk
from workflows.desk import ActInvalid
from workflows.fiscal_year import TRY_AGAIN, TURN_TRIES_MAX

NEEDS_STAFF = SearchAttributeKey.for_bool("NeedsStaff")


@pytest.fixture
def books() -> FakeBooks:
    return FakeBooks()


@pytest.fixture
async def close(env, books):
    async with year_workers(env, books):
        yield YearClose(env)


@pytest.fixture
def desk(env, monkeypatch):
    """`cairn fiscal-year turn`, on the test's own server."""

    async def connected(settings):
        return env.client

    monkeypatch.setattr(year_desk, "connect", connected)


async def turn(env) -> list[str]:
    return await env.client.execute_workflow(
        TURN_TYPE,
        StartTurn(program_id=PROGRAM),
        id=turn_id(PROGRAM),
        task_queue=Queue.JOURNEY,
        result_type=list[str],
    )


def no_calendar() -> ApplicationError:
    return ApplicationError("no", type="calendar_unknown", non_retryable=True)


async def test_the_turn_of_the_year_starts_each_close_once(env, books, close):
    # Time would skip while the turn is awaited, past the days in which the close waits for its approval.
    with env.auto_time_skipping_disabled():
        for _ in range(2):
            assert await turn(env) == [close_id(PROGRAM, YEAR)]
    await close.find()
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    assert books.verbs().count("soft_close_year") == 1


async def test_a_turn_that_cannot_be_answered_is_on_the_staffs_list_and_goes_on_once_mended(env, books, close, desk):
    books.script(LIST_ENDED_YEARS, no_calendar())
    with env.auto_time_skipping_disabled():
        name = await year_desk.begin_turn(None, PROGRAM)
        handle = env.client.get_workflow_handle(name, result_type=list[str])

        async def needs_staff() -> bool | None:
            return (await handle.describe()).typed_search_attributes.get(NEEDS_STAFF)

        await until(needs_staff)
        await env.sleep(TRY_AGAIN + timedelta(seconds=1))
        assert await handle.result() == [close_id(PROGRAM, YEAR)]
        assert await needs_staff() is False


async def test_a_turn_that_is_never_answered_fails_and_is_run_again(env, books, close, desk):
    books.script(LIST_ENDED_YEARS, *(no_calendar() for _ in range(TURN_TRIES_MAX)))
    with pytest.raises(WorkflowFailureError) as failed:
        await turn(env)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "calendar_unknown"
    assert books.verbs() == ["list_ended_years"] * TURN_TRIES_MAX
    described = await env.client.get_workflow_handle(turn_id(PROGRAM)).describe()
    assert described.typed_search_attributes.get(NEEDS_STAFF) is True
    with env.auto_time_skipping_disabled():
        name = await year_desk.begin_turn(None, PROGRAM)
        handle = env.client.get_workflow_handle(name, result_type=list[str])
        assert await handle.result() == [close_id(PROGRAM, YEAR)]


async def test_a_turn_of_no_program(desk):
    with pytest.raises(ActInvalid):
        await year_desk.begin_turn(None, "Not A Slug")
