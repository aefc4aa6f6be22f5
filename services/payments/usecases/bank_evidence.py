"""A bank's line that a person names as the evidence of a posting: open, of this amount, and used once."""

from datetime import datetime

from contracts.errors import NotFound
from contracts.ids import TransferId
from kit.db import Connection
from services.payments.reconciling.decisions import AmountsDiffer, DecisionWaits, LineEnded
from services.payments.statements import StatementLine
from services.payments.store import line_postings as store
from services.payments.store import reconciliation_acts as act_store
from services.payments.store import statements as statement_store


async def open_line(tx: Connection, line_id: str, cents: int) -> StatementLine:
    """The line, locked. Raises `NotFound`, `LineEnded`, `DecisionWaits`; `AmountsDiffer` unless it moved `cents`."""
    await statement_store.lock_statements(tx)
    found = await act_store.line(tx, line_id)
    if found is None:
        raise NotFound(kind="statement line")
    line, state = found
    if state != "open":
        raise LineEnded(state=state)
    if await act_store.decision_waits(tx, line_id):
        raise DecisionWaits
    if abs(line.amount_cents) != cents:
        raise AmountsDiffer(line_cents=line.amount_cents, payment_cents=cents)
    return line


async def end_by(
    tx: Connection, line: StatementLine, reason: str, transfer_id: TransferId, *, by: str, now: datetime
) -> None:
    """The line is explained by this journal entry; nothing undoes that."""
    await store.add(tx, line.line_id, transfer_id, by=by, now=now)
    await act_store.end_line(tx, line.line_id, "explained", reason, (), by=by, now=now)
