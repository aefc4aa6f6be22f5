"""What callers may read: partners applications, colleges enrollments, staff every case, anyone a credential."""

from contracts.errors import NotFound
from kit.db import Connection, Database
from kit.vault import PersonForgotten, Vault
from services.applications import views
from services.applications.domain import Enrollment, require_person_visible
from services.applications.store import applications, cases, catalog, credentials, enrollments
from services.applications.usecases.acting import AS_STAFF, as_partner, as_provider, as_verifier


async def read_application(
    application_id: str, *, partner_id: str, db: Database, public_url: str
) -> views.ApplicationView:
    """Where the application stands, with its enrollment and credential."""
    async with db.transaction(local=as_partner(partner_id)) as tx:
        return await case_of_partner(tx, application_id, partner_id, public_url)


async def case_of_partner(
    tx: Connection, application_id: str, partner_id: str, public_url: str
) -> views.ApplicationView:
    """The same view inside a transaction that already acts for the partner."""
    row = await cases.find(tx, application_id, partner_id=partner_id)
    if row is None:
        raise NotFound(kind="application")
    enrollment = await enrollments.find_of_application(tx, application_id)
    award = await credentials.find_award(tx, application_id)
    credential = None
    if award is not None:
        title, provider = await _names(tx, award)
        credential = views.credential_summary(award, title=title, provider=provider, public_url=public_url)
    return views.application_view(row).model_copy(
        update={
            "enrollment": views.enrollment_summary(enrollment) if enrollment else None,
            "credential": credential,
            "links": views.application_links(public_url, application_id),
        }
    )


async def list_applications(
    *, partner_id: str, stage: str | None, after: str | None, limit: int, db: Database, public_url: str
) -> list[views.ApplicationView]:
    """The partner's applications, oldest first, after the one named."""
    async with db.transaction(local=as_partner(partner_id)) as tx:
        rows = await cases.list_of_partner(tx, partner_id, stage=stage, after=after, limit=limit)
    return [_linked(row, public_url) for row in rows]


def _linked(row: cases.CaseRow, public_url: str) -> views.ApplicationView:
    links = views.application_links(public_url, row.application_id)
    return views.application_view(row).model_copy(update={"links": links})


async def read_timeline(application_id: str, *, partner_id: str, db: Database) -> views.Timeline:
    """Every fact about the case in order, each with its sentence and reasons."""
    async with db.transaction(local=as_partner(partner_id)) as tx:
        if await cases.find(tx, application_id, partner_id=partner_id) is None:
            raise NotFound(kind="application")
        rows = await cases.timeline(tx, application_id)
    return views.Timeline(application_id=application_id, items=[views.timeline_entry(row) for row in rows])


async def read_enrollment(
    enrollment_id: str, *, provider_id: str, db: Database, public_url: str
) -> views.EnrollmentView:
    async with db.transaction(local=as_provider(provider_id)) as tx:
        enrollment = await _own_enrollment(tx, enrollment_id, provider_id)
    return views.enrollment_view(enrollment, public_url=public_url)


async def list_enrollments(
    *, provider_id: str, state: str | None, after: str | None, limit: int, db: Database, public_url: str
) -> list[views.EnrollmentView]:
    """The provider's enrollments, ordered by id, after the one named."""
    async with db.transaction(local=as_provider(provider_id)) as tx:
        found = await enrollments.list_of_provider(tx, provider_id, state=state, after=after, limit=limit)
    return [views.enrollment_view(enrollment, public_url=public_url) for enrollment in found]


async def read_enrolled_person(
    enrollment_id: str, *, provider_id: str, request_id: str, db: Database, vault: Vault
) -> views.EnrolledPerson:
    """Name, address and language of the person a college is asked to enroll; the vault's audit keeps the reading."""
    async with db.transaction(local=as_provider(provider_id)) as tx:
        enrollment = await _own_enrollment(tx, enrollment_id, provider_id)
        require_person_visible(enrollment)
        language = await applications.find_language(tx, enrollment.application_id)
        values = await vault.read(
            tx,
            enrollment.person_id,
            ["given_name", "family_name", "email"],
            purpose=f"enrollment:{provider_id}",
            request_id=request_id,
        )
    return views.EnrolledPerson(enrollment_id=enrollment_id, language=language, **values)


async def read_credential(
    verification_token: str, *, request_id: str, db: Database, vault: Vault
) -> views.PublicCredential:
    """The public page of a credential: who holds the token may see it; the name stands there only by consent."""
    async with db.transaction(local=as_verifier(verification_token)) as tx:
        award = await credentials.find_verified(tx, verification_token)
        if award is None:
            raise NotFound(kind="credential")
        title, provider = await _names(tx, award)
        name = None
        if award.publish_name:
            name = await _published_name(tx, award.person_id, vault, request_id)
    return views.PublicCredential(
        credential=title,
        credential_id=award.credential_id,
        provider=provider,
        provider_id=award.provider_id,
        program_id=award.program_id,
        earned_on=award.earned_on,
        status="valid",
        name=name,
    )


async def list_cases(
    *,
    stage: str | None,
    program_id: str | None,
    provider_id: str | None,
    after: str | None,
    limit: int,
    db: Database,
) -> list[views.ApplicationView]:
    """Every case, for staff."""
    async with db.transaction(local=AS_STAFF) as tx:
        rows = await cases.list_all(
            tx, stage=stage, program_id=program_id, provider_id=provider_id, after=after, limit=limit
        )
    return [views.application_view(row) for row in rows]


async def count_cases(*, program_id: str | None, db: Database) -> views.StageTotals:
    """How many cases stand in each stage, and ended with each outcome."""
    async with db.transaction(local=AS_STAFF) as tx:
        counts = await cases.count_by_stage(tx, program_id=program_id)
    return views.StageTotals(
        items=[
            views.StageTotal(stage=one.stage, outcome=one.outcome, cases=one.cases, awarded_cents=one.awarded_cents)
            for one in counts
        ]
    )


async def _own_enrollment(tx: Connection, enrollment_id: str, provider_id: str) -> Enrollment:
    enrollment = await enrollments.find(tx, enrollment_id)
    if enrollment is None or enrollment.provider_id != provider_id:
        raise NotFound(kind="enrollment")
    return enrollment


async def _names(tx: Connection, award: credentials.CredentialAward) -> tuple[str, str]:
    listed = await catalog.find_credential(tx, program_id=award.program_id, credential_id=award.credential_id)
    provider = await catalog.find_provider_name(tx, program_id=award.program_id, provider_id=award.provider_id)
    return listed.title if listed else award.credential_id, provider or award.provider_id


async def _published_name(tx: Connection, person_id: str, vault: Vault, request_id: str) -> str | None:
    try:
        values = await vault.read(
            tx, person_id, ["given_name", "family_name"], purpose="credential_page", request_id=request_id
        )
    except PersonForgotten:
        return None
    return " ".join(values[name] for name in ("given_name", "family_name") if name in values) or None
