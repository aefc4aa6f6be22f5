"""Every SQL statement of the bridge: which cases were started, and which facts came too late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from kit.db import Connection

_MARK_STARTED = """
INSERT INTO started_case (application_id, event_id, started_at) VALUES ($1, $2, $3)
ON CONFLICT (application_id) DO NOTHING
"""
_WAS_STARTED = "SELECT true FROM started_case WHERE application_id = $1"
_PARK = """
INSERT INTO late_fact (event_id, type, application_id, source, sequence, reason, payload, occurred_at, parked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (event_id) DO NOTHING
"""
_LATE = """
SELECT event_id, type, application_id, source, sequence, reason, payload, occurred_at, parked_at,
    redelivered_at, redelivered_by
FROM late_fact WHERE $1::text IS NULL OR application_id = $1
ORDER BY parked_at DESC, event_id LIMIT $2
"""
_LOCK_LATE = """
SELECT event_id, type, application_id, source, sequence, reason, payload, occurred_at, parked_at,
    redelivered_at, redelivered_by
FROM late_fact WHERE event_id = $1 FOR UPDATE
"""
_REDELIVERED = """
UPDATE late_fact SET redelivered_by = $2, redelivered_at = $3 WHERE event_id = $1
RETURNING event_id, type, application_id, source, sequence, reason, payload, occurred_at, parked_at,
    redelivered_at, redelivered_by
"""

LateReason = Literal["case_closed", "never_started"]


@dataclass(frozen=True, slots=True)
class LateFact:
    """A fact that no journey could take any more."""

    event_id: UUID
    type: str
    application_id: str
    source: str
    sequence: int
    reason: LateReason
    payload: dict[str, Any]
    occurred_at: datetime
    parked_at: datetime
    redelivered_at: datetime | None = None
    redelivered_by: str | None = None


async def mark_started(tx: Connection, application_id: str, event_id: UUID, now: datetime) -> None:
    """Remember that the case's journey was started."""
    await tx.execute(_MARK_STARTED, application_id, event_id, now)


async def was_started(tx: Connection, application_id: str) -> bool:
    """Whether the case's journey was ever started."""
    return bool(await tx.fetchval(_WAS_STARTED, application_id))


async def park(tx: Connection, late: LateFact) -> None:
    """Keep a late fact where staff see it."""
    await tx.execute(
        _PARK,
        late.event_id,
        late.type,
        late.application_id,
        late.source,
        late.sequence,
        late.reason,
        late.payload,
        late.occurred_at,
        late.parked_at,
    )


async def late_facts(tx: Connection, application_id: str | None, *, count_max: int = 200) -> Sequence[LateFact]:
    """The newest late facts, of one case or of all."""
    return [LateFact(**dict(row)) for row in await tx.fetch(_LATE, application_id, count_max)]


async def lock_late_fact(tx: Connection, event_id: UUID) -> LateFact | None:
    """One late fact, which nobody else hands over meanwhile; None where there is no such fact."""
    row = await tx.fetchrow(_LOCK_LATE, event_id)
    return None if row is None else LateFact(**dict(row))


async def mark_redelivered(tx: Connection, event_id: UUID, actor: str, now: datetime) -> LateFact:
    """Remember who handed the late fact over again, and when."""
    (row,) = await tx.fetch(_REDELIVERED, event_id, actor, now)
    return LateFact(**dict(row))
