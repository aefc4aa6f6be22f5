"""Charge a lot of exam vouchers to a budget: held by one person, made payable by another, or withdrawn."""

from datetime import datetime

from contracts.ids import TransferId
from contracts.plan import CostKind
from kit.db import Connection
from services.payments.books.ledger import Code, Kind, Scope, Transfer, line_row
from services.payments.domain import two_people
from services.payments.exam_vouchers.charges import ChargeState, LotPaymentState
from services.payments.exam_vouchers.errors import LotAlreadyCharged, LotNotCharged, LotPaymentOpen, LotUnknown
from services.payments.store import ledger as ledger_store
from services.payments.store import lot_charges as store
from services.payments.store.lot_charges import LotCharge
from services.payments.usecases.postings import post_or_fail


async def charge_lot(
    tx: Connection, lot_id: str, *, program_id: str, fiscal_year: int, invoice: str, maker: str, now: datetime
) -> LotCharge:
    """Set the lot's cost aside in the budget line's exam fees; what the line does not cover is kept as refused.

    The line alone is charged: a stock of codes belongs to no round and to no provider's award. A refused charge stays
    refused; what is charged later is another attempt.
    """
    cents = await store.lot_cost(tx, lot_id)
    if not cents:
        raise LotUnknown(lot_id=lot_id)
    if await store.find(tx, lot_id) is not None:
        raise LotAlreadyCharged(lot_id=lot_id)
    attempt = await store.attempts(tx, lot_id) + 1
    book = line_row(program_id, fiscal_year)
    hold = transfer_of_lot(lot_id, attempt, Kind.HOLD, book, cents, of=None, actor=maker, now=now)
    [posted] = await ledger_store.post(tx, [hold])
    refusal = None if posted.is_ok else (posted.outcome or Code.CONFLICT).value
    return await store.add(tx, lot_id, attempt, program_id, book, cents, invoice, refusal=refusal, maker=maker, now=now)


async def approve_charge(tx: Connection, lot_id: str, *, checker: str, now: datetime) -> LotCharge:
    """The codes came and the invoice is right: what was set aside is payable. Refused to whoever charged the lot."""
    charge = await standing_charge(tx, lot_id)
    two_people(checker, charge.made_by)
    if charge.checked_by is not None:
        return charge
    held = id_of(charge.lot_id, charge.attempt_number, Kind.HOLD)
    encumber = move_of(charge, Kind.ENCUMBER, of=held, actor=checker, now=now)
    expend = move_of(charge, Kind.EXPEND, of=encumber.id, actor=checker, now=now)
    await post_or_fail(tx, [encumber, expend])
    return await store.approved(tx, charge, checker=checker, payable=expend.id, now=now)


async def withdraw_charge(tx: Connection, lot_id: str, *, by: str, now: datetime) -> LotCharge:
    """Give back what a wrong charge set aside or made payable; `LotPaymentOpen` once it is being paid."""
    charge = await standing_charge(tx, lot_id)
    payments = await store.payments(tx, charge)
    if any(one.state not in {LotPaymentState.WITHDRAWN, LotPaymentState.RETURNED} for one in payments):
        raise LotPaymentOpen(lot_id=lot_id)
    if charge.state is ChargeState.CHARGED:
        held = id_of(charge.lot_id, charge.attempt_number, Kind.HOLD)
        moves = [move_of(charge, Kind.RELEASE_HOLD, of=held, actor=by, now=now)]
    else:
        unexpend = move_of(charge, Kind.UNEXPEND, of=charge.payable_transfer_id, actor=by, now=now)
        moves = [unexpend, move_of(charge, Kind.LIQUIDATE, of=unexpend.id, actor=by, now=now)]
    await post_or_fail(tx, moves)
    return await store.withdrawn(tx, charge, by=by, now=now)


async def standing_charge(tx: Connection, lot_id: str) -> LotCharge:
    """The lot's charge that was neither refused nor withdrawn, locked; `LotNotCharged` where there is none."""
    charge = await store.find(tx, lot_id)
    if charge is None:
        raise LotNotCharged(lot_id=lot_id)
    return charge


def id_of(lot_id: str, attempt: int, kind: Kind, key: int = 1) -> TransferId:
    """The id of one posting of a charge; `key` numbers the payments of it."""
    numbers = (attempt, key) if (attempt, key) != (1, 1) else ()
    return TransferId.derive("exam voucher lot", kind, lot_id, *numbers)


def move_of(
    charge: LotCharge, kind: Kind, *, of: TransferId | None, actor: str, now: datetime, key: int = 1
) -> Transfer:
    """The journal entry of one move of a charge's money."""
    return transfer_of_lot(
        charge.lot_id, charge.attempt_number, kind, charge.book, charge.cents, of=of, actor=actor, now=now, key=key
    )


def transfer_of_lot(
    lot_id: str,
    attempt: int,
    kind: Kind,
    book: str,
    cents: int,
    *,
    of: TransferId | None,
    actor: str,
    now: datetime,
    key: int = 1,
) -> Transfer:
    """The same, of a charge that is not on record yet."""
    return Transfer(
        id=id_of(lot_id, attempt, kind, key),
        kind=kind,
        scope=Scope(book=book, line=book),
        amount_cents=cents,
        reason=f"exam vouchers, lot {lot_id}"[:200],
        actor=actor,
        occurred_at=now,
        pending_id=of,
        cost_line=CostKind.EXAM_FEE,
    )
