"""The step descriptor: name, queue, input, output, pace."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from contracts.ids import ApplicationId


class Queue(StrEnum):
    """The Temporal task queue of each service, and of the journey itself."""

    JOURNEY = "cairn-journey"
    APPLICATIONS = "cairn-applications"
    ELIGIBILITY = "cairn-eligibility"
    PAYMENTS = "cairn-payments"
    NOTIFICATIONS = "cairn-notifications"


class StepPace(StrEnum):
    """How long a step may take; `workflows/calls.py` turns it into timeouts and retries."""

    RECORD = "record"
    """A transaction of the owner's own database."""
    DECIDE = "decide"
    """Rules over several inputs, then a transaction."""


class StepRequest(BaseModel):
    """What a step is given. Its fields tell one request from the next, never the attempt."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StepInput(StepRequest):
    """What a step about one case is given."""

    application_id: ApplicationId


class StepOutput(BaseModel):
    """What a step answers. Outcomes that the program expects are values here; only faults are exceptions."""

    model_config = ConfigDict(frozen=True, extra="ignore")


I = TypeVar("I", bound=StepRequest)  # noqa: E741
O = TypeVar("O", bound=StepOutput)  # noqa: E741


@dataclass(frozen=True, slots=True)
class Step(Generic[I, O]):
    """One thing the journey may ask: `<service>.<verb>.v<n>`."""

    name: str
    queue: Queue
    input: type[I]
    output: type[O]
    pace: StepPace = StepPace.RECORD
