"""The process of `killed-posting` on a build that commits the entries before rows and events: a planted fault."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from cairn.drills.killed_posting import work
from kit.db import Connection
from services.payments.books.ledger import Posted, Transfer
from services.payments.store import ledger as store


async def _committed_at_once(tx: Connection, transfers: Sequence[Transfer], right: Any = store.post) -> list[Posted]:
    posted = await right(tx, transfers)
    await tx.execute("COMMIT; BEGIN")
    # Time to die in.
    await asyncio.sleep(0.2)
    return posted


if __name__ == "__main__":
    store.post = _committed_at_once
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
