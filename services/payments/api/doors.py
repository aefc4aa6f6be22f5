"""What the HTTP doors of payments open onto, and the one way in for whoever makes or checks something."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from fastapi import Depends

from kit.access import Access, Principal
from kit.clock import Clock
from kit.db import Database
from kit.http import once_from, require
from kit.idempotency import Once
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.exam_vouchers.stock import Limits
from services.payments.gateways import YearCloses
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.rails.installed import Rails
from services.payments.usecases.answered.asked import Asked
from services.payments.usecases.exam_stock import StockRule

STOCK_RULE = StockRule(Limits(codes_min=10, supply_days_min=30, risk_days=180), usable_days=90)


@dataclass(frozen=True, slots=True)
class PaymentsDoors:
    """The pool, the clock and the keys of the doors."""

    access: Access
    db: Database
    codes: ExamCodes
    rails: Rails
    clock: Clock
    numbers: AccountNumbers
    cooling_off_days: int
    closes: YearCloses
    our_accounts: Collection[str]
    """The accounts the program pays from, as `bank/*2468`."""
    stock_rule: StockRule = STOCK_RULE


def asked_by_finance(doors: PaymentsDoors, scope: str) -> Callable[..., Awaitable[Asked]]:
    """A dependency for doors at which finance staff make or check something, with this scope: `Depends(…)`.

    The person is whom the API key names, never who the body says.
    """
    officer = require(doors.access, "finance", scope)
    keyed = once_from(officer)

    async def asked(who: Principal = Depends(officer), once: Once = Depends(keyed)) -> Asked:
        return Asked(who.name, once, doors.db, doors.clock.now())

    return asked
