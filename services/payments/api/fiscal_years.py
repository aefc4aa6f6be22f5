"""The doors of a fiscal year's close: read where it stands, amend its list, agree to it as one of two people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.ids import TransferId
from contracts.steps.fiscal_year import Year
from contracts.texts import Slug
from kit.access import Principal
from kit.http import require, respond
from services.payments.api.doors import PaymentsDoors, asked_by_finance
from services.payments.usecases.answered import fiscal_years as answers
from services.payments.usecases.answered.asked import Asked
from services.payments.views.fiscal_years import CloseShown, LineAmended, ListAgreed, YearLinesShown, YearShown

ProgramPath = Annotated[Slug, Path(alias="program_id")]
YearPath = Annotated[Year, Path(alias="year", description="By the calendar year in which it ends")]


def fiscal_years(doors: PaymentsDoors) -> APIRouter:
    """Staff and finance read; finance staff decide. Two different people agree to the same list."""
    routes = APIRouter(prefix="/v1/fiscal-years/{program_id}/{year}")
    asked = asked_by_finance(doors, "budgets:write")
    reader = require(doors.access, ("staff", "finance"), "budgets:read")

    @routes.get("", response_model=YearShown)
    async def read_fiscal_year(program_id: ProgramPath, year: YearPath, who: Principal = Depends(reader)) -> YearShown:
        """Where the year's books stand: phase, the list in sums with its digest, who agreed, the report."""
        return await answers.read_year(program_id, year, db=doors.db)

    @routes.get("/lines", response_model=YearLinesShown)
    async def list_fiscal_year_lines(
        program_id: ProgramPath,
        year: YearPath,
        cursor: Annotated[TransferId | None, Query(description="The `next` of the page before")] = None,
        who: Principal = Depends(reader),
    ) -> YearLinesShown:
        """Every encumbrance on the list, with its service date and what becomes of it, two hundred to a page."""
        return await answers.read_lines(program_id, year, after=cursor, db=doors.db)

    @routes.post("/approval", status_code=201, response_model=CloseShown)
    async def approve_fiscal_year(
        program_id: ProgramPath, year: YearPath, body: ListAgreed, ask: Asked = Depends(asked)
    ) -> Response:
        """Agree to the list you looked at, as one of two different people; the second agreement has it posted."""
        return respond(await answers.approve_year(ask, program_id, year, body, closes=doors.closes))

    @routes.post("/amendment", status_code=201, response_model=CloseShown)
    async def amend_fiscal_year(
        program_id: ProgramPath, year: YearPath, body: LineAmended, ask: Asked = Depends(asked)
    ) -> Response:
        """Carry what was to lapse, or the other way round; whoever agreed before has to agree again."""
        return respond(await answers.amend_year(ask, program_id, year, body, closes=doors.closes))

    return routes
