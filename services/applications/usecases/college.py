"""What a college reports: its answer, the course's start and milestones, who left, exams, claims."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from contracts.envelope import Fact
from contracts.errors import NotFound
from contracts.events.applications import (
    ClaimSubmitted,
    EnrollmentAccepted,
    EnrollmentRefused,
    EnrollmentStarted,
    EnrollmentWaitlisted,
    EnrollmentWithdrawn,
    ExamRegistered,
    ExamResulted,
    MilestoneReached,
)
from contracts.ids import ClaimId
from kit.db import Connection, Database
from kit.idempotency import Answer
from kit.outbox import append
from services.applications import views
from services.applications.commands import (
    AnswerEnrollment,
    RegisterExam,
    ReportExamResult,
    ReportMilestone,
    ReportWithdrawal,
    SubmitClaim,
)
from services.applications.domain import (
    AnswerKind,
    CaseClosed,
    CollegeAnswer,
    CredentialNotRecorded,
    Enrollment,
    EnrollmentState,
    ExamAttempt,
    NoSuchExam,
    OutOfOrder,
    answered,
    left,
    reached,
    registered,
    require_day_begun,
    resulted,
    started,
)
from services.applications.store import applications, catalog, credentials, enrollments
from services.applications.usecases.acting import Call, answer_once, as_provider

Decided: TypeAlias = tuple[Enrollment, Fact]


async def lock_own_enrollment(tx: Connection, enrollment_id: str, call: Call) -> Enrollment:
    """The provider's enrollment, read after its case is locked, so that nobody else changes it meanwhile."""
    application = await applications.lock_of_enrollment(tx, enrollment_id)
    enrollment = await enrollments.find(tx, enrollment_id) if application else None
    if enrollment is None or enrollment.provider_id != call.caller_id:
        raise NotFound(kind="enrollment")
    return enrollment


async def _report(
    enrollment_id: str,
    call: Call,
    decide: Callable[[Connection, Enrollment], Awaitable[Decided]],
    *,
    db: Database,
    public_url: str,
) -> Answer:
    """Let `decide` change the enrollment; its fact goes out only where something did change."""

    async def effect(tx: Connection) -> views.EnrollmentView:
        before = await lock_own_enrollment(tx, enrollment_id, call)
        after, fact = await decide(tx, before)
        if after is not before:
            await enrollments.save(tx, after)
            await append(tx, fact, now=call.now)
        return views.enrollment_view(after, public_url=public_url)

    return await answer_once(call, effect, status=200, db=db, local=as_provider(call.caller_id))


async def answer_enrollment(
    enrollment_id: str, command: AnswerEnrollment, call: Call, *, db: Database, public_url: str
) -> Answer:
    """Take the college's answer; the same again is the same, another one is 409."""
    answer = CollegeAnswer(
        kind=command.answer,
        price_cents=command.price_cents if command.answer is AnswerKind.ACCEPTED else None,
        starts_on=command.starts_on.isoformat() if command.starts_on else None,
        reasons=command.reasons,
    )

    async def decide(tx: Connection, before: Enrollment) -> Decided:
        after = answered(before, answer, now=call.now)
        return after, _answer_fact(after, answer, call)

    return await _report(enrollment_id, call, decide, db=db, public_url=public_url)


def _answer_fact(enrollment: Enrollment, answer: CollegeAnswer, call: Call) -> Fact:
    e = enrollment
    if answer.kind is AnswerKind.REFUSED:
        return EnrollmentRefused(
            application_id=e.application_id,
            enrollment_id=e.enrollment_id,
            provider_id=e.provider_id,
            credential_id=e.credential_id,
            reasons=list(answer.reasons),
            answered_at=call.now,
        )
    if answer.kind is AnswerKind.WAITLISTED or answer.price_cents is None:
        return EnrollmentWaitlisted(
            application_id=e.application_id,
            enrollment_id=e.enrollment_id,
            provider_id=e.provider_id,
            credential_id=e.credential_id,
            answered_at=call.now,
        )
    return EnrollmentAccepted(
        application_id=e.application_id,
        enrollment_id=e.enrollment_id,
        provider_id=e.provider_id,
        credential_id=e.credential_id,
        course_run_id=e.course_run_id,
        price_cents=answer.price_cents,
        starts_on=answer.starts_on,
        answered_at=call.now,
    )


async def report_start(enrollment_id: str, call: Call, *, db: Database, public_url: str) -> Answer:
    """The person began the course."""

    async def decide(tx: Connection, before: Enrollment) -> Decided:
        after = started(before, now=call.now)
        return after, EnrollmentStarted(
            application_id=after.application_id,
            enrollment_id=after.enrollment_id,
            provider_id=after.provider_id,
            credential_id=after.credential_id,
            started_at=call.now,
        )

    return await _report(enrollment_id, call, decide, db=db, public_url=public_url)


async def report_milestone(
    enrollment_id: str, command: ReportMilestone, call: Call, *, db: Database, public_url: str
) -> Answer:
    """The person reached a milestone that the program lists for the credential."""

    async def decide(tx: Connection, before: Enrollment) -> Decided:
        listed = await catalog.find_credential(tx, program_id=before.program_id, credential_id=before.credential_id)
        after = reached(before, command.milestone, listed=listed.milestones if listed else frozenset())
        return after, MilestoneReached(
            application_id=after.application_id,
            enrollment_id=after.enrollment_id,
            provider_id=after.provider_id,
            credential_id=after.credential_id,
            milestone=command.milestone,
            reached_at=call.now,
        )

    return await _report(enrollment_id, call, decide, db=db, public_url=public_url)


async def report_withdrawal(
    enrollment_id: str, command: ReportWithdrawal, call: Call, *, db: Database, public_url: str
) -> Answer:
    """The person left the course."""

    async def decide(tx: Connection, before: Enrollment) -> Decided:
        after = left(before, command.reason, now=call.now)
        return after, EnrollmentWithdrawn(
            application_id=after.application_id,
            enrollment_id=after.enrollment_id,
            provider_id=after.provider_id,
            credential_id=after.credential_id,
            reason=command.reason,
            withdrawn_at=call.now,
        )

    return await _report(enrollment_id, call, decide, db=db, public_url=public_url)


async def register_exam(application_id: str, command: RegisterExam, call: Call, *, db: Database) -> Answer:
    """The person is registered for an attempt at the exam."""

    async def effect(tx: Connection) -> views.ExamAttemptView:
        enrollment, attempts = await _exam_attempts(tx, application_id, command.exam_id, call)
        before = attempts.get(command.attempt_number)
        attempt = registered(
            attempts,
            exam_id=command.exam_id,
            attempt_number=command.attempt_number,
            registration=command.registration,
            now=call.now,
        )
        if attempt is not before:
            _require_learned(enrollment)
            await enrollments.save_attempt(tx, application_id, call.caller_id, attempt)
            fact = ExamRegistered(
                application_id=enrollment.application_id,
                exam_id=attempt.exam_id,
                attempt_number=attempt.attempt_number,
                registration=attempt.registration,
                registered_at=call.now,
            )
            await append(tx, fact, now=call.now)
        return _attempt_view(application_id, attempt)

    return await answer_once(call, effect, status=200, db=db, local=as_provider(call.caller_id))


async def report_exam_result(application_id: str, command: ReportExamResult, call: Call, *, db: Database) -> Answer:
    """An attempt at the exam has a result."""

    async def effect(tx: Connection) -> views.ExamAttemptView:
        enrollment, attempts = await _exam_attempts(tx, application_id, command.exam_id, call)
        before = attempts.get(command.attempt_number)
        attempt = resulted(before, attempt_number=command.attempt_number, result=command.result, now=call.now)
        if attempt is not before:
            _require_learned(enrollment)
            await enrollments.save_attempt(tx, application_id, call.caller_id, attempt)
            fact = ExamResulted(
                application_id=enrollment.application_id,
                exam_id=attempt.exam_id,
                attempt_number=attempt.attempt_number,
                result=command.result,
                resulted_at=call.now,
            )
            await append(tx, fact, now=call.now)
        return _attempt_view(application_id, attempt)

    return await answer_once(call, effect, status=200, db=db, local=as_provider(call.caller_id))


async def _exam_attempts(
    tx: Connection, application_id: str, exam_id: str, call: Call
) -> tuple[Enrollment, dict[int, ExamAttempt]]:
    application = await applications.lock(tx, application_id)
    enrollment = await enrollments.find_of_application(tx, application_id) if application else None
    if enrollment is None or enrollment.provider_id != call.caller_id:
        raise NotFound(kind="application")
    listed = await catalog.find_credential(tx, program_id=enrollment.program_id, credential_id=enrollment.credential_id)
    if listed is None or listed.exam_id != exam_id:
        raise NoSuchExam(pointer="/exam_id")
    return enrollment, await enrollments.find_attempts(tx, application_id, exam_id)


def _require_learned(enrollment: Enrollment) -> None:
    if not enrollment.case_open:
        raise CaseClosed()
    if enrollment.state is not EnrollmentState.COMPLETED:
        raise OutOfOrder(state=enrollment.state, act="examined before completion is attested")


def _attempt_view(application_id: str, attempt: ExamAttempt) -> views.ExamAttemptView:
    return views.ExamAttemptView(
        application_id=application_id,
        exam_id=attempt.exam_id,
        attempt_number=attempt.attempt_number,
        registration=attempt.registration,
        registered_at=attempt.registered_at,
        result=attempt.result,
        resulted_at=attempt.resulted_at,
    )


async def submit_claim(enrollment_id: str, command: SubmitClaim, call: Call, *, db: Database) -> Answer:
    """Take the provider's claim for an earned credential; payments decides it. The same document is the same claim."""
    invoice_on = command.invoice_on.isoformat()
    require_day_begun(invoice_on, which="invoice_on", now=call.now, pointer="/invoice_on")

    async def effect(tx: Connection) -> views.ClaimTaken:
        enrollment = await lock_own_enrollment(tx, enrollment_id, call)
        if await credentials.find_award(tx, enrollment.application_id) is None:
            if not enrollment.case_open:
                raise CaseClosed()
            raise CredentialNotRecorded()
        claim_id, submitted_at, is_new = await enrollments.put_claim(
            tx,
            ClaimId.new(),
            enrollment,
            invoice_number=command.invoice_number,
            invoice_on=invoice_on,
            amount_cents=command.amount_cents,
            participant_charged_cents=command.participant_charged_cents,
            lines=command.lines,
            documents=command.documents,
            now=call.now,
        )
        if is_new:
            if not enrollment.case_open:
                raise CaseClosed()
            fact = ClaimSubmitted(
                application_id=enrollment.application_id,
                claim_id=claim_id,
                enrollment_id=enrollment.enrollment_id,
                provider_id=enrollment.provider_id,
                invoice_number=command.invoice_number,
                invoice_on=invoice_on,
                amount_cents=command.amount_cents,
                participant_charged_cents=command.participant_charged_cents,
                submitted_at=submitted_at,
                lines=command.lines,
                documents=command.documents,
            )
            await append(tx, fact, now=call.now)
        return views.ClaimTaken(
            claim_id=claim_id,
            enrollment_id=enrollment_id,
            invoice_number=command.invoice_number,
            amount_cents=command.amount_cents,
            submitted_at=submitted_at,
        )

    return await answer_once(call, effect, status=201, db=db, local=as_provider(call.caller_id))
