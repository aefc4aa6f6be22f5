"""Group commit of postings: what is asked while a transaction is on its way shares the next one.

One transaction at a time for each shard, so that those who want the same budget line do not fight for its lock. There
is no timer: whoever finds nobody waiting goes at once, alone.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from prometheus_client import Counter, Histogram

from contracts.errors import CairnError, Unavailable
from kit.db import Connection, Database
from kit.telemetry import TraceContext, current_trace, logger

SHARDS = 4
BATCH_MAX = 256
WAITING_MAX = 4_096
"""Of all shards together."""
PLANS = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
"""Every look-up of a batch is by key: statistics of a table that grows fast must not talk the planner out of it."""
UNAVAILABLE_MAX = 2
"""Of a batch that failed, so many fail alone for want of the database before the rest is told to come again."""

A = TypeVar("A")
R = TypeVar("R")

_log = logger(__name__)
_sizes = Histogram("cairn_posting_batch", "Requests in one posting transaction", buckets=(1, 2, 4, 8, 16, 32, 64, 256))
_fell_apart = Counter("cairn_posting_fell_apart", "Posting transactions that failed and were tried request by request")


class PostingsFull(Unavailable):
    """Too many requests for money are waiting; try again shortly."""

    code = "postings_full"


@dataclass(slots=True)
class Waiting(Generic[A, R]):
    """A request in the queue, with the trace of whoever asked."""

    ask: A
    trace: TraceContext
    answer: "asyncio.Future[R]"

    def tell(self, answer: R | CairnError | Exception) -> None:
        # Whoever asked may have been cut off meanwhile.
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


@dataclass(slots=True)
class _Shard(Generic[A, R]):
    queue: "deque[Waiting[A, R]]" = field(default_factory=deque)
    lane: "asyncio.Task[None] | None" = None


Together = Callable[[Connection, Sequence[Waiting[A, R]]], Awaitable[Sequence[R | CairnError]]]
"""Does the work of a batch in the transaction given; an answer or a refusal for each. What it raises undoes it all."""


class Coalescer(Generic[A, R]):
    """Requests of one kind, in order of arrival by shard, and the transactions that carry them."""

    def __init__(
        self,
        db: Database,
        together: Together[A, R],
        *,
        shard_key: Callable[[A], str],
        alone_key: Callable[[A], str],
        batch_max: int = BATCH_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._db = db
        self._together = together
        self._shard_key = shard_key
        self._alone_key = alone_key
        """What no two requests of a batch may share: the later one waits for the next."""
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._shards: list[_Shard[A, R]] = [_Shard() for _ in range(SHARDS)]
        self._waiting = 0
        self._closed = False

    async def ask(self, ask: A) -> R:
        """The answer, once it is committed. `PostingsFull` past the bound.

        Whoever is cut off while waiting does not learn what became of it: the same request again tells.
        """
        if self._closed or self._waiting >= self._waiting_max:
            raise PostingsFull
        waiting: Waiting[A, R] = Waiting(ask, current_trace(), asyncio.get_running_loop().create_future())
        shard = self._shards[zlib.crc32(self._shard_key(ask).encode()) % SHARDS]
        shard.queue.append(waiting)
        self._waiting += 1
        if shard.lane is None:
            # A context of its own: a batch belongs to no single request's trace.
            shard.lane = asyncio.create_task(self._carry(shard), context=Context())
        return await waiting.answer

    async def close(self) -> None:
        """Answer those who wait, take nobody any more."""
        self._closed = True
        await asyncio.gather(*(shard.lane for shard in self._shards if shard.lane), return_exceptions=True)

    async def _carry(self, shard: _Shard[A, R]) -> None:
        try:
            while shard.queue:
                batch = self._next(shard)
                try:
                    await self._commit(batch)
                finally:
                    for one in batch:
                        one.tell(PostingsFull())
        finally:
            shard.lane = None

    def _next(self, shard: _Shard[A, R]) -> list[Waiting[A, R]]:
        """The first of those who wait, without those who were cut off and without two of one key."""
        batch: dict[str, Waiting[A, R]] = {}
        later: list[Waiting[A, R]] = []
        while shard.queue and len(batch) < self._batch_max and len(later) < self._batch_max:
            one = shard.queue.popleft()
            if one.answer.done():
                self._waiting -= 1
            elif (key := self._alone_key(one.ask)) in batch:
                later.append(one)
            else:
                batch[key] = one
        shard.queue.extendleft(reversed(later))
        self._waiting -= len(batch)
        return list(batch.values())

    async def _commit(self, batch: list[Waiting[A, R]]) -> None:
        if not batch:
            return
        _sizes.observe(len(batch))
        try:
            answers = await self._transact(batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].tell(error)
                return
            _fell_apart.inc()
            _log.warning("postings.fell_apart", requests=len(batch), error=type(error).__name__)
            await self._one_by_one(batch)
            return
        for one, answer in zip(batch, answers, strict=True):
            one.tell(answer)

    async def _one_by_one(self, batch: list[Waiting[A, R]]) -> None:
        """Each in a transaction of its own: what spoiled the batch spoils itself alone."""
        unavailable = 0
        for one in batch:
            if unavailable >= UNAVAILABLE_MAX:
                one.tell(PostingsFull())
                continue
            try:
                [answer] = await self._transact([one])
            except Unavailable as error:
                unavailable += 1
                one.tell(error)
            except Exception as error:
                one.tell(error)
            else:
                unavailable = 0
                one.tell(answer)

    async def _transact(self, batch: list[Waiting[A, R]]) -> Sequence[R | CairnError]:
        async with self._db.transaction(local=PLANS) as tx:
            return await self._together(tx, batch)
