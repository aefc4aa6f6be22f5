"""Attestations kept as evidence, and credentials on record."""

from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from contracts.ids import AttestationId, CredentialAwardId
from kit.db import Connection
from services.applications.attestation import Unverified
from services.applications.domain import Enrollment

_PUT_ATTESTATION = """
INSERT INTO attestation (
    attestation_id, enrollment_id, provider_id, issuer_id, key_id, credential_id, completed_on, signed_statement,
    attested_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""

_FIND_ATTESTATION = """
SELECT attestation_id, enrollment_id, issuer_id, attested_at FROM attestation WHERE enrollment_id = $1
"""

_COLUMNS = """
credential_award_id, application_id, enrollment_id, person_id, partner_id, program_id, provider_id, credential_id,
earned_on, publish_name, verification_token, recorded_at
"""

_PUT_AWARD = """
INSERT INTO credential_award (
    credential_award_id, application_id, enrollment_id, attestation_id, person_id, partner_id, program_id, provider_id,
    credential_id, earned_on, publish_name, verification_token, recorded_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (credential_award_id) DO NOTHING
"""

_FIND_AWARD = f"SELECT {_COLUMNS} FROM credential_award WHERE application_id = $1"

_FIND_VERIFIED = f"SELECT {_COLUMNS} FROM credential_award WHERE verification_token = $1"


@dataclass(frozen=True, slots=True)
class KeptAttestation:
    attestation_id: AttestationId
    enrollment_id: str
    issuer_id: str
    attested_at: datetime


@dataclass(frozen=True, slots=True)
class CredentialAward:
    """A credential on record; `verification_token` opens its public page."""

    credential_award_id: CredentialAwardId
    application_id: str
    enrollment_id: str
    person_id: str
    partner_id: str
    program_id: str
    provider_id: str
    credential_id: str
    earned_on: str
    publish_name: bool
    verification_token: str
    recorded_at: datetime


async def put_attestation(
    tx: Connection, attestation_id: AttestationId, enrollment: Enrollment, unverified: Unverified, *, now: datetime
) -> None:
    """Keep the statement exactly as it was signed."""
    statement = unverified.statement
    await tx.execute(
        _PUT_ATTESTATION, attestation_id, enrollment.enrollment_id, enrollment.provider_id, statement.iss,
        unverified.key_id, statement.credential_id, statement.completed_on, unverified.compact, now,
    )  # fmt: skip


async def find_attestation(tx: Connection, enrollment_id: str) -> KeptAttestation | None:
    row = await tx.fetchrow(_FIND_ATTESTATION, enrollment_id)
    return KeptAttestation(**dict(row)) if row else None


async def put_award(tx: Connection, award: CredentialAward, *, attestation_id: AttestationId) -> bool:
    """Put the credential on record; False where it was before."""
    a = award
    status = await tx.execute(
        _PUT_AWARD, a.credential_award_id, a.application_id, a.enrollment_id, attestation_id, a.person_id,
        a.partner_id, a.program_id, a.provider_id, a.credential_id, a.earned_on, a.publish_name, a.verification_token,
        a.recorded_at,
    )  # fmt: skip
    return status == "INSERT 0 1"


async def find_award(tx: Connection, application_id: str) -> CredentialAward | None:
    return _award(await tx.fetchrow(_FIND_AWARD, application_id))


async def find_verified(tx: Connection, verification_token: str) -> CredentialAward | None:
    return _award(await tx.fetchrow(_FIND_VERIFIED, verification_token))


def _award(row: Record | None) -> CredentialAward | None:
    return CredentialAward(**dict(row)) if row else None
