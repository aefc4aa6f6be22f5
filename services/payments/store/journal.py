"""Reading the journal: pages, what moved in a period, cost lines, and what the forecast is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from kit.db import Connection
from services.payments.books.account_statement import Movement
from services.payments.books.cost_lines import NOT_WHOLE
from services.payments.books.ledger import Account, Kind
from services.payments.store.ledger import Balance, balance_of

LINES = "SELECT id FROM balance WHERE level = 'line' AND split_part(id, '/', 2) = $1 ORDER BY id"

# One book at a time, so that its index gives the order.
PAGE = """
SELECT entry, id, outcome, kind, debit, credit, cost_line, pending_id, links_to, book, round_id, award_id, person_id,
    amount_cents, reason, actor, workflow_id, occurred_at, recorded_at
FROM transfer
WHERE book = $1 AND fiscal_year = fiscal_year_of($1) AND entry > $2
    AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR outcome = $4)
    AND ($5::text IS NULL OR $5 IN (line_id, round_id, award_id, person_id))
    AND ($6::text IS NULL OR workflow_id = $6) AND ($7::text IS NULL OR $7 IN (id, pending_id, links_to))
ORDER BY entry LIMIT $8
"""

# By the day on which it was recorded: what a statement says of a period that is over never changes.
MOVED = """
SELECT kind, debit, credit, recorded_at >= $3 AS within, count(*) AS entries, sum(amount_cents)::bigint AS cents
FROM transfer
WHERE outcome = 'ok' AND fiscal_year = fiscal_year_of($1) AND book = $1
    AND $2 IN (line_id, round_id, award_id, person_id) AND recorded_at < $4
GROUP BY kind, debit, credit, within ORDER BY kind
"""
BOOK_OF_ROW = "SELECT book FROM balance WHERE id = $1"

COST_LINES = """
SELECT cost_line, debit, credit, sum(amount_cents)::bigint AS cents FROM transfer
WHERE outcome = 'ok' AND fiscal_year = ANY ($2::integer[]) AND line_id = ANY ($1::text[])
GROUP BY cost_line, debit, credit
"""
PERSONS = """
SELECT id, book, level, phase, appropriations, appropriated_cents, available_cents, held_cents, encumbered_cents,
    payable_cents, in_transit_cents, disbursed_cents, lapsed_cents
FROM balance WHERE level = 'person' AND split_part(id, '/', 2) = $1 AND id > $2 ORDER BY id LIMIT $3
"""

BY_MONTH = """
SELECT date_trunc('month', recorded_at AT TIME ZONE $2)::date AS month, debit, credit,
    sum(amount_cents)::bigint AS cents
FROM transfer WHERE outcome = 'ok' AND fiscal_year = fiscal_year_of($1) AND line_id = $1
GROUP BY month, debit, credit ORDER BY month
"""
# What is held or encumbered still, by the day on which it was.
OPEN = """
SELECT t.award_id, t.credit, (t.recorded_at AT TIME ZONE $2)::date AS since,
    sum(t.amount_cents - coalesce(m.cents, 0))::bigint AS cents
FROM transfer AS t LEFT JOIN (
    SELECT pending_id, sum(amount_cents) AS cents FROM transfer
    WHERE book = $1 AND fiscal_year = fiscal_year_of($1) AND outcome = 'ok' AND pending_id IS NOT NULL
    GROUP BY pending_id
) AS m ON m.pending_id = t.id
WHERE t.book = $1 AND t.fiscal_year = fiscal_year_of($1) AND t.outcome = 'ok' AND t.award_id IS NOT NULL
    AND t.credit IN ('held', 'encumbered') AND t.amount_cents > coalesce(m.cents, 0)
GROUP BY t.award_id, t.credit, since ORDER BY t.award_id, t.credit, since
"""
# What became of what is no longer held or encumbered, and how long it took; a hold that was refused was none.
RESOLVED = f"""
SELECT t.award_id, t.credit, m.kind, count(*) AS entries, sum(m.amount_cents)::bigint AS cents,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM m.recorded_at - t.recorded_at)) AS median_seconds
FROM transfer AS m JOIN transfer AS t ON t.id = m.pending_id AND t.fiscal_year = m.fiscal_year
WHERE m.book = $1 AND m.fiscal_year = fiscal_year_of($1) AND m.outcome = 'ok' AND m.award_id IS NOT NULL
    AND t.credit IN ('held', 'encumbered') AND m.reason <> '{NOT_WHOLE}'
GROUP BY t.award_id, t.credit, m.kind
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal, accepted or refused."""

    entry: int
    id: str
    outcome: str
    kind: str
    debit: str
    credit: str
    cost_line: str
    pending_id: str | None
    links_to: str | None
    book: str
    round_id: str | None
    award_id: str | None
    person_id: str | None
    amount_cents: int
    reason: str
    actor: str
    workflow_id: str | None
    occurred_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; `None` is any. `row` is a line, round, award or person; `transfer_id` finds its followers too."""

    kind: Kind | None = None
    outcome: str | None = None
    row: str | None = None
    workflow_id: str | None = None
    transfer_id: str | None = None


async def lines(tx: Connection, program_id: str) -> list[str]:
    """The program's budget lines, the earliest fiscal year first."""
    return [row["id"] for row in await tx.fetch(LINES, program_id)]


async def page(tx: Connection, book: str, wanted: Wanted, *, after: int, limit: int) -> list[Entry]:
    """Entries of one budget line in the order of the journal, past the entry `after`."""
    rows = await tx.fetch(
        PAGE, book, after, wanted.kind and wanted.kind.value, wanted.outcome, wanted.row, wanted.workflow_id,
        wanted.transfer_id, limit,
    )  # fmt: skip
    return [Entry(**dict(row)) for row in rows]


async def book_of_row(tx: Connection, row: str) -> str | None:
    """The budget line of a balance row."""
    return await tx.fetchval(BOOK_OF_ROW, row)


async def moved(
    tx: Connection, book: str, row: str, *, since: datetime, until: datetime
) -> tuple[list[Movement], list[Movement]]:
    """What moved on a balance row before `since`, and from then to before `until`."""
    before: list[Movement] = []
    within: list[Movement] = []
    for found in await tx.fetch(MOVED, book, row, since, until):
        movement = Movement(
            Kind(found["kind"]), Account(found["debit"]), Account(found["credit"]), found["entries"], found["cents"]
        )
        (within if found["within"] else before).append(movement)
    return before, within


async def cost_lines(
    tx: Connection, books: Sequence[str], years: Sequence[int]
) -> list[tuple[str, Account, Account, int]]:
    """(cost line, debit, credit, cents) over all entries of these budget lines."""
    rows = await tx.fetch(COST_LINES, list(books), list(years))
    return [(row["cost_line"], Account(row["debit"]), Account(row["credit"]), row["cents"]) for row in rows]


async def persons(tx: Connection, program_id: str, *, after: str, limit: int) -> list[Balance]:
    """Balance rows of persons, by id."""
    return [balance_of(dict(row)) for row in await tx.fetch(PERSONS, program_id, after, limit)]


async def by_month(tx: Connection, line: str, zone: str) -> list[tuple[date, Account, Account, int]]:
    """(first of the month, debit, credit, cents) of a budget line."""
    rows = await tx.fetch(BY_MONTH, line, zone)
    return [(row["month"], Account(row["debit"]), Account(row["credit"]), row["cents"]) for row in rows]


async def open_items(tx: Connection, line: str, zone: str) -> list[tuple[str, Account, date, int]]:
    """(award, held or encumbered, since, cents) of what is open in a budget line."""
    rows = await tx.fetch(OPEN, line, zone)
    return [(row["award_id"], Account(row["credit"]), row["since"], row["cents"]) for row in rows]


async def resolved(tx: Connection, line: str) -> list[tuple[str, Account, Kind, int, int, float]]:
    """(award, from held or encumbered, how it was resolved, entries, cents, median seconds)."""
    rows = await tx.fetch(RESOLVED, line)
    return [
        (
            row["award_id"], Account(row["credit"]), Kind(row["kind"]), row["entries"], row["cents"],
            float(row["median_seconds"]),
        )
        for row in rows
    ]  # fmt: skip
