"""Enrollments, exam attempts and claims: what colleges report."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asyncpg import Record

from contracts.events.applications import ClaimDocument, ClaimLine, ExamResult
from contracts.ids import ClaimId
from kit.db import Connection
from services.applications.domain import AnswerKind, CollegeAnswer, Enrollment, EnrollmentState, ExamAttempt

_COLUMNS = """
e.enrollment_id, e.application_id, e.person_id, e.partner_id, e.program_id, e.provider_id, e.credential_id,
e.course_run_id, e.award_cents, e.respond_by, e.requested_at, e.state, e.answer, e.price_cents, e.starts_on, e.reasons,
e.answered_at, e.started_at, e.milestones, e.reminders, e.completed_on, e.withdrawn_reason, e.ended_at,
a.closed_at IS NULL AND a.withdrawn_at IS NULL AND a.lapsed_at IS NULL AS case_open
"""

_PUT = """
INSERT INTO enrollment (
    enrollment_id, application_id, person_id, partner_id, program_id, provider_id, credential_id, course_run_id,
    award_cents, respond_by, requested_at, state
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'requested')
"""

_FIND = (
    f"SELECT {_COLUMNS} FROM enrollment AS e JOIN application AS a USING (application_id) WHERE e.enrollment_id = $1"
)

_FIND_OF_APPLICATION = f"""
SELECT {_COLUMNS} FROM enrollment AS e JOIN application AS a USING (application_id) WHERE e.application_id = $1
"""

_LIST = f"""
SELECT {_COLUMNS} FROM enrollment AS e JOIN application AS a USING (application_id)
WHERE e.provider_id = $1 AND ($2::text IS NULL OR e.state = $2) AND ($3::text IS NULL OR e.enrollment_id > $3)
ORDER BY e.enrollment_id LIMIT $4
"""

_SAVE = """
UPDATE enrollment
SET state = $2, answer = $3, price_cents = $4, starts_on = $5, reasons = $6, answered_at = $7, started_at = $8,
    milestones = $9, reminders = $10, completed_on = $11, withdrawn_reason = $12, ended_at = $13, respond_by = $14
WHERE enrollment_id = $1
"""

_FIND_ATTEMPTS = """
SELECT exam_id, attempt_number, registration, registered_at, result, resulted_at FROM exam_attempt
WHERE application_id = $1 AND exam_id = $2
"""

_SAVE_ATTEMPT = """
INSERT INTO exam_attempt (
    application_id, exam_id, attempt_number, provider_id, registration, registered_at, result, resulted_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (application_id, exam_id, attempt_number) DO UPDATE
SET registration = excluded.registration, registered_at = excluded.registered_at,
    result = excluded.result, resulted_at = excluded.resulted_at
"""

_PUT_CLAIM = """
INSERT INTO claim (
    claim_id, enrollment_id, application_id, provider_id, invoice_number, invoice_on, amount_cents,
    participant_charged_cents, lines, documents, submitted_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT ON CONSTRAINT same_document_same_claim DO NOTHING
RETURNING claim_id
"""

_FIND_CLAIM = """
SELECT claim_id, submitted_at FROM claim
WHERE enrollment_id = $1 AND invoice_number = $2 AND invoice_on = $3 AND amount_cents = $4
    AND participant_charged_cents = $5 AND lines = $6 AND documents = $7
"""


_LIST_CLAIMS = "SELECT claim_id FROM claim WHERE application_id = $1"


async def put(tx: Connection, enrollment: Enrollment) -> None:
    e = enrollment
    await tx.execute(
        _PUT, e.enrollment_id, e.application_id, e.person_id, e.partner_id, e.program_id, e.provider_id,
        e.credential_id, e.course_run_id, e.award_cents, e.respond_by, e.requested_at,
    )  # fmt: skip


async def find(tx: Connection, enrollment_id: str) -> Enrollment | None:
    row = await tx.fetchrow(_FIND, enrollment_id)
    return _enrollment(row) if row else None


async def find_of_application(tx: Connection, application_id: str) -> Enrollment | None:
    row = await tx.fetchrow(_FIND_OF_APPLICATION, application_id)
    return _enrollment(row) if row else None


async def list_of_provider(
    tx: Connection, provider_id: str, *, state: str | None, after: str | None, limit: int
) -> list[Enrollment]:
    return [_enrollment(row) for row in await tx.fetch(_LIST, provider_id, state, after, limit)]


async def save(tx: Connection, enrollment: Enrollment) -> None:
    e, answer = enrollment, enrollment.answer
    await tx.execute(
        _SAVE, e.enrollment_id, e.state, answer.kind if answer else None, answer.price_cents if answer else None,
        answer.starts_on if answer else None, list(answer.reasons) if answer else [], e.answered_at, e.started_at,
        list(e.milestones), e.reminders, e.completed_on, e.withdrawn_reason, e.ended_at, e.respond_by,
    )  # fmt: skip


async def find_attempts(tx: Connection, application_id: str, exam_id: str) -> dict[int, ExamAttempt]:
    """The attempts at one exam, by number."""
    rows = await tx.fetch(_FIND_ATTEMPTS, application_id, exam_id)
    return {row["attempt_number"]: _attempt(row) for row in rows}


async def save_attempt(tx: Connection, application_id: str, provider_id: str, attempt: ExamAttempt) -> None:
    await tx.execute(
        _SAVE_ATTEMPT, application_id, attempt.exam_id, attempt.attempt_number, provider_id, attempt.registration,
        attempt.registered_at, attempt.result, attempt.resulted_at,
    )  # fmt: skip


async def list_claims(tx: Connection, application_id: str) -> frozenset[str]:
    """The ids of every claim of the case."""
    return frozenset(row["claim_id"] for row in await tx.fetch(_LIST_CLAIMS, application_id))


async def put_claim(
    tx: Connection,
    claim_id: ClaimId,
    enrollment: Enrollment,
    *,
    invoice_number: str,
    invoice_on: str,
    amount_cents: int,
    participant_charged_cents: int,
    lines: Sequence[ClaimLine],
    documents: Sequence[ClaimDocument],
    now: datetime,
) -> tuple[ClaimId, datetime, bool]:
    """Keep the claim document; the same document again is the same claim. Returns id, time and whether it is new."""
    papers = ([one.model_dump(mode="json") for one in part] for part in (lines, documents))
    document = (invoice_number, invoice_on, amount_cents, participant_charged_cents, *papers)
    kept = await tx.fetchval(
        _PUT_CLAIM,
        claim_id,
        enrollment.enrollment_id,
        enrollment.application_id,
        enrollment.provider_id,
        *document,
        now,
    )
    if kept is not None:
        return claim_id, now, True
    row = await tx.fetchrow(_FIND_CLAIM, enrollment.enrollment_id, *document)
    assert row is not None
    return ClaimId(row["claim_id"]), row["submitted_at"], False


def _enrollment(row: Record) -> Enrollment:
    fields: dict[str, Any] = dict(row)
    answer, reasons = fields.pop("answer"), fields.pop("reasons")
    price_cents, starts_on = fields.pop("price_cents"), fields.pop("starts_on")
    fields["state"] = EnrollmentState(fields["state"])
    fields["milestones"] = tuple(fields["milestones"])
    fields["answer"] = CollegeAnswer(AnswerKind(answer), price_cents, starts_on, tuple(reasons)) if answer else None
    return Enrollment(**fields)


def _attempt(row: Record) -> ExamAttempt:
    fields = dict(row)
    fields["result"] = ExamResult(fields["result"]) if fields["result"] else None
    return ExamAttempt(**fields)
