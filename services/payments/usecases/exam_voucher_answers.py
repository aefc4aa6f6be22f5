"""What the doors of exam vouchers do: one effect and one answer per Idempotency-Key, in one transaction."""

from datetime import datetime

from kit.db import Connection, Database
from kit.idempotency import Answer, Once
from services.payments.usecases import lot_charges
from services.payments.usecases.answering import answer_once
from services.payments.views.exam_vouchers import LotChargeShown, LotPayment, NewLotCharge, charge_shown


async def charge_lot(new: NewLotCharge, *, maker: str, once: Once, db: Database, now: datetime) -> Answer:
    """Set a lot's cost aside."""

    async def act(tx: Connection) -> LotChargeShown:
        charge = await lot_charges.charge_lot(
            tx,
            new.lot_id,
            program_id=new.program_id,
            fiscal_year=new.fiscal_year,
            invoice=new.invoice_number,
            maker=maker,
            now=now,
        )
        return charge_shown(charge)

    return await answer_once(act, once=once, db=db, now=now)


async def approve_charge(lot_id: str, *, checker: str, once: Once, db: Database, now: datetime) -> Answer:
    """Make a lot's cost payable that somebody else set aside."""

    async def act(tx: Connection) -> LotChargeShown:
        return charge_shown(await lot_charges.approve_charge(tx, lot_id, checker=checker, now=now))

    return await answer_once(act, once=once, db=db, now=now)


async def charge_paid(payment: LotPayment, *, actor: str, once: Once, db: Database, now: datetime) -> Answer:
    """Take down the payment of a lot's invoice."""

    async def act(tx: Connection) -> LotChargeShown:
        charge = await lot_charges.charge_paid(
            tx,
            payment.lot_id,
            payment_number=payment.payment_number,
            paid_on=payment.paid_on,
            actor=actor,
            now=now,
        )
        return charge_shown(charge)

    return await answer_once(act, once=once, db=db, now=now)
