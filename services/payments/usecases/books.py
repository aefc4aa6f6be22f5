"""Read the books: rows by level, cost lines, pages of the journal, statements, the forecast of a budget line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.errors import NotFound
from kit.db import Connection, Database
from services.payments.books.account_statement import AccountStatement, by_cost_line, statement_of
from services.payments.books.fiscal_year import FiscalCalendar
from services.payments.books.forecast import Forecast, Open, Resolved, burn_down, forecast_of
from services.payments.books.ledger import STAGES, line_row
from services.payments.store import fiscal_year as fiscal_year_store
from services.payments.store import journal as store
from services.payments.store import ledger as ledger_store
from services.payments.store.journal import Entry, Wanted
from services.payments.store.ledger import Balance

PAGE_MAX = 1_000
OHIO = FiscalCalendar("07-01", ZoneInfo("America/New_York"))
"""The state's fiscal year (ORC 9.34), for a program that has not published its own."""


@dataclass(frozen=True, slots=True)
class CostLines:
    """What is held and further, by cost line and stage; `agrees` where it adds up to the budget lines' own stages."""

    lines: dict[str, dict[str, int]]
    agrees: bool


async def persons_of_program(program_id: str, *, after: str, limit: int, db: Database) -> list[Balance]:
    """Balance rows of the persons who have a cap, by id, past `after`."""
    async with db.connection() as connection:
        return await store.persons(connection, program_id, after=after, limit=min(limit, PAGE_MAX))


async def cost_lines_of_program(program_id: str, *, db: Database) -> CostLines:
    """The breakdown by cost line, folded from the journal, beside the balance rows at the same moment."""
    async with db.transaction() as tx:
        await ledger_store.read_one_moment(tx)
        lines = await store.lines(tx, program_id)
        years = sorted({int(line.rsplit("/", 1)[1]) for line in lines})
        found = by_cost_line(await store.cost_lines(tx, lines, years))
        rows = await ledger_store.balances(tx, lines)
    agrees = all(
        sum(stages[stage.value] for stages in found.values()) == sum(row.stages[stage.value] for row in rows.values())
        for stage in STAGES[1:]
    )
    return CostLines(found, agrees)


async def journal_page(
    program_id: str, fiscal_year: int | None, wanted: Wanted, *, after: int, limit: int, db: Database
) -> tuple[str, list[Entry]]:
    """A budget line (the latest where no year is given) and its entries past `after`; `NotFound` if there is none."""
    async with db.connection() as connection:
        line = await _line(connection, program_id, fiscal_year)
        return line, await store.page(connection, line, wanted, after=after, limit=min(limit, PAGE_MAX))


async def statement(row: str, first: date, last: date, *, db: Database) -> AccountStatement:
    """The statement of a balance row for these days, both included, in the program's time zone."""
    async with db.transaction() as tx:
        await ledger_store.read_one_moment(tx)
        book = await store.book_of_row(tx, row)
        if book is None:
            raise NotFound(kind="budget line, round, provider award or person")
        year = await _calendar(tx, row.split("/")[1])
        since, until = (datetime.combine(day, time(), tzinfo=year.zone) for day in (first, last + timedelta(days=1)))
        before, within = await store.moved(tx, book, row, since=since, until=until)
    return statement_of(row, since, until, before, within)


async def forecast(program_id: str, fiscal_year: int | None, *, db: Database, now: datetime) -> Forecast:
    """Where a budget line (the latest where no year is given) will end; `NotFound` where there is none."""
    async with db.transaction() as tx:
        await ledger_store.read_one_moment(tx)
        line = await _line(tx, program_id, fiscal_year)
        year = await _calendar(tx, program_id)
        zone = year.zone.key
        months = burn_down(await store.by_month(tx, line, zone))
        open_ = [Open(*found) for found in await store.open_items(tx, line, zone)]
        resolved = [Resolved(*found) for found in await store.resolved(tx, line)]
        rows = [row for row in await ledger_store.program_balances(tx, program_id) if row.book == line]
    return forecast_of(
        line,
        _stages(rows, "line")[line],
        _stages(rows, "award"),
        open_,
        resolved,
        months,
        as_of=year.day_of(now),
        year_end=year.last_day(int(line.rsplit("/", 1)[1])),
    )


def _stages(rows: Sequence[Balance], level: str) -> dict[str, dict[str, int]]:
    return {row.id: dict(row.stages) for row in rows if row.level == level}


async def _line(tx: Connection, program_id: str, fiscal_year: int | None) -> str:
    lines = await store.lines(tx, program_id)
    wanted = line_row(program_id, fiscal_year) if fiscal_year is not None else (lines[-1] if lines else "")
    if wanted not in lines:
        raise NotFound(kind="budget line")
    return wanted


async def _calendar(tx: Connection, program_id: str) -> FiscalCalendar:
    return await fiscal_year_store.calendar_of(tx, program_id) or OHIO
