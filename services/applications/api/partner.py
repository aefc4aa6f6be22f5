"""The partner API: create an application, read it, send evidence, withdraw. A partner sees its own alone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from contracts.ids import ApplicationId
from kit.access import Principal
from kit.http import once_from, require, respond
from kit.idempotency import Once
from kit.paging import CursorParameter, IfMatch, LimitParameter
from services.applications import views
from services.applications.api.doors import ApplicationsDoors, StageParameter
from services.applications.commands import AnswerCharge, SendDocument, SubmitApplication, Withdraw
from services.applications.usecases import applying, reading, submitting


def router(doors: ApplicationsDoors) -> APIRouter:
    """Routes for API keys of partners."""
    routes = APIRouter(prefix="/v1", tags=["partner"])
    routes.include_router(_reading(doors))
    routes.include_router(_writing(doors))
    return routes


def _reading(doors: ApplicationsDoors) -> APIRouter:
    routes = APIRouter(prefix="/applications")
    reader = require(doors.access, "partner", "applications:read")

    @routes.get("")
    async def list_applications(
        partner: Annotated[Principal, Depends(reader)],
        stage: StageParameter = None,
        cursor: CursorParameter = None,
        limit: LimitParameter = 50,
    ) -> views.ApplicationPage:
        """The partner's applications, oldest first."""
        scope = f"applications|{partner.name}|{stage}"
        found = await reading.list_applications(
            partner_id=partner.id,
            stage=stage,
            after=doors.after(scope, cursor),
            limit=limit + 1,
            db=doors.db,
            public_url=doors.public_url,
        )
        items, following = doors.page(scope, found, limit, lambda view: view.application_id)
        return views.ApplicationPage(items=items, next=following)

    @routes.get(
        "/{application_id}",
        response_model=views.ApplicationView,
        responses={304: {"description": "Nothing has changed since that ETag"}},
    )
    async def read_application(
        application_id: ApplicationId,
        request: Request,
        partner: Annotated[Principal, Depends(reader)],
        if_none_match: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Response:
        """Where the application stands: what was decided and why, what is missing, by when, who acts next."""
        view = await reading.read_application(
            application_id, partner_id=partner.id, db=doors.db, public_url=doors.public_url
        )
        headers = {"ETag": views.etag(view)}
        if if_none_match is not None and headers["ETag"] in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(view.model_dump_json(), media_type="application/json", headers=headers)

    @routes.get("/{application_id}/timeline")
    async def read_timeline(
        application_id: ApplicationId, partner: Annotated[Principal, Depends(reader)]
    ) -> views.Timeline:
        """Every fact about the case in order, each with its sentence, its reasons and its public fields."""
        return await reading.read_timeline(application_id, partner_id=partner.id, db=doors.db)

    return routes


def _writing(doors: ApplicationsDoors) -> APIRouter:
    routes = APIRouter(prefix="/applications")
    writer = require(doors.access, "partner", "applications:write")
    once_only = once_from(writer)

    @routes.post("", status_code=201, response_model=views.ApplicationAccepted)
    async def submit_application(
        command: SubmitApplication,
        partner: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """Ask for funding of one credential for one person. The case begins at once."""
        call = doors.call(partner, once)
        return respond(
            await submitting.submit_application(
                command, call, db=doors.db, intake=doors.intake, vault=doors.vault, public_url=doors.public_url
            )
        )

    @routes.post("/{application_id}/documents", status_code=201, response_model=views.DocumentTaken)
    async def send_document(
        application_id: ApplicationId,
        command: SendDocument,
        partner: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """Send evidence that `missing` asked for."""
        call = doors.call(partner, once)
        return respond(await applying.send_document(application_id, command, call, db=doors.db, vault=doors.vault))

    @routes.post("/{application_id}/charge-answer", response_model=views.ChargeAnswerTaken)
    async def answer_charge(
        application_id: ApplicationId,
        command: AnswerCharge,
        partner: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """Pass on whether the provider charged the person for taking part. A yes stops the provider's payment."""
        call = doors.call(partner, once)
        return respond(await applying.answer_charge(application_id, command, call, db=doors.db))

    @routes.post("/{application_id}/withdrawal", response_model=views.WithdrawalTaken)
    async def withdraw_application(
        application_id: ApplicationId,
        command: Withdraw,
        partner: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
        if_match: IfMatch = None,
    ) -> Response:
        """The person gives the application up, at whatever stage it is."""
        call = doors.call(partner, once)
        return respond(
            await applying.withdraw_application(
                application_id, command, call, db=doors.db, public_url=doors.public_url, if_match=if_match
            )
        )

    return routes
