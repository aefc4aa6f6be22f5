"""Facts that the applications service owns: the case from request to claim, and its end."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from contracts.envelope import CaseFact
from contracts.ids import (
    AttestationId,
    ClaimId,
    CredentialAwardId,
    DocumentId,
    EnrollmentId,
    PersonId,
    StaffActId,
)
from contracts.money import Cents, PositiveCents
from contracts.plan import CostKind
from contracts.texts import Actor, Code, Instant, Language, Reference, Sealed, Slug

Text = Annotated[str, Field(min_length=1, max_length=500)]


class ApplicationSubmitted(CaseFact):
    """A person asked for funding of one credential at one provider. Triggered by the partner API."""

    TYPE: ClassVar[str] = "cairn.applications.application.submitted.v1"

    person_id: PersonId
    partner_id: Slug
    program_id: Slug
    round_id: Slug
    provider_id: Slug
    credential_id: Slug
    course_run_id: Slug | None = None
    county: Slug | None = None
    """Where the person lives, as a county's slug: coarse enough to be searched by staff."""
    language: Language = "en"
    submitted_at: Instant
    sealed_declaration: Sealed
    """What the person declared for the determination (residency, income, employment): JSON `Declaration`, sealed."""
    sealed_contact: Sealed
    """Where notices go: JSON `Contact`, sealed."""


class ApplicationWithdrawn(CaseFact):
    """The person gave the application up, at whatever stage it was."""

    TYPE: ClassVar[str] = "cairn.applications.application.withdrawn.v1"

    reason: Code
    withdrawn_at: Instant


class ApplicationClosed(CaseFact):
    """The case ended, with its outcome and every reason. Nothing more will happen to it."""

    TYPE: ClassVar[str] = "cairn.applications.application.closed.v1"

    outcome: Code
    stage: Code
    """The stage in which it ended."""
    reasons: Annotated[list[Code], Field(max_length=32)]
    closed_at: Instant


class DocumentReceived(CaseFact):
    """The person sent evidence that was asked for."""

    TYPE: ClassVar[str] = "cairn.applications.document.received.v1"

    document_id: DocumentId
    kind: Code
    sealed_evidence: Sealed
    """The evidence's values for the determination: JSON `Declaration` fields, sealed."""
    received_at: Instant


class StaffAct(StrEnum):
    HELD = "held"
    RESUMED = "resumed"
    EXTENDED = "extended"
    DECIDED = "decided"
    CLOSED = "closed"
    ASSIGNED = "assigned"


class StaffActRecorded(CaseFact):
    """Program staff acted on the case, with a typed reason."""

    TYPE: ClassVar[str] = "cairn.applications.staff_act.recorded.v1"

    act_id: StaffActId
    act: StaffAct
    actor: Actor
    reason: Code
    acted_at: Instant
    stage: Code | None = None
    """Where the journey stood."""
    due_at: Instant | None = None
    """After `extended` and `resumed`: the deadline, from now on, of those the case waits for."""
    held_since: Instant | None = None
    """After `resumed`: since when the case and its deadlines had stood still."""


class _EnrollmentFact(CaseFact):
    enrollment_id: EnrollmentId
    provider_id: Slug
    credential_id: Slug


class EnrollmentRequested(_EnrollmentFact):
    """A college was asked to enroll the person; notifications turns it into a signed webhook."""

    TYPE: ClassVar[str] = "cairn.applications.enrollment.requested.v1"

    course_run_id: Slug | None = None
    award_cents: PositiveCents
    respond_by: Instant


class EnrollmentReminded(_EnrollmentFact):
    """The college had not answered, so it was reminded; `escalated` once staff are asked too."""

    TYPE: ClassVar[str] = "cairn.applications.enrollment.reminded.v1"

    reminder_number: Annotated[int, Field(ge=1, le=10)]
    escalated: bool = False
    respond_by: Instant


class EnrollmentAccepted(_EnrollmentFact):
    """The college enrolled the person, at this price per cost line in total."""

    TYPE: ClassVar[str] = "cairn.applications.enrollment.accepted.v1"

    course_run_id: Slug | None = None
    price_cents: PositiveCents
    starts_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    answered_at: Instant


class EnrollmentWaitlisted(_EnrollmentFact):
    """The college has no seat now and keeps the person on its own waiting list."""

    TYPE: ClassVar[str] = "cairn.applications.enrollment.waitlisted.v1"

    answered_at: Instant


class EnrollmentRefused(_EnrollmentFact):
    """The college did not take the person, with its reasons."""

    TYPE: ClassVar[str] = "cairn.applications.enrollment.refused.v1"

    reasons: Annotated[list[Code], Field(min_length=1, max_length=16)]
    answered_at: Instant


class EnrollmentStarted(_EnrollmentFact):
    """The person began the course."""

    TYPE: ClassVar[str] = "cairn.applications.enrollment.started.v1"

    started_at: Instant


class MilestoneReached(_EnrollmentFact):
    """The person reached a milestone of the course."""

    TYPE: ClassVar[str] = "cairn.applications.enrollment.milestone_reached.v1"

    milestone: Code
    reached_at: Instant


class EnrollmentWithdrawn(_EnrollmentFact):
    """The college reports that the person left the course."""

    TYPE: ClassVar[str] = "cairn.applications.enrollment.withdrawn.v1"

    reason: Code
    withdrawn_at: Instant


class CompletionAttested(_EnrollmentFact):
    """A registered issuer stated, under its signature, that the person completed."""

    TYPE: ClassVar[str] = "cairn.applications.completion.attested.v1"

    attestation_id: AttestationId
    issuer_id: Slug
    completed_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    attested_at: Instant


class ExamRegistered(CaseFact):
    """The person is registered for the certification exam."""

    TYPE: ClassVar[str] = "cairn.applications.exam.registered.v1"

    exam_id: Slug
    attempt_number: Annotated[int, Field(ge=1, le=10)]
    registration: Reference
    registered_at: Instant


class ExamResult(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NO_SHOW = "no_show"
    CANCELED = "canceled"


class ExamResulted(CaseFact):
    """The certification exam has a result."""

    TYPE: ClassVar[str] = "cairn.applications.exam.resulted.v1"

    exam_id: Slug
    attempt_number: Annotated[int, Field(ge=1, le=10)]
    result: ExamResult
    resulted_at: Instant


class CredentialRecorded(CaseFact):
    """The credential was earned and is on record."""

    TYPE: ClassVar[str] = "cairn.applications.credential.recorded.v1"

    credential_award_id: CredentialAwardId
    person_id: PersonId
    provider_id: Slug
    credential_id: Slug
    earned_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    recorded_at: Instant


class ClaimLine(BaseModel):
    """How much of a claim is for one cost line."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: CostKind
    amount_cents: PositiveCents


class ClaimDocument(BaseModel):
    """A document that came with a claim: what it is, and the provider's own reference to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Code
    reference: Reference


class ClaimSubmitted(CaseFact):
    """The provider asks to be reimbursed."""

    TYPE: ClassVar[str] = "cairn.applications.claim.submitted.v1"

    claim_id: ClaimId
    enrollment_id: EnrollmentId
    provider_id: Slug
    invoice_number: Reference
    invoice_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    amount_cents: PositiveCents
    participant_charged_cents: Cents
    submitted_at: Instant
    lines: Annotated[list[ClaimLine], Field(max_length=8)] = []
    """What the amount is for, by cost line; empty where the provider does not say."""
    documents: Annotated[list[ClaimDocument], Field(max_length=16)] = []


class ChargeAnswered(CaseFact):
    """The person told, through its portal, whether the provider charged for taking part."""

    TYPE: ClassVar[str] = "cairn.applications.charge.answered.v1"

    charged: bool
    amount_cents: Cents | None = None
    answered_at: Instant
