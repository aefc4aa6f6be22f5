"""The finance office's doors to payees: changes, holds, screening lists, alerts. Two people for each change."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from contracts.texts import Slug
from kit.access import Principal
from kit.http import require, respond
from services.payments.api.doors import PaymentsDoors, asked_by_finance
from services.payments.nacha.banking_days import after
from services.payments.payees.payees import PayeeChangeId, PayeeHoldId
from services.payments.usecases.answered import payees as answers
from services.payments.usecases.answered.asked import Asked
from services.payments.views.payees import (
    AlertsShown,
    CallBackGiven,
    ChangeShown,
    HoldShown,
    NewChange,
    PayeeShown,
    PayeesShown,
    ReasonGiven,
    ScreeningGiven,
    ScreeningShown,
)
from services.payments.views.payments import Nothing

ProviderPath = Annotated[Slug, Path(alias="provider_id")]
ChangePath = Annotated[PayeeChangeId, Path(alias="change_id")]
HoldPath = Annotated[PayeeHoldId, Path(alias="hold_id")]


def payees(doors: PaymentsDoors) -> APIRouter:
    """Every route about payees."""
    asked = asked_by_finance(doors, "payments:write")
    routes = APIRouter(prefix="/v1")
    routes.include_router(_reading(doors))
    routes.include_router(_changes(doors, asked))
    routes.include_router(_holds(asked))
    return routes


def _reading(doors: PaymentsDoors) -> APIRouter:
    routes = APIRouter()
    reader = require(doors.access, "finance", "payments:read")
    db, clock = doors.db, doors.clock

    def settles_on() -> date:
        now = clock.now()
        return doors.rails.ach.settles_on(now) if doors.rails.ach else after(now.date(), 1)

    @routes.get("/payees")
    async def list_payees(who: Principal = Depends(reader)) -> PayeesShown:
        """Every payee, and by which rail a payment made now would leave, or why none does."""
        return await answers.read_payees(settles_on=settles_on(), db=db, now=clock.now())

    @routes.get("/payees/{provider_id}")
    async def read_payee(provider_id: ProviderPath, who: Principal = Depends(reader)) -> PayeeShown:
        """One payee with its accounts (masked), changes and holds."""
        return await answers.read_payee(provider_id, settles_on=settles_on(), db=db, now=clock.now())

    @routes.get("/payment-alerts")
    async def list_payment_alerts(who: Principal = Depends(reader)) -> AlertsShown:
        """What the rails could not do by themselves, the newest first."""
        return await answers.read_alerts(db=db)

    return routes


def _changes(doors: PaymentsDoors, asked: Callable[..., Awaitable[Asked]]) -> APIRouter:
    routes = APIRouter(prefix="/payees/{provider_id}/changes")

    @routes.post("", status_code=201, response_model=ChangeShown)
    async def propose_payee_change(provider_id: ProviderPath, body: NewChange, ask: Asked = Depends(asked)) -> Response:
        """Propose a change on the evidence of a call-back to the number on file. Somebody else approves it."""
        return respond(await answers.propose_change(ask, provider_id, body, numbers=doors.numbers))

    @routes.post("/{change_id}/call-back", status_code=201, response_model=ChangeShown)
    async def record_payee_call_back(
        provider_id: ProviderPath, change_id: ChangePath, body: CallBackGiven, ask: Asked = Depends(asked)
    ) -> Response:
        """Add the call-back to a change that a bank notified. Somebody else approves it."""
        return respond(await answers.record_call_back(ask, provider_id, change_id, body))

    @routes.post("/{change_id}/approval", status_code=201, response_model=ChangeShown)
    async def approve_payee_change(
        provider_id: ProviderPath, change_id: ChangePath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Make a change good; refused to whoever proposed it or called back."""
        days = doors.cooling_off_days
        return respond(await answers.approve_change(ask, provider_id, change_id, cooling_off_days=days))

    @routes.post("/{change_id}/withdrawal", status_code=201, response_model=ChangeShown)
    async def withdraw_payee_change(
        provider_id: ProviderPath, change_id: ChangePath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Give up a change that was not approved; its account is never used."""
        return respond(await answers.withdraw_change(ask, provider_id, change_id))

    return routes


def _holds(asked: Callable[..., Awaitable[Asked]]) -> APIRouter:
    routes = APIRouter()

    @routes.post("/payees/{provider_id}/holds", status_code=201, response_model=HoldShown)
    async def hold_payee(provider_id: ProviderPath, body: ReasonGiven, ask: Asked = Depends(asked)) -> Response:
        """Hold every payment to a payee from the next batch on, until two people release it."""
        return respond(await answers.hold_payee(ask, provider_id, body.reason))

    @routes.post("/payees/{provider_id}/holds/{hold_id}/release", status_code=201, response_model=HoldShown)
    async def propose_payee_release(
        provider_id: ProviderPath, hold_id: HoldPath, body: ReasonGiven, ask: Asked = Depends(asked)
    ) -> Response:
        """Say why a hold may go. Somebody else approves it."""
        return respond(await answers.propose_release(ask, provider_id, hold_id, body.reason))

    @routes.post("/payees/{provider_id}/holds/{hold_id}/release/approval", status_code=201, response_model=HoldShown)
    async def approve_payee_release(
        provider_id: ProviderPath, hold_id: HoldPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Release a hold; refused to whoever proposed it."""
        return respond(await answers.approve_release(ask, provider_id, hold_id))

    @routes.post("/screening-lists", status_code=201, response_model=ScreeningShown)
    async def import_screening_list(body: ScreeningGiven, ask: Asked = Depends(asked)) -> Response:
        """Take a screening list in; every payee on it is held."""
        return respond(await answers.import_screening_list(ask, body))

    return routes
