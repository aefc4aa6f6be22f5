"""What the journey may ask of applications."""

from typing import Annotated

from pydantic import Field

from contracts.events.applications import StaffAct
from contracts.ids import AttestationId, CredentialAwardId, EnrollmentId, PersonId, StaffActId
from contracts.money import PositiveCents
from contracts.steps.base import Queue, Step, StepInput, StepOutput
from contracts.texts import Actor, Code, Instant, Sentence, Slug


class RequestEnrollment(StepInput):
    """Ask the college for a seat; the request travels on as a fact and a signed webhook."""

    person_id: PersonId
    provider_id: Slug
    credential_id: Slug
    course_run_id: Slug | None = None
    award_cents: PositiveCents
    respond_by: Instant


class EnrollmentRequestedResult(StepOutput):
    enrollment_id: EnrollmentId


REQUEST_ENROLLMENT = Step(
    "applications.request_enrollment.v1", Queue.APPLICATIONS, RequestEnrollment, EnrollmentRequestedResult
)


class RemindCollege(StepInput):
    """Remind a silent college; `escalated` when staff are asked at the same time."""

    enrollment_id: EnrollmentId
    reminder_number: Annotated[int, Field(ge=1, le=10)]
    escalated: bool = False
    respond_by: Instant


class Done(StepOutput):
    """It is done, now or by an earlier attempt."""


REMIND_COLLEGE = Step("applications.remind_college.v1", Queue.APPLICATIONS, RemindCollege, Done)


class RecordCredential(StepInput):
    """Put the earned credential on record, on the strength of the attestation."""

    person_id: PersonId
    provider_id: Slug
    credential_id: Slug
    enrollment_id: EnrollmentId
    attestation_id: AttestationId
    earned_on: str


class CredentialOnRecord(StepOutput):
    credential_award_id: CredentialAwardId


RECORD_CREDENTIAL = Step("applications.record_credential.v1", Queue.APPLICATIONS, RecordCredential, CredentialOnRecord)


class RecordStaffAct(StepInput):
    """Keep a staff act on the record, outside Temporal."""

    act_id: StaffActId
    act: StaffAct
    actor: Actor
    reason: Code
    note: Sentence
    acted_at: Instant


RECORD_STAFF_ACT = Step("applications.record_staff_act.v1", Queue.APPLICATIONS, RecordStaffAct, Done)


class CloseCase(StepInput):
    """End the case on the record, with outcome and every reason."""

    outcome: Code
    stage: Code
    reasons: Annotated[list[Code], Field(max_length=32)] = []


CLOSE_CASE = Step("applications.close_case.v1", Queue.APPLICATIONS, CloseCase, Done)

STEPS = (REQUEST_ENROLLMENT, REMIND_COLLEGE, RECORD_CREDENTIAL, RECORD_STAFF_ACT, CLOSE_CASE)
