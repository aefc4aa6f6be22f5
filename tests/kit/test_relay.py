"""The relay: everything committed is published, in order per key, whatever dies; what cannot be published is parked."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from prometheus_client import REGISTRY

from cairn.parked_keys import list_parked, unpark
from contracts.envelope import Envelope
from contracts.errors import Unavailable
from contracts.ids import ApplicationId, uuid7
from kit import producer as producer_module
from kit import relay as relay_module
from kit.db import Database
from kit.operator_acts import By
from kit.outbox import SHARDS, append, append_all, append_record
from kit.producer import start_producer
from kit.relay import Relay
from kit.settings import ProcessSettings
from tests.kit.kafka_tools import NOW, TOPIC, reading, running, until, withdrawn
from tests.support.engines import FreshDatabase
from tests.support.operator_acts import acts_on


async def depth(database: Database) -> int:
    async with database.connection() as connection:
        return await connection.fetchval("SELECT count(*) FROM outbox")


async def drained(database: Database) -> bool:
    return await depth(database) == 0


async def test_publishes_in_order_per_key_and_empties_the_outbox(
    database: Database, kafka_settings: ProcessSettings
) -> None:
    keys = [ApplicationId.new() for _ in range(20)]
    async with reading(kafka_settings.kafka_bootstrap, TOPIC) as read, running(Relay(database, kafka_settings).run()):
        for turn in range(1, 31):
            async with database.transaction() as tx:
                await append_all(tx, [withdrawn(key, f"turn_{turn}") for key in keys], now=NOW)
        await until(lambda: drained(database))
        for key in keys:

            async def all_of_key(key: str = key) -> bool:
                return len(await read(key)) >= 30

            await until(all_of_key)
            records = await read(key)
            envelopes = [Envelope.from_headers(record.headers) for record in records]
            assert [envelope.sequence for envelope in envelopes] == list(range(1, 31))
            assert len({record.partition for record in records}) == 1


async def test_a_second_relay_takes_over_when_the_first_dies(
    service: FreshDatabase, database: Database, kafka_settings: ProcessSettings
) -> None:
    first, second = Relay(database, kafka_settings), Relay(database, kafka_settings)
    async with running(first.run()) as [task]:
        await until(lambda: _locks(service))
        async with running(second.run()):
            assert await _locks(service) == 8
            task.cancel()
            async with database.transaction() as tx:
                await append(tx, withdrawn(ApplicationId.new()), now=NOW)
            await until(lambda: drained(database))


async def test_a_host_that_falls_silent_loses_its_shards_and_meanwhile_the_backlog_is_told(
    service: FreshDatabase, database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "IDLE_SECONDS_MAX", 3)
    monkeypatch.setattr(relay_module, "MEASURE_SECONDS", 0.0)
    gone, successor = Relay(database, kafka_settings), Relay(database, kafka_settings)
    async with database.transaction() as tx:
        await append(tx, withdrawn(ApplicationId.new()), now=NOW)
    holding = AsyncExitStack()
    silent = await holding.enter_async_context(gone._session())  # pyright: ignore[reportPrivateUsage]
    assert len(await gone._claim(silent, [])) == SHARDS  # pyright: ignore[reportPrivateUsage]
    relay_module._AGE.labels("applications").set(0)  # pyright: ignore[reportPrivateUsage]
    async with running(successor.run()):

        async def backlog_is_told() -> bool:
            return (REGISTRY.get_sample_value("cairn_outbox_oldest_seconds", {"schema": "applications"}) or 0) > 0

        await until(backlog_is_told)
        assert await depth(database) == 1
        await until(lambda: drained(database))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await silent.execute("SELECT")
    await holding.aclose()


async def _locks(service: FreshDatabase) -> int:
    owner = await asyncpg.connect(service.owner_dsn)
    try:
        return await owner.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    finally:
        await owner.close()


async def test_a_crash_between_publish_and_delete_repeats_but_never_loses(
    database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [ApplicationId.new() for _ in range(5)]
    async with database.transaction() as tx:
        envelopes = await append_all(tx, [withdrawn(key) for key in keys for _ in range(4)], now=NOW)
    monkeypatch.setattr(relay_module, "_DELETE", "SELECT pg_terminate_backend(pg_backend_pid()), $1::bigint[]")
    async with reading(kafka_settings.kafka_bootstrap, TOPIC) as read:

        async def published_twice() -> bool:
            return all([len(await read(key)) >= 8 for key in keys])

        async with running(Relay(database, kafka_settings).run()):
            await until(published_twice)
            assert await depth(database) == 20
            monkeypatch.undo()
            await until(lambda: drained(database))
        for key in keys:
            seen = [Envelope.from_headers(record.headers) for record in await read(key)]
            assert {e.id for e in seen} == {e.id for e in envelopes if e.subject == key}
            first_of_each = list(dict.fromkeys(e.sequence for e in seen))
            assert first_of_each == [1, 2, 3, 4]


async def test_an_unknown_topic_parks_its_key_and_nothing_else(
    database: Database, kafka_settings: ProcessSettings
) -> None:
    lost, fine = ApplicationId.new(), ApplicationId.new()
    async with database.transaction() as tx:
        await _raw(tx, "cairn.nowhere", lost, b"{}")
        await append(tx, withdrawn(fine), now=NOW)
        await append(tx, withdrawn(lost), now=NOW)
    async with running(Relay(database, kafka_settings).run()):

        async def only_the_parked_row() -> bool:
            return await depth(database) == 1

        await until(only_the_parked_row)
        async with database.connection() as connection:
            parked = await list_parked(connection)
    assert [(each.topic, each.key, each.reason) for each in parked] == [("cairn.nowhere", lost, "topic_unknown")]


async def test_a_record_the_broker_refuses_parks_its_key_and_the_partition_goes_on(
    database: Database, kafka_settings: ProcessSettings
) -> None:
    large, beside = _two_keys_of_one_partition()
    async with database.transaction() as tx:
        await append(tx, withdrawn(beside, "before"), now=NOW)
        await append(tx, withdrawn(large, "before"), now=NOW)
        await _raw(tx, TOPIC, large, b"x" * 1_200_000)
        await append(tx, withdrawn(large, "after"), now=NOW)
        await append(tx, withdrawn(beside, "after"), now=NOW)
    async with (
        reading(kafka_settings.kafka_bootstrap, TOPIC) as read,
        running(Relay(database, kafka_settings).run()),
    ):

        async def settled() -> bool:
            async with database.connection() as connection:
                return await depth(database) == 2 and len(await list_parked(connection)) == 1

        await until(settled)
        assert b"after" in (await until(lambda: _two(read, beside)))[1].value
        assert [b"before" in record.value for record in await read(large)] == [True]
        async with database.transaction() as tx:
            [parked] = await list_parked(tx)
            assert parked.reason == "record_refused: MessageSizeTooLargeError"
            await tx.execute("DELETE FROM outbox WHERE id = $1", parked.outbox_id)
            by = By("ops", "the record was larger than the topic takes", NOW)
            await unpark(tx, topic=parked.topic, key=parked.key, by=by)
            [act] = await acts_on(tx, f"{parked.topic}/{parked.key}")
            assert (act.act, act.actor, act.reason, act.acted_at) == ("outbox_retried", by.actor, by.reason, NOW)
        await until(lambda: drained(database))
        assert b"after" in (await until(lambda: _two(read, large)))[1].value


async def test_a_refused_record_far_down_its_batch_is_found_with_one_more_producer(
    database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    async def counted(bootstrap: str, *, client_id: str) -> Any:
        started.append(await start_producer(bootstrap, client_id=client_id))
        return started[-1]

    monkeypatch.setattr(relay_module, "start_producer", counted)
    bad, beside = _two_keys_of_one_partition()
    async with database.transaction() as tx:
        await append_all(tx, [withdrawn(beside, f"turn_{turn}") for turn in range(7)], now=NOW)
        # The broker takes no record from the day after tomorrow, and refuses the batch it came in.
        await append(tx, withdrawn(bad), now=datetime.now(UTC) + timedelta(days=2))
        await append_all(tx, [withdrawn(beside, f"turn_{turn}") for turn in range(7, 12)], now=NOW)
    async with running(Relay(database, kafka_settings).run()):

        async def settled() -> bool:
            async with database.connection() as connection:
                return await depth(database) == 1 and [each.key for each in await list_parked(connection)] == [bad]

        await until(settled)
    assert len(started) == 3


async def test_a_topic_that_may_not_be_written_just_now_waits_and_parks_nothing(
    database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "TOPIC_RETRY_SECONDS", 1.0)
    closed, refusals = ["cairn.payments"], asyncio.Event()
    send_batch = AIOKafkaProducer.send_batch

    async def guarded(self: AIOKafkaProducer, batch: Any, topic: str, *, partition: int) -> Any:
        if topic in closed:
            refusals.set()
            raise TopicAuthorizationFailedError(topic)
        return await send_batch(self, batch, topic, partition=partition)

    monkeypatch.setattr(AIOKafkaProducer, "send_batch", guarded)
    async with running(Relay(database, kafka_settings).run()):
        async with database.transaction() as tx:
            await _raw(tx, "cairn.payments", ApplicationId.new(), b"{}")
            await append(tx, withdrawn(ApplicationId.new()), now=NOW)

        async def only_the_closed_one() -> bool:
            return refusals.is_set() and await depth(database) == 1

        await until(only_the_closed_one)
        async with database.connection() as connection:
            assert await list_parked(connection) == []
        closed.clear()
        await until(lambda: drained(database))


async def _two(read: Any, key: str) -> list[Any] | None:
    records = await read(key)
    return records if len(records) >= 2 else None


async def _raw(tx: Any, topic: str, key: str, value: bytes) -> None:
    await append_record(
        tx, topic=topic, record_key=key.encode(), headers=[], value=value, event_id=uuid7(), kind="test", now=NOW
    )


def _two_keys_of_one_partition() -> tuple[ApplicationId, ApplicationId]:
    from kit.producer import _spread  # pyright: ignore[reportPrivateUsage]

    first = ApplicationId.new()
    while True:
        other = ApplicationId.new()
        if _spread(other.encode(), 12) == _spread(first.encode(), 12):
            return first, other


async def test_runs_before_there_is_a_broker(database: Database, tmp_path: Any, topics: str) -> None:
    async with database.transaction() as tx:
        await append(tx, withdrawn(ApplicationId.new()), now=NOW)
    relay = Relay(database, ProcessSettings(secrets_dir=tmp_path, kafka_bootstrap="127.0.0.1:1"))
    async with running(relay.run()) as [task]:
        await asyncio.sleep(1.0)
        assert not task.done()
        assert await depth(database) == 1
        relay._bootstrap = topics  # pyright: ignore[reportPrivateUsage]
        await until(lambda: drained(database))


async def test_a_delivery_that_never_ends_is_given_up_and_sent_by_another_producer(
    database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_module, "SEND_SECONDS_MAX", 2.0)
    monkeypatch.setattr(relay_module, "SLOW_SECONDS", 0.5)
    send_batch, lost = AIOKafkaProducer.send_batch, asyncio.Event()

    async def lose_the_first(self: AIOKafkaProducer, *args: Any, **options: Any) -> Any:
        if not lost.is_set():
            lost.set()
            return asyncio.get_running_loop().create_future()
        return await send_batch(self, *args, **options)

    monkeypatch.setattr(AIOKafkaProducer, "send_batch", lose_the_first)
    async with database.transaction() as tx:
        await append(tx, withdrawn(ApplicationId.new()), now=NOW)
    relay = Relay(database, kafka_settings)

    async def ready() -> bool:
        try:
            await relay.check()
        except Unavailable:
            return False
        return True

    async def not_ready() -> bool:
        return not await ready()

    async with running(relay.run()):
        await lost.wait()
        await until(not_ready)
        await until(lambda: drained(database))
        await until(ready)
