"""Batches, their files and what stands in them; file ids and traces, numbered here for all processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from contracts.ids import PaymentBatchId
from kit.db import Connection
from services.payments.domain import BatchState
from services.payments.payees.payees import Rail
from services.payments.rails import FileEntry

ADD_BATCH = """
INSERT INTO payment_batch (batch_id, state, rail, business_unit, payments, prenotes, total_cents, made_by, made_at)
VALUES ($1, 'built', $2, $3, $4, $5, $6, $7, $8)
"""
BATCH = """
SELECT batch_id, state, rail, business_unit, payments, prenotes, total_cents, made_by, made_at, checked_by, checked_at,
    file_name, content, content_sha256, letter, effective_on, transmission_token, transmitted_at
FROM payment_batch WHERE batch_id = $1 FOR UPDATE
"""
APPROVE_BATCH = """
UPDATE payment_batch SET state = 'approved', checked_by = $2, checked_at = $3, file_name = $4, content = $5,
    content_sha256 = $6, letter = $7, effective_on = $8, destination = $9, file_on = $10, id_modifier = $11
WHERE batch_id = $1
"""
WITHDRAW_BATCH = "UPDATE payment_batch SET state = 'withdrawn', withdrawn_by = $2 WHERE batch_id = $1"
TO_PUT = "SELECT batch_id FROM payment_batch WHERE state = 'approved' ORDER BY checked_at LIMIT $1"
BUILT = "SELECT batch_id FROM payment_batch WHERE state = 'built' ORDER BY made_at, batch_id LIMIT 200"
# Whoever names the staged file first has named it for all: another process's staged file never goes out.
BEGIN_TRANSMISSION = """
UPDATE payment_batch SET transmission_token = coalesce(transmission_token, $2) WHERE batch_id = $1
RETURNING transmission_token
"""
TRANSMITTED = "UPDATE payment_batch SET state = 'transmitted', transmitted_at = $2 WHERE batch_id = $1"
ACKNOWLEDGED = """
UPDATE payment_batch AS b SET state = 'acknowledged'
WHERE batch_id = $1 AND state = 'transmitted' AND NOT EXISTS (
    SELECT FROM disbursement AS d WHERE d.batch_id = b.batch_id AND d.state IN ('batched', 'sent')
)
"""
UNANSWERED = """
SELECT batch_id, rail, payments, total_cents, transmitted_at FROM payment_batch
WHERE state = 'transmitted' AND transmitted_at < $1 ORDER BY transmitted_at LIMIT 200
"""

ADD_ENTRIES = """
INSERT INTO payment_entry (
    batch_id, place, disbursement_id, account_id, trace, company_id, amount_cents, effective_on, batch_reference
)
SELECT $1, g.place, g.disbursement_id, g.account_id, g.trace, g.company_id, g.amount_cents, g.effective_on,
    g.batch_reference
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::date[], $8::text[]) WITH ORDINALITY
    AS g(disbursement_id, account_id, trace, company_id, amount_cents, effective_on, batch_reference, place)
"""
_SENT_ENTRY = """
SELECT e.batch_id, e.place, e.disbursement_id, e.account_id, e.trace, e.company_id, e.amount_cents, e.effective_on,
    e.acknowledged_at, a.routing_number, a.provider_id
FROM payment_entry AS e JOIN payee_account AS a USING (account_id)
"""
BY_TRACE = f"{_SENT_ENTRY} WHERE e.trace = $1 ORDER BY e.effective_on DESC LIMIT 1"
ENTRY_OF = f"{_SENT_ENTRY} WHERE e.disbursement_id = $1"
ACKNOWLEDGE_ENTRY = """
UPDATE payment_entry SET acknowledged_at = coalesce(acknowledged_at, $3) WHERE batch_id = $1 AND place = $2
"""

# A block of numbers at once, in one row per bank; what is left before 9,999,999 is skipped so that traces ascend.
NEXT_TRACES = """
INSERT INTO trace_sequence AS t (odfi, last_number) VALUES ($1, $2)
ON CONFLICT (odfi) DO UPDATE SET
    last_number = CASE WHEN t.last_number + $2 > 9999999 THEN $2 ELSE t.last_number + $2 END
RETURNING last_number - $2 + 1 AS first_number
"""
NEXT_FILE_ID = """
INSERT INTO file_id_sequence AS f (destination, file_on, last_number) VALUES ($1, $2, 1)
ON CONFLICT (destination, file_on) DO UPDATE SET last_number = f.last_number + 1
WHERE f.last_number < $3
RETURNING last_number
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Payments that travel in one file; `content` is what was, or will be, put out."""

    batch_id: PaymentBatchId
    state: BatchState
    rail: Rail
    business_unit: str
    payments: int
    prenotes: int
    total_cents: int
    made_by: str
    made_at: datetime
    checked_by: str | None = None
    checked_at: datetime | None = None
    file_name: str | None = None
    content: bytes | None = None
    content_sha256: bytes | None = None
    letter: str | None = None
    effective_on: date | None = None
    transmission_token: str | None = None
    transmitted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """What an approval fixes for ever."""

    checker: str
    file_name: str
    content: bytes
    sha256: bytes
    letter: str
    effective_on: date | None = None
    destination: str | None = None
    file_on: date | None = None
    id_modifier: str | None = None


@dataclass(frozen=True, slots=True)
class SentEntry:
    """An ACH entry that was sent: whose payment or prenote, to which bank, for how much."""

    batch_id: str
    place: int
    disbursement_id: str | None
    account_id: str
    trace: str
    company_id: str
    amount_cents: int
    effective_on: date
    acknowledged_at: datetime | None
    routing_number: str
    provider_id: str


async def add_batch(tx: Connection, batch: Batch) -> None:
    await tx.execute(
        ADD_BATCH,
        batch.batch_id,
        batch.rail,
        batch.business_unit,
        batch.payments,
        batch.prenotes,
        batch.total_cents,
        batch.made_by,
        batch.made_at,
    )


async def batch(tx: Connection, batch_id: str) -> Batch | None:
    row = await tx.fetchrow(BATCH, batch_id)
    if row is None:
        return None
    values: dict[str, Any] = dict(row)
    values["batch_id"], values["state"] = PaymentBatchId(values["batch_id"]), BatchState(values["state"])
    values["rail"] = Rail(values["rail"])
    return Batch(**values)


async def approve_batch(tx: Connection, batch_id: str, one: Approval, *, now: datetime) -> None:
    """From here on the content is fixed."""
    await tx.execute(
        APPROVE_BATCH,
        batch_id,
        one.checker,
        now,
        one.file_name,
        one.content,
        one.sha256,
        one.letter,
        one.effective_on,
        one.destination,
        one.file_on,
        one.id_modifier,
    )


async def withdraw_batch(tx: Connection, batch_id: str, *, by: str) -> None:
    await tx.execute(WITHDRAW_BATCH, batch_id, by)


async def batches_built(tx: Connection) -> list[PaymentBatchId]:
    """Batches that wait for their second person, the oldest first."""
    return [PaymentBatchId(row["batch_id"]) for row in await tx.fetch(BUILT)]


async def batches_to_put(tx: Connection, count_max: int) -> list[PaymentBatchId]:
    """Approved batches whose file is not known to be out."""
    return [PaymentBatchId(row["batch_id"]) for row in await tx.fetch(TO_PUT, count_max)]


async def begin_transmission(tx: Connection, batch_id: str, token: str) -> str:
    """The token of the one staged file that may go out: `token`, or another process's that came first."""
    found = await tx.fetchval(BEGIN_TRANSMISSION, batch_id, token)
    assert isinstance(found, str)
    return found


async def transmitted(tx: Connection, batch_id: str, *, now: datetime) -> None:
    await tx.execute(TRANSMITTED, batch_id, now)


async def acknowledge(tx: Connection, batch_id: str) -> None:
    """The batch is acknowledged once each of its payments has an answer."""
    await tx.execute(ACKNOWLEDGED, batch_id)


async def unanswered(tx: Connection, before: datetime) -> list[dict[str, Any]]:
    """Batches that went out before a moment and have payments without an answer, the oldest first."""
    return [dict(row) for row in await tx.fetch(UNANSWERED, before)]


async def add_entries(tx: Connection, batch_id: str, entries: Sequence[FileEntry]) -> None:
    await tx.execute(
        ADD_ENTRIES,
        batch_id,
        [one.disbursement_id for one in entries],
        [one.account_id for one in entries],
        [one.trace for one in entries],
        [one.company_id for one in entries],
        [one.amount_cents for one in entries],
        [one.effective_on for one in entries],
        [one.batch_reference for one in entries],
    )


async def entry_by_trace(tx: Connection, trace: str) -> SentEntry | None:
    """The newest entry that was sent under a trace number."""
    row = await tx.fetchrow(BY_TRACE, trace)
    return SentEntry(**dict(row)) if row else None


async def entry_of(tx: Connection, disbursement_id: str) -> SentEntry | None:
    """The ACH entry that a payment left in; None where it left by another rail."""
    row = await tx.fetchrow(ENTRY_OF, disbursement_id)
    return SentEntry(**dict(row)) if row else None


async def acknowledge_entry(tx: Connection, entry: SentEntry, *, now: datetime) -> None:
    await tx.execute(ACKNOWLEDGE_ENTRY, entry.batch_id, entry.place, now)


async def next_traces(tx: Connection, odfi: str, count: int) -> int:
    """The first of `count` sequence numbers that nobody else gets; they ascend within the file."""
    first = await tx.fetchval(NEXT_TRACES, odfi, count)
    assert isinstance(first, int)
    return first


async def next_file_number(tx: Connection, destination: str, file_on: date, count_max: int) -> int | None:
    """Which file of the day to this bank it is, from 1; None where the day's ids are used up."""
    return await tx.fetchval(NEXT_FILE_ID, destination, file_on, count_max)
