"""Charge a lot of exam vouchers to a budget: held by one person, made payable by another, paid on a payment number."""

from datetime import date, datetime

from contracts.ids import TransferId
from contracts.plan import CostKind
from kit.db import Connection
from services.payments.books.ledger import Code, Kind, Scope, Transfer, line_row
from services.payments.domain import two_people
from services.payments.exam_vouchers.errors import LotAlreadyCharged, LotNotCharged, LotNotCovered, LotUnknown
from services.payments.store import ledger as ledger_store
from services.payments.store import lot_charges as store
from services.payments.store.lot_charges import LotCharge
from services.payments.usecases.postings import post_or_fail


async def charge_lot(
    tx: Connection, lot_id: str, *, program_id: str, fiscal_year: int, invoice: str, maker: str, now: datetime
) -> LotCharge:
    """Set the lot's cost aside in the budget line's exam fees; `LotNotCovered` where the line has not that much.

    The line alone is charged: a stock of codes belongs to no round and to no provider's award.
    """
    cents = await store.lot_cost(tx, lot_id)
    if not cents:
        raise LotUnknown(lot_id=lot_id)
    book = line_row(program_id, fiscal_year)
    hold = _transfer(lot_id, Kind.HOLD, book, cents, of=None, actor=maker, now=now)
    charge = await store.add(tx, lot_id, program_id, book, cents, invoice, maker=maker, now=now)
    if charge is None:
        raise LotAlreadyCharged(lot_id=lot_id)
    [posted] = await ledger_store.post(tx, [hold])
    if not posted.is_ok:
        # The whole transaction goes: a refusal in the journal would stand for ever under this lot's id.
        raise LotNotCovered(code_of_ledger=(posted.outcome or Code.CONFLICT).value)
    return charge


async def approve_charge(tx: Connection, lot_id: str, *, checker: str, now: datetime) -> LotCharge:
    """The codes came and the invoice is right: what was set aside is payable. Refused to whoever charged the lot."""
    charge = await _found(tx, lot_id)
    two_people(checker, charge.made_by)
    if charge.checked_by is not None:
        return charge
    held = _id(lot_id, Kind.HOLD)
    encumber = _transfer(lot_id, Kind.ENCUMBER, charge.book, charge.cents, of=held, actor=checker, now=now)
    expend = _transfer(lot_id, Kind.EXPEND, charge.book, charge.cents, of=encumber.id, actor=checker, now=now)
    await post_or_fail(tx, [encumber, expend])
    return await store.approved(tx, lot_id, checker=checker, payable=expend.id, now=now) or charge


async def charge_paid(
    tx: Connection, lot_id: str, *, payment_number: str, paid_on: date, actor: str, now: datetime
) -> LotCharge:
    """The finance system paid the vendor's invoice under this number: the cost is disbursed."""
    charge = await _found(tx, lot_id)
    if charge.payable_transfer_id is None:
        raise LotNotCharged(lot_id=lot_id)
    if charge.payment_number is not None:
        return charge
    send = _transfer(lot_id, Kind.SEND, charge.book, charge.cents, of=charge.payable_transfer_id, actor=actor, now=now)
    settle = _transfer(lot_id, Kind.SETTLE, charge.book, charge.cents, of=send.id, actor=actor, now=now)
    await post_or_fail(tx, [send, settle])
    return await store.paid(tx, lot_id, payment_number, paid_on) or charge


async def _found(tx: Connection, lot_id: str) -> LotCharge:
    charge = await store.find(tx, lot_id)
    if charge is None:
        raise LotNotCharged(lot_id=lot_id)
    return charge


def _id(lot_id: str, kind: Kind) -> TransferId:
    return TransferId.derive("exam voucher lot", kind, lot_id)


def _transfer(
    lot_id: str, kind: Kind, book: str, cents: int, *, of: TransferId | None, actor: str, now: datetime
) -> Transfer:
    return Transfer(
        id=_id(lot_id, kind),
        kind=kind,
        scope=Scope(book=book, line=book),
        amount_cents=cents,
        reason=f"exam vouchers, lot {lot_id}"[:200],
        actor=actor,
        occurred_at=now,
        pending_id=of,
        cost_line=CostKind.EXAM_FEE,
    )
