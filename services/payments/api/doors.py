"""What the HTTP doors of payments open onto."""

from dataclasses import dataclass

from kit.access import Access
from kit.clock import Clock
from kit.db import Database
from services.payments.exam_codes import ExamCodes
from services.payments.rails.installed import Rails


@dataclass(frozen=True, slots=True)
class PaymentsDoors:
    """The pool, the clock and the keys of the doors."""

    access: Access
    db: Database
    codes: ExamCodes
    rails: Rails
    clock: Clock
