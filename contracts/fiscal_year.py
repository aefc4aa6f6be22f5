"""The close of a fiscal year as a workflow: its ids, what it is started with, what people tell it, what it shows."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import TransferId
from contracts.steps.fiscal_year import Disposition, FiscalYear, YearEndProposal, YearEndReport
from contracts.texts import Actor, Instant, Sentence, Slug

CLOSE_TYPE = "FiscalYearClose"
TURN_TYPE = "FiscalYearTurn"
STATUS_QUERY = "close"
UPDATE_APPROVE, UPDATE_AMEND = "approve", "amend"


def close_id(program_id: str, fiscal_year: int) -> str:
    """`fiscal-year/<program>/<year>`: one close per program and year, however often it is asked for."""
    return f"fiscal-year/{program_id}/{fiscal_year}"


def turn_id(program_id: str) -> str:
    """The schedule that looks, on the first day of a fiscal year, for years that are over; also its workflows' id."""
    return f"fiscal-year-turn/{program_id}"


class CloseStage(StrEnum):
    """Where the close of a year stands."""

    WAITING = "waiting"
    """The year is not over yet on the database's clock."""
    PROPOSING = "proposing"
    AWAITING_APPROVAL = "awaiting_approval"
    POSTING = "posting"
    CLOSED = "closed"
    NOT_CLOSED = "not_closed"
    """Nobody agreed in time, or there is no such budget line: nothing was posted."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StartClose(_Message, FiscalYear):
    """The workflow's input. What follows the year is what a long close hands to its next run."""

    runs_before: Annotated[int, Field(ge=0)] = 0
    history: Annotated[list[str], Field(max_length=200)] = []


class StartTurn(_Message):
    """The input of what the schedule starts."""

    program_id: Slug


class ApproveClose(_Message):
    """One of two people agrees to what is proposed: `digest` is the one they were shown."""

    actor: Actor
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    note: Sentence


class AmendClose(_Message):
    """Carry what was to lapse, or the other way round. Approvals given before do not count any more."""

    actor: Actor
    encumbrance: TransferId
    disposition: Disposition
    reason: Sentence


class CloseView(_Message):
    """What the query answers and the Temporal UI shows."""

    program_id: Slug
    fiscal_year: int
    stage: CloseStage
    ends_at: Instant | None
    proposal: YearEndProposal | None
    approved_by: list[str]
    report: YearEndReport | None
    history: list[str]
