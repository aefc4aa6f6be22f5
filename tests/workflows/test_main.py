"""The process as it is wired: ready once everything answers, a case taken to its end, a graceful stop."""

import asyncio
import uuid
from contextlib import suppress

import pytest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from contracts.journey import Outcome, workflow_id
from contracts.steps.base import Queue
from contracts.topics import topic_of
from kit.process import Lifetime
from tests.kit.kafka_tools import from_now_on, running, send, until
from tests.workflows.fakes import FakeSteps
from tests.workflows.test_bridge import a_case, received
from workflows import main
from workflows.settings import WorkflowsSettings


async def test_the_process_becomes_ready_conducts_a_case_and_stops(
    real: WorkflowsSettings, client: Client, steps: FakeSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = a_case(steps)
    name = f"test-workflows-{uuid.uuid4().hex[:8]}"
    topic = topic_of(case.submitted.TYPE).value
    await from_now_on(real.kafka_bootstrap, f"cairn.{name}", topic, topic_of(case.settled().TYPE).value)
    monkeypatch.setattr(main, "CONSUMER", name)
    life = Lifetime()
    services = (Queue.APPLICATIONS, Queue.ELIGIBILITY, Queue.PAYMENTS)
    workers = [Worker(client, task_queue=queue.value, activities=steps.on(queue)) for queue in services]
    async with running(*(worker.run() for worker in workers)):
        await main.start(life, real)

        async def all_ready() -> bool:
            results = await asyncio.gather(*(check() for check in life.checks.values()), return_exceptions=True)
            return not any(results)

        await until(all_ready)
        assert set(life.checks) == {"database", "temporal", "bridge", "relay"}
        facts = [case.submitted, case.withdrawn()]
        items = [received(fact, number) for number, fact in enumerate(facts, start=1)]
        records = [(case.id, item.fact.model_dump_json().encode(), item.envelope.to_headers()) for item in items]
        await send(real.kafka_bootstrap, *records, topic=topic)
        handle = client.get_workflow_handle(workflow_id(case.id), result_type=Outcome)

        async def outcome() -> Outcome | None:
            # Not started yet: the fact is still on its way.
            with suppress(RPCError):
                return await handle.result()
            return None

        assert await until(outcome) is Outcome.WITHDRAWN
        async with asyncio.timeout(20):
            await life.stop()
