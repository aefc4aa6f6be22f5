"""The doors of the stock of exam vouchers: staff and finance look at it; two people charge a lot to a budget."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from contracts.texts import Slug
from kit.access import Principal
from kit.http import require, respond
from services.payments.api.doors import PaymentsDoors, asked_by_finance
from services.payments.usecases.answered import exam_vouchers as answers
from services.payments.usecases.answered.asked import Asked
from services.payments.usecases.exam_stock import read_stock
from services.payments.views.exam_vouchers import (
    LotChargeNamed,
    LotChargeShown,
    LotPayment,
    LotSettlement,
    NewLotCharge,
    StockShown,
    stock_shown,
)


def exam_vouchers(doors: PaymentsDoors) -> APIRouter:
    """No code leaves through these."""
    routes = APIRouter(prefix="/v1")
    reader = require(doors.access, ("staff", "finance"), "budgets:read")
    asked = asked_by_finance(doors, "payments:write")
    db, clock = doors.db, doors.clock

    @routes.get("/exam-voucher-stock", response_model=StockShown)
    async def read_exam_voucher_stock(
        exam_id: Annotated[Slug | None, Query()] = None, who: Principal = Depends(reader)
    ) -> StockShown:
        """What is left of each exam's codes, how long it lasts, what will expire unused, and what each lot cost."""
        return stock_shown(await read_stock(doors.stock_rule, db=db, now=clock.now(), exam_id=exam_id))

    @routes.post("/exam-voucher-charges", status_code=201, response_model=LotChargeShown)
    async def charge_exam_voucher_lot(body: NewLotCharge, ask: Asked = Depends(asked)) -> Response:
        """Set a lot's cost aside in the exam fees of a budget line. Somebody else approves it."""
        return respond(await answers.charge_lot(ask, body))

    @routes.post("/exam-voucher-charges/approval", status_code=201, response_model=LotChargeShown)
    async def approve_exam_voucher_charge(body: LotChargeNamed, ask: Asked = Depends(asked)) -> Response:
        """The codes came and the invoice is right: the cost is payable. Refused to whoever charged the lot."""
        return respond(await answers.approve_charge(ask, body.lot_id))

    @routes.post("/exam-voucher-charges/withdrawal", status_code=201, response_model=LotChargeShown)
    async def withdraw_exam_voucher_charge(body: LotChargeNamed, ask: Asked = Depends(asked)) -> Response:
        """The charge was wrong: what it set aside, or made payable, goes back, unless it is being paid."""
        return respond(await answers.withdraw_charge(ask, body.lot_id))

    @routes.post("/exam-voucher-charges/payment", status_code=201, response_model=LotChargeShown)
    async def propose_exam_voucher_payment(body: LotPayment, ask: Asked = Depends(asked)) -> Response:
        """The vendor is to be paid under this number of the finance system. Somebody else sends it."""
        return respond(await answers.propose_payment(ask, body))

    @routes.post("/exam-voucher-charges/payment/withdrawal", status_code=201, response_model=LotChargeShown)
    async def withdraw_exam_voucher_payment(body: LotChargeNamed, ask: Asked = Depends(asked)) -> Response:
        """Take back a payment that nobody has sent."""
        return respond(await answers.withdraw_payment(ask, body.lot_id))

    @routes.post("/exam-voucher-charges/payment/approval", status_code=201, response_model=LotChargeShown)
    async def send_exam_voucher_payment(body: LotPayment, ask: Asked = Depends(asked)) -> Response:
        """The payment goes out, and its money is in transit. Refused to whoever proposed it."""
        return respond(await answers.send_payment(ask, body))

    @routes.post("/exam-voucher-charges/payment/settlement", status_code=201, response_model=LotChargeShown)
    async def settle_exam_voucher_payment(body: LotSettlement, ask: Asked = Depends(asked)) -> Response:
        """The bank's line of this amount: a debit settles the payment, a credit makes the cost payable again."""
        return respond(await answers.end_payment(ask, body))

    return routes
