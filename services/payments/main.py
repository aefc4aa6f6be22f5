"""The payments process: consumer, steps, relay, clocks; the service's HTTP doors; what the command line asks of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, NoReturn

from fastapi import APIRouter
from prometheus_client import Counter

from contracts.steps import Queue
from contracts.steps.payments import STEPS
from kit.access import Access
from kit.clock import Clock, SystemClock
from kit.db import Database
from kit.kafka import Consumer
from kit.process import Lifetime
from kit.process import run as run_process
from kit.relay import Relay
from kit.telemetry import logger
from kit.temporal import answers, connect, service_worker
from services.payments import subscribers
from services.payments.activities import FiscalYearSteps, PaymentsSteps
from services.payments.api import PaymentsDoors, router
from services.payments.desk.exam_vouchers import stock_rule
from services.payments.desk.opening import opened
from services.payments.exam_vouchers import gauges as exam_gauges
from services.payments.exam_vouchers.codes import ExamCodes, read_lot
from services.payments.exam_vouchers.errors import ExpiryMissing
from services.payments.exam_vouchers.expiry import end_of_day
from services.payments.gateways import ExchangeFolder, ExchangeUnavailable, TemporalCloses
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.rails.settings import numbers_of, rails_of
from services.payments.settings import PaymentsSettings
from services.payments.store.vouchers import Lot
from services.payments.usecases.ach_answers import read_ach_answers
from services.payments.usecases.advances import grant_advances
from services.payments.usecases.batches import call_for_unanswered, transmit_batches
from services.payments.usecases.charges import close_unanswered
from services.payments.usecases.claim_notices import call_for_untold
from services.payments.usecases.claim_queues import escalate_undecided
from services.payments.usecases.confirmations import read_inbound
from services.payments.usecases.exam_stock import expire_vouchers, watch_stock
from services.payments.usecases.funding import expire_holds
from services.payments.usecases.late_payments import record_interest
from services.payments.usecases.nightly import prove_nightly
from services.payments.usecases.proof import money_of_program, prove_books
from services.payments.usecases.reconciliation import reconcile_open
from services.payments.usecases.statements import read_statements
from services.payments.usecases.vouchers import import_lot
from services.payments.usecases.waiting import serve_all_waiting

ROLE, SCHEMA = "cairn_payments", "payments"
EXAM_CODES_KEY = "exam_codes.key"
UNANSWERED_SECONDS = 300.0
"""How often files without an answer are looked for."""

INTEREST_SECONDS = 3600.0
"""How often settled payments are looked at for interest: it is counted in days."""

PROOF_DUE_SECONDS = 900.0
"""How often it is looked whether the nightly proof is due."""

log = logger(__name__)
TURNS_FAILED = Counter("cairn_payments_turn_failed", "Turns of a duty of payments that failed, by duty", ["task"])


async def start(life: Lifetime, settings: PaymentsSettings) -> None:
    """Follow the facts, do the journey's steps, keep the clocks, exchange files, publish our own facts."""
    if settings.exchange_dir is None:
        raise ExchangeUnavailable(what="CAIRN_EXCHANGE_DIR is not set")
    clock = SystemClock()
    db = await _database(life, settings, "cairn payments", "database")

    relay = Relay(db, settings, clock=clock)
    life.task("relay", relay.run())
    life.ready_when("relay", relay.check)

    consumer = Consumer(
        name=subscribers.CONSUMER, database=db, settings=settings, handlers=subscribers.handlers(clock), clock=clock
    )
    life.task("consumer", consumer.run())
    life.ready_when("consumer", consumer.check)

    exchange, numbers = ExchangeFolder(settings.exchange_dir), numbers_of(settings)

    # A task a duty: one that fails holds up no other.
    for duty in (*_clocks(db, clock, settings), *_files(exchange, numbers, db, clock, settings)):
        life.task(duty.name, _again_and_again(duty))

    client = await connect(settings)
    life.ready_when("temporal", answers(client))
    steps = PaymentsSteps(db, clock, business_unit=settings.business_unit)
    year = FiscalYearSteps(db, clock)
    life.on_stop(steps.close)
    worker = service_worker(client, queue=Queue.PAYMENTS, steps=STEPS, activities=[*steps.all(), *year.all()])
    life.task("steps", worker.run())


@dataclass(frozen=True, slots=True)
class Duty:
    """What the process does again and again by itself."""

    name: str
    turn: Callable[[], Awaitable[object]]
    seconds: float
    """Between two turns."""


def _clocks(db: Database, clock: Clock, settings: PaymentsSettings) -> list[Duty]:
    """What is due by the time alone."""
    unit, sweep, now = settings.business_unit, settings.holds_sweep_seconds, clock.now

    async def keep_exam_vouchers() -> None:
        await expire_vouchers(db=db, now=now())
        exam_gauges.show(await watch_stock(stock_rule(settings), db=db, now=now()))

    return [
        Duty("expiry of holds", lambda: expire_holds(db=db, now=now()), sweep),
        Duty("unanswered questions", lambda: close_unanswered(db=db, now=now()), sweep),
        Duty("undecided claims", lambda: escalate_undecided(db=db, now=now()), sweep),
        Duty("untold claims", lambda: call_for_untold(db=db, now=now()), sweep),
        Duty("interest", lambda: record_interest(db=db, now=now()), INTEREST_SECONDS),
        Duty("advances", lambda: grant_advances(business_unit=unit, db=db, now=now()), sweep),
        Duty("waiting list", lambda: serve_all_waiting(db=db, now=now()), sweep),
        Duty("exam vouchers", keep_exam_vouchers, settings.exam_vouchers_sweep_seconds),
        Duty("unanswered files", lambda: call_for_unanswered(db=db, now=now()), UNANSWERED_SECONDS),
        Duty("proof", lambda: prove_nightly(db=db, now=now()), PROOF_DUE_SECONDS),
    ]


def _files(
    exchange: ExchangeFolder, numbers: AccountNumbers, db: Database, clock: Clock, settings: PaymentsSettings
) -> list[Duty]:
    """What goes out and what comes in; whatever was heard lets the open lines of statements be matched again."""
    scan, ours, now = settings.exchange_scan_seconds, settings.our_accounts, clock.now
    ach = rails_of(settings).ach
    addresses = ach.originator.addresses if ach else frozenset[str]()
    # Set at first: the process before may have died between a statement and its matching.
    heard = asyncio.Event()
    heard.set()

    async def tell(reading: Awaitable[int]) -> None:
        if await reading:
            heard.set()

    async def match_statements() -> None:
        if heard.is_set():
            # Before the turn: what comes while it runs is matched by the next.
            heard.clear()
            try:
                await reconcile_open(db=db, now=now())
            except Exception:
                heard.set()
                raise

    return [
        Duty("outbound files", lambda: transmit_batches(exchange=exchange, db=db, now=now()), scan),
        Duty("confirmations", lambda: tell(read_inbound(exchange=exchange, db=db, now=now())), scan),
        Duty(
            "bank answers",
            lambda: tell(
                read_ach_answers(exchange=exchange, ours=addresses, numbers=numbers, db=db, now=now()),
            ),
            scan,
        ),
        Duty("statements", lambda: tell(read_statements(exchange=exchange, ours=ours, db=db, now=now())), scan),
        Duty("matching", match_statements, scan),
    ]


async def open_doors(life: Lifetime, settings: PaymentsSettings) -> APIRouter:
    """The service's routes, on a pool of their own."""
    db = await _database(life, settings, "cairn api payments", "payments database")
    return router(
        PaymentsDoors(
            access=Access(db),
            db=db,
            codes=ExamCodes(settings.secret(EXAM_CODES_KEY)),
            rails=rails_of(settings),
            clock=SystemClock(),
            numbers=numbers_of(settings),
            cooling_off_days=settings.payee_cooling_off_days,
            closes=TemporalCloses(settings),
            our_accounts=settings.our_accounts,
            stock_rule=stock_rule(settings),
        )
    )


async def prove_ledger(settings: PaymentsSettings) -> dict[str, Any]:
    """`cairn ledger prove`: refold the journal; `ok` where every balance row is what its entries add up to."""
    async with opened(settings) as db:
        proof = await prove_books(db=db)
    return {
        "ok": proof.is_right,
        "entries": proof.entries,
        "balance_rows": proof.rows,
        "differences": [asdict(difference) for difference in proof.differences],
        "overdrawn": list(proof.overdrawn),
        "repeated": list(proof.repeated),
        "negative": list(proof.negative),
        "misplaced": list(proof.misplaced),
    }


async def money_by_stage(settings: PaymentsSettings, program_id: str) -> dict[str, int]:
    """`{"appropriation_cents", stage: cents, …}`: the stages of all budget lines add up to the appropriation."""
    async with opened(settings) as db:
        money = await money_of_program(program_id, db=db)
    return {"appropriation_cents": money.appropriated_cents, **money.stages}


async def import_exam_voucher_lot(
    settings: PaymentsSettings,
    *,
    exam_id: str,
    codes: Sequence[str] | bytes,
    expires_at: datetime | None = None,
    expires_on: date | None = None,
    order_reference: str,
    unit_cost_cents: int,
    vendor: str = "unnamed-vendor",
    region: str = "US",
    not_before: datetime | None = None,
    expiry_zone: str = "UTC",
    retires_on: date | None = None,
    imported_by: str = "command line",
) -> int:
    """Take a vendor's order into stock, all codes or none; returns how many. `codes`: a list, or a CSV with `code`.

    It expires at a moment, or at the end of a day in the vendor's zone; `ExpiryMissing` unless one of the two is given.
    """
    now = SystemClock().now()
    if (expires_at is None) == (expires_on is None):
        raise ExpiryMissing
    lot = Lot(
        lot_id=f"{vendor}/{order_reference}",
        exam_id=exam_id,
        vendor=vendor,
        order_number=order_reference,
        region=region,
        unit_cost_cents=unit_cost_cents,
        not_before=not_before or now,
        expires_at=expires_at or end_of_day(expires_on or now.date(), expiry_zone),
        expiry_zone=expiry_zone,
        retires_at=end_of_day(retires_on, expiry_zone) if retires_on else None,
        imported_by=imported_by,
        expires_on=expires_on,
        retires_on=retires_on,
    )
    keys = ExamCodes(settings.secret(EXAM_CODES_KEY))
    async with opened(settings) as db:
        return await import_lot(lot, read_lot(codes) if isinstance(codes, bytes) else codes, keys=keys, db=db, now=now)


def run() -> NoReturn:
    """`cairn run payments`."""
    settings = PaymentsSettings()  # pyright: ignore[reportCallIssue]
    run_process("payments", settings, partial(start, settings=settings))


async def _again_and_again(duty: Duty) -> None:
    """One turn after the other until cancelled. A turn that fails is told, counted and tried again."""
    while True:
        try:
            await duty.turn()
        except Exception:
            log.exception("payments.turn_failed", task=duty.name)
            TURNS_FAILED.labels(task=duty.name).inc()
        await asyncio.sleep(duty.seconds)


async def _database(life: Lifetime, settings: PaymentsSettings, name: str, check: str) -> Database:
    db = await Database.connect(
        settings.dsn(ROLE), schema=SCHEMA, application_name=name, connections_max=settings.payments_connections_max
    )
    life.on_stop(db.close)
    life.ready_when(check, db.check)
    return db
