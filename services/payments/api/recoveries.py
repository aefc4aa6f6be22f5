"""Doors to money that a provider pays back: one person takes it down, another approves it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from kit.http import respond
from services.payments.api.doors import PaymentsDoors, asked_by_finance
from services.payments.claims.advances import RefundId
from services.payments.claims.recoveries import RecoveryId
from services.payments.usecases.answered import recoveries as answers
from services.payments.usecases.answered.asked import Asked
from services.payments.views.payments import Nothing
from services.payments.views.recoveries import NewRecovery, RecoveryShown

RefundPath = Annotated[RefundId, Path(alias="refund_id")]
RecoveryPath = Annotated[RecoveryId, Path(alias="recovery_id")]


def recoveries(doors: PaymentsDoors) -> APIRouter:
    """Routes for the finance office."""
    routes = APIRouter(prefix="/v1/advance-refunds/{refund_id}/recoveries")
    asked = asked_by_finance(doors, "payments:write")

    @routes.post("", status_code=201, response_model=RecoveryShown)
    async def take_down_recovery(refund_id: RefundPath, body: NewRecovery, ask: Asked = Depends(asked)) -> Response:
        """A provider paid back some or all of a refund. Somebody else approves it."""
        return respond(await answers.propose(ask, refund_id, body))

    @routes.post("/{recovery_id}/approval", status_code=201, response_model=RecoveryShown)
    async def approve_recovery(
        refund_id: RefundPath, recovery_id: RecoveryPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Post it: the money can be awarded again. Refused to whoever took it down."""
        return respond(await answers.approve(ask, refund_id, recovery_id))

    @routes.post("/{recovery_id}/withdrawal", status_code=201, response_model=RecoveryShown)
    async def withdraw_recovery(
        refund_id: RefundPath, recovery_id: RecoveryPath, body: Nothing | None = None, ask: Asked = Depends(asked)
    ) -> Response:
        """Take back what nobody has approved."""
        return respond(await answers.withdraw(ask, refund_id, recovery_id))

    return routes
