"""Pay a lot's vendor: proposed by one person, sent by another, settled or returned on the bank's line alone."""

from datetime import datetime

from kit.db import Connection
from services.payments.books.ledger import Kind
from services.payments.domain import RequestDiffers, two_people
from services.payments.exam_vouchers.charges import ChargeState, LotPaymentState
from services.payments.exam_vouchers.errors import LotNotCharged, LotPaymentMissing
from services.payments.store import lot_charges as store
from services.payments.store.lot_charges import LotCharge, LotPayment
from services.payments.usecases.bank_evidence import end_by, open_line
from services.payments.usecases.lot_charges import move_of, standing_charge
from services.payments.usecases.postings import post_or_fail


async def propose_payment(tx: Connection, lot_id: str, *, payment_number: str, maker: str, now: datetime) -> LotCharge:
    """The vendor's invoice is to be paid under this number of the finance system. Somebody else sends it."""
    charge = await standing_charge(tx, lot_id)
    payments = await store.payments(tx, charge)
    if payments and payments[-1].state in {LotPaymentState.PROPOSED, LotPaymentState.SENT, LotPaymentState.SETTLED}:
        if payments[-1].payment_number != payment_number:
            raise RequestDiffers(what="payment number")
        return charge
    if charge.state is not ChargeState.PAYABLE:
        raise LotNotCharged(lot_id=lot_id)
    await store.add_payment(tx, charge, len(payments) + 1, payment_number, maker=maker, now=now)
    return charge


async def withdraw_payment(tx: Connection, lot_id: str, *, by: str, now: datetime) -> LotCharge:
    """Take back a payment that nobody has sent."""
    charge, payment = await _last(tx, lot_id, LotPaymentState.PROPOSED)
    await store.ended(tx, payment, LotPaymentState.WITHDRAWN, None, by=by)
    return charge


async def send_payment(tx: Connection, lot_id: str, *, payment_number: str, checker: str, now: datetime) -> LotCharge:
    """The payment goes out: its money is in transit until the bank's line ends it. Refused to whoever proposed it."""
    charge, payment = await _last(tx, lot_id, LotPaymentState.PROPOSED, LotPaymentState.SENT)
    two_people(checker, payment.made_by)
    if payment.payment_number != payment_number:
        raise RequestDiffers(what="payment number")
    if payment.state is LotPaymentState.SENT:
        return charge
    send = move_of(
        charge, Kind.SEND, of=charge.payable_transfer_id, actor=checker, now=now, key=payment.payment_attempt
    )
    await post_or_fail(tx, [send])
    await store.sent(tx, payment, checker=checker, transfer_id=send.id, now=now)
    return await store.moved(tx, charge, ChargeState.IN_TRANSIT)


async def end_payment(tx: Connection, lot_id: str, *, line_id: str, by: str, now: datetime) -> LotCharge:
    """The bank's line debits the payment, and it is paid; or credits it, and the cost is payable again."""
    charge = await standing_charge(tx, lot_id)
    payments = await store.payments(tx, charge)
    if payments and payments[-1].line_id is not None:
        if payments[-1].line_id != line_id:
            raise RequestDiffers(what="bank line")
        return charge
    charge, payment = await _last(tx, lot_id, LotPaymentState.SENT)
    line = await open_line(tx, line_id, charge.cents)
    settles = line.amount_cents < 0
    kind = Kind.SETTLE if settles else Kind.RETURN
    move = move_of(charge, kind, of=payment.sent_transfer_id, actor=by, now=now, key=payment.payment_attempt)
    await post_or_fail(tx, [move])
    await end_by(tx, line, "exam_voucher_lot", move.id, by=by, now=now)
    ended = LotPaymentState.SETTLED if settles else LotPaymentState.RETURNED
    await store.ended(tx, payment, ended, line_id, by=by)
    if settles:
        number, day = payment.payment_number, line.day
        return await store.moved(tx, charge, ChargeState.PAID, payment_number=number, paid_on=day)
    return await store.moved(tx, charge, ChargeState.PAYABLE, payable=move.id)


async def _last(tx: Connection, lot_id: str, *states: LotPaymentState) -> tuple[LotCharge, LotPayment]:
    charge = await standing_charge(tx, lot_id)
    payments = await store.payments(tx, charge)
    if not payments or payments[-1].state not in states:
        raise LotPaymentMissing(lot_id=lot_id, state=" or ".join(states))
    return charge, payments[-1]
