"""A consumer: a FastStream batch subscriber that gives raw records to an inbox and commits offsets afterwards."""

# pyright: reportMissingTypeStubs=false

import asyncio
import os
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from prometheus_client import Counter, Gauge

from contracts.envelope import Fact
from contracts.errors import Unavailable
from contracts.topics import topic_of
from kit import watch
from kit.clock import Clock
from kit.connections import survive_broken_connections, survive_unreadable_names
from kit.db import Database
from kit.dead_letters import Record
from kit.inbox import FORGOTTEN_AT_ONCE_MAX, Handler, Inbox
from kit.settings import ProcessSettings
from kit.telemetry import logger
from kit.watch import Watch, abandon

BATCH_RECORDS_MAX = 200
BATCH_WAIT_MS = 30
GATHER_SECONDS_MIN, GATHER_SECONDS_MAX, GATHER_SHARE = 0.05, 0.15, 5
"""Between the beginnings of two batches: so many times what the first of them took, within bounds. A request for
records costs client and broker the same for one as for many, so what comes while facts are streaming in is handled
together, the more the busier the machine is; after a lull the first fact is handled at once."""
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.1, 10.0
GRACE_SECONDS = 10.0
"""How long a batch in hand may take to finish when the process stops or its partitions are taken away."""
START_SECONDS_MAX, START_PAUSE_SECONDS_MAX = 30.0, 2.0
COMMIT_SECONDS_MAX = 15.0
FORGET_EVERY_SECONDS = 3600.0
STOP_SECONDS_MAX = GRACE_SECONDS + 4.0
METADATA_SECONDS_MAX = 15
"""A broker that has just started may not know its topics yet; a group led in that moment would share out nothing."""

_PAUSES = Counter("cairn_consumer_pauses", "Times a consumer waited for something that was away", ["consumer"])
_PAUSED = Gauge("cairn_consumer_paused", "1 while a consumer waits for something that is away", ["consumer"])
_READING_FAILED = Counter("cairn_consumer_reading_failed", "Times reading broke off and began again", ["consumer"])
_COMMITS_FAILED = Counter("cairn_consumer_commits_failed", "Offset commits that failed", ["consumer"])

# FastStream would start a broken reading loop again at once, for ever and without a word.
os.environ.setdefault("FASTSTREAM_SUPERVISOR_DISABLED", "1")
survive_broken_connections()
survive_unreadable_names()

log = logger(__name__)


class ConsumerNotReading(Unavailable):
    """The consumer {name} is not reading just now."""

    code = "consumer_not_reading"


class Consumer:
    """Reads the topics of the facts in `handlers`, as the group `cairn.<name>`. `side_by_side`: see `Inbox`."""

    def __init__(
        self,
        *,
        name: str,
        database: Database,
        settings: ProcessSettings,
        handlers: Mapping[type[Fact], Handler],
        clock: Clock,
        side_by_side: bool = False,
    ) -> None:
        if not handlers:
            raise ValueError(f"the consumer {name} handles nothing")
        self.name = name
        self.topics = sorted({topic_of(fact_type.TYPE).value for fact_type in handlers})
        self._bootstrap = settings.kafka_bootstrap
        self._inbox = Inbox(name=name, database=database, handlers=handlers, clock=clock, side_by_side=side_by_side)
        self._subscriber: Any = None
        self._watch: Watch | None = None
        self._in_hand = asyncio.Lock()
        self._in_hand_since: float | None = None
        self._stopping = asyncio.Event()
        self._failures = 0

    async def run(self) -> None:
        """Consume until cancelled; a batch in hand is finished first."""
        forgetting = asyncio.create_task(self._forget_hourly())
        try:
            await self._read_on()
        finally:
            forgetting.cancel()
            await asyncio.gather(forgetting, return_exceptions=True)

    async def _forget_hourly(self) -> None:
        while True:
            try:
                forgotten = await self._inbox.forget()
            except Exception as error:
                log.warning("consumer.forgetting_failed", consumer=self.name, error_type=type(error).__name__)
            else:
                if forgotten == FORGOTTEN_AT_ONCE_MAX:
                    continue
            await asyncio.sleep(FORGET_EVERY_SECONDS)

    async def _read_on(self) -> None:
        stumbles = 0
        while True:
            broker, began = await self._start(), time.monotonic()
            try:
                self._watch = Watch(self._consumer(), lambda: self._in_hand_since)
                reason, error = await self._reading_ended(self._watch)
            except asyncio.CancelledError:
                self._stopping.set()
                raise
            finally:
                self._watch = None
                await self._stop(broker)
            stumbles = 1 if time.monotonic() - began > 30 else stumbles + 1
            _READING_FAILED.labels(self.name).inc()
            log.error("consumer.reading_failed", consumer=self.name, reason=reason, exc_info=error)
            await asyncio.sleep(_backoff(stumbles))

    async def _reading_ended(self, watching: Watch) -> tuple[str, BaseException | None]:
        stalled = asyncio.create_task(watching.until_stalled())
        reading: set[asyncio.Task[None]] = set(self._subscriber.tasks)
        try:
            await asyncio.wait({stalled, *reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stalled.cancel()
        ended = next((task for task in reading if task.done()), None)
        if ended is None:
            return stalled.result(), None
        return "reading broke off", None if ended.cancelled() else ended.exception()

    async def check(self) -> None:
        """Raise `Unavailable` while nothing can be read or handled."""
        if self._watch is None or self._failures or self._watch.silent_seconds() > watch.SILENT_SECONDS_MAX:
            raise ConsumerNotReading(name=self.name)

    async def _start(self) -> KafkaBroker:
        attempt = 0
        while True:
            broker, subscriber = self._build()
            # Set before the start: the first batch may come while it is still under way.
            self._subscriber = subscriber
            try:
                async with asyncio.timeout(START_SECONDS_MAX):
                    await broker.start()
            except (KafkaError, OSError, TimeoutError) as error:
                attempt += 1
                log.warning("consumer.not_started", consumer=self.name, error_type=type(error).__name__)
                await self._stop(broker)
                await asyncio.sleep(min(_backoff(attempt), START_PAUSE_SECONDS_MAX))
            except BaseException:
                await self._stop(broker)
                raise
            else:
                return broker

    async def _stop(self, broker: KafkaBroker) -> None:
        """Within a bound, whatever state the client is in; what it holds then goes to the next one."""
        client = self._consumer()
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await broker.stop()
        except Exception as error:
            log.warning("consumer.not_stopped", consumer=self.name, error_type=type(error).__name__)
        finally:
            self._in_hand_since = None
            if client is not None:
                await abandon(client)

    def _build(self) -> tuple[KafkaBroker, Any]:
        # Each of these differs from FastStream's default, and each default loses facts or makes topics.
        broker = KafkaBroker(
            self._bootstrap,
            client_id=f"cairn.{self.name}",
            consumer_only=True,
            allow_auto_create_topics=False,
            graceful_timeout=GRACE_SECONDS,
            metadata_max_age_ms=METADATA_SECONDS_MAX * 1000,
            apply_types=False,
            logger=None,
        )
        subscriber: Any = broker.subscriber(
            *self.topics,
            group_id=f"cairn.{self.name}",
            batch=True,
            max_records=BATCH_RECORDS_MAX,
            batch_timeout_ms=BATCH_WAIT_MS,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_500,
            rebalance_timeout_ms=int(GRACE_SECONDS * 2000),
            listener=_FinishFirst(self._in_hand),
            parser=_parse,
            decoder=_decode,
            no_reply=True,
        )
        subscriber(self._on_batch)
        return broker, subscriber

    async def _on_batch(self, raw: Sequence[Any]) -> None:
        """Never raises: FastStream would swallow it and read on past the batch."""
        records = [_record(one) for one in raw]
        self._in_hand_since = began = time.monotonic()
        try:
            async with self._in_hand:
                await self._inbox.take(records)
                await self._commit(records)
        except Unavailable as error:
            await self._step_back(records, error)
        except Exception as error:
            log.exception("consumer.batch_failed", consumer=self.name, error_type=type(error).__name__)
            await self._step_back(records, error)
        else:
            self._failures = 0
            _PAUSED.labels(self.name).set(0)
        finally:
            self._in_hand_since = None
        if len(records) < BATCH_RECORDS_MAX:
            took = time.monotonic() - began
            await asyncio.sleep(min(max(GATHER_SHARE * took, GATHER_SECONDS_MIN), GATHER_SECONDS_MAX) - took)

    async def _commit(self, records: Sequence[Record]) -> None:
        offsets: dict[Any, int] = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            offsets[place] = max(record.offset + 1, offsets.get(place, 0))
        try:
            # Without offsets it would commit every position, past records that nobody has handled.
            async with asyncio.timeout(COMMIT_SECONDS_MAX):
                await self._consumer().commit(offsets)
        except (KafkaError, TimeoutError) as error:
            # Partitions taken away or a broker restart: the facts come again and the inbox knows them.
            _COMMITS_FAILED.labels(self.name).inc()
            log.warning("consumer.commit_failed", consumer=self.name, error_type=type(error).__name__)

    async def _step_back(self, records: Sequence[Record], error: Exception) -> None:
        """Wait, then read the same records again: nothing of them was committed to Kafka."""
        self._failures += 1
        delay = _backoff(self._failures)
        _PAUSES.labels(self.name).inc()
        _PAUSED.labels(self.name).set(1)
        log.warning("consumer.paused", consumer=self.name, error_type=type(error).__name__, seconds=round(delay, 2))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay)
        first: dict[Any, int] = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            first[place] = min(record.offset, first.get(place, record.offset))
        for place, offset in first.items():
            try:
                self._consumer().seek(place, offset)
            except IllegalStateError:
                continue  # Taken away meanwhile: its new owner reads from the last commit.

    def _consumer(self) -> Any:
        return self._subscriber.consumer


class _FinishFirst(ConsumerRebalanceListener):
    """Lets the batch in hand commit before its partitions go: their next owner would handle it at the same time."""

    def __init__(self, in_hand: asyncio.Lock) -> None:
        self._in_hand = in_hand

    async def on_partitions_revoked(self, revoked: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            await asyncio.wait_for(self._in_hand.acquire(), GRACE_SECONDS)
        except TimeoutError:
            return
        self._in_hand.release()

    async def on_partitions_assigned(self, assigned: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        pass


def _record(raw: Any) -> Record:
    return Record(raw.topic, raw.partition, raw.offset, raw.key, raw.value, tuple(raw.headers))


async def _parse(records: tuple[Any, ...]) -> KafkaMessage:
    """FastStream's own parser decodes header values and drops the whole batch over one that is not UTF-8."""
    return KafkaMessage(raw_message=records, body=b"", headers={}, consumer=_NoConsumer())


async def _decode(message: Any) -> tuple[Any, ...]:
    return message.raw_message


class _NoConsumer:
    """Stands where FastStream would commit or seek by itself; offsets are this module's business alone."""

    async def commit(self) -> None:
        raise AssertionError("offsets are committed explicitly")

    def seek(self, partition: Any, offset: int) -> None:
        raise AssertionError("partitions are rewound explicitly")


def _backoff(attempt: int) -> float:
    return min(BACKOFF_SECONDS_MIN * 2 ** min(attempt, 10), BACKOFF_SECONDS_MAX) * random.uniform(0.5, 1.0)  # noqa: S311
