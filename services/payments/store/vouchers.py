"""Exam vouchers: lots, codes, allocations, reveals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.ids import ExamVoucherId
from kit.db import Connection
from services.payments.domain import ExamVoucherState

ADD_LOT = """
INSERT INTO exam_voucher_lot (
    lot_id, exam_id, vendor, order_number, region, unit_cost_cents, not_before, expires_at, expiry_zone, retires_at,
    imported_by, imported_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (vendor, order_number) DO NOTHING RETURNING lot_id
"""
ADD_CODES = """
INSERT INTO exam_voucher (
    exam_voucher_id, lot_id, exam_id, not_before, usable_until, sealed_code, code_mac, changed_at
)
SELECT id, $2, $3, $4, $5, sealed, mac, $6 FROM unnest($1::text[], $7::bytea[], $8::bytea[]) AS c(id, sealed, mac)
"""
KNOWN_MACS = "SELECT code_mac FROM exam_voucher WHERE code_mac = ANY ($1::bytea[])"

# One statement, so that a code picked is a code taken; the one that expires first is spent first.
ALLOCATE = """
WITH pick AS (
    SELECT exam_voucher_id FROM exam_voucher
    WHERE exam_id = $2 AND state = 'available' AND not_before <= now()
        AND usable_until >= now() + make_interval(secs => $4::integer)
    ORDER BY usable_until, exam_voucher_id LIMIT 1
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE exam_voucher AS v SET state = 'allocated', changed_at = $5
    FROM pick WHERE v.exam_voucher_id = pick.exam_voucher_id
    RETURNING v.exam_voucher_id, v.usable_until
), kept AS (
    INSERT INTO exam_voucher_allocation (application_id, exam_id, attempt_number, exam_voucher_id, allocated_at)
    SELECT $1, $2, $3, exam_voucher_id, $5 FROM taken
)
SELECT exam_voucher_id, usable_until FROM taken
"""
ALLOCATION = """
SELECT v.exam_voucher_id, v.usable_until
FROM exam_voucher_allocation AS a JOIN exam_voucher AS v USING (exam_voucher_id)
WHERE a.application_id = $1 AND a.exam_id = $2 AND a.attempt_number = $3
"""
# What nobody saw is available again; what was seen waits for the vendor's word.
RECLAIM = """
WITH held AS (
    SELECT v.exam_voucher_id, v.state FROM exam_voucher_allocation AS a JOIN exam_voucher AS v USING (exam_voucher_id)
    WHERE a.application_id = $1 AND a.ended_at IS NULL AND v.state IN ('allocated', 'revealed')
    ORDER BY v.exam_voucher_id FOR UPDATE OF v
), ended AS (
    UPDATE exam_voucher_allocation AS a SET ended_at = $2 FROM held
    WHERE a.exam_voucher_id = held.exam_voucher_id AND a.ended_at IS NULL
)
UPDATE exam_voucher AS v
SET state = CASE held.state WHEN 'allocated' THEN 'available' ELSE 'awaiting_vendor' END, changed_at = $2
FROM held WHERE v.exam_voucher_id = held.exam_voucher_id
RETURNING v.exam_voucher_id, v.exam_id, v.state
"""
# A state is only left forwards: a registration that is told after the result changes nothing.
MOVE = """
UPDATE exam_voucher AS v SET state = $4, changed_at = $6
FROM exam_voucher_allocation AS a
WHERE a.exam_voucher_id = v.exam_voucher_id AND a.application_id = $1 AND a.exam_id = $2 AND a.attempt_number = $3
    AND v.state = ANY ($5::text[])
"""
OF_CASE = """
SELECT v.exam_voucher_id, a.application_id, v.state, v.sealed_code, a.ended_at
FROM exam_voucher AS v JOIN exam_voucher_allocation AS a USING (exam_voucher_id)
WHERE v.exam_voucher_id = $1 ORDER BY a.allocated_at DESC LIMIT 1 FOR UPDATE OF v
"""
REVEALED = "UPDATE exam_voucher SET state = 'revealed', changed_at = $2 WHERE exam_voucher_id = $1"
ADD_REVEAL = """
INSERT INTO exam_voucher_reveal (exam_voucher_id, application_id, principal, request_key, revealed_at)
VALUES ($1, $2, $3, $4, $5)
"""
REVEAL = """
SELECT principal, request_key FROM exam_voucher_reveal WHERE exam_voucher_id = $1 AND application_id = $2
"""


@dataclass(frozen=True, slots=True)
class Lot:
    """One order from a vendor. A retirement of the exam overrides a later expiry."""

    lot_id: str
    exam_id: str
    vendor: str
    order_number: str
    region: str
    unit_cost_cents: int
    not_before: datetime
    expires_at: datetime
    expiry_zone: str
    retires_at: datetime | None
    imported_by: str

    @property
    def usable_until(self) -> datetime:
        return min(self.expires_at, self.retires_at) if self.retires_at else self.expires_at


@dataclass(frozen=True, slots=True)
class Allocation:
    """The exam voucher of one attempt."""

    exam_voucher_id: ExamVoucherId
    usable_until: datetime


@dataclass(frozen=True, slots=True)
class HeldVoucher:
    """An exam voucher and the case it belongs, or last belonged, to."""

    exam_voucher_id: ExamVoucherId
    application_id: str
    state: ExamVoucherState
    sealed_code: bytes
    ended_at: datetime | None


async def add_lot(tx: Connection, lot: Lot, *, now: datetime) -> bool:
    """False where the vendor's order was imported before."""
    added = await tx.fetchval(
        ADD_LOT,
        lot.lot_id,
        lot.exam_id,
        lot.vendor,
        lot.order_number,
        lot.region,
        lot.unit_cost_cents,
        lot.not_before,
        lot.expires_at,
        lot.expiry_zone,
        lot.retires_at,
        lot.imported_by,
        now,
    )
    return added is not None


async def known_macs(tx: Connection, macs: Sequence[bytes]) -> set[bytes]:
    return {row["code_mac"] for row in await tx.fetch(KNOWN_MACS, list(macs))}


async def add_codes(
    tx: Connection, lot: Lot, codes: Sequence[tuple[ExamVoucherId, bytes, bytes]], *, now: datetime
) -> None:
    """Id, sealed code and MAC of each."""
    await tx.execute(
        ADD_CODES,
        [code[0] for code in codes],
        lot.lot_id,
        lot.exam_id,
        lot.not_before,
        lot.usable_until,
        now,
        [code[1] for code in codes],
        [code[2] for code in codes],
    )


async def allocate(
    tx: Connection, application_id: str, exam_id: str, attempt_number: int, *, usable_seconds: int, now: datetime
) -> Allocation | None:
    row = await tx.fetchrow(ALLOCATE, application_id, exam_id, attempt_number, usable_seconds, now)
    return Allocation(ExamVoucherId(row["exam_voucher_id"]), row["usable_until"]) if row else None


async def allocation(tx: Connection, application_id: str, exam_id: str, attempt_number: int) -> Allocation | None:
    row = await tx.fetchrow(ALLOCATION, application_id, exam_id, attempt_number)
    return Allocation(ExamVoucherId(row["exam_voucher_id"]), row["usable_until"]) if row else None


async def reclaim(
    tx: Connection, application_id: str, *, now: datetime
) -> list[tuple[ExamVoucherId, str, ExamVoucherState]]:
    """End the case's unused allocations; id, exam and new state of each."""
    rows = await tx.fetch(RECLAIM, application_id, now)
    return [(ExamVoucherId(r["exam_voucher_id"]), r["exam_id"], ExamVoucherState(r["state"])) for r in rows]


async def move(
    tx: Connection,
    application_id: str,
    exam_id: str,
    attempt_number: int,
    *,
    to: ExamVoucherState,
    from_: Sequence[ExamVoucherState],
    now: datetime,
) -> None:
    """Put the attempt's voucher in another state, if it is in one of those."""
    await tx.execute(MOVE, application_id, exam_id, attempt_number, to.value, [state.value for state in from_], now)


async def held_voucher(tx: Connection, exam_voucher_id: str) -> HeldVoucher | None:
    row = await tx.fetchrow(OF_CASE, exam_voucher_id)
    if row is None:
        return None
    return HeldVoucher(
        ExamVoucherId(row["exam_voucher_id"]),
        row["application_id"],
        ExamVoucherState(row["state"]),
        row["sealed_code"],
        row["ended_at"],
    )


async def revealed(tx: Connection, voucher: HeldVoucher, *, principal: str, request_key: bytes, now: datetime) -> None:
    await tx.execute(ADD_REVEAL, voucher.exam_voucher_id, voucher.application_id, principal, request_key, now)
    if voucher.state is ExamVoucherState.ALLOCATED:
        await tx.execute(REVEALED, voucher.exam_voucher_id, now)


async def reveal_of(tx: Connection, voucher: HeldVoucher) -> tuple[str, bytes] | None:
    """Who was shown the code, under which request key."""
    row = await tx.fetchrow(REVEAL, voucher.exam_voucher_id, voucher.application_id)
    return (row["principal"], row["request_key"]) if row else None
