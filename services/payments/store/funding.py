"""The money of each case: holds, waiting places, encumbrances."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from contracts.ids import ApplicationId, HoldId, TransferId
from contracts.steps.payments import HoldFunds
from kit.db import Connection
from services.payments.domain import Funding, FundingState

_COLUMNS = ", ".join(field.name for field in fields(Funding))

# Serializes what is asked about one case: a late attempt of a hold must not slip past the release that ended the case.
LOCK_CASE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7001))"

CURRENT = f"SELECT {_COLUMNS} FROM funding WHERE application_id = $1 ORDER BY hold_number DESC LIMIT 1 FOR UPDATE"
BY_NUMBER = f"SELECT {_COLUMNS} FROM funding WHERE application_id = $1 AND hold_number = $2 FOR UPDATE"

EXPENDED = f"SELECT {_COLUMNS} FROM funding WHERE application_id = ANY ($1::text[]) AND state = 'expended'"

ADD_HELD = f"""
INSERT INTO funding (
    application_id, hold_number, person_id, program_id, round_id, provider_id, credential_id, book, person_capped,
    amount_cents, hold_seconds, state, hold_id, hold_transfer_id, expires_at, changed_at
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'held', $12, $13, now() + make_interval(secs => $11::integer), $14
) RETURNING {_COLUMNS}
"""
ADD_WITHOUT_MONEY = f"""
INSERT INTO funding (
    application_id, hold_number, person_id, program_id, round_id, provider_id, credential_id, book, person_capped,
    amount_cents, hold_seconds, state, reason, waiting_number, changed_at
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    CASE WHEN $12 = 'waiting' THEN nextval('funding_waiting_number') END, $14
) RETURNING {_COLUMNS}
"""
PLACE_HELD = f"""
UPDATE funding SET state = 'held', reason = NULL, hold_id = $3, hold_transfer_id = $4, served = served + 1,
    expires_at = now() + make_interval(secs => hold_seconds), changed_at = $5
WHERE application_id = $1 AND hold_number = $2 RETURNING {_COLUMNS}
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
ORDER BY waiting_number LIMIT 1
"""
# Skipped rows belong to cases that are being withdrawn just now.
LOCK_WAITING = f"""
SELECT {_COLUMNS} FROM funding
WHERE (application_id, hold_number) IN (
    SELECT application_id, hold_number FROM (
        SELECT application_id, hold_number,
            row_number() OVER (PARTITION BY round_id, provider_id ORDER BY waiting_number) AS turn
        FROM funding WHERE book = $1 AND state = 'waiting'
    ) AS queued WHERE turn <= $2
) AND state = 'waiting'
ORDER BY waiting_number
FOR UPDATE SKIP LOCKED
"""
BOOKS_WAITED_FOR = "SELECT DISTINCT book FROM funding WHERE state = 'waiting' ORDER BY book"

LOCK_EXPIRED = f"""
SELECT {_COLUMNS} FROM funding WHERE state = 'held' AND expires_at <= now()
ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
DATABASE_NOW = "SELECT now()"

END_CASE = """
INSERT INTO ended_case (application_id, reason, ended_at) VALUES ($1, $2, $3)
ON CONFLICT (application_id) DO NOTHING
"""
HAS_ENDED = "SELECT EXISTS (SELECT FROM ended_case WHERE application_id = $1)"


async def lock_case(tx: Connection, application_id: str) -> None:
    """Wait for whoever works on this case's money, until the transaction ends."""
    await tx.execute(LOCK_CASE, application_id)


async def current(tx: Connection, application_id: str) -> Funding | None:
    """The case's latest hold, waiting place or refusal."""
    row = await tx.fetchrow(CURRENT, application_id)
    return _funding(row) if row else None


async def by_number(tx: Connection, application_id: str, hold_number: int) -> Funding | None:
    row = await tx.fetchrow(BY_NUMBER, application_id, hold_number)
    return _funding(row) if row else None


async def expended(tx: Connection, application_ids: Sequence[str]) -> dict[ApplicationId, Funding]:
    """The funding behind approved claims, by case."""
    found = [_funding(row) for row in await tx.fetch(EXPENDED, list(application_ids))]
    return {one.application_id: one for one in found}


async def add_held(
    tx: Connection, ask: HoldFunds, *, book: str, capped: bool, hold_id: HoldId, transfer_id: TransferId, now: datetime
) -> Funding:
    """The expiry is counted on the database's clock."""
    row = await tx.fetchrow(ADD_HELD, *_asked(ask, book, capped), hold_id, transfer_id, now)
    return _funding(row)


async def add_without_money(
    tx: Connection, ask: HoldFunds, *, book: str, capped: bool, state: FundingState, reason: str, now: datetime
) -> Funding:
    """A waiting place, or a refusal that later attempts find again."""
    row = await tx.fetchrow(ADD_WITHOUT_MONEY, *_asked(ask, book, capped), state.value, reason, now)
    return _funding(row)


async def place_held(
    tx: Connection, funding: Funding, hold_id: HoldId, transfer_id: TransferId, *, now: datetime
) -> Funding:
    """The waiting list has served the case."""
    row = await tx.fetchrow(PLACE_HELD, *_key(funding), hold_id, transfer_id, now)
    return _funding(row)


async def turned_down(tx: Connection, funding: Funding, state: FundingState, reason: str, *, now: datetime) -> None:
    """The waiting list tried and could not serve the case."""
    await tx.execute(TURNED_DOWN, *_key(funding), state.value, reason, now)


async def encumbered(
    tx: Connection, funding: Funding, *, enrollment_id: str, transfer_id: TransferId, cents: int, now: datetime
) -> None:
    await tx.execute(ENCUMBERED, *_key(funding), enrollment_id, transfer_id, cents, now)


async def ended(
    tx: Connection, funding: Funding, state: FundingState, reason: str, released_cents: int, *, now: datetime
) -> None:
    """Expended, released, expired or cancelled; `released_cents` is what went back at that moment."""
    await tx.execute(ENDED, *_key(funding), state.value, reason, released_cents, now)


async def somebody_waits(tx: Connection, book: str, round_id: str, provider_id: str) -> str | None:
    """The limit for which somebody ahead of this request already waits."""
    return await tx.fetchval(SOMEBODY_WAITS, book, round_id, provider_id)


async def lock_waiting(tx: Connection, book: str, per_award_max: int) -> list[Funding]:
    """The first of each provider award's waiting cases, in the order in which they came."""
    return [_funding(row) for row in await tx.fetch(LOCK_WAITING, book, per_award_max)]


async def books_waited_for(tx: Connection) -> list[str]:
    return [row["book"] for row in await tx.fetch(BOOKS_WAITED_FOR)]


async def lock_expired(tx: Connection, count_max: int) -> list[Funding]:
    """Holds past their expiry by the database's clock, the oldest first."""
    return [_funding(row) for row in await tx.fetch(LOCK_EXPIRED, count_max)]


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
    )


def _key(funding: Funding) -> tuple[str, int]:
    return funding.application_id, funding.hold_number


def _funding(row: Any) -> Funding:
    values = dict(row)
    values["state"] = FundingState(values["state"])
    for name, kind in (
        ("application_id", ApplicationId),
        ("hold_id", HoldId),
        ("hold_transfer_id", TransferId),
        ("encumbrance_transfer_id", TransferId),
    ):
        values[name] = None if values[name] is None else kind(values[name])
    return Funding(**values)
