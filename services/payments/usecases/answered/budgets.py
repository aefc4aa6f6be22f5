"""What the budget doors do: one effect and one answer per Idempotency-Key, in one transaction."""

from datetime import datetime

from kit.db import Connection, Database
from kit.idempotency import Answer
from services.payments.books.authority import DocumentState
from services.payments.usecases import authority
from services.payments.usecases.answered.asked import Asked
from services.payments.views.budgets import DocumentShown, DocumentsShown, NewDocument, document_shown, documents_shown

PAGE_MAX = 50


async def propose_document(asked: Asked, new: NewDocument) -> Answer:
    """Put a budget document before a second person."""

    async def act(tx: Connection) -> DocumentShown:
        given = new.model_dump(exclude={"kind"})
        return document_shown(await authority.propose(tx, **given, kind=new.kind, maker=asked.by, now=asked.now))

    return await asked.answer(act)


async def approve_document(asked: Asked, document_id: str) -> Answer:
    """Approve, and post, what somebody else proposed."""

    async def act(tx: Connection) -> DocumentShown:
        return document_shown(await authority.approve(tx, document_id, checker=asked.by, now=asked.now))

    return await asked.answer(act)


async def refuse_document(asked: Asked, document_id: str, reason: str) -> Answer:
    """Refuse what somebody else proposed."""

    async def act(tx: Connection) -> DocumentShown:
        return document_shown(await authority.refuse(tx, document_id, checker=asked.by, reason=reason, now=asked.now))

    return await asked.answer(act)


async def propose_at_desk(asked: NewDocument, *, maker: str, db: Database, now: datetime) -> DocumentShown:
    """The same from the command line, where the caller sees what became of it."""
    async with db.transaction() as tx:
        given = asked.model_dump(exclude={"kind"})
        return document_shown(await authority.propose(tx, **given, kind=asked.kind, maker=maker, now=now))


async def approve_at_desk(document_id: str, *, checker: str, db: Database, now: datetime) -> DocumentShown:
    async with db.transaction() as tx:
        return document_shown(await authority.approve(tx, document_id, checker=checker, now=now))


async def refuse_at_desk(document_id: str, reason: str, *, checker: str, db: Database, now: datetime) -> DocumentShown:
    async with db.transaction() as tx:
        return document_shown(await authority.refuse(tx, document_id, checker=checker, reason=reason, now=now))


async def list_documents(
    program_id: str, *, state: DocumentState | None, before: str | None, db: Database
) -> DocumentsShown:
    """One page of a program's documents."""
    found = await authority.documents_of_program(program_id, state=state, before=before, count_max=PAGE_MAX + 1, db=db)
    return documents_shown(list(found), page=PAGE_MAX)
