"""The HTTP doors: what the program funds, and what was decided and why."""

from dataclasses import dataclass

from fastapi import APIRouter, Depends

from contracts.ids import ApplicationId, DeterminationId
from contracts.texts import Slug
from kit.access import Access, Principal
from kit.db import Database
from kit.http import require
from kit.telemetry import current_trace
from services.eligibility import usecases
from services.eligibility.shelf import PackShelf
from services.eligibility.usecases import Sealer
from services.eligibility.views import (
    CatalogShown,
    DeterminationList,
    ProgramList,
    ReplayShown,
    catalog_shown,
    determinations_shown,
    programs_shown,
    replay_shown,
)


@dataclass(frozen=True, slots=True)
class EligibilityDoors:
    """What the doors of eligibility open onto."""

    access: Access
    db: Database
    vault: Sealer
    shelf: PackShelf


def router(doors: EligibilityDoors) -> APIRouter:
    """Every HTTP route of eligibility."""
    routes = APIRouter(prefix="/v1")
    reader = Depends(require(doors.access, {"partner", "staff"}, "applications:read"))
    replayer = Depends(require(doors.access, "staff", "determinations:replay"))

    @routes.get("/programs", tags=["programs"])
    async def list_programs(_: Principal = reader) -> ProgramList:
        """The programs that take applications here, each with the version of its rules."""
        return programs_shown(await usecases.list_programs(db=doors.db))

    @routes.get("/programs/{program_id}", tags=["programs"])
    async def show_program(program_id: Slug, _: Principal = reader) -> CatalogShown:
        """A program's law, rounds, credentials with their prices, stacks and course runs."""
        return catalog_shown(await usecases.show_program(program_id, db=doors.db, shelf=doors.shelf))

    @routes.get("/applications/{application_id}/determinations", tags=["determinations"])
    async def list_determinations(application_id: ApplicationId, who: Principal = reader) -> DeterminationList:
        """Every decision on an application, with each finding: for the partner who submitted it, and for staff."""
        partner_id = who.id if who.kind == "partner" else None
        receipts = await usecases.list_determinations(application_id, partner_id=partner_id, db=doors.db)
        return determinations_shown(application_id, receipts)

    @routes.get("/determinations/{determination_id}/replay", tags=["determinations"])
    async def replay_determination(determination_id: DeterminationId, who: Principal = replayer) -> ReplayShown:
        """Decide again on the sealed inputs, by the same version of the rules; opening them is audited."""
        request_id = current_trace().correlation_id or who.name
        replay = await usecases.replay(
            determination_id, db=doors.db, vault=doors.vault, shelf=doors.shelf, request_id=request_id
        )
        return replay_shown(replay)

    return routes
