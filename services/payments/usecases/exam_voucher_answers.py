"""What the doors of exam vouchers do: one effect and one answer per Idempotency-Key, in one transaction."""

from kit.db import Connection
from kit.idempotency import Answer
from services.payments.usecases import lot_charges
from services.payments.usecases.answering import Asked
from services.payments.views.exam_vouchers import LotChargeShown, LotPayment, NewLotCharge, charge_shown


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


async def charge_paid(asked: Asked, payment: LotPayment) -> Answer:
    """Take down the payment of a lot's invoice."""

    async def act(tx: Connection) -> LotChargeShown:
        charge = await lot_charges.charge_paid(
            tx,
            payment.lot_id,
            payment_number=payment.payment_number,
            paid_on=payment.paid_on,
            actor=asked.by,
            now=asked.now,
        )
        return charge_shown(charge)

    return await asked.answer(act)
