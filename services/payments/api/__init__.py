"""The HTTP doors: the finance office makes, checks and repairs payments; providers, partners and staff read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from contracts.ids import ClaimId, ExamVoucherId, PaymentBatchId
from contracts.texts import Slug
from kit.access import Principal
from kit.http import once_from, require, respond
from kit.idempotency import Once
from services.payments.api.budgets import budgets, forecasts, waiting_list
from services.payments.api.claims import advance_refunds, claims
from services.payments.api.doors import PaymentsDoors, asked_by_finance
from services.payments.api.exam_vouchers import exam_vouchers
from services.payments.api.fiscal_years import fiscal_years
from services.payments.api.payees import payees
from services.payments.api.reconciliation import reconciliation
from services.payments.api.recoveries import recoveries
from services.payments.domain import PayeeRepairId
from services.payments.usecases.answered import batches as answers
from services.payments.usecases.answered.asked import Asked
from services.payments.usecases.claims import claim_of_provider
from services.payments.usecases.proof import money_of_program
from services.payments.usecases.vouchers import reveal_code
from services.payments.views.payments import (
    BatchShown,
    BudgetShown,
    ClaimShown,
    CodeShown,
    NewBatch,
    NewRepair,
    Nothing,
    RepairShown,
    budget_shown,
    claim_shown,
)

__all__ = ["PaymentsDoors", "router"]

ClaimPath = Annotated[ClaimId, Path(alias="claim_id")]
BatchPath = Annotated[PaymentBatchId, Path(alias="batch_id")]
VoucherPath = Annotated[ExamVoucherId, Path(alias="exam_voucher_id")]
RepairPath = Annotated[PayeeRepairId, Path(alias="repair_id")]
ProviderPath = Annotated[Slug, Path(alias="provider_id")]
ProgramPath = Annotated[Slug, Path(alias="program_id")]


def router(doors: PaymentsDoors) -> APIRouter:
    """Every HTTP route of payments."""
    routes = APIRouter()
    routes.include_router(_payments(doors), tags=["payments"])
    routes.include_router(payees(doors), tags=["payments"])
    routes.include_router(reconciliation(doors), tags=["payments"])
    routes.include_router(_reading(doors))
    routes.include_router(_vouchers(doors), tags=["exam vouchers"])
    routes.include_router(exam_vouchers(doors), tags=["exam vouchers"])
    routes.include_router(claims(doors), tags=["claims"])
    routes.include_router(advance_refunds(doors), tags=["payments"])
    routes.include_router(recoveries(doors), tags=["payments"])
    routes.include_router(budgets(doors), tags=["budgets"])
    routes.include_router(fiscal_years(doors), tags=["fiscal years"])
    routes.include_router(forecasts(doors), tags=["budgets"])
    routes.include_router(waiting_list(doors), tags=["waiting list"])
    return routes


def _payments(doors: PaymentsDoors) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    asked, rails = asked_by_finance(doors, "payments:write"), doors.rails

    @routes.post("/payment-batches", status_code=201, response_model=BatchShown)
    async def make_payment_batch(body: NewBatch | None = None, ask: Asked = Depends(asked)) -> Response:
        """Collect every ordered payment that leaves by this rail, the earliest due first. Somebody else approves it."""
        return respond(await answers.make_batch(ask, (body or NewBatch()).rail, rails=rails))

    @routes.post("/payment-batches/{batch_id}/withdrawal", status_code=201, response_model=BatchShown)
    async def withdraw_payment_batch(
        batch_id: BatchPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Take a batch apart that nobody approved; its payments wait for the next one."""
        return respond(await answers.withdraw_batch(ask, batch_id))

    @routes.post("/payment-batches/{batch_id}/approval", status_code=201, response_model=BatchShown)
    async def approve_payment_batch(
        batch_id: BatchPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Fix the file's content and send it; refused to whoever made the batch."""
        return respond(await answers.approve_batch(ask, batch_id, rails=rails))

    @routes.post("/payees/{provider_id}/repairs", status_code=201, response_model=RepairShown)
    async def record_payee_repair(provider_id: ProviderPath, body: NewRepair, ask: Asked = Depends(asked)) -> Response:
        """Say on what evidence the payee's payments can be made again. Somebody else approves it."""
        return respond(await answers.open_repair(ask, provider_id, body.evidence))

    @routes.post("/payees/{provider_id}/repairs/{repair_id}/approval", status_code=201, response_model=RepairShown)
    async def approve_payee_repair(
        provider_id: ProviderPath, repair_id: RepairPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Let the returned payments be made again; refused to whoever recorded the repair."""
        return respond(await answers.approve_repair(ask, provider_id, repair_id))

    return routes


def _reading(doors: PaymentsDoors) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    officer = require(doors.access, ("staff", "finance"), "budgets:read")
    provider = require(doors.access, "provider", "claims:read")

    @routes.get("/budgets/{program_id}", tags=["budgets"])
    async def read_budget(program_id: ProgramPath, who: Principal = Depends(officer)) -> BudgetShown:
        """Where each cent of the program is: by stage, and for each line, round and provider award."""
        return budget_shown(await money_of_program(program_id, db=doors.db))

    @routes.get("/claims/{claim_id}", tags=["claims"])
    async def read_claim(claim_id: ClaimPath, who: Principal = Depends(provider)) -> ClaimShown:
        """Your claim as it was decided, with every check and its reason."""
        return claim_shown(await claim_of_provider(claim_id, who.id, db=doors.db))

    return routes


def _vouchers(doors: PaymentsDoors) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    revealer = require(doors.access, "partner", "exam-vouchers:reveal")
    keyed = once_from(revealer)

    @routes.post("/exam-vouchers/{exam_voucher_id}/reveal", status_code=201)
    async def reveal_exam_code(
        exam_voucher_id: VoucherPath,
        response: Response,
        body: Nothing | None = None,
        who: Principal = Depends(revealer),
        once: Once = Depends(keyed),
    ) -> CodeShown:
        """The code, once, for the applicant in front of you. Only the same request may hear it again."""
        revealed = await reveal_code(
            exam_voucher_id,
            partner_id=who.id,
            principal=who.name,
            request_key=once.key_digest,
            keys=doors.codes,
            db=doors.db,
            now=doors.clock.now(),
        )
        response.headers["Cache-Control"] = "no-store"
        return CodeShown(exam_voucher_id=revealed.exam_voucher_id, code=revealed.code)

    return routes
