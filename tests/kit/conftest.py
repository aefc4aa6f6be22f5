"""A service's database with a table for effects, topics on the broker, and what speaks to them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from cairn.bootstrap.topics import ensure_topics, read_topics
from kit.db import Database
from kit.settings import ProcessSettings
from tests.support.engines import FreshDatabase


@pytest.fixture(scope="session")
def topics(kafka_bootstrap: str) -> str:
    """The bootstrap address of a broker that has every topic."""
    asyncio.run(ensure_topics(kafka_bootstrap, read_topics("local")))
    return kafka_bootstrap


@pytest.fixture
def kafka_settings(topics: str, tmp_path: Path) -> ProcessSettings:
    return ProcessSettings(secrets_dir=tmp_path, kafka_bootstrap=topics)


@pytest.fixture
async def service(fresh_database: Callable[..., Awaitable[FreshDatabase]]) -> FreshDatabase:
    """A fresh database with the schema `applications` and in it a table `effect` for what handlers do."""
    fresh = await fresh_database("applications")
    owner = await asyncpg.connect(fresh.owner_dsn)
    await owner.execute("CREATE TABLE applications.effect (id bigint GENERATED ALWAYS AS IDENTITY, what text NOT NULL)")
    await owner.close()
    return fresh


@pytest.fixture
async def database(service: FreshDatabase) -> AsyncIterator[Database]:
    opened = await Database.connect(
        service.dsn("cairn_applications"), schema="applications", application_name="test kit", connections_max=12
    )
    yield opened
    await opened.close()
