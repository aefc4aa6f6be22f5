"""`cairn bench ledger`: holds and encumbrances a second on one hot budget, beside row locks and a rebuilt pgledger."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from statistics import quantiles
from typing import Any

from cairn.bench.ledger_rivals import PLAIN_LEDGER, PLAIN_TRANSFER, fill, plain_accounts
from cairn.bench.table import Report, percentile
from cairn.drills.books import AT, hold_of, published
from cairn.drills.books import hold as hold_transfer
from cairn.drills.ground import Ground, engine_of_its_own
from contracts.ids import EnrollmentId
from contracts.steps.payments import EncumberFunds, EncumbranceStatus, FundsHeld, HoldFunds, HoldStatus
from kit.clock import SystemClock
from kit.db import Connection, Database
from kit.process import spare_what_lives
from services.payments.books.ledger import Posted, Transfer
from services.payments.store import ledger as store
from services.payments.usecases.coalescer import Coalescer, Waiting
from services.payments.usecases.funding import hold_funds
from services.payments.usecases.holding import encumbering, holding
from services.payments.usecases.program import follow_program
from services.payments.usecases.proof import prove_books

CALLERS = (16, 64, 256)
REQUESTS_PER_CALLER, REQUESTS_LEAST = 60, 12_000
"""Some seconds for each figure: a shorter one says more of the moment than of the ledger."""
RIVAL_CALLERS = 64
RIVAL_REQUESTS = 1_000
ROUNDS, ROUND_REQUESTS = 15, 3_000
CENTS, PRICE_CENTS = 1_000, 900
BUDGET_CENTS = 10**13
GOAL_RATE, GOAL_P99_MS = 3_000, 60


class Load:
    """Requests by so many callers, one at a time each; seconds in all, seconds of each."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.latencies: list[float] = []

    async def drive(self, asks: Sequence[Any], callers: int, ask: Callable[[Any], Awaitable[None]]) -> "Load":
        work = iter(asks)

        async def caller() -> None:
            for one in work:
                began = time.perf_counter()
                await ask(one)
                self.latencies.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        self.seconds = time.perf_counter() - began
        return self

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def shown(self) -> str:
        p50, p99 = (percentile(self.latencies, share) * 1000 for share in (0.5, 0.99))
        return f"{self.rate:,.0f}/s, {p50:.1f} / {p99:.1f} ms"


async def measure(entries: int) -> Report:
    """Every figure on an engine of its own run: empty, and with `entries` in the journal."""
    report = Report(
        "ledger",
        "Holds and encumbrances on one hot budget",
        "Every caller asks for money of the same line, round and provider award. A hold is its journal entry, its"
        " business row and its event in one committed transaction, through the coalescer; p50 / p99 as the caller sees"
        " it. fsync on, everything on one machine: callers, coalescer and PostgreSQL share its cores. Row locks: the"
        " same work, one transaction a request. The plain rebuild of pgledger posts the transfer alone: accounts,"
        " entries and transfers, both accounts locked in order, no business row and no event. The share of the empty"
        f" rate is measured for itself, on both engines in turn: the median of {ROUNDS} pairs of rounds of"
        f" {ROUND_REQUESTS:,} holds, since the machine's own speed wanders more between two minutes than the share.",
    )
    rates: dict[str, float] = {}
    async with AsyncExitStack() as engines:
        books: list[Database] = []
        for past in dict.fromkeys((0, entries)):
            ground = await engines.enter_async_context(engine_of_its_own(("payments",)))
            books.append(await _measure_on(ground, report, past, rates))
        if entries:
            kept = await _kept(*books)
            lower, middle, upper = quantiles(kept)
            report.add(f"Holds with {entries:,} entries, of the empty rate, 64 callers", f"{middle:.0%}", "≥ 90 %")
            report.add("That share, lower / upper quartile of the rounds", f"{lower:.0%} / {upper:.0%}")
    times = rates["posting 0"] / rates["plain 0"]
    report.add("Postings alone, times the plain rebuild of pgledger", f"{times:.1f}", "≥ 10")
    return report


async def _measure_on(ground: Ground, report: Report, past: int, rates: dict[str, float]) -> Database:
    db = await ground.open(connections_max=RIVAL_CALLERS + 4)
    async with db.transaction() as tx:
        await follow_program(published(BUDGET_CENTS), tx, now=AT)
    if past:
        await fill(await ground.owner(), past)
    with_past = f"{past:,} past entries"
    # The first transactions pay for plans and pages that nobody needs again.
    await _holds(db, "warm", 64, 2_000)
    spare_what_lives()
    for callers in CALLERS:
        holds, encumbrances = await _holds(
            db, f"{past} {callers}", callers, max(callers * REQUESTS_PER_CALLER, REQUESTS_LEAST)
        )
        goal = f"≥ {GOAL_RATE:,}/s, p99 ≤ {GOAL_P99_MS} ms" if callers == 64 else ""
        report.add(f"Holds, {callers} callers, {with_past}", holds.shown, goal)
        report.add(f"Encumbrances, {callers} callers, {with_past}", encumbrances.shown)
        rates[f"hold {past}" if callers == 64 else ""] = holds.rate
    posting = await _postings(db, past)
    rates[f"posting {past}"] = posting.rate
    report.add(f"Postings alone, {RIVAL_CALLERS} callers, {with_past}", posting.shown)
    rival = await _row_locks(db, past)
    report.add(f"Row locks, {RIVAL_CALLERS} callers, {with_past}", rival.shown)
    if not past:
        plain = await _plain_ledger(ground, db)
        rates["plain 0"] = plain.rate
        report.add(f"Plain rebuild of pgledger, {RIVAL_CALLERS} callers, {with_past}", plain.shown)
    began = time.perf_counter()
    proof = await prove_books(db=db)
    if not proof.is_right:
        raise RuntimeError(f"the books are not right: {proof}")
    report.add(f"Proof of {proof.entries:,} entries", f"{time.perf_counter() - began:.1f} s")
    return db


async def _kept(empty: Database, full: Database) -> list[float]:
    """The rate of holds on the full books as a share of that on the empty ones, pair by pair of rounds in turn."""
    shares: list[float] = []
    for number in range(ROUNDS):
        rates = [(await _only_holds(db, f"round {number}")).rate for db in (empty, full)]
        shares.append(rates[1] / rates[0])
    return shares


async def _only_holds(db: Database, name: str) -> Load:
    holds = holding(db, SystemClock())
    asks = [hold_of(f"{name} {number}", CENTS) for number in range(ROUND_REQUESTS)]
    load = await Load().drive(asks, RIVAL_CALLERS, lambda ask: _held(holds, ask))
    await holds.close()
    return load


async def _held(holds: Coalescer[HoldFunds, FundsHeld], ask: HoldFunds) -> None:
    held = await holds.ask(ask)
    if held.status is not HoldStatus.HELD:
        raise RuntimeError(f"not held: {held}")


async def _holds(db: Database, name: str, callers: int, requests: int) -> tuple[Load, Load]:
    clock = SystemClock()
    holds, encumbrances = holding(db, clock), encumbering(db, clock)

    async def ask_encumbrance(ask: EncumberFunds) -> None:
        encumbered = await encumbrances.ask(ask)
        if encumbered.status is not EncumbranceStatus.ENCUMBERED:
            raise RuntimeError(f"not encumbered: {encumbered}")

    asks = [hold_of(f"{name} {number}", CENTS) for number in range(requests)]
    enrolled = [
        EncumberFunds(
            application_id=ask.application_id,
            enrollment_id=EnrollmentId.derive(ask.application_id),
            price_cents=PRICE_CENTS,
        )
        for ask in asks
    ]
    loads = (
        await Load().drive(asks, callers, lambda ask: _held(holds, ask)),
        await Load().drive(enrolled, callers, ask_encumbrance),
    )
    await holds.close()
    await encumbrances.close()
    return loads


async def _postings(db: Database, past: int) -> Load:
    """The posting function behind the coalescer, without business row and event: what the rebuild beside it does."""

    async def together(tx: Connection, batch: Sequence[Waiting[Transfer, Posted]]) -> Sequence[Posted]:
        return await store.post(tx, [one.ask for one in batch])

    coalescer = Coalescer[Transfer, Posted](db, together, shard_key=lambda _: "one", alone_key=lambda ask: ask.id)

    async def ask(transfer: Transfer) -> None:
        posted = await coalescer.ask(transfer)
        if not posted.is_ok:
            raise RuntimeError(f"not posted: {posted}")

    asks = [hold_transfer(f"posting {past} {number}", CENTS) for number in range(RIVAL_REQUESTS * 5)]
    load = await Load().drive(asks, RIVAL_CALLERS, ask)
    await coalescer.close()
    return load


async def _row_locks(db: Database, past: int) -> Load:
    clock = SystemClock()

    async def ask(one: HoldFunds) -> None:
        await hold_funds(one, db=db, now=clock.now())

    asks = [hold_of(f"row locks {past} {number}", CENTS) for number in range(RIVAL_REQUESTS)]
    return await Load().drive(asks, RIVAL_CALLERS, ask)


async def _plain_ledger(ground: Ground, db: Database) -> Load:
    await ground.run_sql(PLAIN_LEDGER)
    async with db.connection() as connection:
        available, held = await plain_accounts(connection, BUDGET_CENTS)

    async def ask(number: int) -> None:
        async with db.connection() as connection:
            await connection.fetchval(PLAIN_TRANSFER, available, held, CENTS, number)

    return await Load().drive(range(RIVAL_REQUESTS), RIVAL_CALLERS, ask)
