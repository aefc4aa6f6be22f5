"""The money of many cases at once: the same rows as `funding`, by sets."""

from collections.abc import Sequence
from datetime import datetime

from contracts.ids import HoldId, TransferId
from contracts.steps.payments import EncumberFunds, HoldFunds
from kit.db import Connection
from services.payments.books.cost_lines import awarded
from services.payments.domain import Funding
from services.payments.store.funding import COLUMNS, funding_of

# In one order for everybody: two batches with the same two cases must not wait for each other crosswise.
LOCK_CASES = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(id, 7001) AS key FROM unnest($1::text[]) AS t(id) ORDER BY key
) AS keys
"""
# Locked here, before anything is posted: later, somebody could hold a row and wait for the book that we hold.
OF_CASES = f"""
SELECT {COLUMNS} FROM funding WHERE application_id = ANY ($1::text[])
ORDER BY application_id, hold_number FOR UPDATE
"""
ENDED_AMONG = "SELECT application_id FROM ended_case WHERE application_id = ANY ($1::text[])"

ADD_ALL_HELD = """
INSERT INTO funding (
    application_id, hold_number, person_id, program_id, round_id, provider_id, credential_id, book, person_capped,
    amount_cents, hold_seconds, cost_lines, state, hold_id, hold_transfer_id, expires_at, changed_at
)
SELECT application_id, hold_number, person_id, program_id, round_id, provider_id, credential_id, book, person_capped,
    amount_cents, hold_seconds, cost_lines, 'held', hold_id, hold_transfer_id,
    now() + make_interval(secs => hold_seconds), $15
FROM unnest(
    $1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[],
    $10::bigint[], $11::integer[], $12::jsonb[], $13::text[], $14::text[]
) AS asked(
    application_id, hold_number, person_id, program_id, round_id, provider_id, credential_id, book, person_capped,
    amount_cents, hold_seconds, cost_lines, hold_id, hold_transfer_id
)
RETURNING application_id, expires_at
"""
ALL_ENCUMBERED = """
UPDATE funding AS f SET state = 'encumbered', enrollment_id = g.enrollment_id, encumbered_cents = g.cents,
    encumbrance_transfer_id = g.transfer_id, changed_at = $6
FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::bigint[])
    AS g(application_id, hold_number, enrollment_id, transfer_id, cents)
WHERE f.application_id = g.application_id AND f.hold_number = g.hold_number
"""

SAVE, UNDO = "SAVEPOINT holds_before", "ROLLBACK TO SAVEPOINT holds_before"


async def save(tx: Connection) -> None:
    """Remember this moment of the transaction."""
    await tx.execute(SAVE)


async def undo(tx: Connection) -> None:
    """Go back to the moment remembered."""
    await tx.execute(UNDO)


async def lock_cases(tx: Connection, application_ids: Sequence[str]) -> dict[str, list[Funding]]:
    """Wait for whoever works on these cases' money; what each has, by hold number."""
    await tx.execute(LOCK_CASES, list(application_ids))
    found: dict[str, list[Funding]] = {}
    for row in await tx.fetch(OF_CASES, list(application_ids)):
        found.setdefault(row["application_id"], []).append(funding_of(row))
    return found


async def ended_among(tx: Connection, application_ids: Sequence[str]) -> set[str]:
    """Those of the cases for which nothing may be held any more."""
    return {row["application_id"] for row in await tx.fetch(ENDED_AMONG, list(application_ids))}


async def add_all_held(
    tx: Connection, held: Sequence[tuple[HoldFunds, str, bool, HoldId, TransferId]], *, now: datetime
) -> dict[str, datetime]:
    """Holds as (request, book, person capped, hold, transfer); the expiry of each, on the database's clock."""
    asks = [one[0] for one in held]
    rows = await tx.fetch(
        ADD_ALL_HELD,
        [ask.application_id for ask in asks],
        [ask.hold_number for ask in asks],
        [ask.person_id for ask in asks],
        [ask.program_id for ask in asks],
        [ask.round_id for ask in asks],
        [ask.provider_id for ask in asks],
        [ask.credential_id for ask in asks],
        [one[1] for one in held],
        [one[2] for one in held],
        [ask.amount_cents for ask in asks],
        [ask.hold_seconds for ask in asks],
        [awarded(ask.cost_lines, ask.amount_cents) for ask in asks],
        [one[3] for one in held],
        [one[4] for one in held],
        now,
    )
    return {row["application_id"]: row["expires_at"] for row in rows}


async def all_encumbered(
    tx: Connection, encumbered: Sequence[tuple[EncumberFunds, TransferId]], *, now: datetime
) -> None:
    """Encumbrances as (request, transfer)."""
    await tx.execute(
        ALL_ENCUMBERED,
        [ask.application_id for ask, _ in encumbered],
        [ask.hold_number for ask, _ in encumbered],
        [ask.enrollment_id for ask, _ in encumbered],
        [transfer_id for _, transfer_id in encumbered],
        [ask.price_cents for ask, _ in encumbered],
        now,
    )
