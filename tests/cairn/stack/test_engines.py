"""Each engine: started from nothing, killed in the middle, restarted on the same ports with the same data."""

import asyncio
import os
import signal
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from temporalio.client import Client

from cairn.stack.engines import engines_of, kafka_of, postgres_of, temporal_of
from cairn.stack.layout import Home
from cairn.stack.ports import ports_of
from cairn.stack.secrets import make_secrets
from cairn.stack.supervisor import Supervisor
from tests.cairn.stack.waiting import until


class Trace(Protocol):
    """Something written into an engine that must still be there after a crash."""

    def __init__(self, home: Home, ports: dict[str, int]) -> None: ...
    async def write(self) -> None: ...
    async def read(self) -> bool: ...


class Row:
    def __init__(self, home: Home, ports: dict[str, int]) -> None:
        self._dsn = postgres_of(home, ports).admin_dsn("postgres")

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:
        connection = await asyncpg.connect(self._dsn)
        try:
            return await work(connection)
        finally:
            await connection.close()

    async def write(self) -> None:
        await self._run(lambda c: c.execute("CREATE TABLE kept AS SELECT 42 AS answer"))

    async def read(self) -> bool:
        return await self._run(lambda c: c.fetchval("SELECT answer FROM kept")) == 42


class Message:
    def __init__(self, home: Home, ports: dict[str, int]) -> None:
        self._bootstrap = kafka_of(home, ports).bootstrap

    async def write(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
        await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        await producer.send_and_wait("kept", b"42")
        await producer.stop()

    async def read(self) -> bool:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition("kept", 0)])
            return (await asyncio.wait_for(consumer.getone(), 30)).value == b"42"
        finally:
            await consumer.stop()


class Workflow:
    def __init__(self, home: Home, ports: dict[str, int]) -> None:
        self._address = temporal_of(home, ports).address
        self._id = f"kept-{uuid.uuid4()}"

    async def write(self) -> None:
        client = await Client.connect(self._address, namespace="cairn")
        await client.start_workflow("Kept", id=self._id, task_queue="nobody", execution_timeout=timedelta(hours=1))

    async def read(self) -> bool:
        client = await Client.connect(self._address, namespace="cairn")
        return (await client.get_workflow_handle(self._id).describe()).workflow_type == "Kept"


@pytest.mark.parametrize(("name", "kind"), [("postgres", Row), ("kafka", Message), ("temporal", Workflow)])
async def test_engine_keeps_ports_and_data_through_kill_and_restart(home: Home, name: str, kind: type[Trace]) -> None:
    async with Supervisor(home) as stack:
        make_secrets(home)
        await stack.start([engines_of(home, stack.ports, durable=True)[name]])
        stack.ready()
        ports = dict(stack.ports)
        trace = kind(home, ports)
        await trace.write()
        [unit] = stack.units
        first = unit.pid
        assert first is not None

        os.kill(first, signal.SIGKILL)
        await until(lambda: unit.state == "ready" and unit.pid not in {None, first}, f"{name} comes back")

        assert unit.restarts == 1
        assert await trace.read()
        assert stack.describe()["status"] == "ready"

    async with Supervisor(home) as again:
        assert again.ports == ports == ports_of(home)
        await again.start([engines_of(home, again.ports, durable=True)[name]])
        assert await trace.read()


async def test_mail_sink_keeps_messages(home: Home) -> None:
    import aiosmtplib

    async with Supervisor(home) as stack:
        await stack.start([engines_of(home, stack.ports)["mail"]])
        message = "From: a@example.org\r\nTo: b@example.org\r\nSubject: Hello\r\n\r\nHello"
        await aiosmtplib.send(
            message.encode(),
            sender="a@example.org",
            recipients=["b@example.org"],
            port=stack.ports["mail"],
            hostname="127.0.0.1",
        )
        kept = list((home.path / "mail" / "new").iterdir())
    assert len(kept) == 1
    assert "Subject: Hello" in kept[0].read_text()


async def test_postgres_refuses_a_wrong_password_and_listens_on_loopback_only(home: Home) -> None:
    async with Supervisor(home) as stack:
        make_secrets(home)
        postgres = postgres_of(home, stack.ports, durable=False)
        await stack.start([postgres])
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(postgres.admin_dsn("postgres"), password="wrong")
        connection = await asyncpg.connect(postgres.admin_dsn("postgres"))
        assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
        await connection.close()
        if os.geteuid() == 0:
            [unit] = stack.units
            assert Path(f"/proc/{unit.pid}").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
async def test_binaries_out_of_reach_of_the_other_user_are_copied(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cairn.stack.postgres._others_reach", lambda folder: False)
    async with Supervisor(home) as stack:
        make_secrets(home)
        await stack.start([postgres_of(home, stack.ports, durable=False)])
        pid = stack.units[0].pid
        assert str(home.nobody_folder) in str(Path(f"/proc/{pid}/exe").readlink())
