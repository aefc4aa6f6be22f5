"""Sees that a consumer has stopped reading without a word, and ends what is left of its client.

A client library has tasks of its own. One that ended, or waits for what will never come, leaves a consumer that looks
well and reads nothing; so what is watched is the effect: records lie unread, and the place in them does not move.
"""

# pyright: reportMissingTypeStubs=false

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError

LOOK_SECONDS = 2.0
ANSWER_SECONDS_MAX = 5.0
SILENT_SECONDS_MAX = 8.0
"""After this long without progress the consumer says that it is not ready."""
STALLED_SECONDS = 20.0
"""After this long reading begins again; a group may take as long to settle."""
IN_HAND_SECONDS_MAX = 300.0
"""A batch may take long, not for ever."""
ABANDON_SECONDS_MAX = 2.0


class Watch:
    """Looks at one client. `in_hand_since` tells since when its present batch is in hand, `None` where none is."""

    def __init__(self, client: Any, in_hand_since: Callable[[], float | None]) -> None:
        self._client = client
        self._in_hand_since = in_hand_since
        self._well_at = time.monotonic()
        self._unread: dict[Any, int | None] = {}

    def silent_seconds(self) -> float:
        """How long nothing has shown that this client reads."""
        return time.monotonic() - self._well_at

    async def until_stalled(self) -> str:
        """Why reading has to begin again, once it has to."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if any(task.done() for task in _tasks_for_life(self._client)):
                return "a task of the client has ended"
            if await self._well():
                self._well_at = time.monotonic()
            elif self.silent_seconds() > STALLED_SECONDS:
                return "nothing is read any more"

    async def _well(self) -> bool:
        began = self._in_hand_since()
        if began is not None:
            return time.monotonic() - began < IN_HAND_SECONDS_MAX
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                unread = await self._what_is_unread()
        except (KafkaError, TimeoutError, OSError):
            return False
        before, self._unread = self._unread, unread or {}
        return unread is not None and (not unread or unread != before)

    async def _what_is_unread(self) -> dict[Any, int | None] | None:
        """The position in each partition that holds more; `None` while the group has given this client none."""
        subscription = self._client._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None or not assignment.active:
            return None
        ends = await self._client.end_offsets(list(assignment.tps))
        positions: dict[Any, int | None] = {}
        for place in assignment.tps:
            state = assignment.state_value(place)
            positions[place] = state.position if state is not None and state.has_valid_position else None
        return {place: at for place, at in positions.items() if at is None or at < ends[place]}


async def abandon(client: Any) -> None:
    """End what a client's own `stop` could not: its tasks would keep partitions that nobody reads."""
    living = [task for task in _tasks(client) if not task.done()]
    for task in living:
        task.cancel()
    if living:
        await asyncio.wait(living, timeout=ABANDON_SECONDS_MAX)
    network = client._client
    if network._sync_task is not None and network._sync_task.done():
        # The library's own close would raise again what that task died of, and leave the connections open.
        network._sync_task = None
    with suppress(Exception):
        async with asyncio.timeout(ABANDON_SECONDS_MAX):
            await network.close()


def _tasks_for_life(client: Any) -> Iterator[Any]:
    """The tasks that a reading client cannot do without."""
    coordinator, fetcher = client._coordinator, client._fetcher
    tasks = (client._client._sync_task, getattr(coordinator, "_coordination_task", None), fetcher._fetch_task)
    return (task for task in tasks if task is not None)


def _tasks(client: Any) -> Iterator[Any]:
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    found = [getattr(client._coordinator, name, None) for name in names]
    found += [client._client._sync_task, getattr(client._fetcher, "_fetch_task", None)]
    return (task for task in found if task is not None)
