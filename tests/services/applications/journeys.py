"""Stretches of a case that several tests walk."""

from contracts.ids import ApplicationId, AttestationId, CredentialAwardId, EnrollmentId, PersonId
from contracts.steps.applications import RecordCredential
from services.applications.usecases import conducting
from tests.services.applications.cast import Cast, Issuer


async def complete(cast: Cast, issuer: Issuer, enrollment_id: EnrollmentId, credential_id: str) -> AttestationId:
    """The issuer attests completion through the college's door."""
    signed = {"attestation": issuer.sign(enrollment_id, credential_id)}
    answer = await cast.college.post(f"/v1/enrollments/{enrollment_id}/attestation", signed)
    assert answer.status_code == 200, answer.text
    return AttestationId(answer.json()["attestation_id"])


async def recorded(
    cast: Cast, issuer: Issuer, application_id: ApplicationId, enrollment_id: EnrollmentId
) -> CredentialAwardId:
    """Completed, and the credential on record."""
    attestation_id = await complete(cast, issuer, enrollment_id, "coding")
    person_id = await cast.owner.fetchval(
        "SELECT person_id FROM applications.application WHERE application_id = $1", application_id
    )
    ask = RecordCredential(
        application_id=application_id,
        person_id=PersonId(person_id),
        provider_id="lorain-ccc",
        credential_id="coding",
        enrollment_id=enrollment_id,
        attestation_id=attestation_id,
        earned_on="2026-03-10",
    )
    first = await conducting.record_credential(ask, db=cast.service_db, now=cast.clock.now())
    again = await conducting.record_credential(ask, db=cast.service_db, now=cast.clock.now())
    assert first == again
    return first.credential_award_id
