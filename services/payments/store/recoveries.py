"""Money that providers pay back, and the parts of their debts that it is taken off."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from contracts.ids import TransferId
from kit.db import Connection
from services.payments.claims.recoveries import RecoveryId


@dataclass(frozen=True, slots=True)
class Recovery:
    """One payment back; `line_id` or `document` is the evidence of it."""

    recovery_id: RecoveryId
    refund_id: str
    cents: int
    line_id: str | None
    document: str | None
    state: str
    made_by: str
    checked_by: str | None


_COLUMNS = ", ".join(field.name for field in fields(Recovery))

ADD = """
INSERT INTO recovery (recovery_id, refund_id, cents, line_id, document, state, made_by, made_at)
VALUES ($1, $2, $3, $4, $5, 'proposed', $6, $7) ON CONFLICT DO NOTHING RETURNING recovery_id
"""
ONE = f"SELECT {_COLUMNS} FROM recovery WHERE recovery_id = $1 AND refund_id = $2 FOR UPDATE"
POSTED = "UPDATE recovery SET state = 'posted', checked_by = $2, checked_at = $3 WHERE recovery_id = $1"
WITHDRAWN = "UPDATE recovery SET state = 'withdrawn' WHERE recovery_id = $1"
TAKE_OFF = "UPDATE refund_part SET netted_cents = netted_cents + $2 WHERE settle_transfer_id = $1"


async def add(tx: Connection, one: Recovery, *, now: datetime) -> bool:
    """False where another of the refund is open, or has this document."""
    given = (one.recovery_id, one.refund_id, one.cents, one.line_id, one.document, one.made_by, now)
    return await tx.fetchval(ADD, *given) is not None


async def find(tx: Connection, refund_id: str, recovery_id: str) -> Recovery | None:
    """The recovery of this refund, locked."""
    row: Any = await tx.fetchrow(ONE, recovery_id, refund_id)
    return Recovery(**{**dict(row), "recovery_id": RecoveryId(row["recovery_id"])}) if row else None


async def posted(tx: Connection, recovery_id: str, *, checker: str, now: datetime) -> None:
    await tx.execute(POSTED, recovery_id, checker, now)


async def withdrawn(tx: Connection, recovery_id: str) -> None:
    await tx.execute(WITHDRAWN, recovery_id)


async def take_off(tx: Connection, settle_transfer_id: TransferId, cents: int) -> None:
    """So much less is owed of what this entry paid."""
    await tx.execute(TAKE_OFF, settle_transfer_id, cents)
