"""The stock of exam vouchers: lots and what became of their codes, expiry, retirement, alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from contracts.ids import ExamVoucherId
from kit.db import Connection
from services.payments.exam_vouchers.states import RUNS_OUT
from services.payments.exam_vouchers.stock import AlertCode, Shelf

# Skipped rows are being changed just now; the next sweep sees what became of them.
EXPIRE = """
WITH out AS (
    SELECT exam_voucher_id FROM exam_voucher
    WHERE state = ANY ($1::text[]) AND usable_until < now()
    ORDER BY usable_until, exam_voucher_id LIMIT $2 FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE exam_voucher_allocation AS a SET ended_at = $3 FROM out
    WHERE a.exam_voucher_id = out.exam_voucher_id AND a.ended_at IS NULL
    RETURNING a.exam_voucher_id, a.application_id, a.attempt_number
)
UPDATE exam_voucher AS v SET state = 'expired', changed_at = $3
FROM out LEFT JOIN ended USING (exam_voucher_id)
WHERE v.exam_voucher_id = out.exam_voucher_id
RETURNING v.exam_voucher_id, v.exam_id, v.lot_id, v.usable_until, ended.application_id, ended.attempt_number
"""
RETIRE_LOTS = """
UPDATE exam_voucher_lot SET retires_on = l.day, retires_at = l.last_second
FROM unnest($1::text[], $2::date[], $3::timestamptz[]) AS l(lot, day, last_second) WHERE lot_id = l.lot
"""
KEEP_RETIREMENT = """
INSERT INTO exam_retirement (vendor, exam_id, retires_on) VALUES ($1, $2, $3)
ON CONFLICT (vendor, exam_id) DO UPDATE SET retires_on = excluded.retires_on
"""
RETIREMENT = "SELECT retires_on FROM exam_retirement WHERE vendor = $1 AND exam_id = $2"
LOTS_OF_EXAM = """
SELECT lot_id, expires_at, expiry_zone FROM exam_voucher_lot WHERE vendor = $1 AND exam_id = $2
ORDER BY lot_id FOR UPDATE
"""
SHORTEN = """
UPDATE exam_voucher AS v SET usable_until = l.until
FROM unnest($1::text[], $2::timestamptz[]) AS l(lot, until)
WHERE v.lot_id = l.lot AND v.usable_until <> l.until AND v.state NOT IN ('used', 'expired', 'void')
"""
LOTS = """
SELECT l.lot_id, l.exam_id, l.vendor, l.order_number, l.region, l.unit_cost_cents, l.not_before, l.expires_at,
    l.expires_on, l.expiry_zone, l.retires_at, l.retires_on, l.imported_by, l.imported_at,
    coalesce(sum(s.codes), 0)::bigint AS codes,
    coalesce(jsonb_object_agg(s.state, s.codes) FILTER (WHERE s.state IS NOT NULL), '{}') AS states
FROM exam_voucher_lot AS l
LEFT JOIN (
    SELECT lot_id, CASE WHEN state = 'used' THEN coalesce(used_as, 'used') ELSE state END AS state, count(*) AS codes
    FROM exam_voucher GROUP BY 1, 2
) AS s USING (lot_id)
WHERE ($1::text IS NULL OR l.exam_id = $1) AND ($2::text[] IS NULL OR l.lot_id = ANY ($2))
GROUP BY l.lot_id ORDER BY l.exam_id, l.expires_at, l.lot_id LIMIT 1000
"""
LOTS_OF_VOUCHERS = "SELECT DISTINCT lot_id FROM exam_voucher WHERE exam_voucher_id = ANY ($1::text[]) ORDER BY lot_id"
SHELVES = """
SELECT v.exam_id, v.lot_id, count(*)::integer AS codes, l.unit_cost_cents, min(v.usable_until) AS usable_until
FROM exam_voucher AS v JOIN exam_voucher_lot AS l USING (lot_id)
WHERE v.state = 'available' AND v.usable_until >= now()
GROUP BY v.exam_id, v.lot_id, l.unit_cost_cents
"""
PACES = """
SELECT l.exam_id, (
    SELECT count(*) FROM exam_voucher_allocation AS a
    WHERE a.exam_id = l.exam_id AND a.allocated_at > $1
)::integer AS allocated
FROM (SELECT DISTINCT exam_id FROM exam_voucher_lot) AS l
"""
RAISE_ALERT = """
INSERT INTO exam_voucher_alert (alert_id, exam_id, code, codes, cents, raised_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING alert_id
"""
# A lot runs out once, but not in one sweep: the one alert of it says how many by now.
TELL_EXPIRED = """
INSERT INTO exam_voucher_alert AS a (alert_id, exam_id, code, codes, cents, raised_at, ended_at)
VALUES ($1, $2, 'expired_unused', $3, $4, $5, $5)
ON CONFLICT (alert_id) DO UPDATE SET codes = excluded.codes, cents = excluded.cents
"""
END_ALERTS = """
UPDATE exam_voucher_alert SET ended_at = $3
WHERE exam_id = $1 AND ended_at IS NULL AND code <> ALL ($2::text[])
"""
ALERTS = """
SELECT exam_id, code, codes, cents, raised_at, ended_at FROM exam_voucher_alert
WHERE $1 OR ended_at IS NULL ORDER BY raised_at DESC, alert_id LIMIT 200
"""


@dataclass(frozen=True, slots=True)
class Expired:
    """An exam voucher that ran out; the case that had it, if one had."""

    exam_voucher_id: ExamVoucherId
    exam_id: str
    lot_id: str
    usable_until: datetime
    application_id: str | None
    attempt_number: int | None


@dataclass(frozen=True, slots=True)
class LotStanding:
    """A lot and what became of its codes."""

    lot_id: str
    exam_id: str
    vendor: str
    order_number: str
    region: str
    unit_cost_cents: int
    not_before: datetime
    expires_at: datetime
    expires_on: date | None
    expiry_zone: str
    retires_at: datetime | None
    retires_on: date | None
    imported_by: str
    imported_at: datetime
    codes: int
    states: Mapping[str, int]
    """Codes by state; used ones by what they were used for. Their sum is `codes`."""

    @property
    def cost_cents(self) -> int:
        return self.codes * self.unit_cost_cents


@dataclass(frozen=True, slots=True)
class Alert:
    """What staff were told of an exam's stock."""

    exam_id: str
    code: AlertCode
    codes: int
    cents: int
    raised_at: datetime
    ended_at: datetime | None


async def expire(tx: Connection, codes_max: int, *, now: datetime) -> list[Expired]:
    """Expire what ran out on the database's clock, the earliest first."""
    rows = await tx.fetch(EXPIRE, [state.value for state in RUNS_OUT], codes_max, now)
    return [Expired(**dict(row)) for row in rows]


async def lots_of_exam(tx: Connection, vendor: str, exam_id: str) -> list[tuple[str, datetime, str]]:
    """Id, expiry and zone of each of a vendor's lots for an exam, locked."""
    return [tuple(row) for row in await tx.fetch(LOTS_OF_EXAM, vendor, exam_id)]


async def retire(tx: Connection, lots: Sequence[tuple[str, date, datetime, datetime]]) -> int:
    """Give lots a retirement: id, day, its last second, until when the codes are usable. How many codes changed."""
    ids = [lot[0] for lot in lots]
    await tx.execute(RETIRE_LOTS, ids, [lot[1] for lot in lots], [lot[2] for lot in lots])
    done = await tx.execute(SHORTEN, ids, [lot[3] for lot in lots])
    return int(done.rpartition(" ")[2])


async def keep_retirement(tx: Connection, vendor: str, exam_id: str, day: date) -> None:
    """The vendor withdraws the exam after this day, whatever lots come."""
    await tx.execute(KEEP_RETIREMENT, vendor, exam_id, day)


async def retirement(tx: Connection, vendor: str, exam_id: str) -> date | None:
    """The last day of the exam, where its vendor has withdrawn it."""
    return await tx.fetchval(RETIREMENT, vendor, exam_id)


async def lots(
    tx: Connection, exam_id: str | None = None, *, lot_ids: Sequence[str] | None = None
) -> list[LotStanding]:
    """At most a thousand lots, those that expire first at the top of each exam."""
    return [LotStanding(**dict(row)) for row in await tx.fetch(LOTS, exam_id, lot_ids)]


async def lots_of_vouchers(tx: Connection, exam_voucher_ids: Sequence[str]) -> list[str]:
    return [row["lot_id"] for row in await tx.fetch(LOTS_OF_VOUCHERS, list(exam_voucher_ids))]


async def shelves(tx: Connection) -> dict[str, list[Shelf]]:
    """What could still be given to somebody, by exam and lot."""
    found: dict[str, list[Shelf]] = {}
    for row in await tx.fetch(SHELVES):
        shelf = Shelf(row["lot_id"], row["codes"], row["unit_cost_cents"], row["usable_until"])
        found.setdefault(row["exam_id"], []).append(shelf)
    return found


async def paces(tx: Connection, since: datetime) -> dict[str, int]:
    """How many codes were allocated since then, for every exam that has a lot."""
    return {row["exam_id"]: row["allocated"] for row in await tx.fetch(PACES, since)}


async def raise_alert(
    tx: Connection, alert_id: str, exam_id: str, code: AlertCode, *, codes: int, cents: int, now: datetime
) -> bool:
    """False where the same is open already."""
    return await tx.fetchval(RAISE_ALERT, alert_id, exam_id, code.value, codes, cents, now) is not None


async def tell_expired(tx: Connection, alert_id: str, exam_id: str, *, codes: int, cents: int, now: datetime) -> None:
    """That codes of a lot expired is told as a thing that happened: it is not open, and does not end."""
    await tx.execute(TELL_EXPIRED, alert_id, exam_id, codes, cents, now)


async def end_alerts(tx: Connection, exam_id: str, still: Sequence[AlertCode], *, now: datetime) -> None:
    """End what is no longer so."""
    await tx.execute(END_ALERTS, exam_id, [code.value for code in still], now)


async def alerts(tx: Connection, *, ended_too: bool) -> list[Alert]:
    """The newest two hundred."""
    rows = await tx.fetch(ALERTS, ended_too)
    return [Alert(**{**dict(row), "code": AlertCode(row["code"])}) for row in rows]
