"""Keys of an outbox whose facts wait because the first of them cannot be published, as operators see and retry them."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.operator_acts import By

_PARKED = "SELECT topic, key, outbox_id, reason, parked_at FROM outbox_parked ORDER BY parked_at, topic, key LIMIT $1"
_UNPARK = "DELETE FROM outbox_parked WHERE topic = $1 AND key = $2 RETURNING key"

LISTED_MAX = 1000


@dataclass(frozen=True)
class Parked:
    """One key that waits, and the row that cannot be published."""

    topic: str
    key: str
    outbox_id: int
    reason: str
    parked_at: datetime


async def list_parked(tx: Any) -> list[Parked]:
    """The keys that wait in this schema, the longest first: at most `LISTED_MAX`."""
    return [Parked(**dict(row)) for row in await tx.fetch(_PARKED, LISTED_MAX)]


async def unpark(tx: Any, *, topic: str, key: str, by: "By") -> None:
    """Let the relay try a parked key again, once its cause is mended; kept with who did it and why."""
    from contracts.errors import NotFound
    from kit.operator_acts import keep_act

    if await tx.fetchval(_UNPARK, topic, key) is None:
        raise NotFound(kind="parked key")
    await keep_act(tx, "outbox_retried", f"{topic}/{key}", by)
