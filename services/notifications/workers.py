"""The loops that do what is due: one per lane of webhook deliveries, one for notices."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from contracts.errors import Unavailable
from kit.telemetry import logger
from services.notifications.usecases.delivering import DeliveryDesk, Lane, attempt, take_due
from services.notifications.usecases.sending import NoticeDesk, send_due_notices

POLL_SECONDS_MIN, POLL_SECONDS_MAX = 0.02, 0.25
"""A look costs the same for one delivery as for many: what falls due within the shorter rest is taken together."""
AWAY_SECONDS = 1.0

log = logger(__name__)


class Pace:
    """How long to rest between two looks: a few hundredths after news, a quarter of a second when nothing stirs.

    A nudge only hastens the next look. What other processes write is found by looking, within the longest rest.
    """

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._rest_seconds = POLL_SECONDS_MIN

    def nudge(self) -> None:
        self._news.set()

    async def rest(self, *, found: bool) -> None:
        self._rest_seconds = POLL_SECONDS_MIN if found else min(self._rest_seconds * 2, POLL_SECONDS_MAX)
        try:
            await asyncio.wait_for(self._news.wait(), self._rest_seconds)
        except TimeoutError:
            return
        # The nudge comes before its transaction commits: look a few times in quick succession.
        self._news.clear()
        self._rest_seconds = POLL_SECONDS_MIN
        await asyncio.sleep(POLL_SECONDS_MIN)


async def work_lane(desk: DeliveryDesk, lane: Lane, pace: Pace) -> None:
    """Deliver this lane's due messages for ever, at most `lane.slots` at a time."""
    under_way: set[asyncio.Task[None]] = set()

    def ended(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        # The next message of the same case may be waiting for just this one.
        pace.nudge()

    try:
        while True:
            taken: list[Any] = []
            try:
                if len(under_way) < lane.slots:
                    taken = await take_due(desk, lane, free_slots=lane.slots - len(under_way))
            except Unavailable as error:
                log.warning("webhook_worker_waits", error=error.code)
                await asyncio.sleep(AWAY_SECONDS)
            for due in taken:
                task = asyncio.create_task(_logged("webhook", attempt(desk, due)))
                under_way.add(task)
                task.add_done_callback(ended)
            await pace.rest(found=bool(taken))
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def work_notices(desk: NoticeDesk, pace: Pace, *, slots: int) -> None:
    """Send due notices for ever."""
    while True:
        tried = 0
        try:
            tried = await send_due_notices(desk, slots=slots)
        except Unavailable as error:
            log.warning("notice_worker_waits", error=error.code)
            await asyncio.sleep(AWAY_SECONDS)
        await pace.rest(found=tried > 0)


async def _logged(what: str, work: Coroutine[Any, Any, None]) -> None:
    """A fault here leaves a lease that runs out; the work is then done again."""
    try:
        await work
    except Unavailable as error:
        log.warning("attempt_not_recorded", what=what, error=error.code)
    except Exception as error:
        log.exception("attempt_not_recorded", what=what, error=type(error).__name__)
