"""What `cairn case` does, against a real journey."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from contracts.errors import NotFound
from contracts.ids import ApplicationId
from contracts.journey import Outcome, Stage
from kit.clock import SystemClock
from kit.db import Database
from tests.workflows.driver import Case, journey_workers
from tests.workflows.fakes import FakeSteps
from tests.workflows.test_bridge import handled, received
from workflows.bridge import Bridge
from workflows.desk import ActInvalid, ActRejected, apply_update, show_case
from workflows.late_desk import late_facts
from workflows.settings import WorkflowsSettings

HOLD = {"actor": "m.ortiz", "reason": "complaint", "note": "A call came in."}


async def test_staff_look_at_a_case_and_act_on_it(
    client: Client, real: WorkflowsSettings, database: Database, steps: FakeSteps
) -> None:
    env: Any = SimpleNamespace(client=client)
    case = Case(env, steps, f"desk {uuid4()}")
    async with journey_workers(env, steps):
        await case.start()
        await case.reaches(Stage.ENROLLMENT)
        assert (await show_case(real, case.id))["stage"] == "enrollment"
        assert (await apply_update(real, case.id, "hold", HOLD))["held"] == "complaint"
        with pytest.raises(ActRejected) as twice:
            await apply_update(real, case.id, "hold", HOLD)
        assert twice.value.reason == "already_held"
        assert str(twice.value) == "The case is already on hold (complaint)."
        with pytest.raises(ActInvalid) as invalid:
            await apply_update(real, case.id, "hold", HOLD | {"reason": "because"})
        assert "reason" in str(invalid.value)
        assert "because" not in str(invalid.value)
        await apply_update(real, case.id, "close", {"actor": "m.ortiz", "reason": "fraud", "note": "Proved."})
        assert await case.outcome() is Outcome.CLOSED_BY_STAFF
        assert (await show_case(real, case.id))["outcome"] == "closed_by_staff"
        with pytest.raises(NotFound):
            await apply_update(real, case.id, "hold", HOLD)
    await handled(Bridge(client, SystemClock()), database, received(case.submitted), received(case.settled()))
    (late,) = await late_facts(real, case.id)
    assert (late["type"], late["reason"]) == (case.settled().TYPE, "case_closed")


async def test_a_case_that_is_not_there(real: WorkflowsSettings) -> None:
    for application_id in ("nonsense", ApplicationId.new()):
        with pytest.raises(NotFound):
            await show_case(real, application_id)
        with pytest.raises(NotFound):
            await apply_update(real, application_id, "hold", HOLD)
