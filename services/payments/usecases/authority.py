"""Propose, approve and refuse budget documents; an approved one is posted in the same transaction."""

from collections.abc import Sequence
from datetime import datetime

from contracts.errors import NotFound
from kit.db import Connection, Database
from services.payments.books.authority import (
    BudgetDocument,
    BudgetDocumentId,
    BudgetRow,
    DocumentDecided,
    DocumentKind,
    DocumentKnown,
    DocumentState,
    RowUnfit,
    check_rows,
    read_row,
    transfers_of,
)
from services.payments.books.ledger import Code, line_row
from services.payments.domain import two_people
from services.payments.store import authority as store
from services.payments.store import ledger as ledger_store
from services.payments.store import program as program_store
from services.payments.usecases.waiting import serve_waiting

OVER_LINE = "over_line"
"""The rounds of a line would have more than the line."""


async def propose(
    tx: Connection,
    *,
    program_id: str,
    kind: DocumentKind,
    reference: str,
    amount_cents: int,
    from_row: str | None,
    to_row: str | None,
    reason: str,
    maker: str,
    now: datetime,
) -> BudgetDocument:
    """Put a document before a second person. Nothing moves yet."""
    if not await program_store.knows_program(tx, program_id):
        raise NotFound(kind="program")
    source = read_row(from_row, program_id, pointer="/from_row") if from_row is not None else None
    target = read_row(to_row, program_id, pointer="/to_row") if to_row is not None else None
    check_rows(kind, source, target)
    for row, pointer in ((source, "/from_row"), (target, "/to_row")):
        if row is not None:
            await _book_of(tx, row, pointer=pointer)
    document = BudgetDocument(
        document_id=BudgetDocumentId.new(),
        program_id=program_id,
        kind=kind,
        reference=reference,
        amount_cents=amount_cents,
        from_row=from_row,
        to_row=to_row,
        reason=reason,
        state=DocumentState.PROPOSED,
        made_by=maker,
        made_at=now,
    )
    if not await store.propose(tx, document):
        raise DocumentKnown
    return document


async def approve(tx: Connection, document_id: str, *, checker: str, now: datetime) -> BudgetDocument:
    """Post the document. Where the ledger refuses (the money is committed) the document is refused for that reason.

    What it moved serves those who wait for it, in the same transaction.
    """
    document = await _open_document(tx, document_id, checker)
    rows = [read_row(row, document.program_id, pointer="/document_id") for row in document.rows]
    books = {row.id: await _book_of(tx, row, pointer="/document_id") for row in rows}
    await store.save_books(tx)
    refusal = await _post(tx, document, books, checker=checker, now=now)
    if refusal is not None:
        await store.undo_postings(tx)
        return await _decided(tx, document, DocumentState.REFUSED, checker=checker, refusal=refusal, now=now)
    approved = await _decided(tx, document, DocumentState.APPROVED, checker=checker, refusal=None, now=now)
    for book in sorted(set(books.values())):
        await serve_waiting(tx, book, now=now)
    return approved


async def refuse(tx: Connection, document_id: str, *, checker: str, reason: str, now: datetime) -> BudgetDocument:
    """The second person does not agree: nothing is posted, and the reason is kept."""
    document = await _open_document(tx, document_id, checker)
    return await _decided(tx, document, DocumentState.REFUSED, checker=checker, refusal=reason, now=now)


async def documents_of_program(
    program_id: str, *, state: DocumentState | None, before: str | None, count_max: int, db: Database
) -> Sequence[BudgetDocument]:
    """The documents of a program, the newest first, at most `count_max`."""
    async with db.transaction() as tx:
        if not await program_store.knows_program(tx, program_id):
            raise NotFound(kind="program")
        return await store.documents(tx, program_id, state=state, before=before, count_max=count_max)


async def _open_document(tx: Connection, document_id: str, checker: str) -> BudgetDocument:
    document = await store.document(tx, document_id)
    if document is None:
        raise NotFound(kind="budget document")
    two_people(checker, document.made_by)
    if document.state is not DocumentState.PROPOSED:
        raise DocumentDecided
    return document


async def _post(
    tx: Connection, document: BudgetDocument, books: dict[str, str], *, checker: str, now: datetime
) -> str | None:
    """What the ledger says against the document; None where all of it is posted."""
    for posted in await ledger_store.post(tx, transfers_of(document, books, checker=checker, at=now)):
        if not posted.is_ok:
            return (posted.outcome or Code.CONFLICT).value
    if document.to_row is not None and document.to_row.startswith("round/"):
        # The posting holds the line's lock: no other document can widen a round of it meanwhile.
        book = books[document.to_row]
        line = (await ledger_store.balances(tx, [book])).get(book)
        if await store.rounds_of_line(tx, book) > (line.appropriated_cents if line else 0):
            return OVER_LINE
    return None


async def _decided(
    tx: Connection,
    document: BudgetDocument,
    state: DocumentState,
    *,
    checker: str,
    refusal: str | None,
    now: datetime,
) -> BudgetDocument:
    await store.decide(tx, document.document_id, state, checker=checker, refusal=refusal, now=now)
    decided = await store.document(tx, document.document_id)
    assert decided is not None
    return decided


async def _book_of(tx: Connection, row: BudgetRow, *, pointer: str) -> str:
    """The line that guards the row; a round or an award must be one the program has published."""
    if row.fiscal_year is not None:
        return line_row(row.program_id, row.fiscal_year)
    known = await program_store.round_copy(tx, row.program_id, row.part)
    if known is None:
        raise RowUnfit(why="the program has published no such round", pointer=pointer)
    if row.provider_id and not await program_store.lists_provider(tx, row.program_id, row.provider_id):
        raise RowUnfit(why="the program lists no such provider", pointer=pointer)
    return line_row(row.program_id, known.fiscal_year)
