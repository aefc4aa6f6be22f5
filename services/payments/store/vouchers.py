"""Exam vouchers: lots, codes, allocations, reveals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from contracts.events.applications import ExamResult
from contracts.ids import ExamVoucherId
from contracts.steps.payments import IssueExamVoucher
from kit.db import Connection
from services.payments.domain import ExamVoucherState
from services.payments.exam_vouchers.expiry import usable_until
from services.payments.exam_vouchers.retakes import AttemptResult
from services.payments.exam_vouchers.states import MOVES, Act, Use

ADD_LOT = """
INSERT INTO exam_voucher_lot (
    lot_id, exam_id, vendor, order_number, region, unit_cost_cents, not_before, expires_at, expiry_zone, retires_at,
    imported_by, imported_at, expires_on, retires_on
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (vendor, order_number) DO NOTHING RETURNING lot_id
"""
ADD_CODES = """
INSERT INTO exam_voucher (
    exam_voucher_id, lot_id, exam_id, not_before, usable_until, sealed_code, code_mac, vendor_code_mac, changed_at
)
SELECT id, $2, $3, $4, $5, sealed, mac, vendor_mac, $6
FROM unnest($1::text[], $7::bytea[], $8::bytea[], $9::bytea[]) AS c(id, sealed, mac, vendor_mac)
"""
# In one order for everybody: two batches with the same two cases must not wait for each other crosswise.
LOCK_CASES = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(id, 7001) AS key FROM unnest($1::text[]) AS t(id) ORDER BY key
) AS keys
"""
KNOWN_MACS = "SELECT code_mac FROM exam_voucher WHERE code_mac = ANY ($1::bytea[])"


def _allocating(lock: str) -> str:
    """One statement, so that a code picked is a code taken; the ones that expire first are spent first."""
    return f"""
WITH pick AS (
    SELECT exam_voucher_id, usable_until FROM exam_voucher
    WHERE exam_id = $1 AND state = 'available' AND not_before <= now()
        AND usable_until >= now() + make_interval(secs => $2::integer)
    ORDER BY usable_until, exam_voucher_id LIMIT $3
    {lock}
), numbered AS (
    SELECT *, row_number() OVER (ORDER BY usable_until, exam_voucher_id) AS place FROM pick
), given AS (
    SELECT n.exam_voucher_id, n.usable_until, a.*
    FROM unnest($4::text[], $5::integer[], $6::text[], $7::integer[], $8::bigint[])
        WITH ORDINALITY AS a(application_id, attempt_number, pack_version, attempts_max, wait_seconds, place)
    JOIN numbered AS n USING (place)
), taken AS (
    UPDATE exam_voucher AS v SET state = 'allocated', changed_at = $9
    FROM given WHERE v.exam_voucher_id = given.exam_voucher_id
    RETURNING v.exam_voucher_id
), kept AS (
    INSERT INTO exam_voucher_allocation (
        application_id, exam_id, attempt_number, exam_voucher_id, allocated_at, retake_of, pack_version, attempts_max,
        retake_wait_seconds
    )
    SELECT application_id, $1, attempt_number, exam_voucher_id, $9, nullif(attempt_number - 1, 0), pack_version,
        attempts_max, wait_seconds
    FROM given JOIN taken USING (exam_voucher_id)
)
SELECT application_id, exam_voucher_id, usable_until FROM given
"""


ALLOCATE = _allocating("FOR UPDATE SKIP LOCKED")
# Where every code that is left is locked, whoever holds it may yet let it go: only waiting tells that there is none.
ALLOCATE_AFTER_WAITING = _allocating("FOR UPDATE")
LEFT_OF_EXAM = """
SELECT EXISTS (
    SELECT FROM exam_voucher
    WHERE exam_id = $1 AND state = 'available' AND not_before <= now()
        AND usable_until >= now() + make_interval(secs => $2::integer)
)
"""
ATTEMPTS = """
SELECT asked.application_id, a.exam_voucher_id, v.usable_until, e.exam_voucher_id IS NOT NULL AS earlier_allocated,
    r.result, r.resulted_at
FROM unnest($1::text[], $2::text[], $3::integer[]) AS asked(application_id, exam_id, attempt_number)
LEFT JOIN exam_voucher_allocation AS a USING (application_id, exam_id, attempt_number)
LEFT JOIN exam_voucher AS v ON v.exam_voucher_id = a.exam_voucher_id
LEFT JOIN exam_voucher_allocation AS e ON e.application_id = asked.application_id AND e.exam_id = asked.exam_id
    AND e.attempt_number = asked.attempt_number - 1
LEFT JOIN exam_attempt_result AS r ON r.application_id = asked.application_id AND r.exam_id = asked.exam_id
    AND r.attempt_number = asked.attempt_number - 1
"""
KEEP_RESULT = """
INSERT INTO exam_attempt_result (application_id, exam_id, attempt_number, result, resulted_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (application_id, exam_id, attempt_number) DO UPDATE SET
    result = excluded.result, resulted_at = excluded.resulted_at
WHERE exam_attempt_result.result = 'canceled'
"""
END_ALLOCATION = """
UPDATE exam_voucher_allocation SET ended_at = $4
WHERE application_id = $1 AND exam_id = $2 AND attempt_number = $3 AND ended_at IS NULL
"""
# What nobody saw is available again; what was seen waits for the vendor's word.
RECLAIM = """
WITH held AS (
    SELECT v.exam_voucher_id, v.state FROM exam_voucher_allocation AS a JOIN exam_voucher AS v USING (exam_voucher_id)
    WHERE a.application_id = $1 AND a.ended_at IS NULL
    ORDER BY v.exam_voucher_id FOR UPDATE OF v
), ended AS (
    UPDATE exam_voucher_allocation AS a SET ended_at = $2 FROM held
    WHERE a.exam_voucher_id = held.exam_voucher_id AND a.ended_at IS NULL
)
UPDATE exam_voucher AS v
SET state = moved.becomes, changed_at = $2
FROM held JOIN unnest($3::text[], $4::text[]) AS moved(was, becomes) ON moved.was = held.state
WHERE v.exam_voucher_id = held.exam_voucher_id
RETURNING v.exam_voucher_id, v.exam_id, v.state
"""
# A state is only left forwards: a registration that is told after the result changes nothing.
MOVE = """
UPDATE exam_voucher AS v SET state = $4, changed_at = $6, used_as = $7
FROM exam_voucher_allocation AS a
WHERE a.exam_voucher_id = v.exam_voucher_id AND a.application_id = $1 AND a.exam_id = $2 AND a.attempt_number = $3
    AND v.state = ANY ($5::text[]) AND (v.vendor_told_at IS NULL OR v.vendor_told_at <= $8) AND NOT EXISTS (
        SELECT FROM exam_voucher_allocation AS n
        WHERE n.exam_voucher_id = a.exam_voucher_id AND n.entry > a.entry
    )
"""
# By itself: a statement that waits for a row's lock still sees the allocations as they were before.
LOCK_VOUCHER = "SELECT FROM exam_voucher WHERE exam_voucher_id = $1 FOR UPDATE"
OF_CASE = """
SELECT v.exam_voucher_id, a.application_id, a.attempt_number, v.state, v.sealed_code, a.ended_at
FROM exam_voucher AS v JOIN exam_voucher_allocation AS a USING (exam_voucher_id)
WHERE v.exam_voucher_id = $1 ORDER BY a.entry DESC LIMIT 1
"""
# A code that somebody else was given later, or that nobody can use any more, paid for no exam of this case.
STANDING_OF_CASE = """
SELECT v.state FROM exam_voucher_allocation AS a JOIN exam_voucher AS v USING (exam_voucher_id)
WHERE a.application_id = $1
    AND v.state IN ('allocated', 'revealed', 'registered', 'reusable', 'used', 'awaiting_vendor')
    AND NOT EXISTS (
        SELECT FROM exam_voucher_allocation AS n WHERE n.exam_voucher_id = a.exam_voucher_id AND n.entry > a.entry
    )
ORDER BY v.state IN ('registered', 'used') DESC, a.entry DESC LIMIT 1
"""
REVEALED = "UPDATE exam_voucher SET state = 'revealed', changed_at = $2 WHERE exam_voucher_id = $1"
ADD_REVEAL = """
INSERT INTO exam_voucher_reveal (
    exam_voucher_id, application_id, principal, request_key, revealed_at, attempt_number
) VALUES ($1, $2, $3, $4, $5, $6)
"""
REVEAL = """
SELECT principal, request_key FROM exam_voucher_reveal
WHERE exam_voucher_id = $1 AND application_id = $2 AND attempt_number = $3
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
    expires_on: date | None = None
    """The last day, as the vendor prints it, where it gave a day."""
    retires_on: date | None = None

    @property
    def usable_until(self) -> datetime:
        return usable_until(self.expires_at, self.retires_at)


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code as it is taken into stock: sealed, and its digests over exam and over vendor."""

    exam_voucher_id: ExamVoucherId
    sealed_code: bytes
    mac: bytes
    vendor_mac: bytes


@dataclass(frozen=True, slots=True)
class Allocation:
    """The exam voucher of one attempt."""

    exam_voucher_id: ExamVoucherId
    usable_until: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is on record of an attempt and of the one before it."""

    allocation: Allocation | None
    earlier_allocated: bool
    earlier: AttemptResult | None


@dataclass(frozen=True, slots=True)
class HeldVoucher:
    """An exam voucher and the case it belongs, or last belonged, to."""

    exam_voucher_id: ExamVoucherId
    application_id: str
    attempt_number: int
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
        lot.expires_on,
        lot.retires_on,
    )
    return added is not None


async def known_macs(tx: Connection, macs: Sequence[bytes]) -> set[bytes]:
    return {row["code_mac"] for row in await tx.fetch(KNOWN_MACS, list(macs))}


async def add_codes(tx: Connection, lot: Lot, codes: Sequence[NewCode], *, now: datetime) -> None:
    await tx.execute(
        ADD_CODES,
        [code.exam_voucher_id for code in codes],
        lot.lot_id,
        lot.exam_id,
        lot.not_before,
        lot.usable_until,
        now,
        [code.sealed_code for code in codes],
        [code.mac for code in codes],
        [code.vendor_mac for code in codes],
    )


async def attempts(tx: Connection, asks: Sequence[IssueExamVoucher]) -> dict[str, Attempt]:
    """What is on record of each attempt and of the one before it, by application; the cases stay locked."""
    await tx.execute(LOCK_CASES, [ask.application_id for ask in asks])
    rows = await tx.fetch(
        ATTEMPTS,
        [ask.application_id for ask in asks],
        [ask.exam_id for ask in asks],
        [ask.attempt_number for ask in asks],
    )
    return {
        row["application_id"]: Attempt(
            allocation=Allocation(ExamVoucherId(row["exam_voucher_id"]), row["usable_until"])
            if row["exam_voucher_id"]
            else None,
            earlier_allocated=row["earlier_allocated"],
            earlier=AttemptResult(ExamResult(row["result"]), row["resulted_at"]) if row["result"] else None,
        )
        for row in rows
    }


async def allocate(
    tx: Connection, exam_id: str, usable_seconds: int, asks: Sequence[IssueExamVoucher], *, now: datetime
) -> dict[str, Allocation]:
    """A code for each attempt, by application, as long as there are any that stay usable long enough."""
    given = await _allocate(tx, ALLOCATE, exam_id, usable_seconds, asks, now=now)
    rest = [ask for ask in asks if ask.application_id not in given]
    if rest and await tx.fetchval(LEFT_OF_EXAM, exam_id, usable_seconds):
        given |= await _allocate(tx, ALLOCATE_AFTER_WAITING, exam_id, usable_seconds, rest, now=now)
    return given


async def _allocate(
    tx: Connection, sql: str, exam_id: str, usable_seconds: int, asks: Sequence[IssueExamVoucher], *, now: datetime
) -> dict[str, Allocation]:
    rows = await tx.fetch(
        sql,
        exam_id,
        usable_seconds,
        len(asks),
        [ask.application_id for ask in asks],
        [ask.attempt_number for ask in asks],
        [ask.pack_version for ask in asks],
        [ask.attempts_max for ask in asks],
        [ask.retake_wait_seconds for ask in asks],
        now,
    )
    return {
        row["application_id"]: Allocation(ExamVoucherId(row["exam_voucher_id"]), row["usable_until"]) for row in rows
    }


async def keep_result(
    tx: Connection, application_id: str, exam_id: str, attempt_number: int, result: AttemptResult
) -> None:
    """The attempt's result as it was first told; only a canceled sitting is followed by another."""
    await tx.execute(KEEP_RESULT, application_id, exam_id, attempt_number, result.result.value, result.resulted_at)


async def end_allocation(
    tx: Connection, application_id: str, exam_id: str, attempt_number: int, *, now: datetime
) -> None:
    """The attempt is over: whoever had the code has no more claim to it."""
    await tx.execute(END_ALLOCATION, application_id, exam_id, attempt_number, now)


async def reclaim(
    tx: Connection, application_id: str, *, now: datetime
) -> list[tuple[ExamVoucherId, str, ExamVoucherState]]:
    """End the case's allocations; id, exam and new state of each that changed its state."""
    moves = [(was, becomes) for was, becomes in MOVES[Act.GIVE_BACK].items() if was is not becomes]
    rows = await tx.fetch(
        RECLAIM, application_id, now, [was.value for was, _ in moves], [becomes.value for _, becomes in moves]
    )
    return [(ExamVoucherId(r["exam_voucher_id"]), r["exam_id"], ExamVoucherState(r["state"])) for r in rows]


async def move(
    tx: Connection,
    application_id: str,
    exam_id: str,
    attempt_number: int,
    act: Act,
    to: ExamVoucherState,
    *,
    told_at: datetime,
    use: Use | None = None,
    now: datetime,
) -> None:
    """Put the attempt's voucher in another state: if the act leads there, nobody has it since, and the vendor has said
    nothing later."""
    from_ = [was.value for was, becomes in MOVES[act].items() if becomes is to and was is not to]
    if act is Act.USE:
        # What the vendor alone can tell after the code ran out, a college cannot.
        from_.remove(ExamVoucherState.EXPIRED.value)
    await tx.execute(
        MOVE, application_id, exam_id, attempt_number, to.value, from_, now, use.value if use else None, told_at
    )


async def standing_of_case(tx: Connection, application_id: str) -> ExamVoucherState | None:
    """Where the exam voucher stands that the case has from the stock, one spent on an exam before any other."""
    state = await tx.fetchval(STANDING_OF_CASE, application_id)
    return None if state is None else ExamVoucherState(state)


async def held_voucher(tx: Connection, exam_voucher_id: str) -> HeldVoucher | None:
    """The exam voucher as it stands, and stays until the transaction ends; None where no case has had it."""
    await tx.execute(LOCK_VOUCHER, exam_voucher_id)
    row = await tx.fetchrow(OF_CASE, exam_voucher_id)
    if row is None:
        return None
    return HeldVoucher(
        ExamVoucherId(row["exam_voucher_id"]),
        row["application_id"],
        row["attempt_number"],
        ExamVoucherState(row["state"]),
        row["sealed_code"],
        row["ended_at"],
    )


async def revealed(tx: Connection, voucher: HeldVoucher, *, principal: str, request_key: bytes, now: datetime) -> None:
    await tx.execute(
        ADD_REVEAL,
        voucher.exam_voucher_id,
        voucher.application_id,
        principal,
        request_key,
        now,
        voucher.attempt_number,
    )
    if voucher.state is ExamVoucherState.ALLOCATED:
        await tx.execute(REVEALED, voucher.exam_voucher_id, now)


async def reveal_of(tx: Connection, voucher: HeldVoucher) -> tuple[str, bytes] | None:
    """Who was shown the code in this attempt, under which request key."""
    row = await tx.fetchrow(REVEAL, voucher.exam_voucher_id, voucher.application_id, voucher.attempt_number)
    return (row["principal"], row["request_key"]) if row else None
