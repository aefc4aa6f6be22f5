"""A late fact is handed over again once, by somebody, when its case runs."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from contracts.errors import NotFound
from contracts.journey import Outcome, Stage
from kit.clock import FixedClock
from kit.db import Database
from tests.workflows.driver import Case, journey_workers
from tests.workflows.fakes import FakeSteps
from tests.workflows.test_bridge import NOW, handled, received
from workflows.bridge import START_PATIENCE, Bridge, CaseNotStarted
from workflows.desk import ActInvalid
from workflows.late_desk import CaseTakesNoFacts, LateFactRedelivered, late_facts, redeliver
from workflows.settings import WorkflowsSettings


async def parked(bridge: Bridge, clock: FixedClock, database: Database, fact: Any) -> str:
    """A fact whose case had not begun in time; its event id."""
    item = received(fact)
    with pytest.raises(CaseNotStarted):
        await handled(bridge, database, item)
    clock.advance(START_PATIENCE)
    await handled(bridge, database, item)
    return str(item.envelope.id)


async def test_a_late_fact_is_handed_over_once_its_case_runs(
    client: Client, real: WorkflowsSettings, database: Database, steps: FakeSteps
) -> None:
    env: Any = SimpleNamespace(client=client)
    case = Case(env, steps, f"redeliver {uuid4()}")
    clock = FixedClock(NOW)
    event = await parked(Bridge(client, clock), clock, database, case.withdrawn())
    with pytest.raises(CaseTakesNoFacts):
        await redeliver(real, event, "m.ortiz")
    (row,) = await late_facts(real, case.id)
    assert (row["event_id"], row["redelivered_at"]) == (event, None)
    async with journey_workers(env, steps):
        await case.start()
        await case.reaches(Stage.ENROLLMENT)
        fact = await redeliver(real, event, "m.ortiz")
        assert fact["redelivered_by"] == "m.ortiz"
        assert await case.outcome() is Outcome.WITHDRAWN
    assert await late_facts(real, case.id) == [fact]
    with pytest.raises(LateFactRedelivered):
        await redeliver(real, event, "j.lee")


async def test_what_cannot_be_handed_over(
    client: Client, real: WorkflowsSettings, database: Database, steps: FakeSteps
) -> None:
    for unknown in ("nonsense", str(uuid4())):
        with pytest.raises(NotFound):
            await redeliver(real, unknown, "m.ortiz")
    with pytest.raises(ActInvalid):
        await redeliver(real, str(uuid4()), "Not A Login")
