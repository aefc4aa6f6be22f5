"""Case files, listings and waiting facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.events.eligibility import ProgramPublished
from contracts.ids import ApplicationId, EnrollmentId, PersonId
from kit.db import Connection
from kit.telemetry import TraceContext
from services.notifications.domain import CaseFile, Listing, Missing

# Locks the case until commit: two topics' facts about one case are told one after the other, whichever comes first.
_LOCK_CASE = """
INSERT INTO case_file AS c (application_id) VALUES ($1)
ON CONFLICT (application_id) DO UPDATE SET application_id = excluded.application_id
RETURNING c.*
"""

_READ_CASE = "SELECT * FROM case_file WHERE application_id = $1"

_SAVE_CASE = """
UPDATE case_file SET person_id = $2, partner_id = $3, program_id = $4, provider_id = $5, credential_id = $6,
    language = $7, sealed_contact = $8, enrollment_id = $9, enrollment_provider_id = $10, course_run_id = $11,
    award_cents = $12, pack_version = $13, exam_attempts_max = $14, exam_retake_wait_seconds = $15
WHERE application_id = $1
"""

_LISTING = """
SELECT p.title AS program_title, coalesce(v.name, $2) AS provider_name, coalesce(c.title, $3) AS credential_title,
    c.exam_attempts_max, c.exam_retake_wait_seconds, v.contact_email IS NOT NULL AS provider_has_contact
FROM listed_program AS p
LEFT JOIN listed_provider AS v ON v.program_id = p.program_id AND v.provider_id = $2
LEFT JOIN listed_credential AS c ON c.program_id = p.program_id AND c.credential_id = $3
WHERE p.program_id = $1
"""

# The newest version wins, in whatever order versions arrive.
_LIST_PROGRAM = """
INSERT INTO listed_program AS p (program_id, title, pack_version, published_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (program_id) DO UPDATE
    SET title = excluded.title, pack_version = excluded.pack_version, published_at = excluded.published_at
    WHERE p.published_at <= excluded.published_at
RETURNING p.program_id
"""

# What a newer version no longer lists stays: running cases still need its name.
_LIST_PROVIDERS = """
INSERT INTO listed_provider (program_id, provider_id, name, contact_email)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])
ON CONFLICT (program_id, provider_id) DO UPDATE SET name = excluded.name, contact_email = excluded.contact_email
"""

_LIST_CREDENTIALS = """
INSERT INTO listed_credential (program_id, credential_id, title, exam_attempts_max, exam_retake_wait_seconds)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::integer[], $5::bigint[])
ON CONFLICT (program_id, credential_id) DO UPDATE SET title = excluded.title,
    exam_attempts_max = excluded.exam_attempts_max, exam_retake_wait_seconds = excluded.exam_retake_wait_seconds
"""

_PARK_FACT = """
INSERT INTO waiting_fact (
    event_id, application_id, type, payload, occurred_at, missing, traceparent, correlation_id, causation_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (event_id) DO UPDATE SET missing = excluded.missing
"""

_PARKED_FACTS = """
SELECT event_id, type, payload, occurred_at, traceparent, correlation_id, causation_id FROM waiting_fact
WHERE application_id = $1 ORDER BY occurred_at, event_id
"""

_UNPARK_FACT = "DELETE FROM waiting_fact WHERE event_id = $1"

_CASES_WAITING_FOR_PROGRAM = """
SELECT DISTINCT c.application_id FROM case_file AS c JOIN waiting_fact AS w USING (application_id)
WHERE c.program_id = $1 AND w.missing = 'program' ORDER BY c.application_id
"""


@dataclass(frozen=True, slots=True)
class WaitingFact:
    """A fact that could not be told yet, as it came."""

    event_id: UUID
    type: str
    payload: dict[str, Any]
    occurred_at: datetime
    trace: TraceContext
    """The conversation it belongs to, whenever it is told."""


def _case_of(row: Any) -> CaseFile:
    return CaseFile(
        application_id=ApplicationId(row["application_id"]),
        person_id=PersonId(row["person_id"]) if row["person_id"] else None,
        partner_id=row["partner_id"],
        program_id=row["program_id"],
        provider_id=row["provider_id"],
        credential_id=row["credential_id"],
        language=row["language"],
        sealed_contact=row["sealed_contact"],
        enrollment_id=EnrollmentId(row["enrollment_id"]) if row["enrollment_id"] else None,
        enrollment_provider_id=row["enrollment_provider_id"],
        course_run_id=row["course_run_id"],
        award_cents=row["award_cents"],
        pack_version=row["pack_version"],
        exam_attempts_max=row["exam_attempts_max"],
        exam_retake_wait=_duration(row["exam_retake_wait_seconds"]),
    )


def _duration(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


async def lock_case(tx: Connection, application_id: ApplicationId) -> CaseFile:
    """The case file, made if it is not there, locked until commit."""
    return _case_of(await tx.fetchrow(_LOCK_CASE, application_id))


async def read_case(tx: Connection, application_id: ApplicationId) -> CaseFile | None:
    row = await tx.fetchrow(_READ_CASE, application_id)
    return _case_of(row) if row else None


async def save_case(tx: Connection, case: CaseFile) -> None:
    await tx.execute(
        _SAVE_CASE,
        case.application_id,
        case.person_id,
        case.partner_id,
        case.program_id,
        case.provider_id,
        case.credential_id,
        case.language,
        case.sealed_contact,
        case.enrollment_id,
        case.enrollment_provider_id,
        case.course_run_id,
        case.award_cents,
        case.pack_version,
        case.exam_attempts_max,
        None if case.exam_retake_wait is None else int(case.exam_retake_wait.total_seconds()),
    )


async def listing_of(tx: Connection, case: CaseFile) -> Listing | None:
    """The titles for this case; ids stand in for what a known program does not list. None: program unknown.

    The exam policy is the one the case is pinned to. Cases decided before that was told have the newest one.
    """
    row = await tx.fetchrow(_LISTING, case.program_id, case.provider_id, case.credential_id)
    if row is None:
        return None
    pinned = case.pack_version is not None
    return Listing(
        program_title=row["program_title"],
        provider_name=row["provider_name"],
        credential_title=row["credential_title"],
        exam_attempts_max=case.exam_attempts_max if pinned else row["exam_attempts_max"],
        exam_retake_wait=case.exam_retake_wait if pinned else _duration(row["exam_retake_wait_seconds"]),
        provider_has_contact=row["provider_has_contact"],
    )


async def list_program(tx: Connection, fact: ProgramPublished) -> bool:
    """Copy the names a program publishes; False where a newer version is already here."""
    newest = await tx.fetchval(_LIST_PROGRAM, fact.program_id, fact.title, fact.pack_version, fact.published_at)
    if newest is None:
        return False
    providers = fact.providers
    await tx.execute(
        _LIST_PROVIDERS,
        fact.program_id,
        [p.provider_id for p in providers],
        [p.name for p in providers],
        [p.contact_email for p in providers],
    )
    credentials = fact.credentials
    await tx.execute(
        _LIST_CREDENTIALS,
        fact.program_id,
        [c.credential_id for c in credentials],
        [c.title for c in credentials],
        [c.exam.attempts_max if c.exam else None for c in credentials],
        [int(c.exam.retake_wait.total_seconds()) if c.exam else None for c in credentials],
    )
    return True


async def park_fact(tx: Connection, application_id: ApplicationId, fact: WaitingFact, missing: Missing) -> None:
    await tx.execute(
        _PARK_FACT, fact.event_id, application_id, fact.type, fact.payload, fact.occurred_at, missing.value,
        fact.trace.traceparent, fact.trace.correlation_id, fact.trace.causation_id,
    )  # fmt: skip


async def parked_facts(tx: Connection, application_id: ApplicationId) -> Sequence[WaitingFact]:
    """The case's waiting facts in the order they happened."""
    rows = await tx.fetch(_PARKED_FACTS, application_id)
    return [
        WaitingFact(
            row["event_id"],
            row["type"],
            row["payload"],
            row["occurred_at"],
            TraceContext(row["traceparent"], row["correlation_id"], row["causation_id"]),
        )
        for row in rows
    ]


async def unpark_fact(tx: Connection, event_id: UUID) -> None:
    await tx.execute(_UNPARK_FACT, event_id)


async def cases_waiting_for_program(tx: Connection, program_id: str) -> list[ApplicationId]:
    rows = await tx.fetch(_CASES_WAITING_FOR_PROGRAM, program_id)
    return [ApplicationId(row["application_id"]) for row in rows]
