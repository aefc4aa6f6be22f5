"""Group commit of applications: what arrives while a transaction is on its way shares the next one.

There is no timer: an application that finds nobody waiting goes at once. Whatever is not plain (a key or a person
already known, a choice that is not listed, any error) is told to go alone, where refusals and repeats are decided.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from contracts.errors import Unavailable
from kit.db import Database
from kit.telemetry import logger
from services.applications.store import intake
from services.applications.store.intake import Newcomer
from services.applications.usecases.acting import as_intake

BATCH_MAX = 32
LANES_MAX = 1
"""Transactions on their way at once: with a second one, batches are half as large and cost more each."""
WAITING_MAX = 1_000
LOCK_TIMEOUT = "250ms"
"""How long a batch waits for somebody else's uncommitted key or person before its members go alone."""

_log = logger(__name__)
_sizes = Histogram("cairn_intake_batch", "Applications in one transaction", buckets=(1, 2, 4, 8, 16, 32))
_fell_apart = Counter("cairn_intake_fell_apart", "Transactions whose applications had to go alone")


class IntakeFull(Unavailable):
    """Too many applications are waiting to be taken in; send it again shortly."""

    code = "intake_full"


@dataclass(frozen=True, slots=True)
class _Waiting:
    newcomer: Newcomer
    taken: asyncio.Future[bool]

    def tell(self, taken: bool) -> None:
        # Whoever waited may have been cut off meanwhile.
        if not self.taken.done():
            self.taken.set_result(taken)


class Intake:
    """Applications that wait for a transaction, in order of arrival, and the lanes that carry them."""

    def __init__(self, db: Database, *, lanes_max: int = LANES_MAX, batch_max: int = BATCH_MAX) -> None:
        self._db = db
        self._lanes_max = lanes_max
        self._batch_max = batch_max
        self._waiting: deque[_Waiting] = deque()
        self._on_the_way: set[bytes | tuple[str, bytes]] = set()
        self._lanes_open = 0
        self._lanes: set[asyncio.Task[None]] = set()
        self._closed = False

    async def take_in(self, newcomer: Newcomer) -> bool:
        """True once it is committed; False where nothing was done and it has to go alone. `IntakeFull` past the bound.

        Whoever is cut off while waiting does not learn whether it was committed; its key tells.
        """
        if self._closed or self._is_repeated(newcomer):
            return False
        if len(self._waiting) >= WAITING_MAX:
            raise IntakeFull
        waiting = _Waiting(newcomer, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._on_the_way.update(_names(newcomer))
        if self._lanes_open < self._lanes_max:
            self._lanes_open += 1
            # A context of its own: a batch belongs to no single request's trace.
            lane = asyncio.create_task(self._carry(), context=Context())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await waiting.taken

    async def close(self) -> None:
        """Take in what waits, then nothing any more: later ones go alone."""
        self._closed = True
        await asyncio.gather(*self._lanes, return_exceptions=True)

    def _is_repeated(self, newcomer: Newcomer) -> bool:
        """A twin of one that waits or is on its way, by key or by person: it would spoil the whole batch."""
        return not self._on_the_way.isdisjoint(_names(newcomer))

    async def _carry(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._batch_max, len(self._waiting)))]
                try:
                    await self._commit([one for one in batch if not one.taken.done()])
                finally:
                    for one in batch:
                        self._on_the_way.difference_update(_names(one.newcomer))
                        one.tell(False)
        finally:
            self._lanes_open -= 1

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        newcomers = [one.newcomer for one in batch]
        local = as_intake([n.application for n in newcomers]) | {"lock_timeout": LOCK_TIMEOUT}
        _sizes.observe(len(batch))
        try:
            async with self._db.transaction(local=local) as tx:
                taken = await intake.take_in(tx, newcomers)
        except Exception as error:
            # Also where the commit itself was cut off and may have happened: alone, each finds its answer by its key.
            _fell_apart.inc()
            _log.warning("intake.fell_apart", applications=len(batch), exc_info=error)
            return
        for one in batch:
            one.tell(one.newcomer.application.application_id in taken)


def _names(newcomer: Newcomer) -> tuple[tuple[str, bytes], bytes]:
    """What no two applications of a batch may share."""
    return (newcomer.once.principal, newcomer.once.key_digest), newcomer.ssn_mac
