"""A person's application enters: with those that come at the same time where nothing is special, else by itself."""

from dataclasses import replace

from contracts.events.applications import ApplicationSubmitted
from contracts.ids import ApplicationId, PersonId
from contracts.personal import Contact
from kit.db import Connection, Database
from kit.http import answer_of
from kit.idempotency import Answer, answer_of_twin
from kit.outbox import draft
from kit.vault import Vault
from services.applications import views
from services.applications.commands import SubmitApplication
from services.applications.domain import (
    Application,
    ApplicationAlreadyOpen,
    read_ssn,
    require_birth_date,
    require_listed,
)
from services.applications.store import applications, submission
from services.applications.store.intake import Newcomer
from services.applications.usecases.acting import Call, as_partner, attempt_once
from services.applications.usecases.intake import Intake

DECLARATION, CONTACT = "declaration", "contact"
"""The labels under which values are sealed for eligibility and notifications."""


async def submit_application(
    command: SubmitApplication, call: Call, *, db: Database, intake: Intake, vault: Vault, public_url: str
) -> Answer:
    """Admit the person, open the application, begin its case. 409 while the same request of the person is open."""
    person, now = command.person, call.now
    ssn = read_ssn(person.ssn.get_secret_value())
    require_birth_date(person.birth_date, now=now)

    values, seal = _personal(command, ssn)
    drafted, ssn_mac = _application(command, call, PersonId.new()), vault.mac("ssn", ssn)
    newcomer = vault.draft(drafted.person_id, values=values, seal=seal)
    told = draft(_submitted(drafted, newcomer.sealed), now=now)
    answer = answer_of(views.application_accepted(drafted, public_url=public_url), status=201)

    async def attempt(tx: Connection) -> Answer:
        admitted = await submission.admit(tx, call.once, drafted, person=newcomer, ssn_mac=ssn_mac, now=now)
        if not admitted.claimed:
            return await answer_of_twin(tx, call.once)
        require_listed(admitted.listing, course_run_id=command.course_run_id)
        application, fact = drafted, told
        if not admitted.is_new:
            application = replace(drafted, person_id=admitted.person_id)
            sealed = await vault.admit(tx, admitted.person_id, values=values, seal=seal)
            fact = draft(_submitted(application, sealed), now=now)
        if not await submission.conclude(tx, call.once, application, fact, answer, now=now):
            earlier = await applications.find_open(tx, application)
            raise ApplicationAlreadyOpen(earlier=f": {earlier}" if earlier else "")
        return answer

    if await intake.take_in(Newcomer(call.once, drafted, newcomer, ssn_mac, told, answer)):
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
