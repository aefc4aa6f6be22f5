"""`cairn bench vouchers`: exam vouchers allocated a second by 64 clients, beside the same with plain row locks."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cairn.bench.table import Report, percentile
from cairn.drills.drill import Ground, engine_of_its_own
from contracts.errors import Unavailable
from contracts.ids import ApplicationId, PersonId
from contracts.steps.payments import ExamVoucherResult, IssueExamVoucher
from kit import crypto
from kit.clock import SystemClock
from kit.db import Database
from kit.process import spare_what_lives
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.store import vouchers as store
from services.payments.store.vouchers import Lot
from services.payments.usecases.vouchers import import_lot, issue_exam_voucher, issuing

CLIENTS = 64
BASELINE_SHARE = 10
WARM_UP = 500
EXAM = "bench-exam"
TRIES_MAX = 20
GOAL_RATE, GOAL_P99_MS = 1_500, 50

Issue = Callable[[IssueExamVoucher], Awaitable[ExamVoucherResult]]


@dataclass
class Measured:
    """Seconds in all and of each allocation; the codes that were given."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list[float])
    given: set[str] = field(default_factory=set[str])
    none_left: int = 0
    asked_again: int = 0
    """After waiting for a lock longer than the database allows."""

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


async def measure(count: int) -> Report:
    """Allocate `count` codes as the journey's step does, and a tenth of that with locks that wait."""
    report = Report(
        "vouchers",
        "allocating exam vouchers",
        f"{CLIENTS} clients ask for {count} exam vouchers as the journey's step does: case lock, look-up, allocation,"
        " fact in the outbox, commit with fsync on; who asks at the same time shares a transaction. Beside it, in the"
        f" same run and schema, {count // BASELINE_SHARE} cases each: a transaction for every client (SKIP LOCKED), and"
        " the same with plain `FOR UPDATE`, earliest first, where clients queue for one row. Clients and database share"
        " the cores.",
    )
    baseline = max(count // BASELINE_SHARE, CLIENTS)
    async with engine_of_its_own(("payments",)) as ground:
        db = await _stocked(ground, count + 2 * baseline + WARM_UP)

        async def alone(ask: IssueExamVoucher) -> ExamVoucherResult:
            return await issue_exam_voucher(ask, db=db, now=datetime.now(UTC))

        together = issuing(db, SystemClock())
        await _drive(together.ask, "warm", WARM_UP)
        spare_what_lives()
        ours = await _drive(together.ask, "ours", count)
        skipping = await _drive(alone, "skipping", baseline)
        ground.patch(f"{store.__name__}:ALLOCATE", store.ALLOCATE_AFTER_WAITING)
        plain = await _drive(alone, "plain", baseline)
        await together.close()
    _show(report, "Cairn", ours, f"at least {GOAL_RATE}/s", f"at most {GOAL_P99_MS} ms")
    _show(report, "one transaction each, SKIP LOCKED", skipping)
    _show(report, "one transaction each, plain FOR UPDATE", plain)
    report.add("times plain FOR UPDATE", f"{ours.rate / plain.rate:.1f} ×")
    report.add("asked again after a lock timeout, plain FOR UPDATE", f"{plain.asked_again}")
    report.add("codes given twice", f"{len(ours.latencies) - len(ours.given) - ours.none_left}", "0")
    return report


async def _stocked(ground: Ground, codes: int) -> Database:
    db = await ground.open(connections_max=CLIENTS)
    keys, now, lots_of = ExamCodes(crypto.new_key()), datetime.now(UTC), 50_000
    for number, start in enumerate(range(0, codes, lots_of), 1):
        lot = Lot(
            lot_id=f"bench/{number}",
            exam_id=EXAM,
            vendor="bench",
            order_number=str(number),
            region="US",
            unit_cost_cents=25_000,
            not_before=now - timedelta(days=1),
            expires_at=now + timedelta(days=300),
            expiry_zone="UTC",
            retires_at=None,
            imported_by="bench",
        )
        names = [f"BENCH-{place:08d}" for place in range(start, min(start + lots_of, codes))]
        await import_lot(lot, names, keys=keys, db=db, now=now)
    await ground.run_sql("ANALYZE exam_voucher")
    return db


async def _drive(
    issue: Callable[[IssueExamVoucher], Awaitable[ExamVoucherResult]], name: str, requests: int
) -> Measured:
    measured, numbers = Measured(), iter(range(requests))
    ask = _asking(name)

    async def client() -> None:
        for number in numbers:
            began = time.perf_counter()
            found = await _until_answered(issue, ask(number), measured)
            measured.latencies.append(time.perf_counter() - began)
            if found.exam_voucher_id is None:
                measured.none_left += 1
            else:
                measured.given.add(found.exam_voucher_id)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    measured.seconds = time.perf_counter() - began
    return measured


async def _until_answered(issue: Issue, ask: IssueExamVoucher, measured: Measured) -> ExamVoucherResult:
    for _ in range(TRIES_MAX):
        try:
            return await issue(ask)
        except Unavailable:
            measured.asked_again += 1
    return await issue(ask)


def _asking(name: str) -> Callable[[int], IssueExamVoucher]:
    def ask(number: int) -> IssueExamVoucher:
        return IssueExamVoucher(
            application_id=ApplicationId.derive(name, number),
            person_id=PersonId.derive(name, number),
            exam_id=EXAM,
            attempt_number=1,
            usable_seconds=86_400,
        )

    return ask


def _show(report: Report, who: str, measured: Measured, rate_goal: str = "", p99_goal: str = "") -> None:
    report.add(f"{who}: allocations/s", f"{measured.rate:,.0f}", rate_goal)
    report.add(f"{who}: p50", f"{percentile(measured.latencies, 0.5) * 1000:.1f} ms")
    report.add(f"{who}: p99", f"{percentile(measured.latencies, 0.99) * 1000:.1f} ms", p99_goal)
