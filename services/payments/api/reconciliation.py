"""The finance office's doors to what is open between ledger, files and bank, and to what people decide about it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from kit.access import Principal
from kit.http import require, respond
from services.payments.api.doors import PaymentsDoors, asked_by_finance
from services.payments.reconciling.decisions import Decision, ReconciliationActId
from services.payments.statements import StatementLineId
from services.payments.statements.chain import BankStatementId
from services.payments.usecases.answered import reconciliation as answers
from services.payments.usecases.answered.asked import Asked
from services.payments.usecases.reconciliation_page import page_of
from services.payments.views.payments import Nothing
from services.payments.views.reconciliation import (
    ActShown,
    LineMatched,
    ReconciliationShown,
    WhyGiven,
    reconciliation_shown,
)

LinePath = Annotated[StatementLineId, Path(alias="line_id")]
StatementPath = Annotated[BankStatementId, Path(alias="statement_id")]
ActPath = Annotated[ReconciliationActId, Path(alias="act_id")]


def reconciliation(doors: PaymentsDoors) -> APIRouter:
    """The page, and decisions about lines and held statements: two people where money of the program is concerned."""
    routes = APIRouter(prefix="/v1/reconciliation")
    reader = require(doors.access, "finance", "payments:read")

    @routes.get("")
    async def read_reconciliation(who: Principal = Depends(reader)) -> ReconciliationShown:
        """What is in transit, which lines and payments are open and how old, what waits for whom."""
        return reconciliation_shown(await page_of(db=doors.db, now=doors.clock.now()))

    routes.include_router(_lines(doors))
    routes.include_router(_statements(doors))
    routes.include_router(_second_person(doors))
    return routes


def _lines(doors: PaymentsDoors) -> APIRouter:
    routes = APIRouter(prefix="/lines/{line_id}")
    asked = asked_by_finance(doors, "payments:write")

    @routes.post("/explanation", status_code=201, response_model=ActShown)
    async def explain_statement_line(line_id: LinePath, body: WhyGiven, ask: Asked = Depends(asked)) -> Response:
        """Say what a line is that is no payment of the program. What looks like one waits for a second person."""
        return respond(await answers.decide(ask, Decision("explain", line_id, body.reason)))

    @routes.post("/match", status_code=201, response_model=ActShown)
    async def match_statement_line(line_id: LinePath, body: LineMatched, ask: Asked = Depends(asked)) -> Response:
        """Say which payment is behind a line of its amount. Where the ledger moves it waits for a second person."""
        return respond(await answers.decide(ask, Decision("match", line_id, body.reason, body.disbursement_id)))

    @routes.post("/unmatch", status_code=201, response_model=ActShown)
    async def unmatch_statement_line(line_id: LinePath, body: WhyGiven, ask: Asked = Depends(asked)) -> Response:
        """Open a line again on which no money was moved in the ledger."""
        return respond(await answers.decide(ask, Decision("unmatch", line_id, body.reason)))

    return routes


def _statements(doors: PaymentsDoors) -> APIRouter:
    routes = APIRouter(prefix="/statements/{statement_id}")
    asked = asked_by_finance(doors, "payments:write")

    @routes.post("/acceptance", status_code=201, response_model=ActShown)
    async def accept_bank_statement(
        statement_id: StatementPath, body: WhyGiven, ask: Asked = Depends(asked)
    ) -> Response:
        """Ask that a held statement be taken although it does not continue its account. Somebody else agrees."""
        return respond(await answers.decide(ask, Decision("accept", statement_id, body.reason)))

    @routes.post("/dismissal", status_code=201, response_model=ActShown)
    async def dismiss_bank_statement(
        statement_id: StatementPath, body: WhyGiven, ask: Asked = Depends(asked)
    ) -> Response:
        """Put a held statement aside for good: the bank has sent another. Its file is kept."""
        return respond(await answers.decide(ask, Decision("dismiss", statement_id, body.reason)))

    return routes


def _second_person(doors: PaymentsDoors) -> APIRouter:
    routes = APIRouter(prefix="/decisions/{act_id}")
    asked = asked_by_finance(doors, "payments:write")

    @routes.post("/approval", status_code=201, response_model=ActShown)
    async def agree_to_reconciliation(
        act_id: ActPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Be the second person: it is done at once. Refused to whoever decided first."""
        return respond(await answers.agree(ask, act_id, ours=doors.our_accounts))

    @routes.post("/withdrawal", status_code=201, response_model=ActShown)
    async def withdraw_reconciliation(
        act_id: ActPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Take a decision back that waits for its second person."""
        return respond(await answers.withdraw(ask, act_id))

    return routes
