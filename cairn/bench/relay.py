"""`cairn bench relay`: events a second through the outbox and their lag, beside producing without a database."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from cairn.bench.engines import Bench, bench_stack
from cairn.bench.table import Report, percentile
from contracts.events.applications import MilestoneReached
from contracts.ids import ApplicationId, EnrollmentId
from contracts.topics import Topic
from kit.db import Database
from kit.outbox import append_all
from kit.producer import start_producer
from kit.relay import Relay

KEYS = 500
APPEND_AT_ONCE = 200
ONE_BY_ONE_EVENTS = 2000
STEADY_SECONDS = 10.0
STEADY_PER_SECOND = 1000
DRAIN_SECONDS_MAX = 600.0


async def measure(count: int) -> Report:
    """A backlog of `count` events, the same bytes straight to Kafka, one send an event; a steady rate for the lag."""
    report = Report(
        "relay",
        "publishing facts",
        f"{count} facts of {KEYS} cases: a backlog in the outbox published by one relay (read, send with acks=all and"
        " idempotence, delete), beside the same bytes produced without a database in batches, and beside a loop that"
        f" sends and awaits each. Lag: {STEADY_PER_SECOND} facts a second for {STEADY_SECONDS:.0f} s, from the row's"
        " creation to a consumer's hands.",
    )
    async with bench_stack([]) as bench:
        database = await Database.connect(
            bench.settings.dsn("cairn_applications"), schema="applications", application_name="cairn bench"
        )
        try:
            await _measure(bench, database, count, report)
        finally:
            await database.close()
    return report


async def _measure(bench: Bench, database: Database, count: int, report: Report) -> None:
    keys = [ApplicationId.new() for _ in range(KEYS)]
    samples = await _append(database, keys, count)
    rate = count / await _drained(bench, database)
    bare = count / await _produce(bench, samples, count)
    slow = ONE_BY_ONE_EVENTS / await _one_by_one(bench, samples)
    lags = await _lags(bench, database, keys)
    report.add("events a second, outbox and relay", f"{rate:,.0f}")
    report.add("events a second, produce without a database", f"{bare:,.0f}")
    report.add("events a second, one send an event", f"{slow:,.0f}")
    report.add("relay beside one send an event", f"{rate / slow:.1f} ×")
    report.add("share of produce without a database", f"{rate / bare:.0%}")
    report.add("lag p50 / p99", f"{percentile(lags, 0.5) * 1000:.0f} / {percentile(lags, 0.99) * 1000:.0f} ms")
    report.add("lag measured on", f"{len(lags):,} events")


def _facts(keys: list[ApplicationId], numbers: range) -> list[MilestoneReached]:
    return [
        MilestoneReached(
            application_id=keys[number % KEYS],
            enrollment_id=EnrollmentId.derive(keys[number % KEYS]),
            provider_id="lorain-ccc",
            credential_id="lorain-soldering",
            milestone="week_1",
            reached_at=datetime.now(UTC),
        )
        for number in numbers
    ]


async def _append(database: Database, keys: list[ApplicationId], count: int) -> list[tuple[bytes, bytes, Any]]:
    samples: list[tuple[bytes, bytes, Any]] = []
    for begin in range(0, count, APPEND_AT_ONCE):
        facts = _facts(keys, range(begin, min(begin + APPEND_AT_ONCE, count)))
        async with database.transaction() as tx:
            envelopes = await append_all(tx, facts, now=datetime.now(UTC))
        if len(samples) < KEYS:
            samples += [
                (fact.application_id.encode(), fact.model_dump_json().encode(), envelope.to_headers())
                for fact, envelope in zip(facts, envelopes, strict=True)
            ]
    return samples


async def _drained(bench: Bench, database: Database) -> float:
    relay = asyncio.create_task(Relay(database, bench.settings).run())
    began = time.perf_counter()
    try:
        async with asyncio.timeout(DRAIN_SECONDS_MAX), database.connection() as connection:
            while await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                await asyncio.sleep(0.02)
        return time.perf_counter() - began
    finally:
        await _end(relay)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _produce(bench: Bench, samples: list[tuple[bytes, bytes, Any]], count: int) -> float:
    """The same bytes, kept in batches by the producer itself; nothing is read and nothing deleted."""
    producer = await start_producer(bench.settings.kafka_bootstrap, client_id="bench")
    began = time.perf_counter()
    waiting: list[Any] = []
    for number in range(count):
        key, value, headers = samples[number % len(samples)]
        waiting.append(await producer.send(Topic.APPLICATIONS, value, key=key, headers=headers))
        if len(waiting) >= 5000:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    seconds = time.perf_counter() - began
    await producer.stop()
    return seconds


async def _one_by_one(bench: Bench, samples: list[tuple[bytes, bytes, Any]]) -> float:
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bench.settings.kafka_bootstrap, acks="all", enable_idempotence=True
    )
    await producer.start()
    began = time.perf_counter()
    for number in range(ONE_BY_ONE_EVENTS):
        key, value, headers = samples[number % len(samples)]
        await producer.send_and_wait(Topic.APPLICATIONS, value, key=key, headers=headers)
    seconds = time.perf_counter() - began
    await producer.stop()
    return seconds


async def _lags(bench: Bench, database: Database, keys: list[ApplicationId]) -> list[float]:
    """Seconds from each row's creation (the record's timestamp) to the consumer, at a steady rate."""
    consumer: Any = AIOKafkaConsumer(
        Topic.APPLICATIONS, bootstrap_servers=bench.settings.kafka_bootstrap, auto_offset_reset="latest"
    )
    await consumer.start()
    await consumer.seek_to_end()
    relay = asyncio.create_task(Relay(database, bench.settings).run())
    lags: list[float] = []

    async def listen() -> None:
        async for record in consumer:
            lags.append(time.time() - record.timestamp / 1000)

    listening = asyncio.create_task(listen())
    try:
        warm_up = 500
        await _write_steadily(database, keys, warm_up)
        async with asyncio.timeout(60):
            while len(lags) < warm_up:
                await asyncio.sleep(0.02)
        lags.clear()
        total = int(STEADY_SECONDS * STEADY_PER_SECOND)
        await _write_steadily(database, keys, total)
        async with asyncio.timeout(60):
            while len(lags) < total:
                await asyncio.sleep(0.02)
    finally:
        await _end(listening)
        await _end(relay)
        await consumer.stop()
    return lags


async def _write_steadily(database: Database, keys: list[ApplicationId], total: int) -> None:
    """Ten facts a transaction, a hundred transactions a second."""
    began = time.perf_counter()
    for begin in range(0, total, 10):
        async with database.transaction() as tx:
            await append_all(tx, _facts(keys, range(begin, begin + 10)), now=datetime.now(UTC))
        ahead = began + (begin + 10) / STEADY_PER_SECOND - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
