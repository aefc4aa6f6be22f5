"""What lots of exam vouchers cost, and the budget lines that it is charged to."""

from dataclasses import dataclass, fields
from datetime import date, datetime

from contracts.ids import TransferId
from kit.db import Connection


@dataclass(frozen=True, slots=True)
class LotCharge:
    """The cost of one lot on its way through the ledger."""

    lot_id: str
    program_id: str
    book: str
    cents: int
    invoice_number: str
    payable_transfer_id: TransferId | None
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None
    payment_number: str | None
    paid_on: date | None


_COLUMNS = ", ".join(field.name for field in fields(LotCharge))

LOT_COST = """
SELECT l.unit_cost_cents * count(v.exam_voucher_id) AS cents FROM exam_voucher_lot AS l
LEFT JOIN exam_voucher AS v USING (lot_id) WHERE l.lot_id = $1 GROUP BY l.lot_id
"""
ADD_CHARGE = f"""
INSERT INTO exam_voucher_charge (lot_id, program_id, book, cents, invoice_number, made_by, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lot_id) DO NOTHING RETURNING {_COLUMNS}
"""
CHARGE = f"SELECT {_COLUMNS} FROM exam_voucher_charge WHERE lot_id = $1 FOR UPDATE"
CHARGES = f"SELECT {_COLUMNS} FROM exam_voucher_charge ORDER BY lot_id LIMIT 1000"
APPROVED = f"""
UPDATE exam_voucher_charge SET checked_by = $2, checked_at = $3, payable_transfer_id = $4 WHERE lot_id = $1
RETURNING {_COLUMNS}
"""
PAID = f"""
UPDATE exam_voucher_charge SET payment_number = $2, paid_on = $3 WHERE lot_id = $1 RETURNING {_COLUMNS}
"""


async def lot_cost(tx: Connection, lot_id: str) -> int | None:
    """Cents for all codes of the lot; None where there is no such lot."""
    return await tx.fetchval(LOT_COST, lot_id)


async def add(
    tx: Connection, lot_id: str, program_id: str, book: str, cents: int, invoice: str, *, maker: str, now: datetime
) -> LotCharge | None:
    """None where the lot is charged already."""
    return _charge(await tx.fetchrow(ADD_CHARGE, lot_id, program_id, book, cents, invoice, maker, now))


async def find(tx: Connection, lot_id: str) -> LotCharge | None:
    """The lot's charge, locked."""
    return _charge(await tx.fetchrow(CHARGE, lot_id))


async def all_charges(tx: Connection) -> dict[str, LotCharge]:
    """The charges by lot, at most a thousand."""
    found = [_charge(row) for row in await tx.fetch(CHARGES)]
    return {one.lot_id: one for one in found if one is not None}


async def approved(
    tx: Connection, lot_id: str, *, checker: str, payable: TransferId, now: datetime
) -> LotCharge | None:
    return _charge(await tx.fetchrow(APPROVED, lot_id, checker, now, payable))


async def paid(tx: Connection, lot_id: str, payment_number: str, paid_on: date) -> LotCharge | None:
    return _charge(await tx.fetchrow(PAID, lot_id, payment_number, paid_on))


def _charge(row: object) -> LotCharge | None:
    return LotCharge(**dict(row)) if row is not None else None  # pyright: ignore[reportCallIssue, reportArgumentType]
