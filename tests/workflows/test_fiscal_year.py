"""The close of a fiscal year: it waits for the year's end and for two people, and ends right whenever it is run."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts.fiscal_year import (
    UPDATE_AMEND,
    AmendClose,
    CloseStage,
    CloseView,
)
from contracts.ids import TransferId
from contracts.steps.fiscal_year import (
    AMEND_YEAR_END,
    POST_YEAR_END,
    PROPOSE_YEAR_END,
    SOFT_CLOSE_YEAR,
    Disposition,
    SoftCloseStatus,
    YearEndPosted,
    YearSoftClosed,
)
from tests.workflows.books_of_year import (
    REPORT,
    FakeBooks,
    YearClose,
    close_that_waits_for_the_year_and_is_agreed_to_twice,
    proposal,
    year_workers,
)
from workflows import fiscal_year
from workflows.fiscal_year import APPROVAL_WAIT
from workflows.sandbox import plain_runner


@pytest.fixture
def books() -> FakeBooks:
    return FakeBooks()


@pytest.fixture
async def close(env, books):
    async with year_workers(env, books):
        yield YearClose(env)


def reason(failed: pytest.ExceptionInfo[WorkflowUpdateFailedError]) -> str | None:
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    return cause.type


async def test_the_recorded_close(env):
    await close_that_waits_for_the_year_and_is_agreed_to_twice(env)


async def test_it_asks_in_the_order_of_the_procedure(close, books):
    await close.start()
    view = await close.reaches(CloseStage.AWAITING_APPROVAL)
    assert view.proposal == proposal()
    await close.approve("anna")
    await close.approve("ben")
    assert await close.result() == REPORT
    assert books.verbs() == [
        "soft_close_year",
        "propose_year_end",
        "approve_year_end",
        "post_year_end",
        "post_year_end",
        "propose_year_end",
        "hard_close_year",
    ]
    [agreed] = [one for one in books.requests if type(one).__name__ == "ApproveYearEnd"]
    assert (agreed.made_by, agreed.checked_by) == ("anna", "ben")


async def test_one_person_is_not_two(close):
    await close.start()
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    await close.approve("anna")
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await close.approve("anna")
    assert reason(failed) == "maker_is_checker"
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await close.approve("ben", digest="b" * 64)
    assert reason(failed) == "list_changed"
    assert (await close.view()).approved_by == ["anna"]


async def test_it_waits_as_long_as_the_database_says(close, books, env):
    books.script(
        SOFT_CLOSE_YEAR,
        YearSoftClosed(status=SoftCloseStatus.NOT_OVER, seconds_left=30 * 86_400),
        # The workers' clocks ran an hour ahead of the database's.
        YearSoftClosed(status=SoftCloseStatus.NOT_OVER, seconds_left=3_600),
    )
    await close.start()
    await close.reaches(CloseStage.WAITING)
    await env.sleep(timedelta(days=29))
    assert (await close.view()).stage is CloseStage.WAITING
    await env.sleep(timedelta(days=1, hours=1, seconds=2))
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    assert books.verbs().count("soft_close_year") == 3


async def test_an_amendment_takes_both_approvals_anew(close, books):
    books.script(AMEND_YEAR_END, proposal(digest="c" * 64))
    await close.start()
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    await close.approve("anna")
    act = AmendClose(
        actor="cleo", encumbrance=TransferId.derive("x"), disposition=Disposition.CARRY, reason="the course moved"
    )
    view = await close.handle.execute_update(UPDATE_AMEND, act, result_type=CloseView)
    assert view.approved_by == []
    await close.approve("anna", digest="c" * 64)
    await close.approve("ben", digest="c" * 64)
    assert await close.result() == REPORT


async def test_what_was_encumbered_meanwhile_takes_another_agreement(close, books):
    books.script(PROPOSE_YEAR_END, proposal(), proposal(unapproved=1, approvals=1, digest="d" * 64))
    books.script(POST_YEAR_END, YearEndPosted(posted=3, left=0, unapproved=1))
    # What the list says after the second agreement is what the fake says by itself.
    books.script(PROPOSE_YEAR_END, proposal(unapproved=1, approvals=1, digest="d" * 64))
    await close.start()
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    await close.approve("anna")
    await close.approve("ben")
    while (view := await close.reaches(CloseStage.AWAITING_APPROVAL)).proposal.digest != "d" * 64 or view.approved_by:
        pass
    await close.approve("cleo", digest="d" * 64)
    await close.approve("ben", digest="d" * 64)
    assert await close.result() == REPORT
    assert books.verbs().count("approve_year_end") == 2


async def test_a_close_begun_again_after_the_agreement_asks_nobody_twice(close, books):
    books.approved = True
    await close.start()
    assert await close.result() == REPORT


async def test_a_year_that_is_shut_answers_with_its_report(close, books):
    books.script(SOFT_CLOSE_YEAR, YearSoftClosed(status=SoftCloseStatus.HARD_CLOSED))
    await close.start()
    assert await close.result() == REPORT
    assert books.verbs() == ["soft_close_year", "hard_close_year"]


async def test_nothing_is_posted_where_nobody_agrees(close, books, env):
    await close.start()
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    await close.approve("anna")
    await env.sleep(APPROVAL_WAIT + timedelta(days=1))
    assert await close.result() is None
    assert (await close.view()).stage is CloseStage.NOT_CLOSED
    assert "post_year_end" not in books.verbs()


async def test_a_line_that_never_was_is_not_closed(close, books):
    books.script(SOFT_CLOSE_YEAR, YearSoftClosed(status=SoftCloseStatus.UNKNOWN))
    await close.start()
    assert await close.result() is None


async def test_a_step_that_fails_for_good_is_tried_again(close, books, env):
    books.script(POST_YEAR_END, ApplicationError("closed", type="books_moved", non_retryable=True))
    await close.start()
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    await close.approve("anna")
    await close.approve("ben")
    assert await close.result() == REPORT
    assert any("books_moved" in line for line in (await close.view()).history)


@pytest.fixture
async def short_runs(env, books, monkeypatch):
    """A close whose runs may have forty events each."""
    monkeypatch.setattr(fiscal_year, "RUN_EVENTS_MAX", 40)
    # In a sandbox the module would be another one, with the bound of production.
    async with year_workers(env, books, plain_runner()):
        yield YearClose(env)


async def lengths_of_runs(close) -> list[int]:
    """How many events each run of the close has, the first one first."""
    run_id, lengths = close.handle.first_execution_run_id, []
    while run_id:
        history = await close.env.client.get_workflow_handle(close.handle.id, run_id=run_id).fetch_history()
        lengths.append(len(history.events))
        last = history.events[-1]
        run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return lengths


async def test_a_long_close_goes_on_as_new_runs_and_asks_nobody_twice(short_runs, books):
    books.batches_left = 40
    await short_runs.start()
    await short_runs.reaches(CloseStage.AWAITING_APPROVAL)
    await short_runs.approve("anna")
    await short_runs.approve("ben")
    assert await short_runs.result() == REPORT
    # A run that ends after the last batch leaves it to the next one to find that nothing is left.
    assert 40 <= books.verbs().count("post_year_end") <= 41
    assert books.verbs().count("approve_year_end") == 1
    lengths = await lengths_of_runs(short_runs)
    assert len(lengths) > 3
    assert max(lengths) < 60
    assert any("agreed: anna" in line for line in (await short_runs.view()).history)


async def test_a_list_amended_without_end_keeps_its_runs_short(short_runs):
    await short_runs.start()
    await short_runs.reaches(CloseStage.AWAITING_APPROVAL)
    act = AmendClose(
        actor="cleo", encumbrance=TransferId.derive("x"), disposition=Disposition.CARRY, reason="the course moved"
    )
    for _ in range(20):
        await short_runs.reaches(CloseStage.AWAITING_APPROVAL)
        await short_runs.handle.execute_update(UPDATE_AMEND, act, result_type=CloseView)
    await short_runs.reaches(CloseStage.AWAITING_APPROVAL)
    await short_runs.approve("anna")
    await short_runs.approve("ben")
    assert await short_runs.result() == REPORT
    assert len(await lengths_of_runs(short_runs)) > 1


async def test_the_runs_of_a_close_are_bounded(short_runs, books, monkeypatch):
    monkeypatch.setattr(fiscal_year, "RUNS_MAX", 2)
    books.batches_left = 1_000
    await short_runs.start()
    await short_runs.reaches(CloseStage.AWAITING_APPROVAL)
    await short_runs.approve("anna")
    await short_runs.approve("ben")
    assert await short_runs.result() is None
    assert "does not come to an end" in (await short_runs.view()).history[-1]
