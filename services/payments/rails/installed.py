"""The rails of this installation."""

from dataclasses import dataclass

from services.payments.payees.payees import Rail
from services.payments.rails import PaymentRail, RailNotSetUp
from services.payments.rails.ach import AchRail
from services.payments.rails.payment_vouchers import VoucherRail


@dataclass(frozen=True, slots=True)
class Rails:
    """The payment-voucher interface is always there; ACH where a sender is configured."""

    vouchers: VoucherRail
    ach: AchRail | None = None

    def of(self, rail: Rail) -> PaymentRail:
        """The rail; `RailNotSetUp` where this installation has no sender for it."""
        found: PaymentRail | None = self.vouchers if rail is Rail.PAYMENT_VOUCHER else self.ach
        if found is None:
            raise RailNotSetUp(rail=rail.value)
        return found
