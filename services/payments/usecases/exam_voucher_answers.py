"""What the doors of exam vouchers do: one effect and one answer per Idempotency-Key, in one transaction."""

from kit.db import Connection
from kit.idempotency import Answer
from services.payments.usecases import lot_charges, lot_payments
from services.payments.usecases.answering import Asked
from services.payments.views.exam_vouchers import (
    LotChargeShown,
    LotPayment,
    LotSettlement,
    NewLotCharge,
    charge_shown,
)


async def charge_lot(asked: Asked, new: NewLotCharge) -> Answer:
    """Set a lot's cost aside."""

    async def act(tx: Connection) -> LotChargeShown:
        charge = await lot_charges.charge_lot(
            tx,
            new.lot_id,
            program_id=new.program_id,
            fiscal_year=new.fiscal_year,
            invoice=new.invoice_number,
            maker=asked.by,
            now=asked.now,
        )
        return charge_shown(charge)

    return await asked.answer(act)


async def approve_charge(asked: Asked, lot_id: str) -> Answer:
    """Make a lot's cost payable that somebody else set aside."""

    async def act(tx: Connection) -> LotChargeShown:
        return charge_shown(await lot_charges.approve_charge(tx, lot_id, checker=asked.by, now=asked.now))

    return await asked.answer(act)


async def withdraw_charge(asked: Asked, lot_id: str) -> Answer:
    """Give back what a wrong charge set aside."""

    async def act(tx: Connection) -> LotChargeShown:
        return charge_shown(await lot_charges.withdraw_charge(tx, lot_id, by=asked.by, now=asked.now))

    return await asked.answer(act)


async def propose_payment(asked: Asked, payment: LotPayment) -> Answer:
    """Propose the payment of a lot's invoice."""

    async def act(tx: Connection) -> LotChargeShown:
        number = payment.payment_number
        return charge_shown(
            await lot_payments.propose_payment(tx, payment.lot_id, payment_number=number, maker=asked.by, now=asked.now)
        )

    return await asked.answer(act)


async def withdraw_payment(asked: Asked, lot_id: str) -> Answer:
    """Take back a payment that nobody has sent."""

    async def act(tx: Connection) -> LotChargeShown:
        return charge_shown(await lot_payments.withdraw_payment(tx, lot_id, by=asked.by, now=asked.now))

    return await asked.answer(act)


async def send_payment(asked: Asked, payment: LotPayment) -> Answer:
    """Send a payment that somebody else proposed."""

    async def act(tx: Connection) -> LotChargeShown:
        number = payment.payment_number
        return charge_shown(
            await lot_payments.send_payment(tx, payment.lot_id, payment_number=number, checker=asked.by, now=asked.now)
        )

    return await asked.answer(act)


async def end_payment(asked: Asked, settlement: LotSettlement) -> Answer:
    """Settle or return a payment on the bank's line."""

    async def act(tx: Connection) -> LotChargeShown:
        line_id = settlement.line_id
        return charge_shown(
            await lot_payments.end_payment(tx, settlement.lot_id, line_id=line_id, by=asked.by, now=asked.now)
        )

    return await asked.answer(act)
