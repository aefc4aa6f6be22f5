"""Attested completion: an issuer's signature under a registered key, within the issuer's scope, kept as evidence."""

from datetime import datetime
from typing import Any

from contracts.errors import Conflict, NotFound
from contracts.events.applications import CompletionAttested
from contracts.ids import AttestationId
from kit.db import Connection, Database
from kit.idempotency import Answer
from kit.operator_acts import By, keep_act
from kit.outbox import append
from services.applications import views
from services.applications.attestation import (
    IssuerKey,
    public_part,
    read_unverified,
    require_own,
    require_subject,
    verify,
)
from services.applications.commands import Attest
from services.applications.domain import Enrollment, completed
from services.applications.store import applications, catalog, credentials, enrollments
from services.applications.usecases.acting import Call, answer_once, as_issuer, as_provider
from services.applications.usecases.college import lock_own_enrollment


class IssuerKeyTaken(Conflict):
    """The issuer {issuer_id} already has another key of that id."""

    code = "issuer_key_taken"


async def attest_completion(
    enrollment_id: str, command: Attest, call: Call, *, by_issuer: bool = False, db: Database
) -> Answer:
    """Complete the enrollment on the strength of a signed statement; a forged or foreign one changes nothing.

    The enrollment's college may hand in any issuer's statement, an issuer (`by_issuer`) its own.
    Raises `MilestonesMissing` while a milestone that the program requires of the credential was not reported.
    """
    unverified = read_unverified(command.attestation)

    async def effect(tx: Connection) -> views.AttestationTaken:
        if by_issuer:
            require_own(unverified, issuer_id=call.caller_id)
            before = await _lock_attestable(tx, enrollment_id, call.caller_id)
        else:
            before = await lock_own_enrollment(tx, enrollment_id, call)
        listed = await catalog.find_credential(tx, program_id=before.program_id, credential_id=before.credential_id)
        key = await catalog.find_issuer_key(tx, issuer_id=unverified.statement.iss, key_id=unverified.key_id)
        statement = verify(unverified, key, scope=listed.issuers if listed else frozenset(), now=call.now)
        require_subject(statement, enrollment_id=before.enrollment_id, credential_id=before.credential_id)
        required = listed.required_milestones if listed else ()
        after = completed(before, statement.completed_on, required_milestones=required, now=call.now)
        attestation_id = AttestationId.derive("attestation", before.enrollment_id)
        if after is not before:
            await enrollments.save(tx, after)
            await credentials.put_attestation(tx, attestation_id, after, unverified, now=call.now)
            fact = CompletionAttested(
                application_id=after.application_id,
                enrollment_id=after.enrollment_id,
                provider_id=after.provider_id,
                credential_id=after.credential_id,
                attestation_id=attestation_id,
                issuer_id=statement.iss,
                completed_on=statement.completed_on,
                attested_at=call.now,
            )
            await append(tx, fact, now=call.now)
        kept = await credentials.find_attestation(tx, enrollment_id)
        assert kept is not None
        return views.AttestationTaken(
            attestation_id=kept.attestation_id,
            enrollment_id=enrollment_id,
            issuer_id=kept.issuer_id,
            completed_on=statement.completed_on,
            attested_at=kept.attested_at,
        )

    local = as_issuer(call.caller_id) if by_issuer else as_provider(call.caller_id)
    return await answer_once(call, effect, status=200, db=db, local=local)


async def read_attestable(enrollment_id: str, *, issuer_id: str, db: Database) -> views.AttestableEnrollment:
    """How far a course has come that the issuer may attest; nothing of the person and nothing of the money."""
    async with db.transaction(local=as_issuer(issuer_id)) as tx:
        return views.attestable_enrollment(await _find_attestable(tx, enrollment_id, issuer_id))


async def _lock_attestable(tx: Connection, enrollment_id: str, issuer_id: str) -> Enrollment:
    """The enrollment, read after its case is locked, so that nobody else changes it meanwhile."""
    if await applications.lock_of_enrollment(tx, enrollment_id) is None:
        raise NotFound(kind="enrollment")
    return await _find_attestable(tx, enrollment_id, issuer_id)


async def _find_attestable(tx: Connection, enrollment_id: str, issuer_id: str) -> Enrollment:
    enrollment = await enrollments.find(tx, enrollment_id)
    if enrollment is None:
        raise NotFound(kind="enrollment")
    listed = await catalog.find_credential(tx, program_id=enrollment.program_id, credential_id=enrollment.credential_id)
    if listed is None or issuer_id not in listed.issuers:
        raise NotFound(kind="enrollment")
    return enrollment


async def register_key(
    issuer_id: str,
    key_id: str,
    public_jwk: dict[str, Any],
    *,
    db: Database,
    now: datetime,
    not_after: datetime | None = None,
) -> None:
    """Let the issuer sign with this key from now on; the same key again is the same, another one is refused."""
    key = IssuerKey(issuer_id, key_id, public_part(public_jwk), now, not_after)
    async with db.transaction() as tx:
        if await catalog.put_issuer_key(tx, key):
            return
        earlier = await catalog.find_issuer_key(tx, issuer_id=issuer_id, key_id=key_id)
        if earlier is None or earlier.public_jwk != key.public_jwk:
            raise IssuerKeyTaken(issuer_id=issuer_id)


async def end_key(issuer_id: str, key_id: str, by: By, *, db: Database) -> None:
    """Let a key count no longer; attestations that were kept stay. `NotFound` where there is no such key."""
    async with db.transaction() as tx:
        if not await catalog.end_issuer_key(tx, issuer_id=issuer_id, key_id=key_id, not_after=by.at):
            raise NotFound(kind="issuer key")
        await keep_act(tx, "issuer_key_ended", f"{issuer_id}/{key_id}", by)
