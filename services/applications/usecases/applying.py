"""What a partner does for a person who applied: send evidence, say whether the provider charged, withdraw."""

from contracts.errors import NotFound, Refused
from contracts.events.applications import ApplicationWithdrawn, ChargeAnswered, DocumentReceived
from contracts.ids import DocumentId
from kit.db import Connection, Database
from kit.idempotency import Answer
from kit.outbox import append
from kit.paging import check_if_match
from kit.vault import Vault
from services.applications import views
from services.applications.commands import AnswerCharge, SendDocument, Withdraw
from services.applications.domain import (
    Application,
    ChargeAnsweredBefore,
    CredentialNotRecorded,
    withdrawn,
)
from services.applications.store import applications, credentials
from services.applications.usecases.acting import Call, answer_once, as_partner
from services.applications.usecases.reading import case_of_partner

EVIDENCE = "evidence"
"""The label under which evidence is sealed for eligibility."""

DOCUMENTS_MAX = 50


class DocumentsTooMany(Refused):
    """A case takes at most {documents_max} documents."""

    code = "documents_too_many"


class EvidenceEmpty(Refused):
    """The evidence holds no value."""

    code = "evidence_empty"


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
