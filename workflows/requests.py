"""What each step is asked, put together from the case: the same case state always gives the same request."""

from collections.abc import Collection, Sequence
from datetime import datetime

from contracts.events.applications import ApplicationSubmitted, ClaimSubmitted, CompletionAttested, EnrollmentAccepted
from contracts.ids import ApplicationId, ClaimId, EnrollmentId
from contracts.plan import CasePlan, ExamPolicy
from contracts.steps.applications import Awaited, LapseCase, RecordCredential, RemindCollege, RequestEnrollment
from contracts.steps.eligibility import Determine
from contracts.steps.payments import EncumberFunds, HoldFunds, IssueExamVoucher, ReviewClaim
from contracts.texts import Sealed


def determination(
    asked: ApplicationSubmitted,
    *,
    number: int,
    pack_version: str | None,
    evidence: list[Sealed],
    upheld_by: str | None,
) -> Determine:
    """Decide on everything the person declared and sent in so far."""
    return Determine(
        application_id=asked.application_id,
        person_id=asked.person_id,
        program_id=asked.program_id,
        round_id=asked.round_id,
        provider_id=asked.provider_id,
        credential_id=asked.credential_id,
        course_run_id=asked.course_run_id,
        submitted_at=asked.submitted_at,
        determination_number=number,
        pack_version=pack_version,
        sealed_declaration=asked.sealed_declaration,
        sealed_evidence=evidence,
        appeal_upheld_by=upheld_by,
    )


def hold(asked: ApplicationSubmitted, plan: CasePlan, *, number: int) -> HoldFunds:
    """Set the award aside."""
    return HoldFunds(
        application_id=asked.application_id,
        person_id=asked.person_id,
        program_id=asked.program_id,
        round_id=asked.round_id,
        provider_id=asked.provider_id,
        credential_id=asked.credential_id,
        amount_cents=plan.award_cents,
        hold_seconds=max(1, int(plan.deadlines.hold.total_seconds())),
        hold_number=number,
        submitted_at=asked.submitted_at,
        priority_group=plan.priority_group,
        cost_lines=plan.cost_lines,
    )


def enrollment(asked: ApplicationSubmitted, plan: CasePlan, *, respond_by: datetime) -> RequestEnrollment:
    """Ask the college for a seat."""
    return RequestEnrollment(
        application_id=asked.application_id,
        person_id=asked.person_id,
        provider_id=asked.provider_id,
        credential_id=asked.credential_id,
        course_run_id=asked.course_run_id,
        award_cents=plan.award_cents,
        respond_by=respond_by,
    )


def reminder(
    application_id: ApplicationId,
    enrollment_id: EnrollmentId,
    *,
    number: int,
    escalated: bool,
    respond_by: datetime,
) -> RemindCollege:
    """Remind a silent college."""
    return RemindCollege(
        application_id=application_id,
        enrollment_id=enrollment_id,
        reminder_number=number,
        escalated=escalated,
        respond_by=respond_by,
    )


def lapse(
    application_id: ApplicationId,
    awaited: Awaited,
    *,
    documents_known: int,
    claims_known: Collection[ClaimId],
    exam_id: str | None = None,
    attempt: int | None = None,
) -> LapseCase:
    """Take no more reports, unless what the case waits for was reported already."""
    return LapseCase(
        application_id=application_id,
        awaited=awaited,
        exam_id=exam_id,
        attempt_number=attempt,
        documents_known=documents_known,
        claims_known=sorted(claims_known),
    )


def encumbrance(accepted: EnrollmentAccepted, *, price_cents: int, hold_number: int) -> EncumberFunds:
    """Commit the money that was held to the enrollment."""
    return EncumberFunds(
        application_id=accepted.application_id,
        enrollment_id=accepted.enrollment_id,
        price_cents=price_cents,
        hold_number=hold_number,
    )


def exam_voucher(
    asked: ApplicationSubmitted, policy: ExamPolicy, *, attempt: int, pack_version: str | None
) -> IssueExamVoucher:
    """Allocate an exam voucher for one attempt, under the exam policy that the case is pinned to."""
    return IssueExamVoucher(
        application_id=asked.application_id,
        person_id=asked.person_id,
        exam_id=policy.exam_id,
        attempt_number=attempt,
        usable_seconds=int(policy.usable_for.total_seconds()),
        attempts_max=policy.attempts_max,
        retake_wait_seconds=int(policy.retake_wait.total_seconds()),
        pack_version=pack_version,
    )


def credential(
    asked: ApplicationSubmitted, *, enrollment_id: EnrollmentId, completion: CompletionAttested, earned_on: str
) -> RecordCredential:
    """Put the credential on record, on the strength of the attestation."""
    return RecordCredential(
        application_id=asked.application_id,
        person_id=asked.person_id,
        provider_id=asked.provider_id,
        credential_id=asked.credential_id,
        enrollment_id=enrollment_id,
        attestation_id=completion.attestation_id,
        earned_on=earned_on,
    )


def review(
    asked: ApplicationSubmitted,
    plan: CasePlan,
    claim: ClaimSubmitted,
    *,
    earned_on: str,
    due_at: datetime,
    approved_by: Sequence[str],
    review_number: int,
    refused_by: str | None,
) -> ReviewClaim:
    """Match a claim against award, enrollment, credential, price and window."""
    return ReviewClaim(
        application_id=asked.application_id,
        claim_id=claim.claim_id,
        enrollment_id=claim.enrollment_id,
        provider_id=claim.provider_id,
        credential_id=asked.credential_id,
        invoice_number=claim.invoice_number,
        invoice_on=claim.invoice_on,
        amount_cents=claim.amount_cents,
        participant_charged_cents=claim.participant_charged_cents,
        credential_earned_on=earned_on,
        claim_due_at=due_at,
        submitted_at=claim.submitted_at,
        auto_approve_max_cents=plan.claim_auto_approve_max_cents,
        approved_by=list(approved_by),
        review_number=review_number,
        refused_by=refused_by,
        lines=claim.lines,
        documents=claim.documents,
        cost_lines=plan.cost_lines,
    )
