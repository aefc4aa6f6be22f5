"""What the doors answer: shapes without a person's values, and how they are made from rows."""

from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict

from contracts.events.eligibility import Finding, PlannedWaits
from kit.paging import etag_of
from services.applications.case import Lead, Moved, Reason, due_at, paid_cents, reason
from services.applications.domain import Application, Enrollment
from services.applications.store.cases import CaseRow, EntryRow
from services.applications.store.credentials import CredentialAward


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ApplicationLinks(View):
    self: str
    timeline: str
    documents: str
    withdrawal: str


class ApplicationAccepted(View):
    """The application is on record; its case has begun."""

    application_id: str
    stage: str
    submitted_at: datetime
    links: ApplicationLinks


class Next(View):
    """Who acts next, on what."""

    party: str
    text: str


class EnrollmentSummary(View):
    enrollment_id: str
    state: str
    respond_by: datetime
    price_cents: int | None
    starts_on: str | None
    milestones: list[str]


class CredentialSummary(View):
    credential_award_id: str
    earned_on: str
    verification_url: str
    add_to_profile_url: str | None
    """Opens the person's profile with the certificate filled in; absent without consent to publish the name."""


class ApplicationView(View):
    """Where the application stands: what was decided and why, what is missing, by when, and who acts next."""

    application_id: str
    program_id: str
    round_id: str
    provider_id: str
    credential_id: str
    submitted_at: datetime
    stage: str
    on_hold: bool
    outcome: str | None
    closed_at: datetime | None
    reasons: list[Reason]
    missing: list[str]
    due_at: datetime | None
    next: Next | None
    awarded_cents: int
    paid_cents: int
    enrollment: EnrollmentSummary | None = None
    credential: CredentialSummary | None = None
    links: ApplicationLinks | None = None


class ApplicationPage(View):
    items: list[ApplicationView]
    next: str | None


class TimelineEntry(View):
    """One fact about the case; `details` are its public fields."""

    at: datetime
    type: str
    text: str
    reasons: list[Reason]
    details: dict[str, Any]


class Timeline(View):
    application_id: str
    items: list[TimelineEntry]


class DocumentTaken(View):
    document_id: str
    application_id: str
    kind: str
    received_at: datetime


class ChargeAnswerTaken(View):
    """The person's word is on record; a payment that waited for it goes on, or is stopped."""

    application_id: str
    charged: bool
    amount_cents: int | None


class WithdrawalTaken(View):
    application_id: str
    reason: str
    withdrawn_at: datetime


class EnrollmentLinks(View):
    self: str
    person: str
    answer: str
    start: str
    milestones: str
    withdrawal: str
    attestation: str
    claims: str


class EnrollmentView(View):
    """One place that was asked for, as its college sees it. The person's details have a door of their own."""

    enrollment_id: str
    application_id: str
    program_id: str
    credential_id: str
    course_run_id: str | None
    award_cents: int
    respond_by: datetime
    state: str
    case_open: bool
    price_cents: int | None
    starts_on: str | None
    reasons: list[str]
    answered_at: datetime | None
    started_at: datetime | None
    milestones: list[str]
    completed_on: str | None
    ended_at: datetime | None
    links: EnrollmentLinks


class AttestableEnrollment(View):
    """A course as an issuer of its credential sees it: how far it has come."""

    enrollment_id: str
    program_id: str
    provider_id: str
    credential_id: str
    state: str
    case_open: bool
    started_at: datetime | None
    milestones: list[str]
    completed_on: str | None


class EnrollmentPage(View):
    items: list[EnrollmentView]
    next: str | None


class EnrolledPerson(View):
    """Whom the college enrolls. Every reading is on the audit record."""

    enrollment_id: str
    given_name: str
    family_name: str
    email: str
    language: str


class AttestationTaken(View):
    attestation_id: str
    enrollment_id: str
    issuer_id: str
    completed_on: str
    attested_at: datetime


class ExamAttemptView(View):
    application_id: str
    exam_id: str
    attempt_number: int
    registration: str
    registered_at: datetime
    result: str | None
    resulted_at: datetime | None


class ClaimTaken(View):
    """The claim is on record and will be matched; its decision comes by webhook and in the timeline."""

    claim_id: str
    enrollment_id: str
    invoice_number: str
    amount_cents: int
    submitted_at: datetime


class PublicCredential(View):
    """A credential on record. The name is there only by the person's consent."""

    credential: str
    credential_id: str
    provider: str
    provider_id: str
    program_id: str
    earned_on: str
    status: str
    name: str | None


class CasePage(View):
    items: list[ApplicationView]
    next: str | None


class StageTotal(View):
    stage: str
    outcome: str | None
    cases: int
    awarded_cents: int


class StageTotals(View):
    items: list[StageTotal]


def etag(view: ApplicationView) -> str:
    """A strong validator (RFC 9110 §8.8.3) of exactly what is answered."""
    return etag_of(view.model_dump_json())


def application_links(public_url: str, application_id: str) -> ApplicationLinks:
    self = f"{public_url}/v1/applications/{application_id}"
    return ApplicationLinks(
        self=self, timeline=f"{self}/timeline", documents=f"{self}/documents", withdrawal=f"{self}/withdrawal"
    )


def application_accepted(application: Application, *, public_url: str) -> ApplicationAccepted:
    return ApplicationAccepted(
        application_id=application.application_id,
        stage="eligibility",
        submitted_at=application.submitted_at,
        links=application_links(public_url, application.application_id),
    )


_ON_HOLD = "Program staff hold the case; nothing moves until they resume it, but a payment that was already sent."


def application_view(row: CaseRow) -> ApplicationView:
    """The case as its row tells it; a bare reason gets its sentence from the determination's findings."""
    lead = Lead.model_validate(row.lead) if row.lead else None
    known = [Finding.model_validate(finding) for finding in row.findings or []]
    reasons = [one if one.citation else reason(one.code, known) for one in lead.reasons] if lead else []
    upcoming = Next(party=lead.next_party, text=lead.next_text) if lead and row.outcome is None else None
    if row.on_hold and row.outcome is None:
        upcoming = Next(party="program", text=_ON_HOLD)
    return ApplicationView(
        application_id=row.application_id,
        program_id=row.program_id,
        round_id=row.round_id,
        provider_id=row.provider_id,
        credential_id=row.credential_id,
        submitted_at=row.submitted_at,
        stage=row.stage,
        on_hold=row.on_hold,
        outcome=row.outcome,
        closed_at=row.closed_at,
        reasons=reasons,
        missing=lead.missing if lead else [],
        due_at=_due_at(row, lead),
        next=upcoming,
        awarded_cents=row.awarded_cents,
        paid_cents=paid_cents(row.payments),
    )


def _due_at(row: CaseRow, lead: Lead | None) -> datetime | None:
    """While staff hold the case only the dates run that no act of staff moves."""
    if lead is None or row.on_hold:
        return lead.not_after if lead else None
    return due_at(
        lead,
        stage=row.stage,
        waits=PlannedWaits.model_validate(row.waits) if row.waits else None,
        began={name: datetime.fromisoformat(moment) for name, moment in row.began.items()},
        moved=Moved.model_validate(row.moved) if row.moved else None,
    )


def enrollment_summary(enrollment: Enrollment) -> EnrollmentSummary:
    return EnrollmentSummary(
        enrollment_id=enrollment.enrollment_id,
        state=enrollment.state,
        respond_by=enrollment.respond_by,
        price_cents=enrollment.answer.price_cents if enrollment.answer else None,
        starts_on=enrollment.answer.starts_on if enrollment.answer else None,
        milestones=list(enrollment.milestones),
    )


def credential_summary(award: CredentialAward, *, title: str, provider: str, public_url: str) -> CredentialSummary:
    verification_url = f"{public_url}/v1/credentials/{award.verification_token}"
    return CredentialSummary(
        credential_award_id=award.credential_award_id,
        earned_on=award.earned_on,
        verification_url=verification_url,
        add_to_profile_url=_add_to_profile(award, title, provider, verification_url) if award.publish_name else None,
    )


def _add_to_profile(award: CredentialAward, title: str, provider: str, verification_url: str) -> str:
    year, month, _ = award.earned_on.split("-")
    fields = {
        "startTask": "CERTIFICATION_NAME",
        "name": title,
        "organizationName": provider,
        "issueYear": year,
        "issueMonth": str(int(month)),
        "certUrl": verification_url,
        "certId": award.credential_award_id,
    }
    return f"https://www.linkedin.com/profile/add?{urlencode(fields, quote_via=quote)}"


def attestable_enrollment(enrollment: Enrollment) -> AttestableEnrollment:
    e = enrollment
    return AttestableEnrollment(
        enrollment_id=e.enrollment_id,
        program_id=e.program_id,
        provider_id=e.provider_id,
        credential_id=e.credential_id,
        state=e.state,
        case_open=e.case_open,
        started_at=e.started_at,
        milestones=list(e.milestones),
        completed_on=e.completed_on,
    )


def enrollment_view(enrollment: Enrollment, *, public_url: str) -> EnrollmentView:
    e, answer = enrollment, enrollment.answer
    self = f"{public_url}/v1/enrollments/{e.enrollment_id}"
    doors = ("person", "answer", "start", "milestones", "withdrawal", "attestation", "claims")
    return EnrollmentView(
        enrollment_id=e.enrollment_id,
        application_id=e.application_id,
        program_id=e.program_id,
        credential_id=e.credential_id,
        course_run_id=e.course_run_id,
        award_cents=e.award_cents,
        respond_by=e.respond_by,
        state=e.state,
        case_open=e.case_open,
        price_cents=answer.price_cents if answer else None,
        starts_on=answer.starts_on if answer else None,
        reasons=list(answer.reasons) if answer else [],
        answered_at=e.answered_at,
        started_at=e.started_at,
        milestones=list(e.milestones),
        completed_on=e.completed_on,
        ended_at=e.ended_at,
        links=EnrollmentLinks(self=self, **{door: f"{self}/{door}" for door in doors}),
    )


def timeline_entry(row: EntryRow) -> TimelineEntry:
    return TimelineEntry(
        at=row.occurred_at,
        type=row.type,
        text=row.text,
        reasons=[Reason.model_validate(one) for one in row.reasons],
        details=row.details,
    )
