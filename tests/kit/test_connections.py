"""The Kafka client on uvloop, as every process runs it: a lost connection is a lost connection and nothing worse."""

import asyncio
from typing import Any

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from kit.connections import survive_broken_connections


@pytest.fixture(autouse=True)
def repaired() -> None:
    survive_broken_connections()


async def _started(bootstrap: str) -> Any:
    client: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await client.start()
    return client


async def _lose(connection: Any) -> None:
    """Up to the moment in which the transport is closed and the library has not been told yet."""
    connection._writer.transport.abort()
    await asyncio.sleep(0)
    assert connection._writer is not None


def _on_uvloop(scene: Any) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene)


def test_what_is_written_to_a_lost_connection_fails_as_a_connection(topics: str) -> None:
    async def scene() -> None:
        client = await _started(topics)
        try:
            connection = await client._client._get_conn(1)
            await _lose(connection)
            with pytest.raises(KafkaConnectionError, match="is lost"):
                connection.send(MetadataRequest([]))
            assert not connection.connected()
        finally:
            await client.stop()

    _on_uvloop(scene())


def test_the_metadata_are_still_kept_after_a_connection_was_lost(topics: str) -> None:
    async def scene() -> None:
        client = await _started(topics)
        try:
            network = client._client
            connection, connect = await network._get_conn(1), network._get_conn

            async def once_the_lost_one(*_: Any, **__: Any) -> Any:
                network._get_conn = connect
                await _lose(connection)
                return connection

            network._get_conn = once_the_lost_one
            async with asyncio.timeout(10):
                assert await network.force_metadata_update() is False
                assert await network.force_metadata_update() is True
            assert not network._sync_task.done()
        finally:
            await client.stop()

    _on_uvloop(scene())


def test_the_repair_is_made_once() -> None:
    from aiokafka.conn import AIOKafkaConnection

    survive_broken_connections()
    once = AIOKafkaConnection.send
    survive_broken_connections()
    assert AIOKafkaConnection.send is once
