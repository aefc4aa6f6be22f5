"""What the journey may ask of applications."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.events.applications import StaffAct
from contracts.ids import AttestationId, ClaimId, CredentialAwardId, EnrollmentId, PersonId, StaffActId
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
    stage: Code | None = None
    due_at: Instant | None = None
    """After `extended` and `resumed`: the deadline of those the case waits for, where there is one."""
    held_since: Instant | None = None
    """After `resumed`: since when the case had stood still."""


RECORD_STAFF_ACT = Step("applications.record_staff_act.v1", Queue.APPLICATIONS, RecordStaffAct, Done)


class CloseCase(StepInput):
    """End the case on the record, with outcome and every reason."""

    outcome: Code
    stage: Code
    reasons: Annotated[list[Code], Field(max_length=32)] = []


CLOSE_CASE = Step("applications.close_case.v1", Queue.APPLICATIONS, CloseCase, Done)


class Awaited(StrEnum):
    """What a case may wait for somebody to report to applications."""

    EVIDENCE = "evidence"
    COLLEGE_ANSWER = "college_answer"
    SEAT = "seat"
    """A place from the college's own waiting list."""
    COMPLETION = "completion"
    EXAM_REGISTRATION = "exam_registration"
    EXAM_RESULT = "exam_result"
    CLAIM = "claim"


class LapseCase(StepInput):
    """The deadline passed: take no more reports of this case, unless what it waits for was reported already.

    What was acknowledged may still be on its way to the journey; `documents_known` and `claims_known` say what of it
    the journey has heard.
    """

    awaited: Awaited
    exam_id: Slug | None = None
    attempt_number: Annotated[int, Field(ge=1, le=10)] | None = None
    documents_known: Annotated[int, Field(ge=0, le=1_000)] = 0
    claims_known: Annotated[list[ClaimId], Field(max_length=32)] = []


class CaseLapsed(StepOutput):
    lapsed: bool
    """False: it was reported in time, and its fact will arrive."""


LAPSE_CASE = Step("applications.lapse_case.v1", Queue.APPLICATIONS, LapseCase, CaseLapsed)

STEPS = (REQUEST_ENROLLMENT, REMIND_COLLEGE, RECORD_CREDENTIAL, RECORD_STAFF_ACT, CLOSE_CASE, LAPSE_CASE)
