"""What the close of a fiscal year asks of payments. Every step may be asked again: what is done stays done."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.ids import TransferId
from contracts.money import BudgetCents
from contracts.steps.base import Queue, Step, StepOutput, StepPace, StepRequest
from contracts.texts import Actor, Instant, Sentence, Slug

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Year = Annotated[int, Field(ge=2000, le=2200)]
Count = Annotated[int, Field(ge=0)]


class FiscalYear(StepRequest):
    """One fiscal year of one program, by the calendar year in which it ends."""

    program_id: Slug
    fiscal_year: Year


class Disposition(StrEnum):
    """What becomes of an encumbrance that is open when its year ends."""

    CARRY = "carry"
    LAPSE = "lapse"


class ListEndedYears(StepRequest):
    """Which of the program's fiscal years are over on the database's clock and not closed."""

    program_id: Slug


class EndedYears(StepOutput):
    fiscal_years: Annotated[list[Year], Field(max_length=200)]


LIST_ENDED_YEARS = Step("payments.list_ended_years.v1", Queue.PAYMENTS, ListEndedYears, EndedYears)


class SoftCloseYear(FiscalYear):
    """Let nothing new be held on the year's line, once the year is over on the database's clock."""


class SoftCloseStatus(StrEnum):
    SOFT_CLOSED = "soft_closed"
    NOT_OVER = "not_over"
    HARD_CLOSED = "hard_closed"
    UNKNOWN = "unknown"
    """The program has no such budget line."""


class YearSoftClosed(StepOutput):
    status: SoftCloseStatus
    seconds_left: Annotated[int, Field(ge=0)] = 0
    """Until the year is over, where it is not."""
    ends_at: Instant | None = None


SOFT_CLOSE_YEAR = Step("payments.soft_close_year.v1", Queue.PAYMENTS, SoftCloseYear, YearSoftClosed)


class ProposeYearEnd(FiscalYear):
    """List every open encumbrance by its service date, each with carry or lapse."""


class YearEndProposal(StepOutput):
    """The list in sums. `digest` stands for every line of it that nobody has approved yet."""

    encumbrances: Count
    open_cents: BudgetCents
    carry_cents: BudgetCents
    lapse_cents: BudgetCents
    held_cents: BudgetCents
    """Still held; released before anything is posted."""
    available_cents: BudgetCents
    """What the line has uncommitted; it lapses."""
    unapproved: Count
    approvals: Count
    """How often two people have agreed; the first time takes the close itself, whatever is on the list."""
    digest: Digest


PROPOSE_YEAR_END = Step(
    "payments.propose_year_end.v1", Queue.PAYMENTS, ProposeYearEnd, YearEndProposal, StepPace.DECIDE
)


class AmendYearEnd(FiscalYear):
    """Carry what was to lapse, or the other way round, before it is approved."""

    encumbrance: TransferId
    disposition: Disposition
    reason: Sentence
    actor: Actor


AMEND_YEAR_END = Step("payments.amend_year_end.v1", Queue.PAYMENTS, AmendYearEnd, YearEndProposal, StepPace.DECIDE)


class ApproveYearEnd(FiscalYear):
    """Two people agree to the list that `digest` stands for."""

    digest: Digest
    made_by: Actor
    checked_by: Actor


class ApprovalStatus(StrEnum):
    APPROVED = "approved"
    CHANGED = "changed"
    """The list is not the one they saw any more."""


class YearEndApproved(StepOutput):
    status: ApprovalStatus


APPROVE_YEAR_END = Step("payments.approve_year_end.v1", Queue.PAYMENTS, ApproveYearEnd, YearEndApproved)


class PostYearEnd(FiscalYear):
    """Post some more of what is approved; asked until nothing is left."""


class YearEndPosted(StepOutput):
    posted: Count
    left: Count
    """Approved and not posted yet, or still held."""
    unapproved: Count
    """Encumbered since the list was approved: it takes another approval."""


POST_YEAR_END = Step("payments.post_year_end.v1", Queue.PAYMENTS, PostYearEnd, YearEndPosted, StepPace.DECIDE)


class HardCloseYear(FiscalYear):
    """Lapse what is available, prove the totals, shut the line's books."""


class YearEndReport(StepOutput):
    """What became of every cent that was open: carried + lapsed + resolved meanwhile = open, to the cent."""

    encumbrances: Count
    open_cents: BudgetCents
    carried: Count
    carried_cents: BudgetCents
    lapsed: Count
    lapsed_cents: BudgetCents
    resolved: Count
    resolved_cents: BudgetCents
    """Paid or given back between the list and its posting."""
    available_lapsed_cents: BudgetCents
    payable_cents: BudgetCents
    """Owed to providers; it is still paid."""
    closed_at: Instant


HARD_CLOSE_YEAR = Step("payments.hard_close_year.v1", Queue.PAYMENTS, HardCloseYear, YearEndReport, StepPace.DECIDE)

FISCAL_YEAR_STEPS = (
    LIST_ENDED_YEARS,
    SOFT_CLOSE_YEAR,
    PROPOSE_YEAR_END,
    AMEND_YEAR_END,
    APPROVE_YEAR_END,
    POST_YEAR_END,
    HARD_CLOSE_YEAR,
)
