"""What Cairn sends to colleges: Standard Webhooks messages with thin bodies (ids and links, under 20 KB)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import ApplicationId, ClaimId, DisbursementId, EnrollmentId
from contracts.money import Cents, PositiveCents
from contracts.texts import Code, Instant, Sentence, Slug

BODY_BYTES_MAX = 20 * 1024

Link = Annotated[str, Field(pattern=r"^https?://[^\s]{1,500}$")]


class _Thin(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class EnrollmentRequestData(_Thin):
    """A person is funded and asks for a seat. Read the person's details at `person_url`, answer at `answer_url`."""

    application_id: ApplicationId
    enrollment_id: EnrollmentId
    provider_id: Slug
    credential_id: Slug
    course_run_id: Slug | None = None
    award_cents: PositiveCents
    respond_by: Instant
    person_url: Link
    answer_url: Link
    reminder_number: int = 0


class CaseClosedData(_Thin):
    """The case ended; nothing further is expected of the college."""

    application_id: ApplicationId
    enrollment_id: EnrollmentId
    outcome: Code


class ExamVoucherIssuedData(_Thin):
    """The learner has an exam voucher. The code goes to the learner alone."""

    application_id: ApplicationId
    enrollment_id: EnrollmentId
    exam_id: Slug
    attempt_number: int


class CredentialRecordedData(_Thin):
    """The credential is on record: the college may claim."""

    application_id: ApplicationId
    enrollment_id: EnrollmentId
    credential_id: Slug
    claim_url: Link


class ClaimDecidedData(_Thin):
    """The claim was approved, returned for repair, referred to staff, or refused; reasons name every failed check."""

    application_id: ApplicationId
    claim_id: ClaimId
    status: Code
    approved_cents: Cents
    reasons: list[Code]
    defects: Annotated[list[Sentence], Field(max_length=32)] = []
    """Every failed check in words: the written notice of defects (OAC 126-3-01)."""


class PaymentData(_Thin):
    """A payment was sent, settled or came back."""

    application_id: ApplicationId
    claim_id: ClaimId
    disbursement_id: DisbursementId
    status: Code
    amount_cents: PositiveCents


class PingData(_Thin):
    """A test message the college asked for, or the ownership challenge of a new endpoint."""

    challenge: Annotated[str, Field(min_length=16, max_length=64)]


class _Message(_Thin):
    timestamp: Instant


class EnrollmentRequestedMessage(_Message):
    type: Literal["enrollment.requested"] = "enrollment.requested"
    data: EnrollmentRequestData


class EnrollmentReminderMessage(_Message):
    type: Literal["enrollment.reminder"] = "enrollment.reminder"
    data: EnrollmentRequestData


class CaseClosedMessage(_Message):
    type: Literal["case.closed"] = "case.closed"
    data: CaseClosedData


class ExamVoucherIssuedMessage(_Message):
    type: Literal["exam_voucher.issued"] = "exam_voucher.issued"
    data: ExamVoucherIssuedData


class CredentialRecordedMessage(_Message):
    type: Literal["credential.recorded"] = "credential.recorded"
    data: CredentialRecordedData


class ClaimDecidedMessage(_Message):
    type: Literal["claim.decided"] = "claim.decided"
    data: ClaimDecidedData


class PaymentMessage(_Message):
    type: Literal["payment.updated"] = "payment.updated"
    data: PaymentData


class PingMessage(_Message):
    type: Literal["ping"] = "ping"
    data: PingData


MESSAGES: tuple[type[_Message], ...] = (
    EnrollmentRequestedMessage,
    EnrollmentReminderMessage,
    CaseClosedMessage,
    ExamVoucherIssuedMessage,
    CredentialRecordedMessage,
    ClaimDecidedMessage,
    PaymentMessage,
    PingMessage,
)
