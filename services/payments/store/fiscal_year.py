"""The close of a fiscal year: the program's calendar, what is open when the year ends, approvals, the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from contracts.ids import ApplicationId, TransferId
from contracts.plan import CostKind
from contracts.steps.fiscal_year import Disposition
from kit.db import Connection
from services.payments.books.fiscal_year import Approved, FiscalCalendar, Listed, OpenEncumbrance
from services.payments.books.ledger import Scope
from services.payments.domain import Funding
from services.payments.store.funding import COLUMNS, funding_of

CALENDAR = "SELECT fiscal_year_start, time_zone FROM program_version WHERE program_id = $1"
# The clock that decides is the database's: a worker whose clock is an hour off closes no year early.
CLOCK = "SELECT clock_timestamp()"
LINES = """
SELECT id FROM balance
WHERE level = 'line' AND split_part(id, '/', 2) = $1 AND phase <> 'hard_closed' ORDER BY id
"""

BEGIN = """
INSERT INTO fiscal_year_close (book, program_id, fiscal_year, last_day, time_zone, soft_closed_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (book) DO NOTHING
"""
# Whoever works on a close waits for whoever does already: two attempts of one step never post side by side.
CLOSE = """
SELECT book, program_id, fiscal_year, last_day, time_zone, soft_closed_at, hard_closed_at, report
FROM fiscal_year_close WHERE book = $1 FOR UPDATE
"""

# What is left of every encumbrance of the year, whatever put it there: an acceptance, a carry, a claim that was undone.
OPEN = """
SELECT t.id AS transfer_id, own.application_id, t.amount_cents - coalesce(moved.cents, 0)::bigint AS open_cents,
    t.occurred_at AS encumbered_at, e.started_at, e.starts_on, c.earned_on
FROM transfer AS t
LEFT JOIN LATERAL (
    SELECT sum(m.amount_cents) AS cents FROM transfer AS m
    WHERE m.pending_id = t.id AND m.outcome = 'ok' AND m.fiscal_year = t.fiscal_year
) AS moved ON true
CROSS JOIN LATERAL (SELECT substring(t.workflow_id FROM '^application/(.+)$') AS application_id) AS own
LEFT JOIN LATERAL (
    SELECT f.enrollment_id FROM funding AS f
    WHERE f.application_id = own.application_id ORDER BY f.hold_number DESC LIMIT 1
) AS f ON true
LEFT JOIN enrollment AS e ON e.enrollment_id = f.enrollment_id
LEFT JOIN credential AS c ON c.application_id = own.application_id
WHERE t.book = $1 AND t.fiscal_year = fiscal_year_of($1) AND t.outcome = 'ok' AND t.credit = 'encumbered'
    AND t.id > $2 AND t.amount_cents > coalesce(moved.cents, 0)
ORDER BY t.id LIMIT $3
"""
LIST = """
INSERT INTO year_end_encumbrance AS y (
    book, transfer_id, application_id, service_on, service_basis, open_cents, disposition, reason
)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::date[], $5::text[], $6::bigint[], $7::text[], $8::text[])
ON CONFLICT (book, transfer_id) DO UPDATE SET open_cents = excluded.open_cents,
    service_on = excluded.service_on, service_basis = excluded.service_basis,
    disposition = CASE WHEN y.amended_by IS NULL THEN excluded.disposition ELSE y.disposition END,
    reason = CASE WHEN y.amended_by IS NULL THEN excluded.reason ELSE y.reason END
WHERE y.approval_number IS NULL
"""
# What was paid or given back before anybody agreed to it needs no agreement.
FORGET_RESOLVED = """
DELETE FROM year_end_encumbrance AS y
WHERE y.book = $1 AND y.approval_number IS NULL AND (
    SELECT t.amount_cents - coalesce((
        SELECT sum(m.amount_cents) FROM transfer AS m
        WHERE m.pending_id = t.id AND m.outcome = 'ok' AND m.fiscal_year = t.fiscal_year
    ), 0) FROM transfer AS t WHERE t.id = y.transfer_id AND t.fiscal_year = fiscal_year_of($1)
) <= 0
"""
SUMS = """
SELECT count(*) AS encumbrances, coalesce(sum(open_cents), 0)::bigint AS open_cents,
    coalesce(sum(open_cents) FILTER (WHERE disposition = 'carry'), 0)::bigint AS carry_cents,
    coalesce(sum(open_cents) FILTER (WHERE disposition = 'lapse'), 0)::bigint AS lapse_cents,
    count(*) FILTER (WHERE approval_number IS NULL) AS unapproved,
    (SELECT count(*) FROM fiscal_year_approval WHERE book = $1) AS approvals,
    encode(sha256(convert_to(coalesce(string_agg(
        transfer_id || ' ' || disposition || ' ' || open_cents, chr(10) ORDER BY transfer_id
    ) FILTER (WHERE approval_number IS NULL), ''), 'UTF8')), 'hex') AS digest
FROM year_end_encumbrance WHERE book = $1
"""
# The cost lines of a case go one way.
AMEND = """
UPDATE year_end_encumbrance SET disposition = $3, reason = $4, amended_by = $5
WHERE book = $1 AND approval_number IS NULL AND (transfer_id = $2 OR application_id = (
    SELECT o.application_id FROM year_end_encumbrance AS o
    WHERE o.book = $1 AND o.transfer_id = $2 AND o.approval_number IS NULL
)) RETURNING transfer_id
"""
APPROVE = """
INSERT INTO fiscal_year_approval (book, approval_number, digest, made_by, checked_by, approved_at)
SELECT $1, coalesce(max(approval_number), 0) + 1, $2, $3, $4, $5 FROM fiscal_year_approval WHERE book = $1
RETURNING approval_number
"""
APPROVED = "UPDATE year_end_encumbrance SET approval_number = $2 WHERE book = $1 AND approval_number IS NULL"
APPROVALS = """
SELECT approval_number, digest, made_by, checked_by, approved_at FROM fiscal_year_approval
WHERE book = $1 ORDER BY approval_number
"""

HELD = f"""
SELECT {COLUMNS} FROM funding WHERE book = $1 AND state = 'held' ORDER BY application_id LIMIT $2 FOR UPDATE
"""
WAITING = f"""
SELECT {COLUMNS} FROM funding WHERE book = $1 AND state = 'waiting' ORDER BY application_id LIMIT $2 FOR UPDATE
"""
# With the other cost lines of its cases: half of a case in one year and half in the next could not be claimed.
NEXT = """
WITH first AS (
    SELECT transfer_id, application_id FROM year_end_encumbrance
    WHERE book = $1 AND outcome IS NULL AND approval_number IS NOT NULL ORDER BY transfer_id LIMIT $2
)
SELECT transfer_id FROM year_end_encumbrance WHERE book = $1 AND transfer_id IN (
    SELECT transfer_id FROM first
    UNION
    SELECT o.transfer_id FROM first JOIN year_end_encumbrance AS o ON o.book = $1
        AND o.application_id = first.application_id AND o.outcome IS NULL AND o.approval_number IS NOT NULL
) ORDER BY transfer_id FOR UPDATE
"""
FUNDINGS = f"""
SELECT {COLUMNS} FROM funding WHERE book = $1 AND state = 'encumbered' AND application_id IN (
    SELECT application_id FROM year_end_encumbrance WHERE book = $1 AND transfer_id = ANY ($2::text[])
) ORDER BY application_id FOR UPDATE
"""
# Read once the cases are locked: a claim that is approved this moment has moved its money on before it is looked at.
TO_POST = """
SELECT y.transfer_id, y.application_id, y.open_cents, y.disposition, t.book, t.line_id, t.round_id, t.award_id,
    t.person_id, t.cost_line, t.workflow_id, t.amount_cents - coalesce((
        SELECT sum(m.amount_cents) FROM transfer AS m
        WHERE m.pending_id = t.id AND m.outcome = 'ok' AND m.fiscal_year = t.fiscal_year
    ), 0)::bigint AS left_cents
FROM year_end_encumbrance AS y
JOIN transfer AS t ON t.id = y.transfer_id AND t.fiscal_year = fiscal_year_of($1)
WHERE y.book = $1 AND y.transfer_id = ANY ($2::text[]) ORDER BY y.transfer_id
"""
POSTED = """
UPDATE year_end_encumbrance AS y SET outcome = p.outcome, posted_cents = p.cents, posted_at = $2
FROM unnest($3::text[], $4::text[], $5::bigint[]) AS p(transfer_id, outcome, cents)
WHERE y.book = $1 AND y.transfer_id = p.transfer_id
"""
CARRIED = """
UPDATE funding AS f SET book = $1, carried_from = f.book, person_capped = false, encumbrance_transfer_id = c.carried_in,
    changed_at = $2
FROM unnest($3::text[], $4::text[]) AS c(transfer_id, carried_in)
WHERE f.encumbrance_transfer_id = c.transfer_id AND f.state = 'encumbered'
"""
LEFT = """
SELECT
    (SELECT count(*) FROM year_end_encumbrance WHERE book = $1 AND outcome IS NULL AND approval_number IS NOT NULL)
    + (SELECT count(*) FROM funding WHERE book = $1 AND state IN ('held', 'waiting')) AS remaining,
    (SELECT count(*) FROM year_end_encumbrance WHERE book = $1 AND approval_number IS NULL) AS unapproved
"""

# Rounds and awards have room of their own; persons' caps are no money.
AVAILABLE = """
SELECT id, level, available_cents FROM balance
WHERE book = $1 AND level <> 'person' AND available_cents > 0 ORDER BY lock_order, id
"""
# From the journal, not from the list: what the list says it posted is what the journal must have.
RESULT = """
SELECT
    count(*) AS encumbrances, coalesce(sum(y.open_cents), 0)::bigint AS open_cents,
    count(*) FILTER (WHERE y.outcome = 'carried') AS carried,
    count(*) FILTER (WHERE y.outcome = 'lapsed') AS lapsed,
    count(*) FILTER (WHERE y.outcome = 'resolved') AS resolved,
    coalesce(sum(y.posted_cents) FILTER (WHERE y.outcome = 'carried'), 0)::bigint AS carried_cents,
    coalesce(sum(y.posted_cents) FILTER (WHERE y.outcome = 'lapsed'), 0)::bigint AS lapsed_cents,
    coalesce(sum(y.open_cents - y.posted_cents), 0)::bigint AS resolved_cents,
    coalesce(sum(j.carried_out), 0)::bigint AS journal_carried_out,
    coalesce(sum(j.lapsed), 0)::bigint AS journal_lapsed,
    coalesce(sum(j.carried_in), 0)::bigint AS journal_carried_in
FROM year_end_encumbrance AS y
CROSS JOIN LATERAL (
    SELECT sum(m.amount_cents) FILTER (WHERE m.kind = 'carry_out') AS carried_out,
        sum(m.amount_cents) FILTER (WHERE m.kind = 'lapse') AS lapsed,
        sum((
            SELECT sum(i.amount_cents) FROM transfer AS i
            WHERE i.links_to = m.id AND i.kind = 'carry_in' AND i.outcome = 'ok'
        )) FILTER (WHERE m.kind = 'carry_out') AS carried_in
    FROM transfer AS m WHERE m.pending_id = y.transfer_id AND m.outcome = 'ok'
) AS j
WHERE y.book = $1
"""
LAPSED_AVAILABLE = """
SELECT coalesce(sum(amount_cents), 0)::bigint FROM transfer
WHERE book = $1 AND fiscal_year = fiscal_year_of($1) AND kind = 'lapse_available' AND line_id IS NOT NULL
    AND outcome = 'ok'
"""
REPORT = "UPDATE fiscal_year_close SET report = $2, hard_closed_at = $3 WHERE book = $1"
OF_CLOSE = """
SELECT transfer_id, application_id, service_on, service_basis, open_cents, disposition, reason, amended_by, outcome,
    posted_cents
FROM year_end_encumbrance WHERE book = $1 AND transfer_id > $2 ORDER BY transfer_id LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Close:
    """The close of one budget line's year."""

    book: str
    program_id: str
    fiscal_year: int
    last_day: date
    time_zone: str
    soft_closed_at: datetime
    hard_closed_at: datetime | None
    report: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Result:
    """What the list says was posted, and what the journal says."""

    encumbrances: int
    open_cents: int
    carried: int
    lapsed: int
    resolved: int
    carried_cents: int
    lapsed_cents: int
    resolved_cents: int
    journal_carried_out: int
    journal_lapsed: int
    journal_carried_in: int


async def calendar_of(tx: Connection, program_id: str) -> FiscalCalendar | None:
    """None where the program has not published its calendar."""
    row = await tx.fetchrow(CALENDAR, program_id)
    if row is None or row["fiscal_year_start"] is None or row["time_zone"] is None:
        return None
    return FiscalCalendar(row["fiscal_year_start"], ZoneInfo(row["time_zone"]))


async def clock(tx: Connection) -> datetime:
    now = await tx.fetchval(CLOCK)
    assert isinstance(now, datetime)
    return now


async def lines_not_closed(tx: Connection, program_id: str) -> list[str]:
    return [row["id"] for row in await tx.fetch(LINES, program_id)]


async def begin(
    tx: Connection, book: str, program_id: str, fiscal_year: int, *, last_day: date, zone: str, now: datetime
) -> None:
    await tx.execute(BEGIN, book, program_id, fiscal_year, last_day, zone, now)


async def close(tx: Connection, book: str) -> Close | None:
    """The close of this line, locked until the transaction ends."""
    row = await tx.fetchrow(CLOSE, book)
    return Close(**dict(row)) if row else None


async def open_encumbrances(tx: Connection, book: str, after: str, count_max: int) -> list[OpenEncumbrance]:
    """The next open encumbrances after this transfer id."""
    return [OpenEncumbrance(**dict(row)) for row in await tx.fetch(OPEN, book, after, count_max)]


async def keep_listed(tx: Connection, book: str, found: Sequence[Listed]) -> None:
    """List them; what is approved is not touched, what somebody amended keeps that."""
    await tx.execute(
        LIST,
        book,
        [one.transfer_id for one in found],
        [one.application_id for one in found],
        [one.service_on for one in found],
        [one.service_basis.value for one in found],
        [one.open_cents for one in found],
        [one.disposition.value for one in found],
        [one.reason for one in found],
    )


async def forget_resolved(tx: Connection, book: str) -> None:
    await tx.execute(FORGET_RESOLVED, book)


async def sums(tx: Connection, book: str) -> dict[str, Any]:
    """The list in sums, with the digest of what is not approved."""
    row = await tx.fetchrow(SUMS, book)
    assert row is not None
    return dict(row)


async def amend(
    tx: Connection, book: str, transfer_id: str, disposition: Disposition, *, reason: str, actor: str
) -> bool:
    return await tx.fetchval(AMEND, book, transfer_id, disposition.value, reason, actor) is not None


async def approve(tx: Connection, book: str, digest: str, *, made_by: str, checked_by: str, now: datetime) -> None:
    """Two people agree to every line of the list that is not approved yet."""
    number = await tx.fetchval(APPROVE, book, digest, made_by, checked_by, now)
    await tx.execute(APPROVED, book, number)


async def approvals(tx: Connection, book: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await tx.fetch(APPROVALS, book)]


async def held(tx: Connection, book: str, count_max: int) -> list[Funding]:
    return [funding_of(row) for row in await tx.fetch(HELD, book, count_max)]


async def waiting(tx: Connection, book: str, count_max: int) -> list[Funding]:
    return [funding_of(row) for row in await tx.fetch(WAITING, book, count_max)]


async def next_to_post(tx: Connection, book: str, count_max: int) -> list[TransferId]:
    """The next approved lines of the list, `count_max` and what else there is of their cases."""
    return [TransferId(row["transfer_id"]) for row in await tx.fetch(NEXT, book, count_max)]


async def fundings_of(tx: Connection, book: str, transfer_ids: Sequence[str]) -> dict[ApplicationId, Funding]:
    """The cases of `book` whose encumbrances these are, locked."""
    found = [funding_of(row) for row in await tx.fetch(FUNDINGS, book, list(transfer_ids))]
    return {one.application_id: one for one in found}


async def to_post(tx: Connection, book: str, transfer_ids: Sequence[str]) -> list[Approved]:
    return [_approved(row) for row in await tx.fetch(TO_POST, book, list(transfer_ids))]


async def posted(tx: Connection, book: str, outcomes: Sequence[tuple[str, str, int]], *, now: datetime) -> None:
    """Transfer id, outcome and cents of each."""
    ids, words, cents = (list(part) for part in zip(*outcomes, strict=True))
    await tx.execute(POSTED, book, now, ids, words, cents)


async def carried(tx: Connection, book: str, entries: Sequence[tuple[str, str]], *, now: datetime) -> None:
    """The cases of these encumbrances go on in `book`, each with the entry that carried its money in."""
    if entries:
        before, after = (list(part) for part in zip(*entries, strict=True))
        await tx.execute(CARRIED, book, now, before, after)


async def left(tx: Connection, book: str) -> tuple[int, int]:
    """How much is still to be posted or given back, and how many lines of the list nobody approved."""
    row = await tx.fetchrow(LEFT, book)
    assert row is not None
    return int(row["remaining"]), int(row["unapproved"])


async def available(tx: Connection, book: str) -> list[tuple[str, str, int]]:
    """Row, level and cents of what the line, its rounds and its awards have uncommitted."""
    return [(row["id"], row["level"], row["available_cents"]) for row in await tx.fetch(AVAILABLE, book)]


async def result(tx: Connection, book: str) -> Result:
    row = await tx.fetchrow(RESULT, book)
    assert row is not None
    return Result(**dict(row))


async def lapsed_available(tx: Connection, book: str) -> int:
    return int(await tx.fetchval(LAPSED_AVAILABLE, book))


async def report(tx: Connection, book: str, content: dict[str, Any], *, now: datetime) -> None:
    await tx.execute(REPORT, book, content, now)


async def of_close(tx: Connection, book: str, after: str, count_max: int) -> list[dict[str, Any]]:
    """Lines of the list after this transfer id."""
    return [dict(row) for row in await tx.fetch(OF_CLOSE, book, after, count_max)]


def _approved(row: Any) -> Approved:
    return Approved(
        transfer_id=TransferId(row["transfer_id"]),
        application_id=ApplicationId(row["application_id"]) if row["application_id"] else None,
        open_cents=row["open_cents"],
        disposition=Disposition(row["disposition"]),
        left_cents=row["left_cents"],
        scope=Scope(row["book"], row["line_id"], row["round_id"], row["award_id"], row["person_id"]),
        cost_line=CostKind(row["cost_line"]),
        workflow_id=row["workflow_id"],
    )
