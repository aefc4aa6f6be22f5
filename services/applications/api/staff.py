"""The staff API: every case and how many stand where. Staff act on cases in the Temporal UI, not here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from contracts.texts import Slug
from kit.access import Principal
from kit.http import require
from kit.paging import CursorParameter, LimitParameter
from services.applications import views
from services.applications.api.doors import ApplicationsDoors, StageParameter
from services.applications.usecases import reading

ProgramParameter = Annotated[Slug | None, Query(alias="program_id", description="Only cases of this program")]
ProviderParameter = Annotated[Slug | None, Query(alias="provider_id", description="Only cases at this provider")]


def router(doors: ApplicationsDoors) -> APIRouter:
    """Routes for API keys of program staff."""
    routes = APIRouter(prefix="/v1/cases", tags=["staff"])
    reader = require(doors.access, "staff", "cases:read")

    @routes.get("")
    async def list_cases(
        staff: Annotated[Principal, Depends(reader)],
        stage: StageParameter = None,
        program_id: ProgramParameter = None,
        provider_id: ProviderParameter = None,
        cursor: CursorParameter = None,
        limit: LimitParameter = 50,
    ) -> views.CasePage:
        """Every case, oldest first."""
        scope = f"cases|{stage}|{program_id}|{provider_id}"
        found = await reading.list_cases(
            stage=stage,
            program_id=program_id,
            provider_id=provider_id,
            after=doors.after(scope, cursor),
            limit=limit + 1,
            db=doors.db,
        )
        items, following = doors.page(scope, found, limit, lambda view: view.application_id)
        return views.CasePage(items=items, next=following)

    @routes.get("/counts")
    async def count_cases(
        staff: Annotated[Principal, Depends(reader)], program_id: ProgramParameter = None
    ) -> views.StageTotals:
        """How many cases stand in each stage, how they ended, and the money set aside for them."""
        return await reading.count_cases(program_id=program_id, db=doors.db)

    return routes
