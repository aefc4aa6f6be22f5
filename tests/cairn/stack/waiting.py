"""Waiting for something outside to become true, with a bound."""

import asyncio
import time
from collections.abc import Callable

SECONDS_MAX = 90.0


async def until(true: Callable[[], bool], what: str, seconds_max: float = SECONDS_MAX) -> None:
    give_up = time.monotonic() + seconds_max
    while not true():
        assert time.monotonic() < give_up, f"{what}: not within {seconds_max} s"
        await asyncio.sleep(0.02)
