"""The budget office's doors: propose, approve, refuse and read budget documents; a waiting case's place."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.ids import ApplicationId
from contracts.texts import Slug
from kit.access import Principal
from kit.http import require, respond
from services.payments.api.doors import PaymentsDoors, asked_by_finance
from services.payments.books.authority import BudgetDocumentId, DocumentState
from services.payments.usecases.answered import budgets as answers
from services.payments.usecases.answered.asked import Asked
from services.payments.usecases.books import forecast
from services.payments.usecases.standing import place_of_case
from services.payments.views.books import ForecastShown, forecast_shown
from services.payments.views.budgets import (
    DocumentRefused,
    DocumentShown,
    DocumentsShown,
    NewDocument,
    PlaceShown,
    place_shown,
)
from services.payments.views.payments import Nothing

DocumentPath = Annotated[BudgetDocumentId, Path(alias="document_id")]


def budgets(doors: PaymentsDoors) -> APIRouter:
    """Two people for each document: whoever proposed it does not decide it."""
    routes = APIRouter(prefix="/v1/budget-documents")
    asked = asked_by_finance(doors, "budgets:write")
    reader = require(doors.access, ("staff", "finance"), "budgets:read")

    @routes.post("", status_code=201, response_model=DocumentShown)
    async def propose_budget_document(body: NewDocument, ask: Asked = Depends(asked)) -> Response:
        """Put an appropriation, a withdrawal, an allotment or a transfer before a second person."""
        return respond(await answers.propose_document(ask, body))

    @routes.post("/{document_id}/approval", status_code=201, response_model=DocumentShown)
    async def approve_budget_document(
        document_id: DocumentPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Post the document at once. Where the money is committed the answer's state is `refused`, with the limit."""
        return respond(await answers.approve_document(ask, document_id))

    @routes.post("/{document_id}/refusal", status_code=201, response_model=DocumentShown)
    async def refuse_budget_document(
        document_id: DocumentPath, body: DocumentRefused, ask: Asked = Depends(asked)
    ) -> Response:
        """Do not agree, and say why; nothing moves."""
        return respond(await answers.refuse_document(ask, document_id, body.reason))

    @routes.get("", response_model=DocumentsShown)
    async def list_budget_documents(
        program_id: Annotated[Slug, Query()],
        state: Annotated[DocumentState | None, Query()] = None,
        cursor: Annotated[BudgetDocumentId | None, Query(description="The `next` of the page before")] = None,
        who: Principal = Depends(reader),
    ) -> DocumentsShown:
        """The program's documents, the newest first, fifty to a page."""
        return await answers.list_documents(program_id, state=state, before=cursor, db=doors.db)

    return routes


def forecasts(doors: PaymentsDoors) -> APIRouter:
    """Where a budget line will end."""
    routes = APIRouter(prefix="/v1/budgets")
    reader = require(doors.access, ("staff", "finance"), "budgets:read")

    @routes.get("/{program_id}/forecast")
    async def read_forecast(
        program_id: Annotated[Slug, Path()],
        fiscal_year: Annotated[int | None, Query(ge=1, le=9999)] = None,
        who: Principal = Depends(reader),
    ) -> ForecastShown:
        """Burn-down, utilisation, and what will be left at the end of the year, by provider award; the latest year."""
        return forecast_shown(await forecast(program_id, fiscal_year, db=doors.db, now=doors.clock.now()))

    return routes


def waiting_list(doors: PaymentsDoors) -> APIRouter:
    """Where a case stands that waits for money."""
    routes = APIRouter(prefix="/v1/waiting-list")
    reader = require(doors.access, ("partner", "staff"), "applications:read")

    @routes.get("/{application_id}")
    async def read_waiting_place(
        application_id: Annotated[ApplicationId, Path()], who: Principal = Depends(reader)
    ) -> PlaceShown:
        """Which limit is short, since when the case waits, and how many stand before it; 404 once it does not wait."""
        partner_id = who.id if who.kind == "partner" else None
        return place_shown(await place_of_case(application_id, partner_id=partner_id, db=doors.db))

    return routes
