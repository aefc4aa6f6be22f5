"""How a step is called: timeouts and retries by its pace, in one table.

The owner tells one request from the next by its fields alone, so that nothing here may depend on the attempt.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, TimeoutError

from contracts.steps.base import I, O, Step, StepPace


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits of one kind of step."""

    start_to_close: timedelta
    """One attempt. The owner's own lock and statement timeouts are shorter."""
    schedule_to_close: timedelta
    """All attempts together; then the case is put to staff."""
    retry: RetryPolicy


_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=250), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1)
)
PACES: Mapping[StepPace, Pace] = {
    StepPace.RECORD: Pace(timedelta(seconds=20), timedelta(days=7), _RETRY),
    StepPace.DECIDE: Pace(timedelta(seconds=30), timedelta(days=7), _RETRY),
}


class StepFailed(Exception):
    """A step was refused, or did not succeed in any attempt; `code` says which error of the owner's it was."""

    def __init__(self, step: str, code: str) -> None:
        super().__init__(f"{step}: {code}")
        self.step = step
        self.code = code


async def do(step: Step[I, O], request: I) -> O:
    """Ask the owner of the step and wait for its answer; `StepFailed` once retrying has no more point."""
    pace = PACES[step.pace]
    try:
        answer: O = await workflow.execute_activity(
            step.name,
            request,
            task_queue=step.queue,
            result_type=step.output,
            start_to_close_timeout=pace.start_to_close,
            schedule_to_close_timeout=pace.schedule_to_close,
            retry_policy=pace.retry,
            summary=_verb(step.name),
        )
    except ActivityError as error:
        if isinstance(error.cause, CancelledError):
            raise asyncio.CancelledError from error
        raise StepFailed(step.name, _code(error.cause)) from error
    return answer


def _verb(name: str) -> str:
    return name.split(".")[1].replace("_", " ")


def _code(cause: BaseException | None) -> str:
    match cause:
        case ApplicationError(type=str() as code):
            return code
        case TimeoutError():
            return "unavailable"
        case _:
            return "failed"
