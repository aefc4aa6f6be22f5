"""Notices: written once per fact, sent by whoever holds the lease."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contracts.ids import ApplicationId, ClaimId, NoticeId, PersonId
from kit.db import Connection
from kit.outbox import Draft, append_one
from kit.telemetry import TraceContext
from services.notifications.notices import NoticeDraft, Particulars

_WRITE_NOTICE = """
INSERT INTO notice (notice_id, application_id, template, language, particulars, state, due_at, created_at,
    traceparent, correlation_id, causation_id, provider_id, claim_id)
VALUES ($1, $2, $3, $4, $5, 'pending', $6, $6, $7, $8, $9, $10, $11)
ON CONFLICT (notice_id) DO NOTHING
"""

# The earlier notices of a case go first: nobody must read the end before the beginning. Who is told what apart: a
# person's mailbox that takes nothing does not keep a provider from its letter.
_TAKE_DUE_NOTICES = """
WITH due AS (
    SELECT n.notice_id FROM notice AS n
    WHERE n.state = 'pending' AND n.due_at <= $1 AND (n.leased_until IS NULL OR n.leased_until <= $1)
        AND NOT EXISTS (
            SELECT 1 FROM notice AS e WHERE e.application_id = n.application_id AND e.state = 'pending'
                AND e.position < n.position AND e.provider_id IS NOT DISTINCT FROM n.provider_id
        )
    ORDER BY n.due_at, n.position LIMIT $3
    FOR UPDATE OF n SKIP LOCKED
)
UPDATE notice AS n SET attempts = n.attempts + 1, leased_until = $2
FROM due, case_file AS c
WHERE n.notice_id = due.notice_id AND c.application_id = n.application_id
RETURNING n.notice_id, n.application_id, n.template, n.language, n.particulars, n.attempts, n.leased_until,
    n.traceparent, n.correlation_id, n.causation_id, c.person_id, c.program_id, c.sealed_contact, n.provider_id,
    n.claim_id, (
        SELECT v.contact_email FROM listed_provider AS v
        WHERE v.program_id = c.program_id AND v.provider_id = n.provider_id
    ) AS contact_email
"""

_END_FAILED = """
UPDATE notice SET state = 'failed', failure = $3, leased_until = NULL
WHERE notice_id = $1 AND state = 'pending' AND leased_until = $2
RETURNING notice_id
"""

_END_SENT = f"""
WITH ended AS (
    UPDATE notice SET state = 'sent', sent_at = $9, leased_until = NULL
    WHERE notice_id = $10 AND state = 'pending' AND leased_until = $11
    RETURNING notice_id
), {append_one("ended")}
SELECT FROM appended
"""

_POSTPONE_NOTICE = """
UPDATE notice SET due_at = $3, leased_until = NULL
WHERE notice_id = $1 AND state = 'pending' AND leased_until = $2
RETURNING notice_id
"""

_NOTICES_OF_CASE = """
SELECT notice_id, template, language, state, attempts, failure, created_at, sent_at
FROM notice WHERE application_id = $1 AND provider_id IS NULL ORDER BY position
"""


@dataclass(frozen=True, slots=True)
class Office:
    """Where a provider is told what its claim lacks; no address where the program has ceased to list one."""

    provider_id: str
    claim_id: ClaimId
    email: str | None


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice that this process may send until its lease ends: to the person, or to the provider's office."""

    notice_id: NoticeId
    application_id: ApplicationId
    person_id: PersonId
    program_id: str
    template: str
    language: str
    particulars: Particulars
    sealed_contact: str
    office: Office | None
    attempt_number: int
    leased_until: datetime
    trace: TraceContext


@dataclass(frozen=True, slots=True)
class NoticeRecord:
    """What the log says of one notice: never its text, never its address."""

    notice_id: NoticeId
    template: str
    language: str
    state: str
    attempts: int
    failure: str | None
    created_at: datetime
    sent_at: datetime | None


async def write_notice(
    tx: Connection,
    notice_id: NoticeId,
    application_id: ApplicationId,
    draft: NoticeDraft,
    *,
    trace: TraceContext,
    now: datetime,
) -> None:
    """Queue a notice; the same id a second time changes nothing."""
    await tx.execute(
        _WRITE_NOTICE,
        notice_id,
        application_id,
        draft.template,
        draft.language,
        draft.particulars,
        now,
        trace.traceparent,
        trace.correlation_id,
        trace.causation_id,
        draft.defects and draft.defects.provider_id,
        draft.defects and draft.defects.claim_id,
    )


async def take_due_notices(tx: Connection, *, limit: int, now: datetime, lease: timedelta) -> list[DueNotice]:
    """Lease the due notices, at most one of each case; what another process holds is passed over."""
    return [_due_of(row) for row in await tx.fetch(_TAKE_DUE_NOTICES, now, now + lease, limit)]


def _due_of(row: Any) -> DueNotice:
    return DueNotice(
        notice_id=NoticeId(row["notice_id"]),
        application_id=ApplicationId(row["application_id"]),
        person_id=PersonId(row["person_id"]),
        program_id=row["program_id"],
        template=row["template"],
        language=row["language"],
        particulars=row["particulars"],
        sealed_contact=row["sealed_contact"],
        office=Office(row["provider_id"], ClaimId(row["claim_id"]), row["contact_email"]) if row["claim_id"] else None,
        attempt_number=row["attempts"],
        leased_until=row["leased_until"],
        trace=TraceContext(row["traceparent"], row["correlation_id"], row["causation_id"]),
    )


async def end_sent(connection: Connection, due: DueNotice, sent: Draft) -> None:
    """Mark it sent and append the fact, whose time is the sending's; neither where the lease was lost meanwhile.

    One statement, which commits by itself.
    """
    await connection.execute(_END_SENT, *sent.values, due.notice_id, due.leased_until)


async def end_failed(tx: Connection, due: DueNotice, *, failure: str) -> bool:
    """Mark it failed for good; False where the lease was lost meanwhile."""
    return await tx.fetchval(_END_FAILED, due.notice_id, due.leased_until, failure) is not None


async def postpone_notice(tx: Connection, due: DueNotice, *, due_at: datetime) -> bool:
    """Give it back to be tried again; False where the lease was lost meanwhile."""
    return await tx.fetchval(_POSTPONE_NOTICE, due.notice_id, due.leased_until, due_at) is not None


async def notices_of_case(tx: Connection, application_id: ApplicationId) -> list[NoticeRecord]:
    """Every notice to the person of a case, oldest first. A case has a few dozen at most."""
    rows = await tx.fetch(_NOTICES_OF_CASE, application_id)
    return [NoticeRecord(**{**dict(row), "notice_id": NoticeId(row["notice_id"])}) for row in rows]
