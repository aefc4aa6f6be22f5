"""What is funded (`credentials.toml`), and who teaches, attests and is paid (`providers.toml`)."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from contracts.money import BudgetCents, PositiveCents
from contracts.plan import CostKind, ExamPolicy, Milestone
from contracts.program.parts import Citation, Entry, Title
from contracts.texts import Code, Mailbox, Slug


class CostPrice(Entry):
    """One line of a credential's price."""

    kind: CostKind
    price_cents: PositiveCents


class Approval(Entry):
    """Who approved a credential for funding, and where it says so."""

    by: Code
    reference: Citation
    approved_on: date | None = None


class PackExam(ExamPolicy):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PackMilestone(Milestone):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Competency(Entry):
    """What a person shows to earn a competency-based credential."""

    code: Code
    title: Title
    criteria: Annotated[list[Title], Field(min_length=1, max_length=32)]
    evidence: Annotated[list[Code], Field(min_length=1, max_length=16)]


class Assessment(Entry):
    """Who judges the evidence, how many of them, by which marks, and how often it may be sent again."""

    assessor: Literal["provider", "association", "company"]
    assessors: Annotated[int, Field(ge=1, le=5)]
    rubric: Annotated[list[Code], Field(min_length=2, max_length=10)]
    resubmissions_max: Annotated[int, Field(ge=0, le=10)]


class Credential(Entry):
    """A micro-credential with its price by cost line, its length and who may attest it (`credentials.toml`)."""

    id: Slug
    title: Title
    offered_by: Annotated[list[Slug], Field(min_length=1, max_length=64)]
    cost_lines: Annotated[list[CostPrice], Field(min_length=1, max_length=8)]
    modality: Code
    days: Annotated[int, Field(ge=1, le=3660)]
    clock_hours: Annotated[int, Field(ge=1, le=5000)] | None = None
    credit_hours: Annotated[int, Field(ge=1, le=200)] | None = None
    technology_focused: bool
    approval: Approval | None = None
    exam: PackExam | None = None
    milestones: Annotated[list[PackMilestone], Field(max_length=32)] = []
    issuers: Annotated[list[Slug], Field(min_length=1, max_length=64)]
    stack_of: Annotated[list[Slug], Field(max_length=64)] = []
    """The larger credentials this one counts toward."""
    competencies: Annotated[list[Competency], Field(max_length=64)] = []
    assessment: Assessment | None = None

    @property
    def price_cents(self) -> int:
        return sum(line.price_cents for line in self.cost_lines)


class Stack(Entry):
    """Something larger that credentials count toward: a set, a certificate, a degree. Only credentials are funded."""

    id: Slug
    title: Title
    kind: Literal["set", "certificate", "degree"]
    awarded_by: Slug
    parts_needed: Annotated[int, Field(ge=1, le=64)] | None = None


class CourseRun(Entry):
    """One dated run of a course that leads to a credential."""

    id: Slug
    provider_id: Slug
    credential_id: Slug
    starts_on: date
    ends_on: date
    modality: Code
    seats: Annotated[int, Field(ge=0, le=100_000)] | None = None

    @model_validator(mode="after")
    def _ends_after(self) -> Self:
        if self.ends_on < self.starts_on:
            raise ValueError("ends before it starts")
        return self


class Provider(Entry):
    """A training provider: who is paid (`providers.toml`)."""

    id: Slug
    name: Title
    type: Code
    registries: Annotated[list[Code], Field(max_length=16)]
    standing: Code | None = None
    supplier_number: Annotated[str, Field(pattern=r"^[0-9]{10}$")]
    contact_email: Mailbox | None = None
    """Where its office is told in writing what a claim lacks (ORC 126.30); never a person's own address."""


class Issuer(Entry):
    """Who may attest that a person completed."""

    id: Slug
    name: Title
    kind: Literal["college", "university", "association", "company"]


class Award(Entry):
    """What one provider was awarded in one round: a ceiling, and seats by credential."""

    round_id: Slug
    provider_id: Slug
    ceiling_cents: BudgetCents
    seats: Annotated[dict[Slug, Annotated[int, Field(ge=0, le=100_000)]], Field(min_length=1)]
