"""Waits until a session of one database waits for a lock; the tests' server has databases of other tests beside it."""

import asyncio
from typing import Any

from kit.db import Database

WAIT_SECONDS_MAX = 30.0
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def until_one_waits(database: Database, acting: "asyncio.Task[Any] | None" = None) -> None:
    """Until somebody waits for a lock in `database`, or `acting` has ended; `TimeoutError` after half a minute."""
    async with database.connection() as watching, asyncio.timeout(WAIT_SECONDS_MAX):
        while not (acting and acting.done()) and not await watching.fetchval(_WAITING):  # noqa: ASYNC110 - a lock tells nobody
            await asyncio.sleep(0)
