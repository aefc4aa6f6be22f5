"""From facts to webhook messages: which facts a college hears of, and the thin body it gets. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from contracts.envelope import CaseFact
from contracts.events.applications import (
    ApplicationClosed,
    CredentialRecorded,
    EnrollmentReminded,
    EnrollmentRequested,
)
from contracts.events.payments import (
    ClaimApproved,
    ClaimReferred,
    ClaimRefused,
    ClaimReturned,
    DisbursementReturned,
    DisbursementSent,
    DisbursementSettled,
    ExamVoucherIssued,
)
from contracts.ids import ClaimId, EnrollmentId
from contracts.journey import Stage
from contracts.webhooks import (
    CaseClosedData,
    CaseClosedMessage,
    ClaimDecidedData,
    ClaimDecidedMessage,
    CredentialRecordedData,
    CredentialRecordedMessage,
    EnrollmentReminderMessage,
    EnrollmentRequestData,
    EnrollmentRequestedMessage,
    ExamVoucherIssuedData,
    ExamVoucherIssuedMessage,
    PaymentData,
    PaymentMessage,
    PingData,
    PingMessage,
)
from services.notifications.domain import CaseFile, Missing

Message: TypeAlias = (
    EnrollmentRequestedMessage
    | EnrollmentReminderMessage
    | CaseClosedMessage
    | ExamVoucherIssuedMessage
    | CredentialRecordedMessage
    | ClaimDecidedMessage
    | PaymentMessage
    | PingMessage
)


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses a thin body points to, under the public URL of the API."""

    public_url: str

    def person(self, enrollment_id: EnrollmentId) -> str:
        return f"{self.public_url}/v1/enrollments/{enrollment_id}/person"

    def answer(self, enrollment_id: EnrollmentId) -> str:
        return f"{self.public_url}/v1/enrollments/{enrollment_id}/answer"

    def claims(self, enrollment_id: EnrollmentId) -> str:
        return f"{self.public_url}/v1/enrollments/{enrollment_id}/claims"


@dataclass(frozen=True, slots=True)
class WebhookDraft:
    """A message on its way to every endpoint of one provider."""

    provider_id: str
    message: Message
    defects_of: ClaimId | None = None
    """The returned claim whose defects it names."""


@dataclass(frozen=True, slots=True)
class _Enrolled:
    enrollment_id: EnrollmentId
    provider_id: str
    course_run_id: str | None
    award_cents: int


_Writer: TypeAlias = Callable[[Any, _Enrolled, Links, datetime], Message]

BEFORE_ANY_COLLEGE = frozenset({Stage.ELIGIBILITY, Stage.INFORMATION, Stage.APPEAL, Stage.AWARD, Stage.WAITING_LIST})


def _requested(fact: EnrollmentRequested, at: _Enrolled, links: Links, when: datetime) -> Message:
    data = EnrollmentRequestData(
        application_id=fact.application_id,
        enrollment_id=fact.enrollment_id,
        provider_id=fact.provider_id,
        credential_id=fact.credential_id,
        course_run_id=fact.course_run_id,
        award_cents=fact.award_cents,
        respond_by=fact.respond_by,
        person_url=links.person(fact.enrollment_id),
        answer_url=links.answer(fact.enrollment_id),
    )
    return EnrollmentRequestedMessage(timestamp=when, data=data)


def _reminded(fact: EnrollmentReminded, at: _Enrolled, links: Links, when: datetime) -> Message:
    data = EnrollmentRequestData(
        application_id=fact.application_id,
        enrollment_id=fact.enrollment_id,
        provider_id=fact.provider_id,
        credential_id=fact.credential_id,
        course_run_id=at.course_run_id,
        award_cents=at.award_cents,
        respond_by=fact.respond_by,
        person_url=links.person(fact.enrollment_id),
        answer_url=links.answer(fact.enrollment_id),
        reminder_number=fact.reminder_number,
    )
    return EnrollmentReminderMessage(timestamp=when, data=data)


def _closed(fact: ApplicationClosed, at: _Enrolled, links: Links, when: datetime) -> Message:
    data = CaseClosedData(application_id=fact.application_id, enrollment_id=at.enrollment_id, outcome=fact.outcome)
    return CaseClosedMessage(timestamp=when, data=data)


def _exam_voucher(fact: ExamVoucherIssued, at: _Enrolled, links: Links, when: datetime) -> Message:
    data = ExamVoucherIssuedData(
        application_id=fact.application_id,
        enrollment_id=at.enrollment_id,
        exam_id=fact.exam_id,
        attempt_number=fact.attempt_number,
    )
    return ExamVoucherIssuedMessage(timestamp=when, data=data)


def _credential(fact: CredentialRecorded, at: _Enrolled, links: Links, when: datetime) -> Message:
    data = CredentialRecordedData(
        application_id=fact.application_id,
        enrollment_id=at.enrollment_id,
        credential_id=fact.credential_id,
        claim_url=links.claims(at.enrollment_id),
    )
    return CredentialRecordedMessage(timestamp=when, data=data)


NEEDS_ENROLLMENT: Mapping[type[CaseFact], _Writer] = {
    EnrollmentRequested: _requested,
    EnrollmentReminded: _reminded,
    ExamVoucherIssued: _exam_voucher,
    CredentialRecorded: _credential,
    ApplicationClosed: _closed,
}

CLAIM_STATUS: Mapping[type[CaseFact], str] = {
    ClaimApproved: "approved",
    ClaimReturned: "returned",
    ClaimReferred: "referred",
    ClaimRefused: "refused",
}

PAYMENT_STATUS: Mapping[type[CaseFact], str] = {
    DisbursementSent: "sent",
    DisbursementSettled: "settled",
    DisbursementReturned: "returned",
}

FACTS: tuple[type[CaseFact], ...] = (*NEEDS_ENROLLMENT, *CLAIM_STATUS, *PAYMENT_STATUS)
"""Every fact that some college hears of."""


def webhook_for(
    fact: CaseFact, case: CaseFile, links: Links, *, occurred_at: datetime
) -> WebhookDraft | Missing | None:
    """The message this fact makes for the case's college; None where it concerns no college."""
    if isinstance(fact, ClaimApproved | ClaimReturned | ClaimReferred | ClaimRefused):
        decided = ClaimDecidedData(
            application_id=fact.application_id,
            claim_id=fact.claim_id,
            status=CLAIM_STATUS[type(fact)],
            approved_cents=fact.approved_cents if isinstance(fact, ClaimApproved) else 0,
            reasons=[check.reason for check in fact.checks if not check.passed],
            defects=[check.text for check in fact.checks if not check.passed],
        )
        return WebhookDraft(
            fact.provider_id,
            ClaimDecidedMessage(timestamp=occurred_at, data=decided),
            defects_of=fact.claim_id if isinstance(fact, ClaimReturned) else None,
        )
    if isinstance(fact, DisbursementSent | DisbursementSettled | DisbursementReturned):
        payment = PaymentData(
            application_id=fact.application_id,
            claim_id=fact.claim_id,
            disbursement_id=fact.disbursement_id,
            status=PAYMENT_STATUS[type(fact)],
            amount_cents=fact.amount_cents,
        )
        return WebhookDraft(fact.provider_id, PaymentMessage(timestamp=occurred_at, data=payment))
    writer = NEEDS_ENROLLMENT.get(type(fact))
    if writer is None:
        return None
    # A case that ended before any college was asked is nobody's business but the person's.
    if isinstance(fact, ApplicationClosed) and fact.stage in BEFORE_ANY_COLLEGE:
        return None
    if case.enrollment_id is None or case.enrollment_provider_id is None or case.award_cents is None:
        return Missing.ENROLLMENT
    enrolled = _Enrolled(case.enrollment_id, case.enrollment_provider_id, case.course_run_id, case.award_cents)
    return WebhookDraft(enrolled.provider_id, writer(fact, enrolled, links, occurred_at))


def ping(challenge: str, *, occurred_at: datetime) -> PingMessage:
    """The ownership challenge of an endpoint, or a test message its owner asked for."""
    return PingMessage(timestamp=occurred_at, data=PingData(challenge=challenge))


def body_of(message: Message) -> bytes:
    """The JSON that is signed and sent."""
    return message.model_dump_json(exclude_none=True).encode()
