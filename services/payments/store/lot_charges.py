"""What lots of exam vouchers cost, the budget lines that it is charged to, and the payments of the vendor."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from contracts.ids import TransferId
from kit.db import Connection
from services.payments.exam_vouchers.charges import ChargeState, LotPaymentState


@dataclass(frozen=True, slots=True)
class LotCharge:
    """The cost of one lot on its way through the ledger."""

    lot_id: str
    attempt_number: int
    state: ChargeState
    program_id: str
    book: str
    cents: int
    invoice_number: str
    refusal: str | None
    """The ledger's code, of a charge that it refused."""
    payable_transfer_id: TransferId | None
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None
    payment_number: str | None
    paid_on: date | None


@dataclass(frozen=True, slots=True)
class LotPayment:
    """One payment of a charge to the vendor."""

    lot_id: str
    attempt_number: int
    payment_attempt: int
    state: LotPaymentState
    payment_number: str
    payable_transfer_id: TransferId
    made_by: str
    checked_by: str | None
    sent_transfer_id: TransferId | None
    line_id: str | None


_COLUMNS = ", ".join(field.name for field in fields(LotCharge))
_PAYMENT = ", ".join(field.name for field in fields(LotPayment))

LOT_COST = """
SELECT l.unit_cost_cents * (SELECT count(*) FROM exam_voucher AS v WHERE v.lot_id = l.lot_id) AS cents
FROM exam_voucher_lot AS l WHERE l.lot_id = $1 FOR UPDATE
"""
ATTEMPTS = "SELECT count(*) FROM exam_voucher_charge WHERE lot_id = $1"
ADD_CHARGE = f"""
INSERT INTO exam_voucher_charge (
    lot_id, attempt_number, program_id, book, cents, invoice_number, state, refusal, made_by, made_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING {_COLUMNS}
"""
CHARGE = f"""
SELECT {_COLUMNS} FROM exam_voucher_charge WHERE lot_id = $1 AND state NOT IN ('refused', 'withdrawn') FOR UPDATE
"""
CHARGES = f"""
SELECT {_COLUMNS} FROM exam_voucher_charge WHERE state NOT IN ('refused', 'withdrawn') ORDER BY lot_id LIMIT 1000
"""
APPROVED = f"""
UPDATE exam_voucher_charge SET state = 'payable', checked_by = $3, checked_at = $4, payable_transfer_id = $5
WHERE lot_id = $1 AND attempt_number = $2 RETURNING {_COLUMNS}
"""
WITHDRAWN = f"""
UPDATE exam_voucher_charge SET state = 'withdrawn', withdrawn_by = $3, withdrawn_at = $4
WHERE lot_id = $1 AND attempt_number = $2 RETURNING {_COLUMNS}
"""
MOVED = f"""
UPDATE exam_voucher_charge SET state = $3, payable_transfer_id = coalesce($4, payable_transfer_id), payment_number = $5,
    paid_on = $6
WHERE lot_id = $1 AND attempt_number = $2 RETURNING {_COLUMNS}
"""
PAYMENTS = f"""
SELECT {_PAYMENT} FROM exam_voucher_payment WHERE lot_id = $1 AND attempt_number = $2 ORDER BY payment_attempt LIMIT 100
"""
ADD_PAYMENT = f"""
INSERT INTO exam_voucher_payment (
    lot_id, attempt_number, payment_attempt, state, payment_number, payable_transfer_id, made_by, made_at
) VALUES ($1, $2, $3, 'proposed', $4, $5, $6, $7) RETURNING {_PAYMENT}
"""
SENT = """
UPDATE exam_voucher_payment SET state = 'sent', checked_by = $4, checked_at = $5, sent_transfer_id = $6
WHERE lot_id = $1 AND attempt_number = $2 AND payment_attempt = $3
"""
ENDED = """
UPDATE exam_voucher_payment SET state = $4, line_id = $5, ended_by = $6
WHERE lot_id = $1 AND attempt_number = $2 AND payment_attempt = $3
"""


async def lot_cost(tx: Connection, lot_id: str) -> int | None:
    """Cents for all codes of the lot, the lot locked; None where there is no such lot."""
    return await tx.fetchval(LOT_COST, lot_id)


async def attempts(tx: Connection, lot_id: str) -> int:
    """How often the lot was charged, refused and withdrawn charges among them."""
    return int(await tx.fetchval(ATTEMPTS, lot_id) or 0)


async def add(
    tx: Connection,
    lot_id: str,
    attempt_number: int,
    program_id: str,
    book: str,
    cents: int,
    invoice: str,
    *,
    refusal: str | None,
    maker: str,
    now: datetime,
) -> LotCharge:
    state = ChargeState.REFUSED if refusal else ChargeState.CHARGED
    given = (lot_id, attempt_number, program_id, book, cents, invoice, state.value, refusal, maker, now)
    return _charge(await tx.fetchrow(ADD_CHARGE, *given))


async def find(tx: Connection, lot_id: str) -> LotCharge | None:
    """The lot's charge that stands, locked."""
    row = await tx.fetchrow(CHARGE, lot_id)
    return _charge(row) if row else None


async def all_charges(tx: Connection) -> dict[str, LotCharge]:
    """The charges that stand, by lot, at most a thousand."""
    found = [_charge(row) for row in await tx.fetch(CHARGES)]
    return {one.lot_id: one for one in found}


async def approved(tx: Connection, charge: LotCharge, *, checker: str, payable: TransferId, now: datetime) -> LotCharge:
    return _charge(await tx.fetchrow(APPROVED, charge.lot_id, charge.attempt_number, checker, now, payable))


async def withdrawn(tx: Connection, charge: LotCharge, *, by: str, now: datetime) -> LotCharge:
    return _charge(await tx.fetchrow(WITHDRAWN, charge.lot_id, charge.attempt_number, by, now))


async def moved(
    tx: Connection,
    charge: LotCharge,
    state: ChargeState,
    *,
    payable: TransferId | None = None,
    payment_number: str | None = None,
    paid_on: date | None = None,
) -> LotCharge:
    """Where the charge's money is now; `payable` where it came back."""
    where = (charge.lot_id, charge.attempt_number, state.value, payable, payment_number, paid_on)
    return _charge(await tx.fetchrow(MOVED, *where))


async def payments(tx: Connection, charge: LotCharge) -> list[LotPayment]:
    """The payments of a charge, in their order."""
    return [_payment(row) for row in await tx.fetch(PAYMENTS, charge.lot_id, charge.attempt_number)]


async def add_payment(
    tx: Connection, charge: LotCharge, payment_attempt: int, payment_number: str, *, maker: str, now: datetime
) -> LotPayment:
    payable = charge.payable_transfer_id
    which = (charge.lot_id, charge.attempt_number, payment_attempt)
    return _payment(await tx.fetchrow(ADD_PAYMENT, *which, payment_number, payable, maker, now))


async def sent(tx: Connection, payment: LotPayment, *, checker: str, transfer_id: TransferId, now: datetime) -> None:
    which = (payment.lot_id, payment.attempt_number, payment.payment_attempt)
    await tx.execute(SENT, *which, checker, now, transfer_id)


async def ended(tx: Connection, payment: LotPayment, state: LotPaymentState, line_id: str | None, *, by: str) -> None:
    """How the payment ended, and the bank's line that says so; no line where it was withdrawn."""
    which = (payment.lot_id, payment.attempt_number, payment.payment_attempt)
    await tx.execute(ENDED, *which, state.value, line_id, by)


def _charge(row: Any) -> LotCharge:
    return LotCharge(**{**dict(row), "state": ChargeState(row["state"])})


def _payment(row: Any) -> LotPayment:
    return LotPayment(**{**dict(row), "state": LotPaymentState(row["state"])})
