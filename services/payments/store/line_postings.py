"""The bank's lines behind postings that no payment of a claim stands for."""

from datetime import datetime

from contracts.ids import TransferId
from kit.db import Connection

ADD = "INSERT INTO line_posting (line_id, transfer_id, posted_by, posted_at) VALUES ($1, $2, $3, $4)"


async def add(tx: Connection, line_id: str, transfer_id: TransferId, *, by: str, now: datetime) -> None:
    """The line stands behind this journal entry, for good."""
    await tx.execute(ADD, line_id, transfer_id, by, now)
