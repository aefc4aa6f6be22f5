"""What the doors of exam vouchers do: one effect and one answer per Idempotency-Key, in one transaction."""

from collections.abc import Awaitable, Callable

from kit.db import Connection
from kit.idempotency import Answer
from services.payments.store.lot_charges import LotCharge
from services.payments.usecases import lot_charges, lot_payments
from services.payments.usecases.answered.asked import Asked
from services.payments.views.exam_vouchers import (
    LotChargeShown,
    LotPayment,
    LotSettlement,
    NewLotCharge,
    charge_shown,
)


async def charge_lot(asked: Asked, new: NewLotCharge) -> Answer:
    """Set a lot's cost aside."""
    return await _charge_after(
        asked,
        lambda tx: lot_charges.charge_lot(
            tx,
            new.lot_id,
            program_id=new.program_id,
            fiscal_year=new.fiscal_year,
            invoice=new.invoice_number,
            maker=asked.by,
            now=asked.now,
        ),
    )


async def approve_charge(asked: Asked, lot_id: str) -> Answer:
    """Make a lot's cost payable that somebody else set aside."""
    return await _charge_after(
        asked, lambda tx: lot_charges.approve_charge(tx, lot_id, checker=asked.by, now=asked.now)
    )


async def withdraw_charge(asked: Asked, lot_id: str) -> Answer:
    """Give back what a wrong charge set aside."""
    return await _charge_after(asked, lambda tx: lot_charges.withdraw_charge(tx, lot_id, by=asked.by, now=asked.now))


async def propose_payment(asked: Asked, payment: LotPayment) -> Answer:
    """Propose the payment of a lot's invoice."""
    lot_id, number = payment.lot_id, payment.payment_number
    return await _charge_after(
        asked,
        lambda tx: lot_payments.propose_payment(tx, lot_id, payment_number=number, maker=asked.by, now=asked.now),
    )


async def withdraw_payment(asked: Asked, lot_id: str) -> Answer:
    """Take back a payment that nobody has sent."""
    return await _charge_after(asked, lambda tx: lot_payments.withdraw_payment(tx, lot_id, by=asked.by, now=asked.now))


async def send_payment(asked: Asked, payment: LotPayment) -> Answer:
    """Send a payment that somebody else proposed."""
    lot_id, number = payment.lot_id, payment.payment_number
    return await _charge_after(
        asked,
        lambda tx: lot_payments.send_payment(tx, lot_id, payment_number=number, checker=asked.by, now=asked.now),
    )


async def end_payment(asked: Asked, settlement: LotSettlement) -> Answer:
    """Settle or return a payment on the bank's line."""
    lot_id, line_id = settlement.lot_id, settlement.line_id
    return await _charge_after(
        asked, lambda tx: lot_payments.end_payment(tx, lot_id, line_id=line_id, by=asked.by, now=asked.now)
    )


async def _charge_after(asked: Asked, change: Callable[[Connection], Awaitable[LotCharge]]) -> Answer:
    async def act(tx: Connection) -> LotChargeShown:
        return charge_shown(await change(tx))

    return await asked.answer(act)
