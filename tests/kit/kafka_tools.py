"""Facts, records and groups for tests that share one broker: each test sees only what came after it began."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from contracts.envelope import Envelope, schema_uri, source_of
from contracts.events.applications import ApplicationWithdrawn
from contracts.ids import ApplicationId, uuid7
from kit.db import Database
from kit.inbox import Received

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOPIC = "cairn.applications"
DEAD = "cairn.dead-letters"


OWN: set[ApplicationId] = set()
"""The keys of the facts made here. The broker is shared: tests at work beside these publish on the same topics."""


def withdrawn(application_id: ApplicationId, reason: str = "changed_plans") -> ApplicationWithdrawn:
    OWN.add(application_id)
    return ApplicationWithdrawn(application_id=application_id, reason=reason, withdrawn_at=NOW)


def envelope_of(fact: ApplicationWithdrawn, *, event_id: UUID | None = None, **changes: Any) -> Envelope:
    return Envelope(
        id=event_id or uuid7(),
        type=fact.TYPE,
        source=source_of(fact.TYPE),
        time=NOW,
        subject=fact.application_id,
        dataschema=schema_uri(fact.TYPE),
        sequence=1,
        correlation_id="req-1",
    ).model_copy(update=changes)


async def until(check: Callable[[], Awaitable[Any]], *, seconds: float = 30.0) -> Any:
    """Wait for `check` to return something true; an assertion error counts as not yet."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            found = await check()
        except AssertionError:
            if time.monotonic() > give_up:
                raise
            found = None
        if found:
            return found
        if time.monotonic() > give_up:
            raise AssertionError(f"not true within {seconds} seconds")
        await asyncio.sleep(0.02)


async def effects(database: Database) -> list[str]:
    async with database.connection() as connection:
        return [row["what"] for row in await connection.fetch("SELECT what FROM effect ORDER BY id")]


async def note_effect(received: Received[ApplicationWithdrawn], tx: Any) -> None:
    """A handler whose effect is one row."""
    if received.fact.application_id not in OWN:
        return
    await tx.execute("INSERT INTO effect (what) VALUES ($1)", received.fact.reason)


@asynccontextmanager
async def running(*coroutines: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def from_now_on(bootstrap: str, group: str, *topics: str) -> None:
    """Let a consumer group begin at the end of its topics."""
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await client.start()
    try:
        places = [TopicPartition(topic, number) for topic in topics for number in range(12)]
        client.assign(places)
        ends = await client.end_offsets(places)
        await client.commit({place: max(end, 0) for place, end in ends.items()})
    finally:
        await client.stop()


@asynccontextmanager
async def reading(bootstrap: str, *topics: str) -> AsyncIterator[Callable[..., Awaitable[list[ConsumerRecord]]]]:
    """`await read(key)`: every record of that key since the block began."""
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="latest")
    await client.start()
    client.assign([TopicPartition(topic, number) for topic in topics for number in range(12)])
    await client.seek_to_end()
    for place in client.assignment():
        await client.position(place)
    seen: list[ConsumerRecord] = []

    async def read(key: str | None) -> list[ConsumerRecord]:
        for records in (await client.getmany(timeout_ms=100)).values():
            seen.extend(records)
        return [record for record in seen if record.key == (None if key is None else key.encode())]

    try:
        yield read
    finally:
        await client.stop()


Sent = tuple[str | None, bytes | None, Sequence[tuple[str, bytes | None]]]


async def send(bootstrap: str, *records: Sent, topic: str = TOPIC) -> None:
    """Send records as they are: key, value, headers."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for key, value, headers in records:
            await producer.send_and_wait(topic, value, key=key.encode() if key else None, headers=list(headers))
    finally:
        await producer.stop()


def as_sent(fact: ApplicationWithdrawn, envelope: Envelope) -> Sent:
    return fact.application_id, fact.model_dump_json().encode(), envelope.to_headers()
