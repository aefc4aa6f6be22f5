"""The stock of exam vouchers: what is left, what it is worth, what runs out; expiry, retirement, alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from contracts.events.payments import ExamVoucherExpired
from contracts.ids import ApplicationId
from kit import outbox
from kit.db import Connection, Database
from services.payments.exam_vouchers.errors import NoLotOfExam
from services.payments.exam_vouchers.expiry import end_of_day, usable_until
from services.payments.exam_vouchers.stock import PACE_DAYS, AlertCode, Limits, Outlook, alerts_of, outlook
from services.payments.store import exam_stock as store
from services.payments.store import lot_charges as charge_store
from services.payments.store.exam_stock import Alert, Expired, LotStanding
from services.payments.store.lot_charges import LotCharge

EXPIRIES_PER_SWEEP_MAX = 500


@dataclass(frozen=True, slots=True)
class StockRule:
    """How a stock is looked at."""

    limits: Limits
    usable_days: int
    """How long a code must stay usable to be given to anybody."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Every exam's stock, lot by lot."""

    exams: tuple[Outlook, ...]
    lots: tuple[LotStanding, ...]
    alerts: tuple[Alert, ...]
    """What is so now."""
    charges: Mapping[str, LotCharge]
    """What was charged to a budget, by lot."""


async def read_stock(rule: StockRule, *, db: Database, now: datetime, exam_id: str | None = None) -> Stock:
    """What is left of each exam, in one moment; of one exam where it is named."""
    async with db.transaction() as tx:
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = await _outlooks(tx, rule, now=now)
        lots = await store.lots(tx, exam_id)
        alerts = await store.alerts(tx, ended_too=False)
        charges = await charge_store.all_charges(tx)
    return Stock(
        exams=tuple(one for one in found if exam_id in {None, one.exam_id}),
        lots=tuple(lots),
        alerts=tuple(one for one in alerts if exam_id in {None, one.exam_id}),
        charges=charges,
    )


async def read_alerts(*, db: Database) -> list[Alert]:
    """The newest alerts, those that ended among them."""
    async with db.connection() as connection:
        return await store.alerts(connection, ended_too=True)


async def watch_stock(rule: StockRule, *, db: Database, now: datetime) -> list[Outlook]:
    """Raise each alert once, end what is no longer so; returns every exam's outlook."""
    async with db.transaction() as tx:
        found = await _outlooks(tx, rule, now=now)
        for one in found:
            told = alerts_of(one, rule.limits)
            await store.end_alerts(tx, one.exam_id, told, now=now)
            for code in told:
                at_risk = code is AlertCode.VALUE_AT_RISK
                codes, cents = (one.at_risk, one.at_risk_cents) if at_risk else (one.usable, 0)
                alert_id = f"{one.exam_id}/{code}/{now:%Y%m%dT%H%M%S.%f}"
                await store.raise_alert(tx, alert_id, one.exam_id, code, codes=codes, cents=cents, now=now)
    return found


async def _outlooks(tx: Connection, rule: StockRule, *, now: datetime) -> list[Outlook]:
    shelves = await store.shelves(tx)
    paces = await store.paces(tx, now - timedelta(days=PACE_DAYS))
    return [
        outlook(
            exam_id,
            shelves.get(exam_id, ()),
            allocated_recently=pace,
            usable_days=rule.usable_days,
            limits=rule.limits,
            now=now,
        )
        for exam_id, pace in sorted(paces.items())
    ]


async def expire_vouchers(*, db: Database, now: datetime) -> int:
    """Expire what ran out on the database's clock, and tell the cases that had it; returns how many."""
    async with db.transaction() as tx:
        expired = await store.expire(tx, EXPIRIES_PER_SWEEP_MAX, now=now)
        await outbox.append_all(tx, _facts(expired), now=now)
        if expired:
            await _tell_of_unused(tx, expired, now=now)
    return len(expired)


def _facts(expired: Sequence[Expired]) -> list[ExamVoucherExpired]:
    return [
        ExamVoucherExpired(
            application_id=ApplicationId(one.application_id),
            exam_voucher_id=one.exam_voucher_id,
            exam_id=one.exam_id,
            attempt_number=one.attempt_number,
            expired_at=one.usable_until,
        )
        for one in expired
        if one.application_id is not None and one.attempt_number is not None
    ]


async def _tell_of_unused(tx: Connection, expired: Sequence[Expired], *, now: datetime) -> None:
    """Codes that expired unused are public money that bought nothing: one alert for each lot and moment of expiry."""
    for lot in await store.lots(tx, lot_ids=sorted({one.lot_id for one in expired})):
        codes = lot.states.get("expired", 0)
        alert_id = f"{lot.lot_id}/{AlertCode.EXPIRED_UNUSED}"
        await store.tell_expired(tx, alert_id, lot.exam_id, codes=codes, cents=codes * lot.unit_cost_cents, now=now)


async def retire_exam(vendor: str, exam_id: str, day: date, *, db: Database) -> int:
    """The vendor withdraws the exam after this day in its own zone: no code of it outlives that. How many changed."""
    async with db.transaction() as tx:
        lots = await store.lots_of_exam(tx, vendor, exam_id)
        if not lots:
            raise NoLotOfExam(vendor=vendor, exam_id=exam_id)
        await store.keep_retirement(tx, vendor, exam_id, day)
        last = [(lot_id, expires_at, end_of_day(day, zone)) for lot_id, expires_at, zone in lots]
        return await store.retire(tx, [(lot, day, end, usable_until(expires, end)) for lot, expires, end in last])
