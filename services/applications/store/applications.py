"""People (without a personal value), applications, documents and staff acts."""

from datetime import datetime

from asyncpg import Record

from contracts.ids import ApplicationId, DocumentId, StaffActId
from kit.db import Connection
from services.applications.domain import Application

_FIND_OPEN = """
SELECT application_id FROM application
WHERE person_id = $1 AND program_id = $2 AND credential_id = $3 AND partner_id = $4 AND closed_at IS NULL
"""

_COLUMNS = """
application_id, person_id, partner_id, program_id, round_id, provider_id, credential_id, course_run_id, county,
language, publish_name, submitted_at, withdrawn_at, withdrawn_reason, closed_at, outcome, lapsed_at
"""

# Whoever changes anything of a case locks its application row first: one order of locks, one order of facts.
_LOCK = f"SELECT {_COLUMNS} FROM application WHERE application_id = $1 FOR UPDATE"

_LOCK_OF_ENROLLMENT = f"""
SELECT {_COLUMNS} FROM application
WHERE application_id = (SELECT application_id FROM enrollment WHERE enrollment_id = $1) FOR UPDATE
"""

_FIND_LANGUAGE = "SELECT language FROM application WHERE application_id = $1"

_WITHDRAW = "UPDATE application SET withdrawn_at = $2, withdrawn_reason = $3 WHERE application_id = $1"

_CLOSE = "UPDATE application SET closed_at = $2, outcome = $3 WHERE application_id = $1"

_LAPSE = "UPDATE application SET lapsed_at = $2 WHERE application_id = $1"

_PUT_DOCUMENT = """
INSERT INTO document (document_id, application_id, partner_id, kind, sealed_evidence, received_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""

_FIND_CHARGE_ANSWER = "SELECT charged, amount_cents FROM charge_answer WHERE application_id = $1"

_PUT_CHARGE_ANSWER = """
INSERT INTO charge_answer (application_id, partner_id, charged, amount_cents, answered_at) VALUES ($1, $2, $3, $4, $5)
"""

_COUNT_DOCUMENTS = "SELECT count(*) FROM document WHERE application_id = $1"

_PUT_STAFF_ACT = """
INSERT INTO staff_act (act_id, application_id, act, actor, reason, note, acted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (act_id) DO NOTHING
"""


async def find_open(tx: Connection, like: Application) -> ApplicationId | None:
    """The open application of the same person for the same credential, where it belongs to the same partner."""
    found = await tx.fetchval(_FIND_OPEN, like.person_id, like.program_id, like.credential_id, like.partner_id)
    return ApplicationId(found) if found else None


async def lock(tx: Connection, application_id: str) -> Application | None:
    return _application(await tx.fetchrow(_LOCK, application_id))


async def lock_of_enrollment(tx: Connection, enrollment_id: str) -> Application | None:
    return _application(await tx.fetchrow(_LOCK_OF_ENROLLMENT, enrollment_id))


async def find_language(tx: Connection, application_id: str) -> str:
    return await tx.fetchval(_FIND_LANGUAGE, application_id)


async def save_withdrawal(tx: Connection, application: Application) -> None:
    await tx.execute(_WITHDRAW, application.application_id, application.withdrawn_at, application.withdrawn_reason)


async def close(tx: Connection, application_id: str, *, outcome: str, now: datetime) -> None:
    await tx.execute(_CLOSE, application_id, now, outcome)


async def lapse(tx: Connection, application_id: str, *, now: datetime) -> None:
    await tx.execute(_LAPSE, application_id, now)


async def put_document(
    tx: Connection, document_id: DocumentId, application: Application, *, kind: str, sealed_evidence: str, now: datetime
) -> None:
    await tx.execute(
        _PUT_DOCUMENT, document_id, application.application_id, application.partner_id, kind, sealed_evidence, now
    )


async def find_charge_answer(tx: Connection, application_id: str) -> tuple[bool, int | None] | None:
    """Whether the person was charged, and how much, where it was said."""
    row = await tx.fetchrow(_FIND_CHARGE_ANSWER, application_id)
    return None if row is None else (row["charged"], row["amount_cents"])


async def put_charge_answer(
    tx: Connection, application: Application, *, charged: bool, cents: int | None, now: datetime
) -> None:
    await tx.execute(_PUT_CHARGE_ANSWER, application.application_id, application.partner_id, charged, cents, now)


async def count_documents(tx: Connection, application_id: str) -> int:
    return await tx.fetchval(_COUNT_DOCUMENTS, application_id)


async def put_staff_act(
    tx: Connection,
    act_id: StaffActId,
    *,
    application_id: str,
    act: str,
    actor: str,
    reason: str,
    note: str,
    acted_at: datetime,
) -> bool:
    """Keep the act; False where it was kept before."""
    status = await tx.execute(_PUT_STAFF_ACT, act_id, application_id, act, actor, reason, note, acted_at)
    return status == "INSERT 0 1"


def _application(row: Record | None) -> Application | None:
    return Application(**dict(row)) if row else None
