"""People (without a personal value), applications, documents and staff acts."""

from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from contracts.ids import ApplicationId, DocumentId, PersonId, StaffActId
from kit.db import Connection
from services.applications.domain import Application

_ADMIT = """
INSERT INTO person (person_id, ssn_mac, admitted_at) VALUES ($1, $2, $3)
ON CONFLICT (ssn_mac) DO NOTHING
RETURNING person_id
"""

_FIND_PERSON = "SELECT person_id FROM person WHERE ssn_mac = $1"

# The case begins in the statement that opens the application, so that no fact can come before its case.
_OPEN = """
WITH opened AS (
    INSERT INTO application (
        application_id, person_id, partner_id, program_id, round_id, provider_id, credential_id, course_run_id,
        county, language, publish_name, submitted_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (person_id, program_id, credential_id) WHERE closed_at IS NULL DO NOTHING
    RETURNING application_id
)
INSERT INTO case_view (
    application_id, partner_id, program_id, round_id, provider_id, credential_id, submitted_at, stage
)
SELECT application_id, $3, $4, $5, $6, $7, $12, 'eligibility' FROM opened
RETURNING application_id
"""

_FIND_OPEN = """
SELECT application_id FROM application
WHERE person_id = $1 AND program_id = $2 AND credential_id = $3 AND partner_id = $4 AND closed_at IS NULL
"""

_COLUMNS = """
application_id, person_id, partner_id, program_id, round_id, provider_id, credential_id, course_run_id, county,
language, publish_name, submitted_at, withdrawn_at, withdrawn_reason, closed_at, outcome
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

_PUT_DOCUMENT = """
INSERT INTO document (document_id, application_id, partner_id, kind, sealed_evidence, received_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""

_COUNT_DOCUMENTS = "SELECT count(*) FROM document WHERE application_id = $1"

_PUT_STAFF_ACT = """
INSERT INTO staff_act (act_id, application_id, act, actor, reason, note, acted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (act_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Person:
    person_id: PersonId
    is_new: bool


async def admit(tx: Connection, *, ssn_mac: bytes, new_id: PersonId, now: datetime) -> Person:
    """The person with that digest; under `new_id` where nobody has it yet."""
    if await tx.fetchval(_ADMIT, new_id, ssn_mac, now) is not None:
        return Person(new_id, is_new=True)
    # A statement of its own: it must see what a concurrent twin committed while the insert waited for it.
    return Person(PersonId(await tx.fetchval(_FIND_PERSON, ssn_mac)), is_new=False)


async def open_application(tx: Connection, application: Application) -> bool:
    """Insert the application and begin its case; False where the person already has an open one."""
    a = application
    opened = await tx.fetchval(
        _OPEN, a.application_id, a.person_id, a.partner_id, a.program_id, a.round_id, a.provider_id, a.credential_id,
        a.course_run_id, a.county, a.language, a.publish_name, a.submitted_at,
    )  # fmt: skip
    return opened is not None


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


async def put_document(
    tx: Connection, document_id: DocumentId, application: Application, *, kind: str, sealed_evidence: str, now: datetime
) -> None:
    await tx.execute(
        _PUT_DOCUMENT, document_id, application.application_id, application.partner_id, kind, sealed_evidence, now
    )


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
