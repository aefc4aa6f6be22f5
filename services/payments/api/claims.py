"""Doors to claims: what waits for people, deciding a stopped claim, closing a month's request."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.ids import ClaimId
from kit.access import Principal
from kit.http import once_from, require, respond
from kit.idempotency import Once
from services.payments.api.doors import PaymentsDoors, asked_by_finance
from services.payments.claims.advances import RefundId
from services.payments.claims.queues import Queue
from services.payments.usecases.answered import claims as answers
from services.payments.usecases.answered.asked import Asked
from services.payments.usecases.claim_queues import queue_of
from services.payments.usecases.provider_statements import statement_for
from services.payments.views.claims import (
    ClaimReviews,
    ClosedRequestShown,
    CloseRequest,
    DecideClaim,
    NewRefund,
    RefundShown,
    ReviewShown,
    StatementShown,
    reviews_shown,
    statement_shown,
)
from services.payments.views.payments import Nothing

ClaimPath = Annotated[ClaimId, Path(alias="claim_id")]
RefundPath = Annotated[RefundId, Path(alias="refund_id")]


def claims(doors: PaymentsDoors) -> APIRouter:
    """Routes for the finance office and for providers."""
    routes = APIRouter(prefix="/v1")
    reader = require(doors.access, "finance", "payments:read")
    provider = require(doors.access, "provider", "claims:read")
    asked, provider_keyed = asked_by_finance(doors, "payments:write"), once_from(provider)
    db, clock = doors.db, doors.clock

    @routes.get("/claim-reviews")
    async def list_claim_reviews(queue: Queue | None = None, who: Principal = Depends(reader)) -> ClaimReviews:
        """Claims that wait for people, the oldest first, each with its queue and its doubts."""
        return reviews_shown(await queue_of(queue, db=db))

    @routes.post("/claims/{claim_id}/decision", status_code=201, response_model=ReviewShown)
    async def decide_stopped_claim(claim_id: ClaimPath, body: DecideClaim, ask: Asked = Depends(asked)) -> Response:
        """Your word on a claim that was stopped after its approval. Other claims are decided in their case."""
        return respond(await answers.decide_claim(ask, claim_id, body))

    @routes.post("/claim-requests", status_code=201, response_model=ClosedRequestShown)
    async def close_claim_request(
        body: CloseRequest, who: Principal = Depends(provider), once: Once = Depends(provider_keyed)
    ) -> Response:
        """Close this month's request: claims that come later this month go into the next month's."""
        ask = Asked(who.name, once, db, clock.now())
        return respond(await answers.close_request(ask, body.program_id, who.id))

    @routes.get("/statements")
    async def read_statement(
        first: Annotated[date, Query(alias="from")],
        last: Annotated[date, Query(alias="to")],
        who: Principal = Depends(provider),
    ) -> StatementShown:
        """Your statement for these days: claims, advances, payments, returns, refunds, interest; it adds up."""
        return statement_shown(await statement_for(who.id, first, last, db=db))

    return routes


def advance_refunds(doors: PaymentsDoors) -> APIRouter:
    """What providers owe back of their advances: one person assesses it, another agrees."""
    routes = APIRouter(prefix="/v1/advance-refunds")
    asked = asked_by_finance(doors, "payments:write")

    @routes.post("", status_code=201, response_model=RefundShown)
    async def assess_advance_refund(body: NewRefund, ask: Asked = Depends(asked)) -> Response:
        """Assess what a provider owes back of its advances of a round. Somebody else agrees to it."""
        return respond(await answers.assess_refund(ask, body))

    @routes.post("/{refund_id}/approval", status_code=201, response_model=RefundShown)
    async def agree_to_advance_refund(
        refund_id: RefundPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Have it taken out of the provider's next payments; refused to whoever assessed it."""
        return respond(await answers.agree_refund(ask, refund_id))

    return routes
