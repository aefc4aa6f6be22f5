"""The API keys that were issued, as operators may see them: everything but the secrets."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

LISTED_MAX = 1000

_LIST = """
SELECT prefix, kind, principal_id, scopes, created_at, created_by, not_after, revoked_at FROM access.api_key
WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR principal_id = $2)
    AND ($3 OR (revoked_at IS NULL AND not_after > $4))
ORDER BY kind, principal_id, created_at DESC, prefix LIMIT $5
"""


@dataclass(frozen=True)
class IssuedKey:
    """One key; `prefix` is the part of it that may be shown and logged."""

    prefix: str
    kind: str
    principal_id: str
    scopes: list[str]
    created_at: datetime
    created_by: str
    not_after: datetime
    revoked_at: datetime | None

    def state(self, now: datetime) -> Literal["live", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "live" if self.not_after > now else "expired"


async def list_keys(
    tx: Any, *, now: datetime, kind: str | None = None, principal_id: str | None = None, ended: bool = False
) -> list[IssuedKey]:
    """The live keys, or with `ended` all, of these holders: at most `LISTED_MAX`, a holder's newest first.

    `tx` is a connection of the owner's role: no service may read the table.
    """
    rows = await tx.fetch(_LIST, kind, principal_id, ended, now, LISTED_MAX)
    return [IssuedKey(**dict(row)) for row in rows]
