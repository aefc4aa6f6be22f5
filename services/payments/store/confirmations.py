"""Confirmation files that were read, and the lines of them that could not be applied."""

from collections.abc import Sequence
from datetime import datetime

from kit.db import Connection
from services.payments.remittance import RejectedLine

TAKE_FILE = """
INSERT INTO confirmation_file (content_sha256, file_name, lines, applied, repeated, rejected, read_at)
VALUES ($1, $2, $3, 0, 0, 0, $4) ON CONFLICT (content_sha256) DO NOTHING RETURNING file_name
"""
COUNT_LINES = """
UPDATE confirmation_file SET applied = $2, repeated = $3, rejected = $4 WHERE content_sha256 = $1
"""
TAKE_LONG_FILE = """
INSERT INTO confirmation_file (content_sha256, file_name, lines, applied, repeated, rejected, read_at, next_word)
VALUES ($1, $2, $3, 0, 0, 0, $4, 0) ON CONFLICT (content_sha256) DO NOTHING
"""
NEXT_WORD = "SELECT next_word FROM confirmation_file WHERE content_sha256 = $1 FOR UPDATE"
PART_DONE = """
UPDATE confirmation_file SET applied = applied + $2, repeated = repeated + $3, rejected = rejected + $4, next_word = $5
WHERE content_sha256 = $1
"""
REJECT_LINES = """
INSERT INTO confirmation_rejected (content_sha256, line_number, line, reason, explanation, alert_id)
SELECT $1, * FROM unnest($2::integer[], $3::bytea[], $4::text[], $5::text[], $6::text[])
"""


async def take_file(tx: Connection, sha256: bytes, file_name: str, lines: int, *, now: datetime) -> bool:
    """False where a file of the same content was read before, under whatever name."""
    return await tx.fetchval(TAKE_FILE, sha256, file_name, lines, now) is not None


async def next_word(tx: Connection, sha256: bytes, file_name: str, lines: int, *, now: datetime) -> int | None:
    """Which of the file's readable lines is next, the file locked; None where it was applied whole."""
    await tx.execute(TAKE_LONG_FILE, sha256, file_name, lines, now)
    return await tx.fetchval(NEXT_WORD, sha256)


async def part_done(
    tx: Connection, sha256: bytes, *, applied: int, repeated: int, rejected: int, next_word: int | None
) -> None:
    """Count a part's lines; `next_word` None after the last part."""
    await tx.execute(PART_DONE, sha256, applied, repeated, rejected, next_word)


async def count_lines(tx: Connection, sha256: bytes, *, applied: int, repeated: int, rejected: int) -> None:
    await tx.execute(COUNT_LINES, sha256, applied, repeated, rejected)


async def reject_lines(
    tx: Connection, sha256: bytes, rejected: Sequence[RejectedLine], alert_ids: Sequence[str]
) -> None:
    """Each with the alert that calls somebody to it."""
    await tx.execute(
        REJECT_LINES,
        sha256,
        [line.number for line in rejected],
        [line.line for line in rejected],
        [line.reason for line in rejected],
        [line.explanation for line in rejected],
        list(alert_ids),
    )
