"""What a partner does for a person: submit, send evidence, say whether the provider charged, withdraw."""

from dataclasses import replace

from contracts.errors import NotFound, Refused
from contracts.events.applications import ApplicationSubmitted, ApplicationWithdrawn, ChargeAnswered, DocumentReceived
from contracts.ids import ApplicationId, DocumentId, PersonId
from contracts.personal import Contact
from kit.db import Connection, Database
from kit.http import answer_of
from kit.idempotency import Answer, answer_of_twin
from kit.outbox import append, draft
from kit.paging import check_if_match
from kit.vault import Vault
from services.applications import views
from services.applications.commands import AnswerCharge, SendDocument, SubmitApplication, Withdraw
from services.applications.domain import (
    Application,
    ApplicationAlreadyOpen,
    ChargeAnsweredBefore,
    CredentialNotRecorded,
    read_ssn,
    require_birth_date,
    require_listed,
    withdrawn,
)
from services.applications.store import applications, credentials, submission
from services.applications.usecases.acting import Call, answer_once, as_partner, attempt_once
from services.applications.usecases.reading import case_of_partner

DECLARATION, EVIDENCE, CONTACT = "declaration", "evidence", "contact"
"""The labels under which values are sealed for eligibility and notifications."""

DOCUMENTS_MAX = 50


class DocumentsTooMany(Refused):
    """A case takes at most {documents_max} documents."""

    code = "documents_too_many"


class EvidenceEmpty(Refused):
    """The evidence holds no value."""

    code = "evidence_empty"


async def submit_application(
    command: SubmitApplication, call: Call, *, db: Database, vault: Vault, public_url: str
) -> Answer:
    """Admit the person, open the application, begin its case. 409 while the same request of the person is open."""
    person, now = command.person, call.now
    ssn = read_ssn(person.ssn.get_secret_value())
    require_birth_date(person.birth_date, now=now)

    values, seal = _personal(command, ssn)
    drafted, ssn_mac = _application(command, call, PersonId.new()), vault.mac("ssn", ssn)
    newcomer = vault.draft(drafted.person_id, values=values, seal=seal)
    answer = answer_of(views.application_accepted(drafted, public_url=public_url), status=201)

    async def attempt(tx: Connection) -> Answer:
        admitted = await submission.admit(tx, call.once, drafted, person=newcomer, ssn_mac=ssn_mac, now=now)
        if not admitted.claimed:
            return await answer_of_twin(tx, call.once)
        require_listed(admitted.listing, course_run_id=command.course_run_id)
        application, sealed = drafted, newcomer.sealed
        if not admitted.is_new:
            application = replace(drafted, person_id=admitted.person_id)
            sealed = await vault.admit(tx, admitted.person_id, values=values, seal=seal)
        fact = draft(_submitted(application, sealed), now=now)
        if not await submission.conclude(tx, call.once, application, fact, answer, now=now):
            earlier = await applications.find_open(tx, application)
            raise ApplicationAlreadyOpen(earlier=f": {earlier}" if earlier else "")
        return answer

    return await attempt_once(call, attempt, db=db, local=as_partner(call.caller_id))


def _personal(command: SubmitApplication, ssn: str) -> tuple[dict[str, str], dict[str, bytes]]:
    """What the vault keeps, and what travels sealed."""
    person = command.person
    values = {
        "given_name": person.given_name,
        "family_name": person.family_name,
        "email": person.email,
        "birth_date": person.birth_date.isoformat(),
        "ssn": ssn,
    }
    contact = Contact(given_name=person.given_name, email=person.email)
    seal = {
        DECLARATION: command.declaration.model_dump_json(exclude_none=True).encode(),
        CONTACT: contact.model_dump_json().encode(),
    }
    return values, seal


def _application(command: SubmitApplication, call: Call, person_id: PersonId) -> Application:
    return Application(
        application_id=ApplicationId.new(),
        person_id=person_id,
        partner_id=call.caller_id,
        program_id=command.program_id,
        round_id=command.round_id,
        provider_id=command.provider_id,
        credential_id=command.credential_id,
        course_run_id=command.course_run_id,
        county=command.person.county,
        language=command.person.language,
        publish_name=command.person.publish_name,
        submitted_at=call.now,
    )


def _submitted(application: Application, sealed: dict[str, str]) -> ApplicationSubmitted:
    return ApplicationSubmitted(
        application_id=application.application_id,
        person_id=application.person_id,
        partner_id=application.partner_id,
        program_id=application.program_id,
        round_id=application.round_id,
        provider_id=application.provider_id,
        credential_id=application.credential_id,
        course_run_id=application.course_run_id,
        county=application.county,
        language=application.language,
        submitted_at=application.submitted_at,
        sealed_declaration=sealed[DECLARATION],
        sealed_contact=sealed[CONTACT],
    )


async def send_document(
    application_id: str, command: SendDocument, call: Call, *, db: Database, vault: Vault
) -> Answer:
    """Take evidence for the determination, sealed under the person's key."""
    if not command.evidence.model_dump(exclude_none=True):
        raise EvidenceEmpty(pointer="/evidence")

    async def effect(tx: Connection) -> views.DocumentTaken:
        application = await _lock_own(tx, application_id, call)
        application.require_open()
        if await applications.count_documents(tx, application_id) >= DOCUMENTS_MAX:
            raise DocumentsTooMany(documents_max=DOCUMENTS_MAX)
        sealed = await vault.seal(
            tx,
            application.person_id,
            command.evidence.model_dump_json(exclude_none=True).encode(),
            purpose_label=EVIDENCE,
        )
        document_id = DocumentId.new()
        await applications.put_document(
            tx, document_id, application, kind=command.kind, sealed_evidence=sealed, now=call.now
        )
        received = DocumentReceived(
            application_id=application.application_id,
            document_id=document_id,
            kind=command.kind,
            sealed_evidence=sealed,
            received_at=call.now,
        )
        await append(tx, received, now=call.now)
        return views.DocumentTaken(
            document_id=document_id, application_id=application_id, kind=command.kind, received_at=call.now
        )

    return await answer_once(call, effect, status=201, db=db, local=as_partner(call.caller_id))


async def withdraw_application(
    application_id: str, command: Withdraw, call: Call, *, db: Database, public_url: str, if_match: str | None = None
) -> Answer:
    """The person gives the application up; said again, the first word stands. 409 once the case has ended."""

    async def effect(tx: Connection) -> views.WithdrawalTaken:
        application = await _lock_own(tx, application_id, call)
        if if_match is not None:
            current = await case_of_partner(tx, application_id, call.caller_id, public_url)
            check_if_match(if_match, views.etag(current))
        after = withdrawn(application, command.reason, now=call.now)
        assert after.withdrawn_at is not None
        assert after.withdrawn_reason is not None
        if after is not application:
            await applications.save_withdrawal(tx, after)
            fact = ApplicationWithdrawn(
                application_id=after.application_id, reason=after.withdrawn_reason, withdrawn_at=after.withdrawn_at
            )
            await append(tx, fact, now=call.now)
        return views.WithdrawalTaken(
            application_id=application_id, reason=after.withdrawn_reason, withdrawn_at=after.withdrawn_at
        )

    return await answer_once(call, effect, status=200, db=db, local=as_partner(call.caller_id))


async def answer_charge(application_id: str, command: AnswerCharge, call: Call, *, db: Database) -> Answer:
    """Take the person's word on whether the provider charged; it can be given once the credential is on record."""

    async def effect(tx: Connection) -> views.ChargeAnswerTaken:
        application = await _lock_own(tx, application_id, call)
        if await credentials.find_award(tx, application_id) is None:
            raise CredentialNotRecorded()
        amount = command.amount_cents if command.charged else None
        before = await applications.find_charge_answer(tx, application_id)
        if before is None:
            await applications.put_charge_answer(tx, application, charged=command.charged, cents=amount, now=call.now)
            fact = ChargeAnswered(
                application_id=application.application_id,
                charged=command.charged,
                amount_cents=amount,
                answered_at=call.now,
            )
            await append(tx, fact, now=call.now)
        elif before != (command.charged, amount):
            raise ChargeAnsweredBefore()
        return views.ChargeAnswerTaken(application_id=application_id, charged=command.charged, amount_cents=amount)

    return await answer_once(call, effect, status=200, db=db, local=as_partner(call.caller_id))


async def _lock_own(tx: Connection, application_id: str, call: Call) -> Application:
    application = await applications.lock(tx, application_id)
    if application is None or application.partner_id != call.caller_id:
        raise NotFound(kind="application")
    return application
