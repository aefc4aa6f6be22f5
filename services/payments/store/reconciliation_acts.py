"""What people decided about lines and statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.db import Connection
from services.payments.reconciling.decisions import ReconciliationActId
from services.payments.statements import StatementLine
from services.payments.store.statements import line_of

ADD = """
INSERT INTO reconciliation_act (
    act_id, kind, line_id, statement_id, disbursement_id, reason, needs_check, state, made_by, made_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING RETURNING act_id
"""
_ACT = """act_id, kind, line_id, statement_id, disbursement_id, reason, needs_check, state, made_by, made_at,
    checked_by, checked_at, withdrawn_by, withdrawn_at"""
ONE = f"SELECT {_ACT} FROM reconciliation_act WHERE act_id = $1 FOR UPDATE"
WAITING = f"SELECT {_ACT} FROM reconciliation_act WHERE state = 'waiting' ORDER BY made_at, act_id LIMIT $1"
OF_LINES = f"""
SELECT DISTINCT ON (line_id) {_ACT} FROM reconciliation_act
WHERE line_id = ANY ($1::text[]) AND state = 'done' ORDER BY line_id, made_at DESC
"""
CHECKED = "UPDATE reconciliation_act SET state = 'done', checked_by = $2, checked_at = $3 WHERE act_id = $1"
WITHDRAWN = """
UPDATE reconciliation_act SET state = 'withdrawn', withdrawn_by = $2, withdrawn_at = $3 WHERE act_id = $1
"""
LINE = "SELECT * FROM statement_line WHERE line_id = $1 FOR UPDATE"
END_LINE = """
UPDATE statement_line SET state = $2, reason = $3, disbursement_ids = $4, candidates = '[]', difference_cents = 0,
    ended_by = $5, ended_at = $6
WHERE line_id = $1
"""
OPEN_LINE = """
UPDATE statement_line SET state = 'open', reason = 'match_undone', disbursement_ids = '{}', ended_by = NULL,
    ended_at = NULL
WHERE line_id = $1
"""
POSTED_ON = """
SELECT EXISTS (SELECT FROM payment_evidence WHERE line_id = $1 AND transfer_id IS NOT NULL)
    OR EXISTS (SELECT FROM line_posting WHERE line_id = $1)
"""
DECISION_WAITS = "SELECT EXISTS (SELECT FROM reconciliation_act WHERE line_id = $1 AND state = 'waiting')"
DROP_EVIDENCE = "DELETE FROM payment_evidence WHERE line_id = $1"


@dataclass(frozen=True, slots=True)
class Act:
    """One decision; it waits while it needs a second person."""

    act_id: ReconciliationActId
    kind: str
    line_id: str | None
    statement_id: str | None
    disbursement_id: str | None
    reason: str
    needs_check: bool
    state: str
    made_by: str
    made_at: datetime
    checked_by: str | None = None
    checked_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None


async def add(tx: Connection, act: Act) -> bool:
    """False where another decision about the same thing waits."""
    added = await tx.fetchval(
        ADD,
        act.act_id,
        act.kind,
        act.line_id,
        act.statement_id,
        act.disbursement_id,
        act.reason,
        act.needs_check,
        act.state,
        act.made_by,
        act.made_at,
    )
    return added is not None


async def act(tx: Connection, act_id: str) -> Act | None:
    row = await tx.fetchrow(ONE, act_id)
    return _act(row) if row else None


async def waiting(tx: Connection, count_max: int) -> list[Act]:
    """Decisions that wait for their second person, the oldest first."""
    return [_act(row) for row in await tx.fetch(WAITING, count_max)]


async def of_lines(tx: Connection, line_ids: Sequence[str]) -> dict[str, Act]:
    """The last decision made about each line."""
    return {row["line_id"]: _act(row) for row in await tx.fetch(OF_LINES, list(line_ids))}


async def checked(tx: Connection, act_id: str, *, checker: str, now: datetime) -> None:
    await tx.execute(CHECKED, act_id, checker, now)


async def withdrawn(tx: Connection, act_id: str, *, by: str, now: datetime) -> None:
    await tx.execute(WITHDRAWN, act_id, by, now)


async def line(tx: Connection, line_id: str) -> tuple[StatementLine, str] | None:
    """The line, locked, and its state."""
    row = await tx.fetchrow(LINE, line_id)
    return (line_of(row), row["state"]) if row else None


async def end_line(
    tx: Connection, line_id: str, state: str, reason: str, disbursement_ids: Sequence[str], *, by: str, now: datetime
) -> None:
    await tx.execute(END_LINE, line_id, state, reason, list(disbursement_ids), by, now)


async def open_line(tx: Connection, line_id: str) -> None:
    """Open again, and for people alone: no rule takes it up."""
    await tx.execute(OPEN_LINE, line_id)


async def posted_on(tx: Connection, line_id: str) -> bool:
    """Whether the journal was written on this line."""
    return bool(await tx.fetchval(POSTED_ON, line_id))


async def drop_evidence(tx: Connection, line_id: str) -> None:
    await tx.execute(DROP_EVIDENCE, line_id)


def _act(row: Any) -> Act:
    values = dict(row)
    values["act_id"] = ReconciliationActId(values["act_id"])
    return Act(**values)


async def decision_waits(tx: Connection, line_id: str) -> bool:
    """Whether a decision about the line waits for its second person."""
    return bool(await tx.fetchval(DECISION_WAITS, line_id))
