"""What a determination pins for the rest of a case: amounts, deadlines, exam policy, from one version of one pack."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from contracts.money import Cents
from contracts.texts import Code, Slug

WAIT_MAX = timedelta(days=732)

Wait = Annotated[timedelta, Field(ge=timedelta(0), le=WAIT_MAX)]
"""How long to wait, as an ISO 8601 duration on the wire (`P14D`); never more than two years."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class CostKind(StrEnum):
    """A line of the cost of one credential. Each line has its own payee and proof; nothing is funded twice."""

    TUITION = "tuition"
    EXAM_FEE = "exam_fee"
    BOOKS = "books"
    SUPPORTS = "supports"


class CostLine(_Part):
    """One line of the price, and how much of it other money already pays."""

    kind: CostKind
    price_cents: Cents
    funded_elsewhere_cents: Cents = 0


class Deadlines(_Part):
    """Every wait of the journey; the program's pack sets each."""

    more_information: Wait
    """To send what is missing; then the case closes as incomplete."""
    appeal: Wait
    """To appeal a determination; then it is final."""
    waiting_list: Wait
    """To stay on the waiting list before the case closes for want of money."""
    hold: Wait
    """A hold that was not encumbered expires."""
    enrollment_reminder: Wait
    """Before a silent college is reminded."""
    enrollment_answer: Wait
    """For a college's answer, counted from the request; then staff are asked, then the request lapses."""
    enrollment_escalation: Wait
    """For staff to act on a silent college, after the answer was due."""
    enrollment_waitlist: Wait
    """To stay on the college's own waiting list."""
    completion: Wait
    """From enrollment to the attested completion."""
    exam_registration: Wait
    """From exam voucher to registration."""
    exam_result: Wait
    """From registration to result."""
    credential: Wait
    """For a step that needs staff between completion and credential."""
    claim: Wait
    """From the credential to the provider's claim."""
    claim_review: Wait
    """For people to decide a claim that rules alone may not approve."""
    payment: Wait
    """From order to settlement; then staff are asked (the case stays open: the money is on its way)."""


class ExamPolicy(_Part):
    """The certification exam of a credential and when it may be taken again."""

    exam_id: Slug
    attempts_max: Annotated[int, Field(ge=1, le=10)]
    retake_wait: Wait
    usable_for: Wait
    """An issued exam voucher must stay usable at least this long."""


class Milestone(_Part):
    """A point of the course the college reports: `week_1`, `midpoint`, `end`."""

    code: Code
    required: bool = True


class CasePlan(_Part):
    """The plan of one case. `award_cents` is what is held: the sum of unfunded cost lines, at most the cap.

    Zero, and no cost line, where the case is not eligible.
    """

    program_id: Slug
    round_id: Slug
    pack_version: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]
    award_cents: Cents
    cost_lines: Annotated[list[CostLine], Field(max_length=8)]
    deadlines: Deadlines
    exam: ExamPolicy | None = None
    milestones: Annotated[list[Milestone], Field(max_length=32)] = []
    claim_auto_approve_max_cents: Cents = 0
    priority_group: Annotated[int, Field(ge=0, le=99)] | None = None
    """The person's place among the program's priority groups, 0 the first; None outside of them."""
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    """The program's IANA zone, by which its days begin and end; None in plans made before it was pinned."""

    def day_of(self, moment: datetime) -> str:
        """The calendar day (YYYY-MM-DD) of `moment` where the program is; in UTC where no zone is pinned."""
        return f"{moment.astimezone(ZoneInfo(self.time_zone) if self.time_zone else UTC):%Y-%m-%d}"
