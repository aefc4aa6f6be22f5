"""The drill `fiscal-year`: a close of many encumbrances, cut off again and again, ends with carried + lapsed = open."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from cairn.drills.books import books_are_proven
from cairn.drills.drill import TO_ITS_END, Drill, Fault, Trial, drops_constraint, edits_function, patches
from cairn.drills.year_books import (
    ASKED,
    CALENDAR,
    LINE,
    NOW,
    YearCase,
    cases_of,
    close_year,
    open_year,
    stages,
    transfer,
    year_is_closed,
)
from contracts.errors import CairnError, Unavailable
from contracts.ids import TransferId
from contracts.steps.fiscal_year import (
    ApproveYearEnd,
    SoftCloseStatus,
    SoftCloseYear,
    YearEndReport,
)
from kit.db import Connection, Database
from services.payments.books.fiscal_year import Approved, FiscalCalendar, OpenEncumbrance, postings_of
from services.payments.books.ledger import Code, Kind, Scope, Transfer, line_row
from services.payments.domain import FundingState, MakerIsChecker
from services.payments.store import fiscal_year as year_store
from services.payments.store import funding as funding_store
from services.payments.store import ledger as store
from services.payments.usecases import fiscal_year, year_end
from services.payments.usecases.postings import lapse_recovered

ENCUMBRANCES, PAID, KILLS = 50_000, 20, 10
SPARE_CENTS = 123_456
ATTEMPTS_MAX = 200
SKEW = timedelta(hours=1)

CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE usename = 'cairn_payments' AND datname = current_database()
"""
POSTED = "SELECT count(*) FROM year_end_encumbrance WHERE outcome IS NOT NULL"


async def run(trial: Trial) -> None:
    """Fill a year, close it while its connections are cut, and ask what became of every cent."""
    cases = cases_of(trial, trial.count(ENCUMBRANCES, least=60))
    # Many small batches: each kill has to strike one.
    trial.ground.patch("services.payments.usecases.year_end:POSTED_PER_BATCH", max(1, len(cases) // 250))
    trial.ground.patch("services.payments.usecases.fiscal_year:LISTED_PER_TURN", max(7, len(cases) // 13))
    db = await trial.ground.open(connections_max=6)
    await open_year(trial, db, cases, SPARE_CENTS)
    encumbered = (await stages(db, LINE))["encumbered"]
    settled = await _pay(db, cases[:PAID])
    open_cases = cases[len(settled) :]

    await _skewed_clocks(trial, db)
    await fiscal_year.soft_close(SoftCloseYear(**ASKED), db=db, now=NOW - SKEW)
    await _closed_softly(trial, db, cases[0])
    await _one_person(trial, db)
    report, cuts = await _close_while_cut(trial, db)

    expected = {of_year: sum(c.cents for c in open_cases if c.is_of_the_year is of_year) for of_year in (True, False)}
    trial.equal("open before = carried + lapsed", sum(expected.values()), report.carried_cents + report.lapsed_cents)
    trial.equal("carried: what began by the last midnight", expected[True], report.carried_cents)
    trial.equal("lapsed: what begins after it", expected[False], report.lapsed_cents)
    trial.equal("resolved meanwhile", 0, report.resolved_cents)
    trial.holds("connections cut meanwhile", "at least 1 a kill", cuts >= KILLS, cuts)
    trial.equal("encumbered at first", sum(c.cents for c in cases), encumbered)
    await year_is_closed(trial, db, open_cases, expected[True])
    await _again(trial, db, report)
    await _afterwards(trial, db, next(c for c in open_cases if c.is_of_the_year), settled)
    _calendars(trial)
    await books_are_proven(trial, db)


async def _close_while_cut(trial: Trial, db: Database) -> tuple[YearEndReport, int]:
    """Killed as often as promised, each time a little further on; begun again from the first step each time."""
    owner = await trial.ground.owner()
    total = int(await owner.fetchval("SELECT count(*) FROM funding WHERE state = 'encumbered'"))
    marks = sorted(trial.chance.sample(range(total * 9 // 10), KILLS))
    cuts = 0

    async def kill() -> None:
        nonlocal cuts
        for mark in marks:
            while int(await owner.fetchval(POSTED)) < mark:
                await asyncio.sleep(0.002)
            struck = 0
            while not struck:
                struck = int(await owner.fetchval(CUT))
                await asyncio.sleep(0.001)
            cuts += struck

    killer = asyncio.create_task(kill())
    try:
        for attempt in range(ATTEMPTS_MAX):
            try:
                return await close_year(db, now=NOW + SKEW * (attempt % 3 - 1)), cuts
            except Unavailable:
                continue
        raise TimeoutError("the close does not come to its end")
    finally:
        killer.cancel()
        await asyncio.gather(killer, return_exceptions=True)


async def _pay(db: Database, cases: list[YearCase]) -> list[tuple[YearCase, Transfer]]:
    """Some of the year's cases are paid and settled before it ends."""
    settled: list[tuple[YearCase, Transfer]] = []
    for case in cases:
        expend = transfer(Kind.EXPEND, case, of=case.encumbrance)
        send = transfer(Kind.SEND, case, of=expend.id)
        settle = transfer(Kind.SETTLE, case, of=send.id)
        async with db.transaction() as tx:
            await store.post(tx, [expend, send, settle])
            funding = await funding_store.current(tx, case.application_id)
            assert funding is not None
            await funding_store.ended(tx, funding, FundingState.EXPENDED, "claim_approved", 0, now=NOW)
        settled.append((case, settle))
    return settled


async def _closed_softly(trial: Trial, db: Database, case: YearCase) -> None:
    async with db.transaction() as tx:
        [posted] = await store.post(tx, [transfer(Kind.HOLD, case, "after the soft close")])
    trial.equal("a hold after the soft close", Code.CLOSED, posted.outcome)


async def _one_person(trial: Trial, db: Database) -> None:
    """The same person twice: refused by the use case, and by the table behind it."""
    try:
        ask = ApproveYearEnd(**ASKED, digest="0" * 64, made_by="anna", checked_by="anna")
        await fiscal_year.approve(ask, db=db, now=NOW)
        answer = "taken"
    except MakerIsChecker:
        answer = "refused"
    trial.equal("one person agrees twice, asked of payments", "refused", answer)
    try:
        async with db.transaction() as tx:
            await year_store.approve(tx, LINE, "0" * 64, made_by="anna", checked_by="anna", now=NOW)
            answer = "taken"
            raise _Undone
    except _Undone:
        pass
    except (asyncpg.CheckViolationError, CairnError):
        answer = "refused"
    trial.equal("one person agrees twice, straight into the table", "refused", answer)


class _Undone(Exception):
    """Takes back what the table should not have taken."""


async def _again(trial: Trial, db: Database, report: YearEndReport) -> None:
    """Asked once more from the first step, three hours later by its own clock: nothing is posted, nothing is told."""
    owner = await trial.ground.owner()
    counted = "SELECT (SELECT count(*) FROM transfer) || ' entries, ' || (SELECT count(*) FROM outbox) || ' facts'"
    before = await owner.fetchval(counted)
    trial.equal("the report of a second run", report, await close_year(db, now=NOW + 3 * SKEW))
    trial.equal("journal and facts after a second run", before, await owner.fetchval(counted))


async def _afterwards(trial: Trial, db: Database, carried: YearCase, settled: list[tuple[YearCase, Transfer]]) -> None:
    """A carried case is paid from the next year; a late return re-opens the closed one; a refund to it lapses."""
    async with db.transaction() as tx:
        funding = await funding_store.current(tx, carried.application_id)
        assert funding is not None
        expend = transfer(Kind.EXPEND, carried, "carried", of=funding.encumbrance_transfer_id, at=funding.scope)
        send = transfer(Kind.SEND, carried, "carried", of=expend.id, at=funding.scope)
        settle = transfer(Kind.SETTLE, carried, "carried", of=send.id, at=funding.scope)
        late = transfer(Kind.RETURN_LATE, carried, "carried", of=settle.id, at=funding.scope)
        posted = await store.post(tx, [expend, send, settle, late])
    trial.equal("a carried claim, its payment and its return", [Code.OK] * 4, [one.outcome for one in posted])
    (returned, first), (refunded, second) = settled[0], settled[1]
    before = await stages(db, LINE)
    recover = transfer(Kind.RECOVER, refunded, of=second.id)
    async with db.transaction() as tx:
        posted = await store.post(tx, [transfer(Kind.RETURN_LATE, returned, of=first.id), recover])
        await lapse_recovered(tx, [recover])
    trial.equal("a late return and a refund after the hard close", [Code.OK] * 2, [one.outcome for one in posted])
    after = await stages(db, LINE)
    moved = {stage: after[stage] - before[stage] for stage in after if after[stage] != before[stage]}
    wanted = {"payable": returned.cents, "disbursed": -returned.cents - refunded.cents, "lapsed": refunded.cents}
    trial.equal("where that money went", wanted, moved)


async def _skewed_clocks(trial: Trial, db: Database) -> None:
    """A worker's clock that is off closes no year early and keeps none open: the database's decides."""
    clock: datetime = await (await trial.ground.owner()).fetchval("SELECT clock_timestamp()")
    hour = clock.astimezone(UTC).hour
    for name, local_hour, skew, expected in (
        ("ahead", 23, SKEW, SoftCloseStatus.NOT_OVER),
        ("behind", 0, -SKEW, SoftCloseStatus.SOFT_CLOSED),
    ):
        # A zone in which the last hour of a day, or the first, is running now: midnight is within the hour.
        offset = (local_hour - hour + 12) % 24 - 12
        zone = ZoneInfo(f"Etc/GMT{-offset:+d}" if offset else "UTC")
        today = clock.astimezone(zone).date()
        turns = today + timedelta(days=1) if local_hour else today
        year = FiscalCalendar(f"{turns:%m-%d}", zone)
        ending = next(one for one in (turns.year - 1, turns.year) if year.first_day(one + 1) == turns)
        program = f"clock-{name}"
        async with db.transaction() as tx:
            await tx.execute(CALENDAR, program, year.start, zone.key)
            await store.post(tx, [_line_of(program, ending)])
        ask = SoftCloseYear(program_id=program, fiscal_year=ending)
        answer = await fiscal_year.soft_close(ask, db=db, now=clock + skew)
        trial.equal(f"a year's end by a worker's clock an hour {name}", expected, answer.status)


def _line_of(program: str, year: int) -> Transfer:
    line = line_row(program, year)
    return Transfer(
        id=TransferId.derive("appropriation", line),
        kind=Kind.APPROPRIATE,
        scope=Scope(line, line=line),
        amount_cents=1,
        reason="drill",
        actor="drill",
        occurred_at=NOW,
    )


def _calendars(trial: Trial) -> None:
    """Years end at midnight where the program is, summer time or not, the day the clocks change included."""
    columbus, phoenix = ZoneInfo("America/New_York"), ZoneInfo("America/Phoenix")
    for start, zone, year, ends in (
        ("07-01", columbus, 2026, datetime(2026, 7, 1, 4, tzinfo=UTC)),
        ("07-01", phoenix, 2026, datetime(2026, 7, 1, 7, tzinfo=UTC)),
        ("01-01", columbus, 2026, datetime(2027, 1, 1, 5, tzinfo=UTC)),
        ("11-01", columbus, 2026, datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("03-08", columbus, 2026, datetime(2026, 3, 8, 5, tzinfo=UTC)),
    ):
        found = FiscalCalendar(start, zone)
        trial.equal(f"the year {year} from {start} in {zone.key} ends", ends, found.ends_at(year))
        last, first = found.day_of(ends - timedelta(seconds=1)), found.day_of(ends)
        trial.equal(
            f"its last day and the first of the next ({start})",
            (found.last_day(year), found.first_day(year + 1)),
            (last, first),
        )


def _day_by_utc(_: FiscalCalendar, moment: datetime) -> Any:
    return moment.astimezone(UTC).date()


def _only_into_the_next(one: Approved, program_id: str, fiscal_year: int, *, at: datetime) -> list[Transfer]:
    posted = postings_of(one, program_id, fiscal_year, at=at)
    return [replace(posted[-1], links_to=None)]


def _not_linked(one: Approved, program_id: str, fiscal_year: int, *, at: datetime) -> list[Transfer]:
    return [replace(each, links_to=None) for each in postings_of(one, program_id, fiscal_year, at=at)]


_page = year_store.open_encumbrances
_shut = year_end.__dict__["_approved_close"]


_never_listed: set[str] = set()


async def _without_the_first(tx: Connection, book: str, after: str, count_max: int) -> list[OpenEncumbrance]:
    found = await _page(tx, book, after, count_max)
    if after and found:
        _never_listed.add(found[0].transfer_id)
    return [one for one in found if one.transfer_id not in _never_listed]


async def _clock_of_the_worker(tx: Connection) -> datetime:
    return await tx.fetchval("SELECT clock_timestamp()") + SKEW


async def _never_shut(tx: Connection, book: str, year: int) -> Any:
    return replace(await _shut(tx, book, year), report=None)


async def _by_anybody(ask: ApproveYearEnd, *, db: Database, now: datetime) -> Any:
    async with db.transaction() as tx:
        await year_store.approve(tx, LINE, ask.digest, made_by=ask.made_by, checked_by=ask.checked_by, now=now)


DRILLS = (
    Drill(
        "fiscal-year",
        "A year's close that is cut off ten times carries and lapses what was open, to the cent, by its service date",
        run,
        seconds_max=1_800.0,
        test_scale=0.01,
    ),
)

FAULTS = (
    Fault(
        "service-date-by-utc",
        "The day of service is the day in Greenwich, not where the program is.",
        "fiscal-year",
        patches("services.payments.books.fiscal_year:FiscalCalendar.day_of", _day_by_utc),
        check="carried: what began by the last midnight",
    ),
    Fault(
        "carried-in-but-not-out",
        "Money goes into the next year without leaving the one that closes.",
        "fiscal-year",
        patches("services.payments.usecases.year_end:postings_of", _only_into_the_next),
        check=TO_ITS_END,
        seen="YearNotReady",
    ),
    Fault(
        "carry-not-linked",
        "What is carried in does not say what was carried out for it.",
        "fiscal-year",
        patches("services.payments.usecases.year_end:postings_of", _not_linked),
        check=TO_ITS_END,
        seen="YearNotReady",
    ),
    Fault(
        "page-border-skipped",
        "What stands first on a further page of the list is never listed.",
        "fiscal-year",
        patches("services.payments.store.fiscal_year:open_encumbrances", _without_the_first),
        check=TO_ITS_END,
        seen="YearNotReady",
    ),
    Fault(
        "one-approver-in-the-table",
        "The table takes an approval in which one person is both.",
        "fiscal-year",
        drops_constraint("fiscal_year_approval", "maker_is_not_checker"),
        check="one person agrees twice, straight into the table",
    ),
    Fault(
        "one-approver-asked",
        "Payments does not ask whether two different people agreed.",
        "fiscal-year",
        patches("services.payments.usecases.fiscal_year:approve", _by_anybody),
        check=TO_ITS_END,
        seen="fiscal_year_approval",
    ),
    Fault(
        "closed-by-the-workers-clock",
        "The year is over when the worker's clock says so.",
        "fiscal-year",
        patches("services.payments.store.fiscal_year:clock", _clock_of_the_worker),
        check="a year's end by a worker's clock an hour ahead",
    ),
    Fault(
        "held-after-the-soft-close",
        "The posting function takes a hold on a line that is closed to new obligations.",
        "fiscal-year",
        edits_function("post", "WHEN 'soft_closed' THEN r.when_soft_closed", "WHEN 'soft_closed' THEN true"),
        check="a hold after the soft close",
    ),
    Fault(
        "second-run-reports-anew",
        "A close that is asked again does not know that the books are shut.",
        "fiscal-year",
        patches("services.payments.usecases.year_end:_approved_close", _never_shut),
        check="the report of a second run",
    ),
)
