"""What the journey asks of applications. Every step finds what an earlier attempt made, and then does nothing.

`db` is a pool that acts for the service itself (`acting.service_dsn`).
"""

import secrets
from dataclasses import replace
from datetime import datetime

from contracts.errors import NotFound
from contracts.events.applications import (
    ApplicationClosed,
    CredentialRecorded,
    EnrollmentReminded,
    EnrollmentRequested,
    StaffActRecorded,
)
from contracts.ids import CredentialAwardId, EnrollmentId
from contracts.journey import Stage
from contracts.steps.applications import (
    CaseLapsed,
    CloseCase,
    CredentialOnRecord,
    Done,
    EnrollmentRequestedResult,
    LapseCase,
    RecordCredential,
    RecordStaffAct,
    RemindCollege,
    RequestEnrollment,
)
from kit.db import Connection, Database
from kit.outbox import append
from services.applications.domain import (
    UNANSWERED,
    Application,
    CaseClosed,
    Enrollment,
    EnrollmentState,
    Reported,
    closed_with_case,
    was_reported,
)
from services.applications.store import applications, credentials, enrollments
from services.applications.store.credentials import CredentialAward

TOKEN_BYTES = 24


async def request_enrollment(ask: RequestEnrollment, *, db: Database, now: datetime) -> EnrollmentRequestedResult:
    """Ask the college for a place, once per application."""
    enrollment_id = EnrollmentId.derive("enrollment", ask.application_id)
    async with db.transaction() as tx:
        application = await _lock(tx, ask.application_id)
        if await enrollments.find(tx, enrollment_id) is not None:
            return EnrollmentRequestedResult(enrollment_id=enrollment_id)
        if application.closed_at is not None:
            raise CaseClosed()
        enrollment = _requested(enrollment_id, ask, application, now)
        await enrollments.put(tx, enrollment)
        if application.withdrawn_at is not None:
            # The journey is about to learn of the withdrawal: no college is to be asked for a person who left.
            await enrollments.save(tx, replace(enrollment, state=EnrollmentState.WITHDRAWN, ended_at=now))
            return EnrollmentRequestedResult(enrollment_id=enrollment_id)
        fact = EnrollmentRequested(
            application_id=ask.application_id,
            enrollment_id=enrollment_id,
            provider_id=ask.provider_id,
            credential_id=ask.credential_id,
            course_run_id=ask.course_run_id,
            award_cents=ask.award_cents,
            respond_by=ask.respond_by,
        )
        await append(tx, fact, now=now)
    return EnrollmentRequestedResult(enrollment_id=enrollment_id)


def _requested(
    enrollment_id: EnrollmentId, ask: RequestEnrollment, application: Application, now: datetime
) -> Enrollment:
    return Enrollment(
        enrollment_id=enrollment_id,
        application_id=ask.application_id,
        person_id=application.person_id,
        partner_id=application.partner_id,
        program_id=application.program_id,
        provider_id=ask.provider_id,
        credential_id=ask.credential_id,
        course_run_id=ask.course_run_id,
        award_cents=ask.award_cents,
        respond_by=ask.respond_by,
        requested_at=now,
    )


async def remind_college(ask: RemindCollege, *, db: Database, now: datetime) -> Done:
    """Remind a silent college; one that has answered meanwhile is left in peace."""
    async with db.transaction() as tx:
        application = await _lock(tx, ask.application_id)
        enrollment = await enrollments.find(tx, ask.enrollment_id)
        if enrollment is None or enrollment.application_id != ask.application_id:
            raise NotFound(kind="enrollment")
        is_silent = application.is_open and enrollment.state in UNANSWERED
        if is_silent and enrollment.reminders < ask.reminder_number:
            await enrollments.save(tx, replace(enrollment, reminders=ask.reminder_number, respond_by=ask.respond_by))
            fact = EnrollmentReminded(
                application_id=ask.application_id,
                enrollment_id=enrollment.enrollment_id,
                provider_id=enrollment.provider_id,
                credential_id=enrollment.credential_id,
                reminder_number=ask.reminder_number,
                escalated=ask.escalated,
                respond_by=ask.respond_by,
            )
            await append(tx, fact, now=now)
    return Done()


async def record_credential(ask: RecordCredential, *, db: Database, now: datetime) -> CredentialOnRecord:
    """Put the credential on record, on the strength of the attestation we keep."""
    award_id = CredentialAwardId.derive("credential", ask.application_id)
    async with db.transaction() as tx:
        application = await _lock(tx, ask.application_id)
        attestation = await credentials.find_attestation(tx, ask.enrollment_id)
        if attestation is None or attestation.attestation_id != ask.attestation_id:
            raise NotFound(kind="attestation")
        award = CredentialAward(
            credential_award_id=award_id,
            application_id=ask.application_id,
            enrollment_id=ask.enrollment_id,
            person_id=application.person_id,
            partner_id=application.partner_id,
            program_id=application.program_id,
            provider_id=ask.provider_id,
            credential_id=ask.credential_id,
            earned_on=ask.earned_on,
            publish_name=application.publish_name,
            verification_token=secrets.token_urlsafe(TOKEN_BYTES),
            recorded_at=now,
        )
        if await credentials.put_award(tx, award, attestation_id=ask.attestation_id):
            fact = CredentialRecorded(
                application_id=ask.application_id,
                credential_award_id=award_id,
                person_id=application.person_id,
                provider_id=ask.provider_id,
                credential_id=ask.credential_id,
                earned_on=ask.earned_on,
                recorded_at=now,
            )
            await append(tx, fact, now=now)
    return CredentialOnRecord(credential_award_id=award_id)


async def record_staff_act(ask: RecordStaffAct, *, db: Database, now: datetime) -> Done:
    """Keep what staff did, outside Temporal; the note stays here, the fact carries the typed reason.

    A deadline that staff moved is also the college's, while the case waits for its answer or for a place.
    """
    async with db.transaction() as tx:
        await _lock(tx, ask.application_id)
        is_new = await applications.put_staff_act(
            tx,
            ask.act_id,
            application_id=ask.application_id,
            act=ask.act,
            actor=ask.actor,
            reason=ask.reason,
            note=ask.note,
            acted_at=ask.acted_at,
        )
        if is_new:
            fact = StaffActRecorded(
                application_id=ask.application_id,
                act_id=ask.act_id,
                act=ask.act,
                actor=ask.actor,
                reason=ask.reason,
                acted_at=ask.acted_at,
                stage=ask.stage,
                due_at=ask.due_at,
                held_since=ask.held_since,
            )
            await append(tx, fact, now=now)
            await _move_enrollment(tx, ask)
    return Done()


async def _move_enrollment(tx: Connection, ask: RecordStaffAct) -> None:
    if ask.due_at is None or ask.stage != Stage.ENROLLMENT:
        return
    enrollment = await enrollments.find_of_application(tx, ask.application_id)
    if enrollment is not None and enrollment.state in UNANSWERED:
        await enrollments.save(tx, replace(enrollment, respond_by=ask.due_at))


async def lapse_case(ask: LapseCase, *, db: Database, now: datetime) -> CaseLapsed:
    """Shut the doors of a case whose deadline passed, unless what it waits for was acknowledged before.

    Both sides take the case's lock: of a report and the lapse one is first, and the other hears of it.
    """
    async with db.transaction() as tx:
        application = await _lock(tx, ask.application_id)
        if application.lapsed_at is not None:
            return CaseLapsed(lapsed=True)
        attempts = await enrollments.find_attempts(tx, ask.application_id, ask.exam_id) if ask.exam_id else {}
        reported = Reported(
            documents=await applications.count_documents(tx, ask.application_id),
            enrollment=await enrollments.find_of_application(tx, ask.application_id),
            attempt=attempts.get(ask.attempt_number or 1),
            claims=await enrollments.list_claims(tx, ask.application_id),
        )
        if was_reported(ask, reported):
            return CaseLapsed(lapsed=False)
        await applications.lapse(tx, ask.application_id, now=now)
    return CaseLapsed(lapsed=True)


async def close_case(ask: CloseCase, *, db: Database, now: datetime) -> Done:
    """End the case; an unanswered enrollment lapses, a running one is withdrawn."""
    async with db.transaction() as tx:
        application = await _lock(tx, ask.application_id)
        if application.closed_at is not None:
            return Done()
        enrollment = await enrollments.find_of_application(tx, ask.application_id)
        if enrollment is not None:
            await enrollments.save(tx, closed_with_case(enrollment, now=now))
        await applications.close(tx, ask.application_id, outcome=ask.outcome, now=now)
        fact = ApplicationClosed(
            application_id=ask.application_id,
            outcome=ask.outcome,
            stage=ask.stage,
            reasons=ask.reasons,
            closed_at=now,
        )
        await append(tx, fact, now=now)
    return Done()


async def _lock(tx: Connection, application_id: str) -> Application:
    application = await applications.lock(tx, application_id)
    if application is None:
        raise NotFound(kind="application")
    return application
