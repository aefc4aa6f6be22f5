"""The consumer on a real broker: one effect per fact, poison aside, nothing lost, the partition goes on."""

import asyncio
import random
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from contracts.envelope import Fact
from contracts.errors import Unavailable
from contracts.events.applications import ApplicationWithdrawn
from contracts.ids import ApplicationId
from kit.clock import SystemClock
from kit.connections import UNREADABLE
from kit.db import Database
from kit.dead_letters import DeadLetter, Record, list_dead_letters, redrive, skip
from kit.inbox import Handler, Inbox, Received
from kit.kafka import GATHER_SECONDS_MIN, Consumer
from kit.outbox import append
from kit.relay import Relay
from kit.settings import ProcessSettings
from kit.telemetry import TraceContext, current_trace
from tests.kit.kafka_tools import (
    DEAD,
    NOW,
    TOPIC,
    as_sent,
    effects,
    envelope_of,
    from_now_on,
    note_effect,
    reading,
    running,
    send,
    until,
    withdrawn,
)


async def consumer_of(
    database: Database, settings: ProcessSettings, handler: Handler = note_effect, *, name: str | None = None
) -> Consumer:
    """A consumer with a group of its own that sees only what is sent from now on."""
    name = name or f"test-{ApplicationId.new()[-8:]}"
    await from_now_on(settings.kafka_bootstrap, f"cairn.{name}", TOPIC)
    handlers: dict[type[Fact], Handler] = {ApplicationWithdrawn: handler}
    return Consumer(name=name, database=database, settings=settings, handlers=handlers, clock=SystemClock())


async def letters_of(database: Database, *keys: str) -> list[DeadLetter]:
    async with database.connection() as connection:
        return [one for one in await list_dead_letters(connection, state=None) if one.record.key in _bytes(keys)]


def _bytes(keys: tuple[str, ...]) -> set[bytes]:
    return {key.encode() for key in keys}


async def test_the_same_facts_three_times_and_shuffled_are_one_effect_each(
    database: Database, kafka_settings: ProcessSettings
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    facts = [withdrawn(ApplicationId.new(), f"reason_{number}") for number in range(40)]
    deliveries = [as_sent(fact, envelope_of(fact)) for fact in facts] * 3
    random.Random(seed).shuffle(deliveries)
    consumer = await consumer_of(database, kafka_settings)
    async with running(consumer.run()):
        await send(kafka_settings.kafka_bootstrap, *deliveries)
        last = withdrawn(facts[0].application_id, "the_end")
        await send(kafka_settings.kafka_bootstrap, as_sent(last, envelope_of(last)))

        async def complete() -> bool:
            return len(await effects(database)) >= 41

        await until(complete)
        await until(lambda: _lag_is_zero(kafka_settings, consumer))
    assert sorted(await effects(database)) == sorted([*(fact.reason for fact in facts), "the_end"])


async def test_facts_that_stream_in_are_handled_together(
    database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However thinly they come: no batch begins sooner after another than the gathering lasts."""
    began: list[float] = []
    take = Inbox.take

    async def take_and_note(inbox: Inbox, records: Sequence[Record]) -> None:
        began.append(time.monotonic())
        await take(inbox, records)

    monkeypatch.setattr(Inbox, "take", take_and_note)
    consumer = await consumer_of(database, kafka_settings)
    async with running(consumer.run()):
        for _ in range(40):
            fact = withdrawn(ApplicationId.new())
            await send(kafka_settings.kafka_bootstrap, as_sent(fact, envelope_of(fact)))

        async def complete() -> bool:
            return len(await effects(database)) >= 40

        await until(complete)
    assert all(later - earlier > GATHER_SECONDS_MIN * 0.9 for earlier, later in pairwise(began))


async def _lag_is_zero(settings: ProcessSettings, consumer: Consumer) -> bool:
    from aiokafka import TopicPartition

    client = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, group_id=f"cairn.{consumer.name}", enable_auto_commit=False
    )
    await client.start()
    try:
        places = [TopicPartition(TOPIC, number) for number in range(12)]
        client.assign(places)
        ends = await client.end_offsets(places)
        return all([(await client.committed(place) or 0) >= ends[place] for place in places])
    finally:
        await client.stop()


POISON: dict[str, tuple[str, Any]] = {
    "not JSON": ("not_json", {"value": b"\x00\xffnot json"}),
    "no value": ("value_missing", {"value": None}),
    "wrong schema": ("schema_invalid", {"value": b'{"application_id": "secret-name", "reason": 7}'}),
    "header not UTF-8": ("envelope_unreadable", {"headers": {"ce_source": b"\xff\xfe"}}),
    "foreign header not UTF-8": ("envelope_unreadable", {"headers": {"x-other": b"\xff\xfe"}}),
    "header without value": ("envelope_unreadable", {"headers": {"ce_source": None}}),
    "header missing": ("envelope_unreadable", {"without": "ce_id"}),
    "id is no UUID": ("envelope_unreadable", {"headers": {"ce_id": b"secret-name"}}),
    "unknown type": ("type_unknown", {"headers": {"ce_type": b"cairn.applications.application.vanished.v1"}}),
    "unknown version": ("version_unknown", {"headers": {"ce_type": b"cairn.applications.application.withdrawn.v9"}}),
}


@pytest.mark.parametrize("kind", POISON)
async def test_poison_is_buried_with_its_reason_and_the_partition_goes_on(
    kind: str, database: Database, kafka_settings: ProcessSettings
) -> None:
    reason, changes = POISON[kind]
    before, after = withdrawn(ApplicationId.new(), "before"), None
    after = withdrawn(before.application_id, "after")
    key, value, headers = as_sent(before, envelope_of(before))
    bad_headers = {**dict(headers), **changes.get("headers", {})}
    bad_headers.pop(changes.get("without", ""), None)
    bad = (key, changes.get("value", value), list(bad_headers.items()))
    consumer = await consumer_of(database, kafka_settings)
    relay = Relay(database, kafka_settings)
    async with reading(kafka_settings.kafka_bootstrap, DEAD) as read, running(consumer.run(), relay.run()):
        await send(
            kafka_settings.kafka_bootstrap,
            as_sent(before, envelope_of(before)),
            bad,
            as_sent(after, envelope_of(after)),
        )

        async def both() -> bool:
            return await effects(database) == ["before", "after"]

        await until(both)
        [letter] = await letters_of(database, before.application_id)
        assert letter.poison.reason == reason
        assert "secret-name" not in letter.poison.explanation
        assert (letter.record.value, list(letter.record.headers)) == (bad[1], bad[2])
        [copy] = await until(lambda: read(before.application_id))
    assert copy.value == bad[1]
    assert list(copy.headers[: len(bad[2])]) == bad[2]
    added = dict(copy.headers[len(bad[2]) :])
    assert added["cairn-dead-letter-reason"] == reason.encode()
    assert added["cairn-dead-letter-consumer"] == consumer.name.encode()
    assert added["cairn-dead-letter-offset"] == str(letter.record.offset).encode()


class Unreadable(str):
    """A header name whose bytes are not UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"x-\xff\xfe"


async def test_a_header_name_that_is_not_utf_8_is_buried_and_the_partition_goes_on(
    database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = withdrawn(ApplicationId.new(), "before")
    key, value, headers = as_sent(before, envelope_of(before))
    # The client's compiled writer would encode the name by itself; the broker takes any bytes.
    for user in ("message_accumulator", "producer"):
        monkeypatch.setattr(f"aiokafka.producer.{user}.DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    consumer = await consumer_of(database, kafka_settings)
    relay = Relay(database, kafka_settings)
    async with reading(kafka_settings.kafka_bootstrap, DEAD) as read, running(consumer.run(), relay.run()):
        good = as_sent(before, envelope_of(before))
        after = withdrawn(before.application_id, "after")
        bad = (key, value, [*headers, (Unreadable("x"), b"1")])
        await send(kafka_settings.kafka_bootstrap, good, bad, as_sent(after, envelope_of(after)))

        async def both() -> bool:
            return await effects(database) == ["before", "after"]

        await until(both)
        [letter] = await letters_of(database, before.application_id)
        [copy] = await until(lambda: read(before.application_id))
    assert letter.poison.reason == "envelope_unreadable"
    assert letter.record.headers[-1] == (UNREADABLE + r"x-\xff\xfe", b"1")
    assert (copy.value, copy.headers[len(headers)]) == (value, letter.record.headers[-1])


async def test_a_failing_handler_buries_one_record_of_a_batch_and_redrive_mends_it(
    database: Database, kafka_settings: ProcessSettings
) -> None:
    broken, attempts = True, 0

    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        nonlocal attempts
        await note_effect(received, tx)
        if received.fact.reason == "reason_13" and broken:
            attempts += 1
            raise LookupError("Ada Lovelace, 123-45-6789")

    async def other(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        others.append(received.fact.reason)

    others: list[str] = []
    key = ApplicationId.new()
    facts = [withdrawn(key, f"reason_{number}") for number in range(30)]
    await send(kafka_settings.kafka_bootstrap)
    consumer = await consumer_of(database, kafka_settings, handle)
    bystander = await consumer_of(database, kafka_settings, other)
    await send(kafka_settings.kafka_bootstrap, *(as_sent(fact, envelope_of(fact)) for fact in facts))
    async with running(consumer.run(), bystander.run(), Relay(database, kafka_settings).run()):

        async def all_but_one() -> bool:
            return len(await effects(database)) == 29 and len(others) == 30

        await until(all_but_one)
        [letter] = await letters_of(database, key)
        assert letter.poison.reason == "handler_failed"
        assert letter.poison.explanation.startswith("LookupError at test_kafka.py:")
        assert attempts > 3
        assert await effects(database) == [f"reason_{n}" for n in range(30) if n != 13]

        broken = False
        async with database.transaction() as tx:
            await redrive(tx, letter.id, "staff-ada", NOW)

        async def mended() -> bool:
            return (await effects(database))[-1] == "reason_13"

        await until(mended)
        last = withdrawn(key, "last")
        await send(kafka_settings.kafka_bootstrap, as_sent(last, envelope_of(last)))

        async def bystander_saw_the_last() -> bool:
            return others[-1] == "last"

        await until(bystander_saw_the_last)
    assert others == [*(f"reason_{n}" for n in range(30)), "last"]
    assert len(await letters_of(database, key)) == 1


async def test_a_redriven_record_that_is_still_poison_is_buried_again_and_skipped(
    database: Database, kafka_settings: ProcessSettings
) -> None:
    key = ApplicationId.new()
    consumer = await consumer_of(database, kafka_settings)
    async with running(consumer.run(), Relay(database, kafka_settings).run()):
        await send(kafka_settings.kafka_bootstrap, (key, b"?", envelope_of(withdrawn(key)).to_headers()))
        [first] = await until(lambda: letters_of(database, key))
        async with database.transaction() as tx:
            await redrive(tx, first.id, "staff-ada", NOW)

        async def buried_again() -> list[DeadLetter] | None:
            letters = await letters_of(database, key)
            return letters if len(letters) == 2 else None

        _, second = await until(buried_again)
        assert second.record.value == b"?"
        async with database.transaction() as tx:
            settled = await skip(tx, second.id, "staff-ada", "sent by a test", NOW)
    assert settled.state == "skipped"
    assert [(act.act, act.actor, act.reason) for act in settled.acts] == [("skipped", "staff-ada", "sent by a test")]


async def test_unavailable_pauses_without_committing_and_comes_back(
    database: Database, kafka_settings: ProcessSettings
) -> None:
    refusals, was_ready = 4, []

    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        nonlocal refusals
        await note_effect(received, tx)
        if received.fact.reason == "reason_5" and refusals:
            was_ready.append(await is_well(consumer))
            refusals -= 1
            raise Unavailable

    key = ApplicationId.new()
    facts = [withdrawn(key, f"reason_{number}") for number in range(10)]
    consumer = await consumer_of(database, kafka_settings, handle)
    await send(kafka_settings.kafka_bootstrap, *(as_sent(fact, envelope_of(fact)) for fact in facts))
    async with running(consumer.run()):

        async def all_in_order() -> bool:
            return await effects(database) == [fact.reason for fact in facts]

        await until(all_in_order)

        await until(lambda: is_well(consumer))
    assert was_ready == [True, False, False, False]
    assert refusals == 0
    assert await letters_of(database, key) == []


async def is_well(consumer: Consumer) -> bool:
    try:
        await consumer.check()
    except Unavailable:
        return False
    return True


async def test_handlers_run_inside_the_trace_of_the_fact(database: Database, kafka_settings: ProcessSettings) -> None:
    seen: dict[UUID, TraceContext] = {}

    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        seen[received.envelope.id] = current_trace()

    fact = withdrawn(ApplicationId.new())
    traceparent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    envelope = envelope_of(fact, traceparent=traceparent, correlation_id="req-9")
    consumer = await consumer_of(database, kafka_settings, handle)
    async with running(consumer.run()):
        await send(kafka_settings.kafka_bootstrap, as_sent(fact, envelope))

        async def handled() -> TraceContext | None:
            return seen.get(envelope.id)

        trace: TraceContext = await until(handled)
    assert trace.traceparent is not None
    assert trace.traceparent[:35] == traceparent[:35]
    assert (trace.correlation_id, trace.causation_id) == ("req-9", str(envelope.id))


async def test_two_members_share_and_take_over_without_doubling(
    database: Database, kafka_settings: ProcessSettings
) -> None:
    keys = [ApplicationId.new() for _ in range(24)]
    name = f"test-{ApplicationId.new()[-8:]}"
    first = await consumer_of(database, kafka_settings, name=name)
    second = Consumer(
        name=name,
        database=database,
        settings=kafka_settings,
        handlers={ApplicationWithdrawn: note_effect},
        clock=SystemClock(),
    )
    relay = Relay(database, kafka_settings)
    async with running(relay.run(), first.run()) as tasks:
        await _append_turns(database, keys, 0)
        async with running(second.run()):
            await _append_turns(database, keys, 1)
            tasks[1].cancel()
            await asyncio.wait({tasks[1]})
            await _append_turns(database, keys, 2)

            async def complete() -> bool:
                return len(await effects(database)) >= 3 * len(keys)

            await until(complete)
    assert sorted(await effects(database)) == sorted(f"turn_{turn}" for turn in range(3) for _ in keys)


async def _append_turns(database: Database, keys: list[ApplicationId], turn: int) -> None:
    for key in keys:
        async with database.transaction() as tx:
            await append(tx, withdrawn(key, f"turn_{turn}"), now=NOW)


async def test_reading_that_breaks_off_is_seen_and_begins_again(
    database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = await consumer_of(database, kafka_settings)
    read, faults = AIOKafkaConsumer.getmany, ["once", "twice"]

    async def stumble(self: AIOKafkaConsumer, *args: Any, **options: Any) -> Any:
        if faults:
            faults.pop()
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return await read(self, *args, **options)

    fact = withdrawn(ApplicationId.new(), "read_at_last")
    await send(kafka_settings.kafka_bootstrap, as_sent(fact, envelope_of(fact)))
    monkeypatch.setattr(AIOKafkaConsumer, "getmany", stumble)
    async with running(consumer.run()):

        async def handled() -> bool:
            return await effects(database) == ["read_at_last"]

        await until(handled)
        await until(lambda: is_well(consumer))
    assert faults == []


def test_a_consumer_needs_a_handler(kafka_settings: ProcessSettings) -> None:
    with pytest.raises(ValueError, match="handles nothing"):
        Consumer(name="x", database=None, settings=kafka_settings, handlers={}, clock=SystemClock())  # type: ignore[arg-type]
