"""Publishes the outbox: one owner per shard, in order per key, at least once; consumers drop the duplicates."""

# pyright: reportMissingTypeStubs=false

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge, Histogram

from contracts.errors import Unavailable
from kit.clock import Clock, SystemClock
from kit.db import Connection, Database
from kit.outbox import SHARDS
from kit.producer import TOPIC_REFUSED, Batches, RefusedBatches, discard_producer, partition_of, start_producer
from kit.settings import ProcessSettings
from kit.telemetry import logger

ROWS_MAX = 500
POLL_SECONDS = 0.05
FEW_ROWS = 100
"""A look that moved fewer is followed by a rest: what follows is published together. A look costs database, producer
and broker the same for one row as for many."""
CLAIM_SECONDS = 1.0
TOPIC_RETRY_SECONDS = 10.0
MEASURE_SECONDS = 5.0
MEASURE_ROWS_MAX = 100_000
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.2, 5.0
IDLE_SECONDS_MAX = 60
"""After it the server ends a session that says nothing, and with it the session's hold on shards. Longer than the
longest delivery and a new producer take, and far shorter than the hours TCP would give a host that is gone."""
SLOW_SECONDS = 5.0
"""A delivery that takes longer shows as not ready, long before it is given up."""

TOPIC_UNKNOWN = "topic_unknown"
RECORD_REFUSED_BY_BROKER = "record_refused"

_CLAIM = "SELECT s FROM unnest($1::int[]) AS s WHERE pg_try_advisory_lock(hashtext('cairn.outbox.' || $2), s)"
_HEAD = """
SELECT id, key, topic, event_id, sequence, record_key, headers, payload, created_at
FROM outbox AS o
WHERE shard = ANY($1::smallint[]) AND topic <> ALL($3::text[])
  AND NOT EXISTS (SELECT FROM outbox_parked AS p WHERE p.topic = o.topic AND p.key = o.key)
ORDER BY id LIMIT $2
"""
_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
_PARK = """
INSERT INTO outbox_parked (topic, key, outbox_id, reason, parked_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
_PARKED_TOPICS = "SELECT DISTINCT topic FROM outbox_parked WHERE reason = $1"
_UNPARK_TOPIC = "DELETE FROM outbox_parked WHERE topic = $1 AND reason = $2"
_MEASURE = """
SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) AS o) AS depth,
       (SELECT count(*) FROM outbox_parked) AS parked,
       (SELECT created_at FROM outbox ORDER BY id LIMIT 1) AS oldest
"""

_PUBLISHED = Counter("cairn_relay_published", "Records acknowledged by the broker", ["schema"])
_LAG = Histogram(
    "cairn_relay_lag_seconds",
    "From the row's creation to the broker's acknowledgement",
    ["schema"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
_RESTARTS = Counter("cairn_relay_restarts", "Times the relay began again after a fault", ["schema"])
_DEPTH = Gauge("cairn_outbox_depth", "Rows not yet published (counted up to a limit)", ["schema"])
_AGE = Gauge("cairn_outbox_oldest_seconds", "Age of the oldest row not yet published", ["schema"])
_PARKED = Gauge("cairn_outbox_parked_keys", "Keys whose first row cannot be published", ["schema"])

log = logger(__name__)


class RelayNotPublishing(Unavailable):
    """The outbox relay of {schema} has no broker or no database just now."""

    code = "relay_not_publishing"


class Relay:
    """Moves the rows of one schema's outbox to Kafka. Several may run: each shard has one owner at a time."""

    def __init__(
        self, database: Database, settings: ProcessSettings, *, shards: int = SHARDS, clock: Clock | None = None
    ) -> None:
        self._database = database
        self._bootstrap = settings.kafka_bootstrap
        self._shards = shards
        self._clock = clock or SystemClock()
        self._schema = database.schema
        self._serving = False
        self._sending_since: float | None = None
        self._suspects: dict[tuple[str, int], int] = {}
        """Partitions of which the broker refused a batch, and how many of its records may be the reason: they are sent
        one by one until it is found."""
        self._resting: dict[str, float] = {}
        """Topics the broker does not let us write, and when to ask again."""

    async def run(self) -> None:
        """Publish until cancelled; a fault of broker or database only makes it begin again."""
        backoff = BACKOFF_SECONDS_MIN
        while True:
            began = time.monotonic()
            try:
                async with self._session() as connection:
                    await self._publish_forever(connection)
            except (Unavailable, KafkaError, TimeoutError, OSError) as error:
                self._serving = False
                _RESTARTS.labels(self._schema).inc()
                # A type only: messages of drivers may quote a row.
                log.warning("relay.interrupted", schema=self._schema, error_type=type(error).__name__)
            backoff = BACKOFF_SECONDS_MIN if time.monotonic() - began > 30 else min(backoff * 2, BACKOFF_SECONDS_MAX)
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311

    async def check(self) -> None:
        """Raise `Unavailable` while the relay cannot publish."""
        since = self._sending_since
        if not self._serving or (since is not None and time.monotonic() - since > SLOW_SECONDS):
            raise RelayNotPublishing(schema=self._schema)

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[Connection, None]:
        # The shards' locks belong to this session: back in the pool it would keep them for nobody.
        async with self._database.session() as connection:
            # The head is small and the tail may be long: statistics of a table that is always nearly empty would
            # make the planner sort all of it for every batch.
            await connection.execute(
                "SET enable_sort = off; SET enable_seqscan = off; SET enable_bitmapscan = off;"
                f"SET idle_session_timeout = '{IDLE_SECONDS_MAX}s'"
            )
            yield connection

    @asynccontextmanager
    async def _producer(self) -> AsyncGenerator[Any, None]:
        producer = await start_producer(self._bootstrap, client_id=f"cairn.relay.{self._schema}")
        try:
            yield producer
        finally:
            await discard_producer(producer)

    async def _publish_forever(self, connection: Connection) -> None:
        owned: list[int] = []
        while True:
            async with self._producer() as producer:
                await self._publish_until_refused(connection, producer, owned)

    async def _publish_until_refused(self, connection: Connection, producer: Any, owned: list[int]) -> None:
        """Returns once the broker refused a record: the sequence numbers of an idempotent producer then have a gap."""
        claim_at = topics_at = measure_at = 0.0
        self._serving = True
        while True:
            now = time.monotonic()
            if len(owned) < self._shards and now >= claim_at:
                owned += await self._claim(connection, owned)
                claim_at = now + CLAIM_SECONDS
            if owned and now >= topics_at:
                await self._retry_topics(connection, producer)
                topics_at = now + TOPIC_RETRY_SECONDS
            # Also where another owns the shards: it may have fallen silent, and then nobody else would tell.
            if now >= measure_at:
                await self._measure(connection)
                measure_at = now + MEASURE_SECONDS
            if owned:
                moved, refused = await self._timed_head(connection, producer, owned)
                if refused:
                    return
                if moved >= FEW_ROWS or self._suspects:
                    continue
            await asyncio.sleep(POLL_SECONDS if owned else CLAIM_SECONDS)

    async def _claim(self, connection: Connection, owned: Sequence[int]) -> list[int]:
        missing = [shard for shard in range(self._shards) if shard not in owned]
        claimed = [int(row[0]) for row in await connection.fetch(_CLAIM, missing, self._schema)]
        if claimed:
            log.info("relay.shards_claimed", schema=self._schema, shards=claimed)
        return claimed

    async def _timed_head(self, connection: Connection, producer: Any, owned: Sequence[int]) -> tuple[int, bool]:
        self._sending_since = time.monotonic()
        try:
            return await self._publish_head(connection, producer, owned)
        finally:
            self._sending_since = None

    async def _publish_head(self, connection: Connection, producer: Any, owned: Sequence[int]) -> tuple[int, bool]:
        """Publish what fits into one batch per partition and delete what was acknowledged.

        Returns how many rows moved, and whether the broker refused a record.
        """
        now = time.monotonic()
        self._resting = {topic: until for topic, until in self._resting.items() if until > now}
        rows = await connection.fetch(_HEAD, owned, ROWS_MAX, list(self._resting))
        if not rows:
            self._suspects.clear()
            return 0, False
        batches = Batches(producer, one_by_one=self._suspects)
        halted: set[tuple[str, str]] = set()
        for row in rows:
            topic, key = str(row["topic"]), str(row["key"])
            if (topic, key) in halted:
                continue
            partition = await partition_of(producer, topic, row["record_key"], row["event_id"])
            if partition is None:
                await self._park(connection, row, TOPIC_UNKNOWN)
            elif batches.add(topic, partition, row):
                continue
            # Parked, or its partition's batch is full: nothing of this key may overtake it in this round.
            halted.add((topic, key))
        acknowledged, refused, failure = await batches.send()
        if acknowledged:
            await connection.execute(_DELETE, [row["id"] for row in acknowledged])
            self._count(acknowledged)
        self._suspects = {place: left - 1 for place, left in self._suspects.items() if left > 1}
        await self._examine(connection, refused)
        if failure is not None:
            raise failure
        return len(acknowledged) + len(halted), bool(refused)

    async def _examine(self, connection: Connection, refused: RefusedBatches) -> None:
        for place, (rows, error) in refused.items():
            self._suspects.pop(place, None)
            if isinstance(error, TOPIC_REFUSED):
                self._resting[place[0]] = time.monotonic() + TOPIC_RETRY_SECONDS
                log.error("relay.topic_refused", schema=self._schema, topic=place[0])
            elif len(rows) == 1:
                await self._park(connection, rows[0], f"{RECORD_REFUSED_BY_BROKER}: {type(error).__name__}")
            else:
                self._suspects[place] = len(rows)

    async def _park(self, connection: Connection, row: asyncpg.Record, reason: str) -> None:
        await connection.execute(_PARK, row["topic"], row["key"], row["id"], reason, self._clock.now())
        log.error("relay.key_parked", schema=self._schema, topic=row["topic"], outbox_id=row["id"], reason=reason)

    async def _retry_topics(self, connection: Connection, producer: Any) -> None:
        for row in await connection.fetch(_PARKED_TOPICS, TOPIC_UNKNOWN):
            if await partition_of(producer, row["topic"], b"", None) is not None:
                await connection.execute(_UNPARK_TOPIC, row["topic"], TOPIC_UNKNOWN)
                log.info("relay.topic_found", schema=self._schema, topic=row["topic"])

    async def _measure(self, connection: Connection) -> None:
        row = await connection.fetchrow(_MEASURE, MEASURE_ROWS_MAX)
        assert row is not None
        oldest: datetime | None = row["oldest"]
        _DEPTH.labels(self._schema).set(row["depth"])
        _PARKED.labels(self._schema).set(row["parked"])
        _AGE.labels(self._schema).set((self._clock.now() - oldest).total_seconds() if oldest else 0)

    def _count(self, rows: Sequence[asyncpg.Record]) -> None:
        _PUBLISHED.labels(self._schema).inc(len(rows))
        now, lag = self._clock.now(), _LAG.labels(self._schema)
        for row in rows:
            lag.observe((now - row["created_at"]).total_seconds())
