"""The relay's side of Kafka: a producer that loses nothing, and one batch per partition."""

# pyright: reportMissingTypeStubs=false

import asyncio
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedForMessageFormatError,
)
from aiokafka.partitioner import DefaultPartitioner

from kit.connections import survive_broken_connections
from kit.outbox import decode_headers
from kit.telemetry import logger

BATCH_BYTES_MAX = 900_000
"""Below the broker's default `message.max.bytes` of 1,048,588, which counts the whole batch."""
REQUEST_TIMEOUT_MS = 10_000
START_SECONDS_MAX = 15.0
DISCARD_SECONDS_MAX = 4.0
METADATA_SECONDS_MAX = 10.0
SEND_SECONDS_MAX = 20.0
"""Longer than a request and its first repetition: after it the delivery counts as lost, and the producer with it."""

RECORD_REFUSED: tuple[type[KafkaError], ...] = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
    CorruptRecordException,
    InvalidTimestampError,
    InvalidTopicError,
    PolicyViolationError,
    UnsupportedForMessageFormatError,
)
"""Answers that another attempt with the same bytes would get again."""
TOPIC_REFUSED = TopicAuthorizationFailedError
"""An answer about the topic and not about a record: it passes when somebody mends the broker's access list."""

RefusedBatches: TypeAlias = dict[tuple[str, int], tuple[list[asyncpg.Record], KafkaError]]

log = logger(__name__)

_partitioner: Any = DefaultPartitioner()
survive_broken_connections()


async def start_producer(bootstrap: str, *, client_id: str) -> Any:
    """A connected idempotent producer; `KafkaError` or `TimeoutError` where the broker does not answer."""
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=2 * BATCH_BYTES_MAX,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        metadata_max_age_ms=60_000,
    )
    try:
        await asyncio.wait_for(producer.start(), START_SECONDS_MAX)
    except BaseException:
        await discard_producer(producer)
        raise
    return producer


async def discard_producer(producer: Any) -> None:
    """Close it within a bound, whatever its state; what it has not delivered stays in the outbox."""
    try:
        async with asyncio.timeout(DISCARD_SECONDS_MAX):
            await producer.stop()
    except Exception as error:
        # Anything: its own tasks may have ended of anything, and `stop` raises that once more.
        log.warning("producer.not_stopped", error_type=type(error).__name__)
        await _end(producer)


async def _end(producer: Any) -> None:
    """Left alone it would go on sending old batches beside its successor."""
    sender, network = producer._sender, producer.client
    tasks = [task for task in (sender.sender_task, network._sync_task) if task is not None and not task.done()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=DISCARD_SECONDS_MAX)
    network._sync_task = None
    with suppress(Exception):
        async with asyncio.timeout(DISCARD_SECONDS_MAX):
            await network.close()


async def partition_of(producer: Any, topic: str, record_key: bytes | None, event_id: UUID | None) -> int | None:
    """The partition of a key (murmur2, as the Java clients do), or `None` where there is no such topic."""
    partitions = producer.client.cluster.partitions_for_topic(topic)
    if not partitions:
        producer.client.add_topic(topic)
        async with asyncio.timeout(METADATA_SECONDS_MAX):
            answered = await producer.client.force_metadata_update()
        if not answered:
            raise KafkaConnectionError("no broker answers a metadata request")
        partitions = producer.client.cluster.partitions_for_topic(topic)
    if not partitions:
        return None
    key = record_key if record_key is not None else (event_id.bytes if event_id else b"")
    return _spread(key, len(partitions))


@lru_cache(maxsize=4096)
def _spread(key: bytes, partitions: int) -> int:
    numbers = list(range(partitions))
    return int(_partitioner(key, numbers, numbers))


class Batches:
    """One batch per partition, so that a failed batch can never be overtaken by a later one of the same partition."""

    def __init__(self, producer: Any, *, one_by_one: Collection[tuple[str, int]] = ()) -> None:
        self._producer = producer
        self._one_by_one = frozenset(one_by_one)
        self._builders: dict[tuple[str, int], Any] = {}
        self._rows: dict[tuple[str, int], list[asyncpg.Record]] = {}
        self._full: set[tuple[str, int]] = set()

    def add(self, topic: str, partition: int, row: asyncpg.Record) -> bool:
        """Put an outbox row into its partition's batch; `False` where that batch takes no more."""
        place = (topic, partition)
        if place in self._full:
            return False
        if place not in self._builders:
            self._builders[place] = self._producer.create_batch()
            self._rows[place] = []
        headers = decode_headers(row["headers"])
        if row["sequence"] is not None:
            headers.append(("ce_sequence", str(row["sequence"]).encode()))
        added = self._builders[place].append(
            key=row["record_key"],
            value=row["payload"],
            timestamp=int(row["created_at"].timestamp() * 1000),
            headers=headers,
        )
        if added is None:
            self._full.add(place)
            return False
        self._rows[place].append(row)
        if place in self._one_by_one:
            self._full.add(place)
        return True

    async def send(self) -> tuple[list[asyncpg.Record], RefusedBatches, BaseException | None]:
        """Send all batches: the rows acknowledged, the batches the broker refused, and any other failure."""
        places = [place for place, rows in self._rows.items() if rows]
        results = await asyncio.gather(*(self._send_one(place) for place in places), return_exceptions=True)
        acknowledged: list[asyncpg.Record] = []
        refused: RefusedBatches = {}
        failure: BaseException | None = None
        for place, result in zip(places, results, strict=True):
            if result is None:
                acknowledged += self._rows[place]
            elif isinstance(result, (*RECORD_REFUSED, TOPIC_REFUSED)):
                refused[place] = (self._rows[place], result)
            else:
                failure = result
        return acknowledged, refused, failure

    async def _send_one(self, place: tuple[str, int]) -> None:
        topic, partition = place
        async with asyncio.timeout(SEND_SECONDS_MAX):
            delivered = await self._producer.send_batch(self._builders[place], topic, partition=partition)
            # Shielded: the library stumbles over a future of its own that somebody else has cancelled.
            await asyncio.shield(delivered)
