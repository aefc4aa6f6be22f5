"""`python -m tests.workflows.record`: record the history of every scenario under `histories/`.

Record anew only what a released journey can no longer have running: a history that changes here is a running case that
breaks there.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from contracts.steps.eligibility import DETERMINE
from tests.workflows.conftest import ATTRIBUTES, server_path
from tests.workflows.driver import Case, journey_workers
from tests.workflows.fakes import FakeSteps
from tests.workflows.scenarios import SCENARIOS, Scenario

HISTORIES = Path(__file__).parent / "histories"


async def record(scenario: Scenario) -> Path:
    """Run one scenario and write its history; the names of this machine stay out of it."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=server_path(), data_converter=pydantic_data_converter, identity="recorded"
    ) as env:
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=env.client.namespace, search_attributes=ATTRIBUTES)
        )
        steps = FakeSteps()
        case = Case(env, steps, scenario.__name__)
        gate = steps.block(DETERMINE)
        async with journey_workers(env, steps):
            await case.start()
            task = asyncio.ensure_future(scenario(case, steps))
            # The scenario sets its script before its first await that needs the determination.
            await asyncio.sleep(0.05)
            gate.set()
            outcome = await task
            assert outcome is SCENARIOS[scenario], (scenario.__name__, outcome)
            history = await case.handle.fetch_history()
    path = HISTORIES / f"{scenario.__name__}.json"
    path.write_text(json.dumps(without_traces(json.loads(history.to_json())), separators=(",", ":")) + "\n")
    return path


def without_traces(part: Any) -> Any:
    """Stack traces hold the paths of the machine that recorded; no replay reads them."""
    if isinstance(part, dict):
        return {name: without_traces(value) for name, value in part.items() if name != "stackTrace"}
    return [without_traces(each) for each in part] if isinstance(part, list) else part


async def main(names: list[str]) -> None:
    """Record the named scenarios, or all."""
    HISTORIES.mkdir(exist_ok=True)
    for scenario in SCENARIOS:
        if not names or scenario.__name__ in names:
            print((await record(scenario)).name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
    sys.stdout.flush()
    # A process that used temporalio can abort while the interpreter takes itself apart.
    os._exit(0)
