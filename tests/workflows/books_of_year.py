"""A fake owner of the fiscal year's steps, and the ordinary close told to it; run as a module it records it."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkflowRunner

from contracts.fiscal_year import (
    CLOSE_TYPE,
    STATUS_QUERY,
    UPDATE_APPROVE,
    ApproveClose,
    CloseStage,
    CloseView,
    StartClose,
    close_id,
)
from contracts.steps.base import Queue, Step
from contracts.steps.fiscal_year import (
    FISCAL_YEAR_STEPS,
    ApprovalStatus,
    EndedYears,
    SoftCloseStatus,
    YearEndApproved,
    YearEndPosted,
    YearEndProposal,
    YearEndReport,
    YearSoftClosed,
)
from tests.workflows.conftest import server_path
from tests.workflows.record import HISTORIES, without_traces
from workflows.fiscal_year import FiscalYearClose, FiscalYearTurn
from workflows.sandbox import journey_runner

PROGRAM, YEAR = "oh-imap", 2026
PATIENCE_SECONDS = 20.0
ENDS_AT = datetime(2026, 7, 1, 4, tzinfo=UTC)


def proposal(**given: Any) -> YearEndProposal:
    values = {
        "encumbrances": 3,
        "open_cents": 600,
        "carry_cents": 400,
        "lapse_cents": 200,
        "held_cents": 0,
        "available_cents": 50,
        "unapproved": 3,
        "approvals": 0,
        "digest": "a" * 64,
    }
    return YearEndProposal.model_validate(values | given)


REPORT = YearEndReport(
    encumbrances=3,
    open_cents=600,
    carried=2,
    carried_cents=400,
    lapsed=1,
    lapsed_cents=200,
    resolved=0,
    resolved_cents=0,
    available_lapsed_cents=50,
    payable_cents=0,
    closed_at=ENDS_AT,
)


class FakeBooks:
    """Payments' side of a close: a year that is over, three encumbrances, two batches."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.requests: list[Any] = []
        self.scripted: dict[str, list[Any]] = {}
        self.approved = False
        self.batches_left = 2

    def script(self, step: Step[Any, Any], *answers: Any) -> None:
        self.scripted.setdefault(step.name, []).extend(answers)

    def verbs(self) -> list[str]:
        return [name.split(".")[1] for name in self.asked]

    def activities(self) -> Sequence[Callable[..., Any]]:
        return [self._activity(step) for step in FISCAL_YEAR_STEPS]

    def _activity(self, step: Step[Any, Any]) -> Callable[..., Any]:
        async def perform(request: Any) -> Any:
            self.asked.append(step.name)
            self.requests.append(request)
            waiting = self.scripted.get(step.name)
            answer = waiting.pop(0) if waiting else self._usual(step.name.split(".")[1])
            if isinstance(answer, BaseException):
                raise answer
            return answer

        perform.__annotations__ = {"request": step.input, "return": step.output}
        return activity.defn(name=step.name)(perform)

    def _usual(self, verb: str) -> Any:
        match verb:
            case "list_ended_years":
                return EndedYears(fiscal_years=[YEAR])
            case "soft_close_year":
                return YearSoftClosed(status=SoftCloseStatus.SOFT_CLOSED, ends_at=ENDS_AT)
            case "propose_year_end" | "amend_year_end":
                return proposal(unapproved=0, approvals=1) if self.approved else proposal()
            case "approve_year_end":
                self.approved = True
                return YearEndApproved(status=ApprovalStatus.APPROVED)
            case "post_year_end":
                self.batches_left -= 1
                return YearEndPosted(posted=1, left=max(0, self.batches_left), unapproved=0)
            case _:
                return REPORT


class YearClose:
    """One close under test."""

    def __init__(self, env: WorkflowEnvironment) -> None:
        self.env = env
        self._handle: WorkflowHandle[Any, YearEndReport | None] | None = None

    @property
    def handle(self) -> WorkflowHandle[Any, YearEndReport | None]:
        assert self._handle is not None
        return self._handle

    async def start(self) -> None:
        self._handle = await self.env.client.start_workflow(
            CLOSE_TYPE,
            StartClose(program_id=PROGRAM, fiscal_year=YEAR),
            id=close_id(PROGRAM, YEAR),
            task_queue=Queue.JOURNEY,
            result_type=YearEndReport,
        )

    async def find(self) -> None:
        """Look at the close that somebody else started."""
        self._handle = self.env.client.get_workflow_handle(close_id(PROGRAM, YEAR), result_type=YearEndReport)

    async def view(self) -> CloseView:
        return await self.handle.query(STATUS_QUERY, result_type=CloseView)

    async def reaches(self, stage: CloseStage) -> CloseView:
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        view = await self.view()
        while view.stage is not stage:
            assert asyncio.get_running_loop().time() < deadline, f"not at {stage}: {view}"
            await asyncio.sleep(0.005)
            view = await self.view()
        return view

    async def approve(self, actor: str, *, digest: str = "a" * 64) -> CloseView:
        act = ApproveClose(actor=actor, digest=digest, note="looked at it")
        return await self.handle.execute_update(UPDATE_APPROVE, act, result_type=CloseView)

    async def result(self) -> YearEndReport | None:
        return await asyncio.wait_for(self.handle.result(), PATIENCE_SECONDS)


@contextlib.asynccontextmanager
async def year_workers(
    env: WorkflowEnvironment, books: FakeBooks, runner: WorkflowRunner | None = None
) -> AsyncIterator[None]:
    async with (
        Worker(env.client, task_queue=Queue.PAYMENTS, activities=books.activities()),
        Worker(
            env.client,
            task_queue=Queue.JOURNEY,
            workflows=[FiscalYearClose, FiscalYearTurn],
            workflow_runner=runner or journey_runner(),
        ),
    ):
        yield


async def close_that_waits_for_the_year_and_is_agreed_to_twice(env: WorkflowEnvironment) -> YearClose:
    """The year is not over yet; the first list changes under the approvers, the second is posted in two batches."""
    books = FakeBooks()
    books.script(FISCAL_YEAR_STEPS[1], YearSoftClosed(status=SoftCloseStatus.NOT_OVER, seconds_left=3_600))
    books.script(FISCAL_YEAR_STEPS[4], YearEndApproved(status=ApprovalStatus.CHANGED))
    close = YearClose(env)
    async with year_workers(env, books):
        await close.start()
        await env.sleep(timedelta(hours=1, seconds=1))
        for _ in range(2):
            await close.reaches(CloseStage.AWAITING_APPROVAL)
            await close.approve("anna")
            await close.approve("ben")
            deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
            while (await close.view()).approved_by == ["anna", "ben"]:
                if (await close.view()).stage is CloseStage.CLOSED:
                    break
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.005)
        assert await close.result() == REPORT
    return close


NAME = close_that_waits_for_the_year_and_is_agreed_to_twice.__name__


async def record() -> None:
    """Run the close and write its history beside the journeys'."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=server_path(), data_converter=pydantic_data_converter, identity="recorded"
    ) as env:
        close = await close_that_waits_for_the_year_and_is_agreed_to_twice(env)
        history = without_traces(json.loads((await close.handle.fetch_history()).to_json()))
    (HISTORIES / f"{NAME}.json").write_text(json.dumps(history, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    asyncio.run(record())
    sys.stdout.flush()
    # A process that used temporalio can abort while the interpreter takes itself apart.
    os._exit(0)
