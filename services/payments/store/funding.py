"""The money of each case: holds, waiting places, encumbrances."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from contracts.ids import ApplicationId, HoldId, TransferId
from contracts.plan import CostKind
from contracts.steps.payments import HoldFunds
from kit.db import Connection
from services.payments.books.cost_lines import awarded
from services.payments.books.waiting import WaitingOrder
from services.payments.domain import Funding, FundingState

COLUMNS = ", ".join(field.name for field in fields(Funding))

# Serializes what is asked about one case: a late attempt of a hold must not slip past the release that ended the case.
LOCK_CASE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7001))"

CURRENT = f"SELECT {COLUMNS} FROM funding WHERE application_id = $1 ORDER BY hold_number DESC LIMIT 1 FOR UPDATE"
BY_NUMBER = f"SELECT {COLUMNS} FROM funding WHERE application_id = $1 AND hold_number = $2 FOR UPDATE"

# An advance is paid while the rest is still encumbered, or after the rest was given back.
EXPENDED = f"""
SELECT {COLUMNS} FROM funding
WHERE application_id = ANY ($1::text[]) AND (state = 'expended' OR advanced_cents > 0)
"""
# One hold of a case is ever encumbered.
ENCUMBERED_ONCE = f"""
SELECT {COLUMNS} FROM funding WHERE application_id = ANY ($1::text[]) AND encumbrance_transfer_id IS NOT NULL
"""

ADD_HELD = f"""
INSERT INTO funding (
    application_id, hold_number, person_id, program_id, round_id, provider_id, credential_id, book, person_capped,
    amount_cents, hold_seconds, cost_lines, state, hold_id, hold_transfer_id, expires_at, changed_at
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'held', $13, $14,
    now() + make_interval(secs => $11::integer), $15
) RETURNING {COLUMNS}
"""
ADD_WITHOUT_MONEY = f"""
INSERT INTO funding (
    application_id, hold_number, person_id, program_id, round_id, provider_id, credential_id, book, person_capped,
    amount_cents, hold_seconds, cost_lines, state, reason, waiting_number, changed_at, submitted_at, priority_group,
    waiting_place
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
    CASE WHEN $13 = 'waiting' THEN nextval('funding_waiting_number') END, $15, $16, $17, $18
) RETURNING {COLUMNS}
"""
PLACE_HELD = f"""
UPDATE funding SET state = 'held', reason = NULL, hold_id = $3, hold_transfer_id = $4, served = served + 1,
    expires_at = now() + make_interval(secs => hold_seconds), changed_at = $5
WHERE application_id = $1 AND hold_number = $2 RETURNING {COLUMNS}
"""
TURNED_DOWN = """
UPDATE funding SET state = $3, reason = $4, served = served + 1, changed_at = $5
WHERE application_id = $1 AND hold_number = $2
"""
ENCUMBERED = """
UPDATE funding SET state = 'encumbered', enrollment_id = $3, encumbrance_transfer_id = $4, encumbered_cents = $5,
    changed_at = $6
WHERE application_id = $1 AND hold_number = $2
"""
ENCUMBERED_AGAIN = """
UPDATE funding SET state = 'encumbered', reason = NULL, encumbrance_transfer_id = $3, encumbered_cents = $4,
    changed_at = $5
WHERE application_id = $1 AND hold_number = $2
"""
ENDED = """
UPDATE funding SET state = $3, reason = $4, released_cents = $5, changed_at = $6
WHERE application_id = $1 AND hold_number = $2
"""

# A smaller request does not overtake those who wait for the same money.
SOMEBODY_WAITS = """
SELECT reason FROM funding
WHERE book = $1 AND state = 'waiting' AND (
    reason = 'over_program'
    OR (reason = 'over_round' AND round_id = $2)
    OR (reason = 'over_award' AND round_id = $2 AND provider_id = $3)
)
ORDER BY waiting_place, waiting_number LIMIT 1
"""
# Where smaller requests may pass, what is more than its rows have is not looked at: behind it stand those that fit.
FIRST_WAITING = f"""
SELECT {COLUMNS} FROM (
    SELECT DISTINCT round_id AS round, provider_id AS provider FROM funding WHERE book = $1 AND state = 'waiting'
) AS award
CROSS JOIN LATERAL (
    SELECT f.* FROM funding AS f
    WHERE f.book = $1 AND f.state = 'waiting' AND f.round_id = award.round AND f.provider_id = award.provider
        AND (NOT $3 OR f.amount_cents <= (
            SELECT min(b.available_cents) FROM balance AS b WHERE b.id IN (
                $1, concat_ws('/', 'round', f.program_id, f.round_id),
                concat_ws('/', 'award', f.program_id, f.round_id, f.provider_id)
            )
        ))
    ORDER BY f.waiting_place, f.waiting_number LIMIT $2
) AS first
ORDER BY waiting_place, waiting_number
"""
# Skipped rows belong to cases that are being changed just now; to wait for one of them could be crosswise.
LOCK_WAITING = """
SELECT application_id FROM funding
WHERE (application_id, hold_number) IN (SELECT * FROM unnest($1::text[], $2::integer[])) AND state = 'waiting'
FOR UPDATE SKIP LOCKED
"""
BOOKS_WAITED_FOR = "SELECT DISTINCT book FROM funding WHERE state = 'waiting' ORDER BY book"

WAITING_OF_PROGRAM = """
SELECT application_id, hold_number, priority_group, submitted_at FROM funding
WHERE program_id = $1 AND state = 'waiting' ORDER BY application_id FOR UPDATE
"""
PUT_IN_ORDER = """
UPDATE funding AS f SET waiting_place = n.place
FROM unnest($1::text[], $2::integer[], $3::text[]) AS n(application_id, hold_number, place)
WHERE f.application_id = n.application_id AND f.hold_number = n.hold_number AND f.waiting_place <> n.place
"""
# Counted among those who wait for the same limit, for theirs is the only line it stands in.
PLACE_IN_LINE = """
SELECT w.reason, w.amount_cents, w.changed_at AS waiting_since, (
    SELECT count(*) FROM funding AS o
    WHERE o.book = w.book AND o.state = 'waiting'
        AND (o.waiting_place, o.waiting_number) < (w.waiting_place, w.waiting_number)
        AND (w.reason = 'over_program' OR o.reason = 'over_program' OR (
            o.round_id = w.round_id AND (w.reason = 'over_round' OR o.reason = 'over_round'
                OR o.provider_id = w.provider_id)
        ))
) AS ahead
FROM funding AS w WHERE w.application_id = $1 AND w.state = 'waiting' ORDER BY w.hold_number DESC LIMIT 1
"""

LOCK_EXPIRED = f"""
SELECT {COLUMNS} FROM funding WHERE state = 'held' AND expires_at <= now() AND hold_id <> ALL ($2::text[])
ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
DATABASE_NOW = "SELECT now()"

END_CASE = """
INSERT INTO ended_case (application_id, reason, ended_at) VALUES ($1, $2, $3)
ON CONFLICT (application_id) DO NOTHING
"""
ENDED_AMONG = "SELECT application_id FROM ended_case WHERE application_id = ANY ($1::text[])"
HAS_ENDED = "SELECT EXISTS (SELECT FROM ended_case WHERE application_id = $1)"


async def lock_case(tx: Connection, application_id: str) -> None:
    """Wait for whoever works on this case's money, until the transaction ends."""
    await tx.execute(LOCK_CASE, application_id)


async def current(tx: Connection, application_id: str) -> Funding | None:
    """The case's latest hold, waiting place or refusal."""
    row = await tx.fetchrow(CURRENT, application_id)
    return funding_of(row) if row else None


async def by_number(tx: Connection, application_id: str, hold_number: int) -> Funding | None:
    row = await tx.fetchrow(BY_NUMBER, application_id, hold_number)
    return funding_of(row) if row else None


async def expended(tx: Connection, application_ids: Sequence[str]) -> dict[ApplicationId, Funding]:
    """The funding behind approved claims, by case."""
    found = [funding_of(row) for row in await tx.fetch(EXPENDED, list(application_ids))]
    return {one.application_id: one for one in found}


async def encumbered_once(tx: Connection, application_ids: Sequence[str]) -> dict[ApplicationId, Funding]:
    """The funding that was encumbered for each case, whatever became of it."""
    found = [funding_of(row) for row in await tx.fetch(ENCUMBERED_ONCE, list(application_ids))]
    return {one.application_id: one for one in found}


async def add_held(
    tx: Connection, ask: HoldFunds, *, book: str, capped: bool, hold_id: HoldId, transfer_id: TransferId, now: datetime
) -> Funding:
    """The expiry is counted on the database's clock."""
    row = await tx.fetchrow(ADD_HELD, *_asked(ask, book, capped), hold_id, transfer_id, now)
    return funding_of(row)


async def add_without_money(
    tx: Connection,
    ask: HoldFunds,
    *,
    book: str,
    capped: bool,
    state: FundingState,
    reason: str,
    place: str,
    now: datetime,
) -> Funding:
    """A waiting place, or a refusal that later attempts find again."""
    about = (ask.submitted_at, ask.priority_group, place)
    row = await tx.fetchrow(ADD_WITHOUT_MONEY, *_asked(ask, book, capped), state.value, reason, now, *about)
    return funding_of(row)


async def place_held(
    tx: Connection, funding: Funding, hold_id: HoldId, transfer_id: TransferId, *, now: datetime
) -> Funding:
    """The waiting list has served the case."""
    row = await tx.fetchrow(PLACE_HELD, *_key(funding), hold_id, transfer_id, now)
    return funding_of(row)


async def turned_down(tx: Connection, funding: Funding, state: FundingState, reason: str, *, now: datetime) -> None:
    """The waiting list tried and could not serve the case."""
    await tx.execute(TURNED_DOWN, *_key(funding), state.value, reason, now)


async def encumbered(
    tx: Connection, funding: Funding, *, enrollment_id: str, transfer_id: TransferId, cents: int, now: datetime
) -> None:
    await tx.execute(ENCUMBERED, *_key(funding), enrollment_id, transfer_id, cents, now)


async def encumbered_again(
    tx: Connection, funding: Funding, *, transfer_id: TransferId, cents: int, now: datetime
) -> None:
    """What was payable is encumbered again: an approved claim was stopped."""
    await tx.execute(ENCUMBERED_AGAIN, funding.application_id, funding.hold_number, transfer_id, cents, now)


async def ended(
    tx: Connection, funding: Funding, state: FundingState, reason: str, released_cents: int, *, now: datetime
) -> None:
    """Expended, released, expired or cancelled; `released_cents` is what went back at that moment."""
    await tx.execute(ENDED, *_key(funding), state.value, reason, released_cents, now)


async def somebody_waits(tx: Connection, book: str, round_id: str, provider_id: str) -> str | None:
    """The limit for which somebody ahead of this request already waits."""
    return await tx.fetchval(SOMEBODY_WAITS, book, round_id, provider_id)


async def lock_waiting(
    tx: Connection, book: str, per_award_max: int, *, smaller_may_pass: bool
) -> tuple[list[Funding], set[str]]:
    """The first of each provider award's waiting cases, in their order; and which of them somebody is changing."""
    first = [funding_of(row) for row in await tx.fetch(FIRST_WAITING, book, per_award_max, smaller_may_pass)]
    keys = [one.application_id for one in first], [one.hold_number for one in first]
    locked = {row["application_id"] for row in await tx.fetch(LOCK_WAITING, *keys)} if first else set[str]()
    return first, {str(one.application_id) for one in first} - locked


async def books_waited_for(tx: Connection) -> list[str]:
    return [row["book"] for row in await tx.fetch(BOOKS_WAITED_FOR)]


async def put_in_order(tx: Connection, program_id: str, order: WaitingOrder) -> None:
    """Sort everybody who waits for this program's money as it wants now."""
    rows = await tx.fetch(WAITING_OF_PROGRAM, program_id)
    places = [
        order.place(row["application_id"], priority_group=row["priority_group"], submitted_at=row["submitted_at"])
        for row in rows
    ]
    ids, numbers = [row["application_id"] for row in rows], [row["hold_number"] for row in rows]
    await tx.execute(PUT_IN_ORDER, ids, numbers, places)


async def place_in_line(tx: Connection, application_id: str) -> dict[str, Any] | None:
    """Why the case waits, since when, and how many stand before it; None where it does not wait."""
    row = await tx.fetchrow(PLACE_IN_LINE, application_id)
    return dict(row) if row else None


async def lock_expired(tx: Connection, count_max: int, *, but_not: Sequence[str] = ()) -> list[Funding]:
    """Holds past their expiry by the database's clock, the oldest first; `but_not` the holds of these ids."""
    return [funding_of(row) for row in await tx.fetch(LOCK_EXPIRED, count_max, list(but_not))]


async def database_now(tx: Connection) -> datetime:
    now = await tx.fetchval(DATABASE_NOW)
    assert isinstance(now, datetime)
    return now


async def end_case(tx: Connection, application_id: str, reason: str, *, now: datetime) -> None:
    """Nothing may be held for this case any more."""
    await tx.execute(END_CASE, application_id, reason, now)


async def has_ended(tx: Connection, application_id: str) -> bool:
    return bool(await tx.fetchval(HAS_ENDED, application_id))


def _asked(ask: HoldFunds, book: str, capped: bool) -> Sequence[object]:
    return (
        ask.application_id,
        ask.hold_number,
        ask.person_id,
        ask.program_id,
        ask.round_id,
        ask.provider_id,
        ask.credential_id,
        book,
        capped,
        ask.amount_cents,
        ask.hold_seconds,
        awarded(ask.cost_lines, ask.amount_cents),
    )


def _key(funding: Funding) -> tuple[str, int]:
    return funding.application_id, funding.hold_number


def funding_of(row: Any) -> Funding:
    """A row of `COLUMNS`."""
    values = dict(row)
    values["state"] = FundingState(values["state"])
    values["cost_lines"] = {CostKind(line): cents for line, cents in values["cost_lines"].items()}
    for name, kind in (
        ("application_id", ApplicationId),
        ("hold_id", HoldId),
        ("hold_transfer_id", TransferId),
        ("encumbrance_transfer_id", TransferId),
    ):
        values[name] = None if values[name] is None else kind(values[name])
    return Funding(**values)


async def ended_among(tx: Connection, application_ids: Sequence[str]) -> set[str]:
    """Those of these cases that are over."""
    return {row["application_id"] for row in await tx.fetch(ENDED_AMONG, list(application_ids))}
