"""What the command line asks of the books: rows, journal, statements, forecast, as JSON values."""

from dataclasses import asdict
from datetime import date
from typing import Any

from kit.clock import SystemClock
from services.payments.desk.opening import opened
from services.payments.settings import PaymentsSettings
from services.payments.usecases import books
from services.payments.usecases.books import Wanted
from services.payments.usecases.proof import money_of_program
from services.payments.views.books import forecast_shown, row_shown, statement_shown


async def rows_of_program(settings: PaymentsSettings, program_id: str, level: str, after: str) -> dict[str, Any]:
    """`{"rows": [{"row", stage: cents, …}], "next"}` of one level: line, round, award or person."""
    async with opened(settings) as db:
        if level == "person":
            found = await books.persons_of_program(program_id, after=after, limit=books.PAGE_MAX, db=db)
        else:
            money = await money_of_program(program_id, db=db)
            found = [row for row in money.rows if row.level == level]
    full = level == "person" and len(found) == books.PAGE_MAX
    return {"program_id": program_id, "rows": [row_shown(row) for row in found], "next": found[-1].id if full else None}


async def cost_lines(settings: PaymentsSettings, program_id: str) -> dict[str, Any]:
    """`{"agrees", "cost_lines": {line: {stage: cents}}}`."""
    async with opened(settings) as db:
        found = await books.cost_lines_of_program(program_id, db=db)
    return {"program_id": program_id, "agrees": found.agrees, "cost_lines": found.lines}


async def journal(
    settings: PaymentsSettings,
    program_id: str,
    fiscal_year: int | None,
    wanted: Wanted,
    *,
    after: int,
    limit: int,
) -> dict[str, Any]:
    """`{"line", "entries": […], "next"}`: `next` is what `after` takes for the following page, `None` at the end."""
    async with opened(settings) as db:
        line, found = await books.journal_page(program_id, fiscal_year, wanted, after=after, limit=limit, db=db)
    following = found[-1].entry if len(found) == min(limit, books.PAGE_MAX) else None
    return {"line": line, "entries": [asdict(entry) for entry in found], "next": following}


async def statement(settings: PaymentsSettings, row: str, first: date, last: date) -> dict[str, Any]:
    """The statement of a balance row for these days."""
    async with opened(settings) as db:
        found = await books.statement(row, first, last, db=db)
    return statement_shown(found, first, last)


async def forecast(settings: PaymentsSettings, program_id: str, fiscal_year: int | None) -> dict[str, Any]:
    """The forecast of a budget line, as its HTTP door shows it."""
    async with opened(settings) as db:
        found = await books.forecast(program_id, fiscal_year, db=db, now=SystemClock().now())
    return forecast_shown(found).model_dump(mode="json")
