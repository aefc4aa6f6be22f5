"""Which cases program staff hold: what is ordered for them waits."""

from datetime import datetime

from kit.db import Connection

# Facts of one case come in order, and again or late after a redrive: the newest act decides.
TAKE = """
INSERT INTO held_case AS h (application_id, is_held, act_sequence, acted_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (application_id) DO UPDATE
SET is_held = excluded.is_held, act_sequence = excluded.act_sequence, acted_at = excluded.acted_at
WHERE h.act_sequence < excluded.act_sequence
"""
# Whoever approves a batch locks its payments, and only then reads what may not leave.
LOCK_PAYMENTS = """
SELECT disbursement_id FROM disbursement WHERE application_id = $1 AND state IN ('ordered', 'batched')
ORDER BY disbursement_id FOR UPDATE
"""


async def take(tx: Connection, application_id: str, *, is_held: bool, act_sequence: int, acted_at: datetime) -> None:
    """Keep what staff did last; what is ordered for the case is locked until the transaction ends."""
    await tx.execute(LOCK_PAYMENTS, application_id)
    await tx.execute(TAKE, application_id, is_held, act_sequence, acted_at)
