"""Facts survive kill -9 of the broker and of PostgreSQL, on engines that belong to this module."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from cairn.bootstrap.postgres import ensure_database, ensure_roles, migrate_schemas
from cairn.bootstrap.topics import ensure_topics, read_topics
from cairn.stack.engines import kafka_of, postgres_of
from cairn.stack.layout import Home
from cairn.stack.secrets import password_of
from contracts.errors import Unavailable
from contracts.events.applications import ApplicationWithdrawn
from contracts.ids import ApplicationId
from kit.clock import SystemClock
from kit.db import Connection, Database
from kit.inbox import Received
from kit.kafka import Consumer
from kit.outbox import append_all
from kit.relay import Relay
from kit.settings import ProcessSettings
from tests.kit.kafka_tools import NOW, effects, note_effect, running, until, withdrawn
from tests.support.engine_hosts import SHARED_HOME, EngineHosts

KEYS, TURNS = 10, 12


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Home]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(SHARED_HOME, raising=False)
        hosts = EngineHosts(tmp_path_factory.mktemp("mortal"))
        yield {name: hosts.home_of(name) for name in ("postgres", "kafka")}
        hosts.let_go()
        hosts.wait_until_gone()


@pytest.fixture
async def mortal(engines: dict[str, Home]) -> AsyncIterator[Database]:
    home = engines["postgres"]
    server = postgres_of(home, home.read_state()["ports"])
    roles = ("cairn_applications", "cairn_eligibility", "cairn_payments", "cairn_notifications", "cairn_workflows")
    await ensure_database(server.admin_dsn())
    await ensure_roles(server.admin_dsn(), {role: password_of(home, role) for role in roles})
    owner = await asyncpg.connect(server.admin_dsn())
    await migrate_schemas(owner, ["vault", "access", "applications"])
    # The engines of tests answer a commit before it is written; a killed server would forget what it promised.
    await owner.execute("ALTER ROLE cairn_applications SET synchronous_commit = on")
    await owner.execute(
        "DROP TABLE IF EXISTS applications.effect; TRUNCATE applications.outbox, applications.inbox;"
        "CREATE TABLE applications.effect (id bigint GENERATED ALWAYS AS IDENTITY, what text NOT NULL)"
    )
    await owner.close()
    dsn = server.url().replace("//", f"//cairn_applications:{password_of(home, 'cairn_applications')}@", 1)
    database = await Database.connect(dsn, schema="applications", application_name="test faults")
    yield database
    await database.close()


@pytest.fixture
async def settings(engines: dict[str, Home], tmp_path: Path) -> ProcessSettings:
    bootstrap = kafka_of(engines["kafka"], engines["kafka"].read_state()["ports"]).bootstrap
    await ensure_topics(bootstrap, read_topics("local"))
    return ProcessSettings(secrets_dir=tmp_path, kafka_bootstrap=bootstrap)


def kill(home: Home, unit: str) -> None:
    """Kill -9; the supervisor of the engines starts it again."""
    os.kill(home.read_state()["units"][unit]["pid"], signal.SIGKILL)


@pytest.mark.parametrize("victim", ["kafka", "postgres"])
async def test_every_committed_fact_is_handled_once(
    victim: str, engines: dict[str, Home], mortal: Database, settings: ProcessSettings
) -> None:
    keys = [ApplicationId.new() for _ in range(KEYS)]
    mine = set(keys)
    committed: list[str] = []

    async def note_mine(received: Received[ApplicationWithdrawn], tx: Connection) -> None:
        if received.fact.application_id in mine:
            await note_effect(received, tx)

    consumer = Consumer(
        name=f"test-{victim}",  # reads from the earliest record on, as every new consumer does
        database=mortal,
        settings=settings,
        handlers={ApplicationWithdrawn: note_mine},
        clock=SystemClock(),
    )

    async def write() -> None:
        for turn in range(TURNS):
            if turn == TURNS // 2:
                kill(engines[victim], victim)
            facts = [withdrawn(key, f"k{number}_t{turn}") for number, key in enumerate(keys)]
            while True:
                try:
                    async with mortal.transaction() as tx:
                        await append_all(tx, facts, now=NOW)
                    break
                except Unavailable:
                    await asyncio.sleep(0.1)
            committed.extend(fact.reason for fact in facts)
            await asyncio.sleep(0.05)

    async def complete() -> bool:
        try:
            return len(await effects(mortal)) >= len(committed)
        except Unavailable:
            return False

    async with running(Relay(mortal, settings).run(), consumer.run()) as tasks:
        await asyncio.wait_for(write(), 60)
        await until(complete, seconds=90)
        assert [task.exception() for task in tasks if task.done()] == []
    found = await effects(mortal)
    # A commit whose answer was lost is repeated by the writer: that is one more fact, not one handled twice.
    assert sorted(set(found)) == sorted(committed)
    if victim == "kafka":
        assert sorted(found) == sorted(committed)
    for number in range(KEYS):
        turns = [int(what.partition("_t")[2]) for what in found if what.startswith(f"k{number}_")]
        assert turns == sorted(turns)
