"""A service's process inside a test: started, waited for, stopped."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from kit.process import Lifetime

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05


@asynccontextmanager
async def alive(start: Callable[[Lifetime, Any], Awaitable[None]], settings: Any) -> AsyncIterator[Lifetime]:
    """The process's tasks, from when each of its readiness checks passes."""
    life = Lifetime()
    await start(life, settings)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for check in life.checks.values():
                while not await _passes(check):  # noqa: ASYNC110 - a readiness check offers no event
                    await asyncio.sleep(POLL_SECONDS)
        yield life
    finally:
        await life.stop()


async def _passes(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        await check()
    except Exception:
        return False
    return True
