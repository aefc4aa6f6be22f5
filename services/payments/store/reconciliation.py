"""Payments beside the bank's lines: what is expected, the entries of files, evidence, how lines ended."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from contracts.errors import CairnError
from contracts.ids import TransferId
from kit.db import Connection
from services.payments.domain import DisbursementState
from services.payments.nacha.banking_days import OPERATOR_ZONE
from services.payments.reconciling import Evidence, FileEntry, ItemState, LineVerdict, TransitItem
from services.payments.statements import StatementLine
from services.payments.store.statements import line_of

SAVE, UNDO, KEEP = "SAVEPOINT evidence", "ROLLBACK TO SAVEPOINT evidence", "RELEASE SAVEPOINT evidence"

# A line whose match a person undid is a person's.
OPEN_LINES = """
SELECT * FROM statement_line WHERE state = 'open' AND reason <> 'match_undone' ORDER BY day, line_id LIMIT $1
"""
STILL_OPEN = """
SELECT line_id FROM statement_line WHERE line_id = ANY ($1::text[]) AND state = 'open' AND reason <> 'match_undone'
FOR UPDATE
"""
HAS_OPEN_LINES = "SELECT EXISTS (SELECT FROM statement_line WHERE state = 'open')"

# The bank's day, as everything that a statement is compared with.
_SENT_ON = f"""
    coalesce(e.effective_on, (coalesce(b.transmitted_at, b.checked_at) AT TIME ZONE '{OPERATOR_ZONE.key}')::date)
"""
_ITEM = f"""
SELECT d.disbursement_id, d.amount_cents, d.state, d.payment_number, d.voucher_number,
    {_SENT_ON} AS sent_on,
    coalesce(s.line_ids, '{{}}') AS line_ids, coalesce(s.debited, false) AS debited,
    coalesce(s.credited, false) AS credited
FROM disbursement AS d
JOIN payment_batch AS b USING (batch_id)
LEFT JOIN payment_entry AS e USING (disbursement_id)
LEFT JOIN (
    SELECT disbursement_id, array_agg(line_id ORDER BY line_id) AS line_ids,
        bool_or(effect IN ('settles', 'confirms')) AS debited,
        bool_or(effect IN ('returns', 'returns_late', 'confirms_return')) AS credited
    FROM payment_evidence GROUP BY disbursement_id
) AS s USING (disbursement_id)
"""
# Settled and returned payments stay within reach: the bank may debit them again or take them back.
ITEMS = f"""{_ITEM}
WHERE d.state = 'sent'
    OR (d.state IN ('settled', 'returned', 'repaired') AND (
        d.changed_at >= $1 OR (d.state = 'settled' AND NOT coalesce(s.debited, false))
    ))
ORDER BY d.disbursement_id LIMIT $2
"""
ITEM = f"{_ITEM} WHERE d.disbursement_id = $1 AND d.state IN ('sent', 'settled', 'returned', 'repaired')"
ENTRIES = f"""
SELECT coalesce(e.trace, e.disbursement_id) AS trace, e.disbursement_id,
    coalesce(e.company_id, b.business_unit) AS company_id, e.batch_id,
    {_SENT_ON} AS effective_on,
    e.amount_cents, e.batch_reference
FROM payment_entry AS e JOIN payment_batch AS b USING (batch_id)
WHERE e.disbursement_id = ANY ($1::text[])
"""
WITHOUT_ENTRIES = """
SELECT b.batch_id, b.content FROM payment_batch AS b
WHERE b.content IS NOT NULL AND b.rail = 'payment_voucher' AND NOT EXISTS (
    SELECT FROM payment_entry AS e WHERE e.batch_id = b.batch_id
)
ORDER BY b.batch_id LIMIT $1
"""
ADD_ENTRIES = """
INSERT INTO payment_entry (batch_id, place, disbursement_id, amount_cents)
SELECT $1, e.place, e.disbursement_id, e.amount_cents
FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS e(disbursement_id, amount_cents, place)
ON CONFLICT DO NOTHING
"""
END_LINES = """
UPDATE statement_line AS l SET state = v.state, reason = v.reason, difference_cents = v.difference_cents,
    disbursement_ids = ARRAY(SELECT jsonb_array_elements_text(v.disbursement_ids)), candidates = v.candidates,
    ended_by = CASE WHEN v.state = 'open' THEN NULL ELSE $1 END,
    ended_at = CASE WHEN v.state = 'open' THEN NULL ELSE $2::timestamptz END
FROM jsonb_to_recordset($3::jsonb) AS v(
    line_id text, state text, reason text, difference_cents bigint, disbursement_ids jsonb, candidates jsonb
)
WHERE l.line_id = v.line_id AND (l.state, l.reason, l.difference_cents, l.candidates)
    IS DISTINCT FROM (v.state, v.reason, v.difference_cents, v.candidates)
"""
ADD_EVIDENCE = """
INSERT INTO payment_evidence (line_id, disbursement_id, effect, amount_cents, transfer_id, matched_by, matched_at)
SELECT e.line_id, e.disbursement_id, e.effect, e.amount_cents, e.transfer_id, $1, $2
FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
    AS e(line_id, disbursement_id, effect, amount_cents, transfer_id)
"""

STATES: Mapping[DisbursementState, ItemState] = {
    DisbursementState.SENT: ItemState.IN_TRANSIT,
    DisbursementState.SETTLED: ItemState.SETTLED,
    DisbursementState.RETURNED: ItemState.RETURNED,
    DisbursementState.REPAIRED: ItemState.RETURNED,
}


@asynccontextmanager
async def savepoint(tx: Connection) -> AsyncGenerator[None, None]:
    """What fails inside is undone, and the transaction goes on."""
    await tx.execute(SAVE)
    try:
        yield
    except CairnError:
        await tx.execute(UNDO)
        raise
    await tx.execute(KEEP)


async def has_open_lines(tx: Connection) -> bool:
    return bool(await tx.fetchval(HAS_OPEN_LINES))


async def open_lines(tx: Connection, count_max: int) -> list[StatementLine]:
    """Lines that have not ended, the oldest first."""
    return [line_of(row) for row in await tx.fetch(OPEN_LINES, count_max)]


async def still_open(tx: Connection, line_ids: Sequence[str]) -> set[str]:
    """Those of these lines that nobody has ended since, locked."""
    return {row["line_id"] for row in await tx.fetch(STILL_OPEN, list(line_ids))}


async def items(tx: Connection, *, since: datetime, count_max: int) -> list[TransitItem]:
    """Payments whose lines are still to come or may still come: sent, or settled or returned since then."""
    return [_item(row) for row in await tx.fetch(ITEMS, since, count_max)]


async def item(tx: Connection, disbursement_id: str) -> TransitItem | None:
    """One payment that was sent, as the matcher sees it."""
    row = await tx.fetchrow(ITEM, disbursement_id)
    return _item(row) if row else None


async def entries(tx: Connection, disbursement_ids: Sequence[str]) -> list[FileEntry]:
    """The entries of sent files that order these payments."""
    return [FileEntry(**dict(row)) for row in await tx.fetch(ENTRIES, list(disbursement_ids))]


async def batches_without_entries(tx: Connection, count_max: int) -> list[tuple[str, bytes]]:
    """Payment-voucher files that were approved before their entries were kept."""
    return [(row["batch_id"], row["content"]) for row in await tx.fetch(WITHOUT_ENTRIES, count_max)]


async def add_entries(tx: Connection, batch_id: str, entered: Sequence[tuple[str, int]]) -> None:
    """The entries of a file, in its order: disbursement id, cents."""
    await tx.execute(ADD_ENTRIES, batch_id, [name for name, _ in entered], [cents for _, cents in entered])


async def end_lines(tx: Connection, verdicts: Sequence[LineVerdict], *, by: str, now: datetime) -> None:
    """How lines ended, or why they are open; what has not changed is not written."""
    rows = [
        {
            "line_id": one.line.line_id,
            "state": one.ending.value,
            "reason": one.reason,
            "difference_cents": one.difference_cents,
            "disbursement_ids": list(one.disbursement_ids),
            "candidates": [asdict(candidate) for candidate in one.candidates],
        }
        for one in verdicts
    ]
    await tx.execute(END_LINES, by, now, rows)


async def add_evidence(
    tx: Connection, found: Sequence[tuple[Evidence, TransferId | None]], *, by: str, now: datetime
) -> None:
    """Each line behind its payment, with the journal entry where one was written."""
    await tx.execute(
        ADD_EVIDENCE,
        by,
        now,
        [one.line.line_id for one, _ in found],
        [one.disbursement_id for one, _ in found],
        [one.effect.value for one, _ in found],
        [one.amount_cents for one, _ in found],
        [transfer_id for _, transfer_id in found],
    )


def _item(row: Any) -> TransitItem:
    state = STATES[DisbursementState(row["state"])]
    return TransitItem(
        disbursement_id=row["disbursement_id"],
        amount_cents=row["amount_cents"],
        sent_on=row["sent_on"],
        state=state,
        evidence=tuple(row["line_ids"]),
        references=tuple(filter(None, (row["payment_number"], row["voucher_number"]))),
        debit_due=not row["debited"] and state is not ItemState.IN_TRANSIT,
        credit_due=state is ItemState.RETURNED and not row["credited"],
    )
