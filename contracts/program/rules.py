"""What holds for every round of a program: law, tests, gates, claims, approvals, deadlines (`program.toml`)."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from contracts.money import Cents, PositiveCents
from contracts.plan import Deadlines
from contracts.program.gates import GateWay
from contracts.program.parts import Citation, Entry, MonthDay, Percent, Share, State, TimeZone, Title
from contracts.texts import Code, Slug


class Law(Entry):
    """A statute or notice the program rests on."""

    citation: Citation
    title: Title
    effective_from: date | None = None


class Residency(Entry):
    """The state whose residents the program serves, and the reason code for everybody else."""

    state: State
    refusal: Code


class IncomeTest(Entry):
    """Low income: income strictly below `percent_of_line` of the poverty line of the guideline in effect."""

    percent_of_line: Annotated[int, Field(ge=1, le=1000)]
    guideline_on: Literal["submitted", "decided"]
    tax_years_back_max: Annotated[int, Field(ge=0, le=10)]
    """An income of an earlier tax year no longer tells what the person earns."""


class WorkTest(Entry):
    """Unemployment: the week told about must have ended at most `weeks_back_max` weeks before the application."""

    weeks_back_max: Annotated[int, Field(ge=1, le=104)]


class PayeeType(Entry):
    """A kind of training provider the program may pay."""

    code: Code
    title: Title


class Bar(Entry):
    """Something that keeps a provider out for a number of fiscal years."""

    code: Code
    citation: Citation
    fiscal_years_back: Annotated[int, Field(ge=0, le=50)]


class PayeeGate(Entry):
    """A provider is on at least one registry and under no bar."""

    registries: Annotated[list[Code], Field(min_length=1, max_length=32)]
    bars: Annotated[list[Bar], Field(max_length=16)] = []


class CredentialGate(Entry):
    """What may be funded: short, and approved; hours count only for technology-focused credentials."""

    days_max: Annotated[int, Field(ge=1, le=3660)]
    clock_hours_below: Annotated[int, Field(ge=1)] | None = None
    credit_hours_below: Annotated[int, Field(ge=1)] | None = None
    approver: Code | None = None


class PriceStep(Entry):
    """A price up to and including so many hours; without `hours_max`, for anything longer."""

    hours_max: Annotated[int, Field(ge=1)] | None = None
    cents: PositiveCents


class PaymentMilestone(Entry):
    """What becomes due at one event: a share of the price, an amount, or a price by hours; at most `cap_cents`."""

    event: Code
    share: Share | None = None
    amount_cents: PositiveCents | None = None
    price_table: Annotated[list[PriceStep], Field(max_length=32)] | None = None
    cap_cents: PositiveCents | None = None
    payer: Literal["program", "participant"] = "program"
    payee: Literal["provider", "participant"] = "provider"
    evidence: Annotated[list[Code], Field(max_length=16)] = []
    hold_days: Annotated[int, Field(ge=0, le=366)] = 0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.share, self.amount_cents, self.price_table)) != 1:
            raise ValueError("exactly one of share, amount_cents and price_table")
        steps = [step.hours_max for step in self.price_table or []]
        bounded = [hours for hours in steps if hours is not None]
        if bounded != sorted(set(bounded)) or any(hours is None for hours in steps[:-1]):
            raise ValueError("price_table goes up by hours_max; only its last step may be open")
        return self


class Advance(Entry):
    """Payment ahead of completion to providers of a standing, with the true-up that follows."""

    standing: Code
    percent: Annotated[int, Field(ge=1, le=100)]
    trigger: Code
    true_up: Code
    refund_below_percent: Percent
    effective_from: date | None = None


class ParticipantCharge(Entry):
    """Whether a provider may charge the person for taking part or for not finishing."""

    allowed: bool


class Failure(Entry):
    """Who owes which payment when the person does not finish."""

    owed_by: Literal["nobody", "participant", "provider"]
    owes: Code | None = None
    retry_allowed: bool


class Stacking(Entry):
    """Other money: it may pay what the program does not, cost line by cost line."""

    by_cost_line: bool
    forbidden: Annotated[list[Code], Field(max_length=32)] = []
    statement_required: bool = False
    """Whether a person who says nothing about other money is asked."""


class ClaimRules(Entry):
    """How a provider claims; the time to claim is `deadlines.claim`."""

    per_month_max: Annotated[int, Field(ge=1, le=1000)] | None = None
    documents: Annotated[list[Code], Field(max_length=16)]
    charge_answer_days: Annotated[int, Field(ge=0, le=20)] = 5
    """How long the payment waits for the person's answer to "were you charged?"; within the thirty days to pay."""


class InterestRate(Entry):
    """The rate of interest on late payments in one calendar year, in hundredths of a percent."""

    calendar_year: Annotated[int, Field(ge=2000, le=2200)]
    basis_points: Annotated[int, Field(ge=0, le=5000)]
    source: Citation
    accrues_by: Literal["day", "month"] = "day"
    """A day costs 1/365 of the rate, or its share of its calendar month's twelfth."""
    minimum_cents: Cents = 0
    """Interest on a payment of this year that comes to less is not owed."""


class ApprovalLevel(Entry):
    """Amounts up to and including `up_to_cents` need so many people besides the automatic match."""

    up_to_cents: Cents
    approvers: Annotated[int, Field(ge=0, le=4)]


class Approvals(Entry):
    levels: Annotated[list[ApprovalLevel], Field(min_length=1, max_length=8)]
    separation: bool
    """Whoever prepares a payment does not approve it."""


class Appeal(Entry):
    """How often a determination may be appealed; the time to appeal is `deadlines.appeal`."""

    levels: Annotated[int, Field(ge=0, le=5)]


class Turn(StrEnum):
    """What decides who comes first on the waiting list."""

    PRIORITY_GROUP = "priority_group"
    """The first of `priority_groups` through which the person passed; the others come last."""
    SUBMITTED_AT = "submitted_at"
    WAITLISTED_AT = "waitlisted_at"
    APPLICATION_ID = "application_id"


class WaitingList(Entry):
    """In which order cases are served when money returns, each word of `order` deciding where those before it tie."""

    order: Annotated[list[Turn], Field(min_length=1, max_length=4)] = [Turn.WAITLISTED_AT]
    priority_groups: Annotated[list[GateWay], Field(max_length=8)] = []
    smaller_may_pass: bool = False
    """Whether a request that fits may be served before a bigger one ahead of it at the same limit."""

    @model_validator(mode="after")
    def _groups_are_ordered_by(self) -> Self:
        if len(set(self.order)) != len(self.order):
            raise ValueError("order names something twice")
        if (Turn.PRIORITY_GROUP in self.order) != bool(self.priority_groups):
            raise ValueError("priority_groups and the word priority_group in order belong together")
        return self


class Templates(Entry):
    languages: Annotated[list[Annotated[str, Field(pattern=r"^[a-z]{2}$")]], Field(min_length=1, max_length=16)]


class PackDeadlines(Deadlines):
    """The waits of the journey, with every misspelled one refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Program(Entry):
    """What holds for every round: law, tests, gates, claims, approvals, deadlines (`program.toml`)."""

    id: Slug
    title: Title
    laws: Annotated[list[Law], Field(min_length=1, max_length=64)]
    citations: dict[Code, Citation]
    """The source of each criterion of a determination."""
    fiscal_year_start: MonthDay
    time_zone: TimeZone
    retention_years: Annotated[int, Field(ge=1, le=100)]
    residency: Residency
    income_test: IncomeTest
    work_test: WorkTest
    payee_types: Annotated[list[PayeeType], Field(min_length=1, max_length=32)]
    payee_gate: PayeeGate
    credential_gate: CredentialGate
    milestones: Annotated[list[PaymentMilestone], Field(min_length=1, max_length=16)]
    advances: Annotated[list[Advance], Field(max_length=8)] = []
    participant_charge: ParticipantCharge
    failure: Failure
    stacking: Stacking
    claim: ClaimRules
    interest_rates: Annotated[list[InterestRate], Field(max_length=200)] = []
    approvals: Approvals
    appeal: Appeal
    deadlines: PackDeadlines
    waiting_list: WaitingList = WaitingList()
    templates: Templates
