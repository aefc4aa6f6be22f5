"""Whatever stands still inside the client library, a consumer says so, begins again and loses nothing."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contracts.ids import ApplicationId
from kit import watch
from kit.db import Database
from kit.kafka import Consumer
from kit.settings import ProcessSettings
from tests.kit.kafka_tools import as_sent, effects, envelope_of, running, send, until, withdrawn
from tests.kit.test_kafka import consumer_of, is_well


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(watch, "SILENT_SECONDS_MAX", 1.0)
    monkeypatch.setattr(watch, "STALLED_SECONDS", 4.0)


def _client(consumer: Consumer) -> Any:
    return consumer._subscriber.consumer  # pyright: ignore[reportPrivateUsage]


async def _send(settings: ProcessSettings, reason: str) -> None:
    fact = withdrawn(ApplicationId.new(), reason)
    await send(settings.kafka_bootstrap, as_sent(fact, envelope_of(fact)))


@pytest.mark.parametrize("place", ["metadata", "group"])
async def test_a_task_of_the_client_that_died_is_seen_and_reading_begins_again(
    database: Database, kafka_settings: ProcessSettings, place: str
) -> None:
    consumer = await consumer_of(database, kafka_settings)
    async with running(consumer.run()):
        await until(lambda: is_well(consumer))
        first = _client(consumer)
        await until(lambda: _joined(first))
        await _die(first, place)
        await _send(kafka_settings, "after_the_death")

        async def handled() -> bool:
            return await effects(database) == ["after_the_death"]

        await until(handled)
        await until(lambda: _another(consumer, first))
        await until(lambda: is_well(consumer))


async def _die(client: Any, place: str) -> None:
    """Let the task end as an error does that the library did not foresee."""

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("unforeseen")

    if place == "metadata":
        client._client._metadata_update = fail
        _ = client._client.force_metadata_update()
        dying = client._client._sync_task
    else:
        client._coordinator.ensure_coordinator_known = fail
        client._coordinator.coordinator_dead()
        dying = client._coordinator._coordination_task
    await asyncio.wait({dying}, timeout=10)
    assert isinstance(dying.exception(), RuntimeError | KafkaError)


async def test_reading_that_stands_still_is_not_ready_and_begins_again(
    database: Database, kafka_settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = await consumer_of(database, kafka_settings)
    read, stuck = AIOKafkaConsumer.getmany, asyncio.Event()

    async def stand_still(self: AIOKafkaConsumer, *args: Any, **options: Any) -> Any:
        if not stuck.is_set():
            stuck.set()
            await asyncio.Event().wait()
        return await read(self, *args, **options)

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", stand_still)
    async with running(consumer.run()):
        await stuck.wait()
        await _send(kafka_settings, "read_at_last")

        async def not_ready() -> bool:
            return not await is_well(consumer)

        async def handled() -> bool:
            return await effects(database) == ["read_at_last"]

        await until(not_ready)
        await until(handled)
        await until(lambda: is_well(consumer))


async def test_an_idle_consumer_is_left_alone(database: Database, kafka_settings: ProcessSettings) -> None:
    consumer = await consumer_of(database, kafka_settings)
    async with running(consumer.run()):
        await until(lambda: is_well(consumer))
        client = _client(consumer)
        await asyncio.sleep(watch.STALLED_SECONDS + 1)
        assert _client(consumer) is client
        assert await is_well(consumer)


async def _joined(client: Any) -> bool:
    return bool(client.assignment())


async def _another(consumer: Consumer, first: Any) -> bool:
    return _client(consumer) not in {None, first}
