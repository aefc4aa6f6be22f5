"""The finance office's door to what is open between ledger, files and bank."""

from fastapi import APIRouter, Depends

from kit.access import Principal
from kit.http import require
from services.payments.api.doors import PaymentsDoors
from services.payments.usecases.reconciliation_page import page_of
from services.payments.views.reconciliation import ReconciliationShown, reconciliation_shown


def reconciliation(doors: PaymentsDoors) -> APIRouter:
    """Read only: what people decide about lines, they decide at the command line."""
    routes = APIRouter(prefix="/v1/reconciliation")
    reader = require(doors.access, "finance", "payments:read")

    @routes.get("")
    async def read_reconciliation(who: Principal = Depends(reader)) -> ReconciliationShown:
        """What is in transit, which lines and payments are open and how old, what waits for whom."""
        return reconciliation_shown(await page_of(db=doors.db, now=doors.clock.now()))

    return routes
