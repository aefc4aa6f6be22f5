"""Facts that the eligibility service owns: published programs and determinations."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.envelope import CaseFact, Fact
from contracts.ids import DeterminationId
from contracts.money import BudgetCents, Cents, PositiveCents
from contracts.plan import CostLine, ExamPolicy, Milestone, Wait
from contracts.texts import Code, Instant, Mailbox, Sentence, Slug

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class _Listed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ListedCredential(_Listed):
    """A micro-credential the program funds."""

    credential_id: Slug
    title: Annotated[str, Field(min_length=1, max_length=200)]
    cost_lines: Annotated[list[CostLine], Field(min_length=1, max_length=8)]
    exam: ExamPolicy | None = None
    milestones: Annotated[list[Milestone], Field(max_length=32)] = []
    issuers: Annotated[list[Slug], Field(min_length=1, max_length=64)]
    """Who may attest completion."""
    stack_of: Annotated[list[Slug], Field(max_length=64)] = []


class ListedProvider(_Listed):
    """A training provider of the program."""

    provider_id: Slug
    name: Annotated[str, Field(min_length=1, max_length=200)]
    supplier_number: Annotated[str, Field(pattern=r"^[0-9]{10}$")]
    """The payee's number in the state's finance system."""
    standing: Code | None = None
    """A standing that the program's rules speak of: `platinum`."""
    contact_email: Mailbox | None = None
    """Where its office is told what a claim lacks."""


class ListedAward(_Listed):
    """What one provider was awarded in one round: at most `ceiling_cents`, for these credentials and seats."""

    provider_id: Slug
    ceiling_cents: BudgetCents
    seats: dict[Slug, Annotated[int, Field(ge=0, le=100_000)]]


class ListedCourseRun(_Listed):
    """One dated run of a course that leads to a credential."""

    course_run_id: Slug
    provider_id: Slug
    credential_id: Slug
    starts_on: Day
    ends_on: Day
    modality: Code


class ListedRound(_Listed):
    """A round: its money, its window for people, its caps. What is not published is absent."""

    round_id: Slug
    title: Annotated[str, Field(min_length=1, max_length=200)]
    appropriation_cents: BudgetCents | None = None
    document_reference: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    fiscal_year: Annotated[int, Field(ge=2000, le=2200)]
    accepting_from: Instant | None = None
    accepting_until: Instant | None = None
    per_credential_cap_cents: PositiveCents
    per_person_cap_cents: PositiveCents | None = None
    awards: Annotated[list[ListedAward], Field(max_length=1000)] = []


class ListedApprovalLevel(_Listed):
    """Claims up to and including `up_to_cents` need so many people besides the automatic match."""

    up_to_cents: Cents
    approvers: Annotated[int, Field(ge=0, le=4)]


class ListedAdvance(_Listed):
    """Payment ahead of completion to providers of a standing: its share, and when it is owed back."""

    standing: Code
    percent: Annotated[int, Field(ge=1, le=100)]
    trigger: Code
    true_up: Code
    refund_below_percent: Annotated[int, Field(ge=0, le=1000)]
    effective_from: Day | None = None


class ListedInterestRate(_Listed):
    """The rate of interest on late payments in one calendar year, in hundredths of a percent."""

    calendar_year: Annotated[int, Field(ge=2000, le=2200)]
    basis_points: Annotated[int, Field(ge=0, le=5000)]
    source: Annotated[str, Field(min_length=1, max_length=200)]
    accrues_by: Literal["day", "month"] = "day"
    """A day costs 1/365 of the rate, or its share of its calendar month's twelfth."""
    minimum_cents: Cents = 0
    """Interest on a payment of this year that comes to less is not owed."""


class ListedClaimRules(_Listed):
    """How a provider claims, who approves, what is paid ahead, and what a late payment costs."""

    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")] = "UTC"
    """The zone of the program's months and days."""
    per_month_max: Annotated[int, Field(ge=1, le=1000)] | None = None
    documents: Annotated[list[Code], Field(max_length=16)] = []
    charge_answer_days: Annotated[int, Field(ge=0, le=20)] = 5
    """How long a payment waits for the person's answer to "were you charged?"."""
    approval_levels: Annotated[list[ListedApprovalLevel], Field(max_length=8)] = []
    advances: Annotated[list[ListedAdvance], Field(max_length=8)] = []
    interest_rates: Annotated[list[ListedInterestRate], Field(max_length=200)] = []


class ListedWaitingList(_Listed):
    """In which order payments serves cases that wait for money."""

    order: Annotated[list[Code], Field(min_length=1, max_length=4)]
    """Of `priority_group`, `submitted_at`, `waitlisted_at`, `application_id`; each decides where those before tie."""
    smaller_may_pass: bool = False


class ProgramPublished(Fact):
    """A version of a program pack took effect. Others copy what they need; the newest version wins."""

    TYPE: ClassVar[str] = "cairn.eligibility.program.published.v1"

    program_id: Slug
    title: Annotated[str, Field(min_length=1, max_length=200)]
    pack_version: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]
    published_at: Instant
    providers: Annotated[list[ListedProvider], Field(max_length=1000)]
    credentials: Annotated[list[ListedCredential], Field(max_length=2000)]
    course_runs: Annotated[list[ListedCourseRun], Field(max_length=5000)] = []
    rounds: Annotated[list[ListedRound], Field(min_length=1, max_length=100)]
    fiscal_year_start: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] | None = None
    """Month and day on which the program's fiscal year begins, in its time zone."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    waiting_list: ListedWaitingList | None = None
    claim_rules: ListedClaimRules | None = None

    def partition_key(self) -> str:
        return self.program_id


class Finding(_Listed):
    """One criterion's result with its reason and its source in law."""

    criterion: Code
    result: Annotated[str, Field(pattern=r"^(met|not_met|unknown|not_applicable)$")]
    reason: Code
    text: Sentence
    citation: Annotated[str, Field(min_length=1, max_length=200)]


class Eligibility(StrEnum):
    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    MORE_INFORMATION = "more_information"


class PlannedWaits(_Listed):
    """How long an eligible case waits for others, of the plan it is pinned to (`contracts.plan.Deadlines`)."""

    waiting_list: Wait
    enrollment_waitlist: Wait
    completion: Wait
    exam_registration: Wait
    exam_result: Wait
    claim: Wait


class ApplicationDetermined(CaseFact):
    """Eligibility was decided; every criterion's finding is here, met or not."""

    TYPE: ClassVar[str] = "cairn.eligibility.application.determined.v1"

    determination_id: DeterminationId
    determination_number: Annotated[int, Field(ge=1, le=50)]
    outcome: Eligibility
    findings: Annotated[list[Finding], Field(min_length=1, max_length=64)]
    missing: Annotated[list[Code], Field(max_length=32)] = []
    award_cents: Cents = 0
    respond_by: Instant | None = None
    """Until when the person may send what is missing, or appeal."""
    pack_version: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")] | None = None
    """The version of the program pack under which it was decided, and to which the case is pinned."""
    exam: ExamPolicy | None = None
    """The exam policy of that version, where the credential has an exam."""
    waits: PlannedWaits | None = None
    """Of an eligible case: from these and the moment a wait began, anyone can tell its deadline."""
    decided_at: Instant
