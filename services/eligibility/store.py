"""Every SQL statement of eligibility, beside its row mapping. Functions take a connection and never commit."""

from datetime import datetime

from asyncpg import Record

from contracts.events.eligibility import Eligibility
from contracts.ids import ApplicationId, DeterminationId, PersonId
from contracts.steps.eligibility import Determination
from kit.db import Connection
from services.eligibility.domain import Commitment
from services.eligibility.receipts import PublishedProgram, Receipt

# Two cases of one person are decided one after the other: side by side, neither would see the other's award.
_LOCK_PERSON = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))"

_LOCK_PROGRAM = "SELECT pg_advisory_xact_lock(hashtextextended($1, 2))"

_KEEP_VERSION = """
INSERT INTO program_version (program_id, pack_version, content, stored_at) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""

_PUBLISH = """
INSERT INTO program AS p (program_id, title, pack_version, published_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (program_id) DO UPDATE SET title = $2, pack_version = $3, published_at = $4
WHERE p.pack_version <> $3
RETURNING program_id
"""

_PROGRAMS = "SELECT program_id, title, pack_version, published_at FROM program ORDER BY program_id"

_CURRENT_VERSION = "SELECT pack_version FROM program WHERE program_id = $1"

_CONTENT = "SELECT content FROM program_version WHERE program_id = $1 AND pack_version = $2"

_RECEIPT_COLUMNS = """
determination_id, application_id, determination_number, person_id, program_id, pack_version, effective_on, answer,
rule_versions, sealed_inputs, inputs_sha256, decided_at
"""

_FIND_ANSWER = "SELECT answer FROM determination WHERE application_id = $1 AND determination_number = $2"

_PINNED_VERSION = """
SELECT pack_version FROM determination WHERE application_id = $1 AND program_id = $2
ORDER BY determination_number LIMIT 1
"""

_KEEP_RECEIPT = """
INSERT INTO determination (
    determination_id, application_id, determination_number, person_id, program_id, pack_version, effective_on,
    outcome, answer, rule_versions, sealed_inputs, inputs_sha256, decided_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""

_RECEIPT = f"SELECT {_RECEIPT_COLUMNS} FROM determination WHERE determination_id = $1"

_RECEIPTS = f"""
SELECT {_RECEIPT_COLUMNS} FROM determination WHERE application_id = $1 ORDER BY determination_number LIMIT 50
"""

_COMMIT_TO = """
INSERT INTO commitment (application_id, person_id, program_id, round_id, credential_id, award_cents, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (application_id) DO UPDATE SET award_cents = excluded.award_cents, made_at = excluded.made_at
"""

_TAKE_BACK = "DELETE FROM commitment WHERE application_id = $1"

_COMMITMENTS = """
SELECT c.application_id, c.round_id, c.credential_id, c.award_cents
FROM commitment AS c LEFT JOIN application AS a USING (application_id)
WHERE c.person_id = $1 AND c.program_id = $2 AND c.application_id <> $3
  AND (a.closed_at IS NULL OR a.outcome = 'reimbursed')
ORDER BY c.application_id
"""

_PUT_PARTNER = """
INSERT INTO application (application_id, partner_id) VALUES ($1, $2)
ON CONFLICT (application_id) DO UPDATE SET partner_id = excluded.partner_id
"""

_PUT_CLOSING = """
INSERT INTO application (application_id, closed_at, outcome) VALUES ($1, $2, $3)
ON CONFLICT (application_id) DO UPDATE SET closed_at = excluded.closed_at, outcome = excluded.outcome
"""

_PARTNER = "SELECT partner_id FROM application WHERE application_id = $1 AND partner_id IS NOT NULL"


async def lock_person(tx: Connection, person_id: PersonId) -> None:
    await tx.execute(_LOCK_PERSON, person_id)


async def lock_program(tx: Connection, program_id: str) -> None:
    await tx.execute(_LOCK_PROGRAM, program_id)


async def keep_version(tx: Connection, program_id: str, pack_version: str, content: str, *, now: datetime) -> None:
    await tx.execute(_KEEP_VERSION, program_id, pack_version, content, now)


async def publish(tx: Connection, program_id: str, title: str, pack_version: str, *, now: datetime) -> bool:
    """Make the version the current one; False where it already was."""
    return await tx.fetchval(_PUBLISH, program_id, title, pack_version, now) is not None


async def programs(tx: Connection) -> list[PublishedProgram]:
    return [PublishedProgram(**dict(row)) for row in await tx.fetch(_PROGRAMS)]


async def current_version(tx: Connection, program_id: str) -> str | None:
    return await tx.fetchval(_CURRENT_VERSION, program_id)


async def content(tx: Connection, program_id: str, pack_version: str) -> str | None:
    return await tx.fetchval(_CONTENT, program_id, pack_version)


async def find_answer(tx: Connection, application_id: ApplicationId, determination_number: int) -> Determination | None:
    """What the step answered for this number before, if it did."""
    answer = await tx.fetchval(_FIND_ANSWER, application_id, determination_number)
    return None if answer is None else Determination.model_validate(answer)


async def pinned_version(tx: Connection, application_id: ApplicationId, program_id: str) -> str | None:
    """The version by which the case was first decided."""
    return await tx.fetchval(_PINNED_VERSION, application_id, program_id)


async def keep_receipt(tx: Connection, receipt: Receipt) -> None:
    await tx.execute(
        _KEEP_RECEIPT,
        receipt.answer.determination_id,
        receipt.application_id,
        receipt.determination_number,
        receipt.person_id,
        receipt.program_id,
        receipt.pack_version,
        receipt.effective_on,
        receipt.answer.outcome.value,
        receipt.answer.model_dump(mode="json"),
        dict(receipt.rule_versions),
        receipt.sealed_inputs,
        receipt.inputs_sha256,
        receipt.decided_at,
    )


async def receipt(tx: Connection, determination_id: DeterminationId) -> Receipt | None:
    row = await tx.fetchrow(_RECEIPT, determination_id)
    return None if row is None else _receipt(row)


async def receipts(tx: Connection, application_id: ApplicationId) -> list[Receipt]:
    """The determinations of one application, first to last."""
    return [_receipt(row) for row in await tx.fetch(_RECEIPTS, application_id)]


async def record_commitment(tx: Connection, receipt: Receipt, *, round_id: str, credential_id: str) -> None:
    """An eligible case counts toward the person's limits; any other outcome takes an earlier promise back."""
    if receipt.answer.outcome is not Eligibility.ELIGIBLE:
        await tx.execute(_TAKE_BACK, receipt.application_id)
        return
    await tx.execute(
        _COMMIT_TO,
        receipt.application_id,
        receipt.person_id,
        receipt.program_id,
        round_id,
        credential_id,
        receipt.answer.plan.award_cents,
        receipt.decided_at,
    )


async def commitments(
    tx: Connection, person_id: PersonId, program_id: str, *, besides: ApplicationId
) -> list[Commitment]:
    """What the program promised the person in other cases that have not fallen through."""
    rows = await tx.fetch(_COMMITMENTS, person_id, program_id, besides)
    return [Commitment.model_validate(dict(row)) for row in rows]


async def put_partner(tx: Connection, application_id: ApplicationId, partner_id: str) -> None:
    await tx.execute(_PUT_PARTNER, application_id, partner_id)


async def put_closing(tx: Connection, application_id: ApplicationId, *, closed_at: datetime, outcome: str) -> None:
    await tx.execute(_PUT_CLOSING, application_id, closed_at, outcome)


async def partner_of(tx: Connection, application_id: ApplicationId) -> str | None:
    return await tx.fetchval(_PARTNER, application_id)


def _receipt(row: Record) -> Receipt:
    return Receipt(
        application_id=ApplicationId(row["application_id"]),
        determination_number=row["determination_number"],
        person_id=PersonId(row["person_id"]),
        program_id=row["program_id"],
        pack_version=row["pack_version"],
        effective_on=row["effective_on"],
        answer=Determination.model_validate(row["answer"]),
        rule_versions=row["rule_versions"],
        sealed_inputs=row["sealed_inputs"],
        inputs_sha256=row["inputs_sha256"],
        decided_at=row["decided_at"],
    )
