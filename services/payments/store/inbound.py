"""Files of others that could not be read."""

from datetime import datetime

from kit.db import Connection

FAILED = """
INSERT INTO inbound_failure AS f (file_name, content_sha256, tries, error, failed_at) VALUES ($1, $2, 1, $3, $4)
ON CONFLICT (file_name, content_sha256) DO UPDATE SET tries = f.tries + 1, error = excluded.error,
    failed_at = excluded.failed_at
RETURNING tries
"""
SET_ASIDE = "UPDATE inbound_failure SET set_aside_at = $3 WHERE file_name = $1 AND content_sha256 = $2"


async def failed(tx: Connection, name: str, sha256: bytes, error: str, *, now: datetime) -> int:
    """Count one more try of this file that failed; returns how many there were."""
    return int(await tx.fetchval(FAILED, name, sha256, error, now) or 0)


async def set_aside(tx: Connection, name: str, sha256: bytes, *, now: datetime) -> None:
    await tx.execute(SET_ASIDE, name, sha256, now)
