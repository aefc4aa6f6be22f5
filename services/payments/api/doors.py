"""What the HTTP doors of payments open onto."""

from dataclasses import dataclass

from kit.access import Access
from kit.clock import Clock
from kit.db import Database
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.exam_vouchers.stock import Limits
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.rails.installed import Rails
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
    stock_rule: StockRule = STOCK_RULE
