"""Close a fiscal year: soft close, list what is open by service date, two people, the list's approval, its status.

Posting what is approved is in `year_end.py`. Every verb may be asked again and changes nothing the second time.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.errors import NotFound
from contracts.steps.fiscal_year import (
    AmendYearEnd,
    ApprovalStatus,
    ApproveYearEnd,
    EndedYears,
    FiscalYear,
    ListEndedYears,
    ProposeYearEnd,
    SoftCloseStatus,
    SoftCloseYear,
    YearEndApproved,
    YearEndProposal,
    YearSoftClosed,
)
from kit.db import Connection, Database
from services.payments.books.fiscal_year import CalendarUnknown, FiscalCalendar, NotOpenEncumbrance, YearUnknown, listed
from services.payments.books.ledger import Phase, line_row
from services.payments.domain import two_people
from services.payments.store import fiscal_year as store
from services.payments.store import ledger as ledger_store
from services.payments.store.fiscal_year import Close

LISTED_PER_TURN = 1_000


@dataclass(frozen=True, slots=True)
class YearStatus:
    """Where the books of a year stand, for people."""

    close: Close | None
    phase: Phase
    ends_at: datetime | None
    """None while the program has not published its calendar."""
    proposal: YearEndProposal | None
    approvals: tuple[dict[str, Any], ...]


async def ended_years(ask: ListEndedYears, *, db: Database, now: datetime) -> EndedYears:
    """The program's lines whose year is over on the database's clock and whose books are not shut."""
    async with db.transaction() as tx:
        year = await _calendar(tx, ask.program_id)
        clock = await store.clock(tx)
        lines = await store.lines_not_closed(tx, ask.program_id)
    years = [int(line.rsplit("/", 1)[1]) for line in lines]
    return EndedYears(fiscal_years=sorted(one for one in years if year.ends_at(one) <= clock))


async def soft_close(ask: SoftCloseYear, *, db: Database, now: datetime) -> YearSoftClosed:
    """Let nothing new be held on the line, once the database's clock has passed the year's last moment."""
    book = line_row(ask.program_id, ask.fiscal_year)
    async with db.transaction() as tx:
        line = (await ledger_store.balances(tx, [book])).get(book)
        if line is None:
            return YearSoftClosed(status=SoftCloseStatus.UNKNOWN)
        year = await _calendar(tx, ask.program_id)
        ends_at = year.ends_at(ask.fiscal_year)
        if line.phase is Phase.HARD_CLOSED:
            return YearSoftClosed(status=SoftCloseStatus.HARD_CLOSED, ends_at=ends_at)
        left = (ends_at - await store.clock(tx)).total_seconds()
        if left > 0:
            return YearSoftClosed(status=SoftCloseStatus.NOT_OVER, seconds_left=math.ceil(left), ends_at=ends_at)
        await store.begin(
            tx,
            book,
            ask.program_id,
            ask.fiscal_year,
            last_day=year.last_day(ask.fiscal_year),
            zone=year.zone.key,
            now=now,
        )
        if line.phase is Phase.OPEN:
            await ledger_store.close_line(tx, book, Phase.SOFT_CLOSED)
        return YearSoftClosed(status=SoftCloseStatus.SOFT_CLOSED, ends_at=ends_at)


async def propose(ask: ProposeYearEnd, *, db: Database, now: datetime) -> YearEndProposal:
    """List what is open, page by page; what was listed and approved before stays as it is."""
    book = line_row(ask.program_id, ask.fiscal_year)
    after = ""
    while True:
        async with db.transaction() as tx:
            close = await _close(tx, ask)
            year = await _calendar(tx, ask.program_id)
            found = await store.open_encumbrances(tx, book, after, LISTED_PER_TURN)
            await store.keep_listed(tx, book, [listed(one, year, close.last_day) for one in found])
        if len(found) < LISTED_PER_TURN:
            break
        after = found[-1].transfer_id
    async with db.transaction() as tx:
        await _close(tx, ask)
        await store.forget_resolved(tx, book)
        return await _proposal(tx, book)


async def amend(ask: AmendYearEnd, *, db: Database, now: datetime) -> YearEndProposal:
    """Carry what was to lapse, or the other way round; only before two people agreed to it."""
    book = line_row(ask.program_id, ask.fiscal_year)
    async with db.transaction() as tx:
        await _close(tx, ask)
        if not await store.amend(tx, book, ask.encumbrance, ask.disposition, reason=ask.reason, actor=ask.actor):
            raise NotOpenEncumbrance
        return await _proposal(tx, book)


async def approve(ask: ApproveYearEnd, *, db: Database, now: datetime) -> YearEndApproved:
    """Two people agree to the list they saw; another list than that is not approved."""
    two_people(ask.checked_by, ask.made_by)
    book = line_row(ask.program_id, ask.fiscal_year)
    async with db.transaction() as tx:
        await _close(tx, ask)
        if any(one["digest"] == ask.digest for one in await store.approvals(tx, book)):
            return YearEndApproved(status=ApprovalStatus.APPROVED)
        if (await store.sums(tx, book))["digest"] != ask.digest:
            return YearEndApproved(status=ApprovalStatus.CHANGED)
        await store.approve(tx, book, ask.digest, made_by=ask.made_by, checked_by=ask.checked_by, now=now)
        return YearEndApproved(status=ApprovalStatus.APPROVED)


async def status_of_year(program_id: str, fiscal_year: int, *, db: Database) -> YearStatus:
    """Where the books of a year stand; `NotFound` for a line that is not there."""
    book = line_row(program_id, fiscal_year)
    async with db.transaction() as tx:
        line = (await ledger_store.balances(tx, [book])).get(book)
        if line is None:
            raise NotFound(kind="budget line")
        year = await store.calendar_of(tx, program_id)
        close = await store.close(tx, book)
        return YearStatus(
            close=close,
            phase=line.phase,
            ends_at=year.ends_at(fiscal_year) if year else None,
            proposal=await _proposal(tx, book) if close else None,
            approvals=tuple(await store.approvals(tx, book)),
        )


async def lines_of_close(
    program_id: str, fiscal_year: int, *, after: str, count_max: int, db: Database
) -> list[dict[str, Any]]:
    """Lines of the list, in the order of their ids, each with service date, proposal and what became of it."""
    async with db.transaction() as tx:
        return await store.of_close(tx, line_row(program_id, fiscal_year), after, count_max)


async def _calendar(tx: Connection, program_id: str) -> FiscalCalendar:
    year = await store.calendar_of(tx, program_id)
    if year is None:
        raise CalendarUnknown
    return year


async def _close(tx: Connection, ask: FiscalYear) -> Close:
    close = await store.close(tx, line_row(ask.program_id, ask.fiscal_year))
    if close is None:
        raise YearUnknown(fiscal_year=ask.fiscal_year)
    return close


async def _proposal(tx: Connection, book: str) -> YearEndProposal:
    sums = await store.sums(tx, book)
    line = (await ledger_store.balances(tx, [book]))[book]
    return YearEndProposal(**sums, held_cents=line.stages["held"], available_cents=line.available_cents)
