"""Budget documents, and what publications have appropriated so far."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from kit.db import Connection
from services.payments.books.authority import BudgetDocument, BudgetDocumentId, DocumentKind, DocumentState
from services.payments.books.budgets import Standing

_COLUMNS = ", ".join(field.name for field in fields(BudgetDocument))

UNLISTED_MAX = 1000

PUBLISHED = "SELECT row_id, cents, postings FROM published_authority WHERE row_id = ANY ($1::text[])"
NOW_PUBLISHED = """
INSERT INTO published_authority AS p (row_id, cents, postings)
SELECT row_id, cents, 1 FROM unnest($1::text[], $2::bigint[]) AS n(row_id, cents)
ON CONFLICT (row_id) DO UPDATE SET cents = excluded.cents, postings = p.postings + 1
"""
UNLISTED = """
SELECT row_id, cents, postings FROM published_authority
WHERE (starts_with(row_id, 'round/' || $1 || '/') OR starts_with(row_id, 'award/' || $1 || '/'))
  AND cents > 0 AND row_id <> ALL ($2::text[])
ORDER BY row_id LIMIT $3
"""
PROPOSE = """
INSERT INTO budget_document (
    document_id, program_id, kind, reference, amount_cents, from_row, to_row, reason, state, made_by, made_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'proposed', $9, $10)
ON CONFLICT DO NOTHING RETURNING document_id
"""
ONE = f"SELECT {_COLUMNS} FROM budget_document WHERE document_id = $1 FOR UPDATE"
DECIDE = """
UPDATE budget_document SET state = $2, checked_by = $3, checked_at = $4, refusal = $5 WHERE document_id = $1
"""
OF_PROGRAM = f"""
SELECT {_COLUMNS} FROM budget_document
WHERE program_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR document_id < $3)
ORDER BY document_id DESC LIMIT $4
"""
# Within the line's lock: rounds together never have more than their line.
ROUNDS_OF_LINE = """
SELECT coalesce(sum(appropriated_cents), 0)::bigint FROM balance WHERE book = $1 AND level = 'round'
"""
SAVE_BOOKS = "SAVEPOINT books_before"
UNDO_POSTINGS = "ROLLBACK TO SAVEPOINT books_before"


async def save_books(tx: Connection) -> None:
    """Remember the books as they are, for `undo_postings`."""
    await tx.execute(SAVE_BOOKS)


async def undo_postings(tx: Connection) -> None:
    """Back to the books as `save_books` saw them, within the same transaction."""
    await tx.execute(UNDO_POSTINGS)


async def published(tx: Connection, rows: Sequence[str]) -> dict[str, Standing]:
    """What publications have appropriated to each row, in how many postings."""
    return {row["row_id"]: Standing(row["cents"], row["postings"]) for row in await tx.fetch(PUBLISHED, list(rows))}


async def unlisted(tx: Connection, program_id: str, listed: Sequence[str]) -> dict[str, Standing]:
    """Rounds and awards that publications have given money and the newest one does not name; `UNLISTED_MAX` at most."""
    rows = await tx.fetch(UNLISTED, program_id, list(listed), UNLISTED_MAX)
    return {row["row_id"]: Standing(row["cents"], row["postings"]) for row in rows}


async def now_published(tx: Connection, figures: Mapping[str, int]) -> None:
    """Each row has been brought to this figure by one posting."""
    await tx.execute(NOW_PUBLISHED, list(figures), list(figures.values()))


async def propose(tx: Connection, document: BudgetDocument) -> bool:
    """False where a document of the same reference moves the same money already."""
    return (
        await tx.fetchval(
            PROPOSE,
            document.document_id,
            document.program_id,
            document.kind.value,
            document.reference,
            document.amount_cents,
            document.from_row,
            document.to_row,
            document.reason,
            document.made_by,
            document.made_at,
        )
        is not None
    )


async def document(tx: Connection, document_id: str) -> BudgetDocument | None:
    row = await tx.fetchrow(ONE, document_id)
    return _document(row) if row else None


async def decide(
    tx: Connection, document_id: str, state: DocumentState, *, checker: str, refusal: str | None, now: datetime
) -> None:
    await tx.execute(DECIDE, document_id, state.value, checker, now, refusal)


async def documents(
    tx: Connection, program_id: str, *, state: DocumentState | None, before: str | None, count_max: int
) -> list[BudgetDocument]:
    """The program's documents, the newest first."""
    rows = await tx.fetch(OF_PROGRAM, program_id, state.value if state else None, before, count_max)
    return [_document(row) for row in rows]


async def rounds_of_line(tx: Connection, book: str) -> int:
    """What the rounds of a line have been given together."""
    return int(await tx.fetchval(ROUNDS_OF_LINE, book))


def _document(row: Any) -> BudgetDocument:
    values = dict(row)
    values["document_id"] = BudgetDocumentId(values["document_id"])
    values["kind"], values["state"] = DocumentKind(values["kind"]), DocumentState(values["state"])
    return BudgetDocument(**values)
