"""The journal's entries of one provider's money."""

from datetime import datetime

from kit.db import Connection
from services.payments.books.ledger import Kind
from services.payments.claims.provider_statement import Movement

AWARDS = """
SELECT id, book FROM balance WHERE level = 'award' AND split_part(id, '/', 4) = $1 ORDER BY id
"""
OWED_BEFORE = """
SELECT coalesce(sum(amount_cents) FILTER (WHERE credit IN ('payable', 'in_transit')), 0)
    - coalesce(sum(amount_cents) FILTER (WHERE debit IN ('payable', 'in_transit')), 0) AS cents
FROM transfer
WHERE book = ANY ($1::text[]) AND award_id = ANY ($2::text[]) AND outcome = 'ok' AND recorded_at < $3
"""
MOVEMENTS = """
SELECT id, kind, reason, amount_cents, workflow_id, recorded_at FROM transfer
WHERE book = ANY ($1::text[]) AND award_id = ANY ($2::text[]) AND outcome = 'ok'
    AND recorded_at >= $3 AND recorded_at < $4
    AND (debit IN ('payable', 'in_transit', 'disbursed') OR credit IN ('payable', 'in_transit', 'disbursed'))
ORDER BY entry LIMIT $5
"""


async def awards_of(tx: Connection, provider_id: str) -> tuple[list[str], list[str]]:
    """The provider's award rows, and the books they are in."""
    rows = await tx.fetch(AWARDS, provider_id)
    return [row["id"] for row in rows], sorted({row["book"] for row in rows})


async def owed_before(tx: Connection, books: list[str], awards: list[str], at: datetime) -> int:
    """What the provider was owed, in cents, when the day began."""
    return int(await tx.fetchval(OWED_BEFORE, books, awards, at))


async def movements(
    tx: Connection, books: list[str], awards: list[str], since: datetime, until: datetime, count_max: int
) -> list[Movement]:
    """Entries from `since` up to, and without, `until`, in the journal's order; at most `count_max`."""
    return [
        Movement(
            row["id"], Kind(row["kind"]), row["reason"], row["amount_cents"], row["workflow_id"], row["recorded_at"]
        )
        for row in await tx.fetch(MOVEMENTS, books, awards, since, until, count_max)
    ]
