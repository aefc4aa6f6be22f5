"""The bridge on a real Temporal server and a real broker."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from contracts.envelope import CaseFact, Envelope, schema_uri, source_of
from contracts.errors import Unavailable
from contracts.ids import ApplicationId, uuid7
from contracts.journey import CaseView, Outcome, Stage, workflow_id
from contracts.steps.base import Queue
from contracts.topics import topic_of
from kit.clock import FixedClock, SystemClock
from kit.db import Database
from kit.inbox import Received
from kit.kafka import Consumer
from kit.relay import Relay
from tests.kit.kafka_tools import from_now_on, running, send, until
from tests.workflows.driver import Case
from tests.workflows.fakes import FakeSteps
from workflows import store
from workflows.bridge import START_PATIENCE, Bridge
from workflows.main import journey_worker
from workflows.settings import WorkflowsSettings

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOBODY: Any = None


def a_case(steps: FakeSteps) -> Case:
    """A case whose facts are made here and sent over the bridge."""
    return Case(NOBODY, steps, f"bridge {uuid.uuid4()}")


def received(fact: CaseFact, sequence: int = 1, event_id: uuid.UUID | None = None) -> Received[Any]:
    return Received(
        Envelope(
            id=event_id or uuid7(),
            type=fact.TYPE,
            source=source_of(fact.TYPE),
            time=NOW,
            subject=fact.application_id,
            dataschema=schema_uri(fact.TYPE),
            sequence=sequence,
            correlation_id="req-1",
        ),
        fact,
    )


@asynccontextmanager
async def working(client: Client, real: WorkflowsSettings, steps: FakeSteps) -> AsyncIterator[None]:
    """The journey's worker as the process runs it, and fake services."""
    services = (Queue.APPLICATIONS, Queue.ELIGIBILITY, Queue.PAYMENTS)
    workers = [Worker(client, task_queue=queue.value, activities=steps.on(queue)) for queue in services]
    async with running(*(worker.run() for worker in [*workers, journey_worker(client, real)])):
        yield


async def handled(bridge: Bridge, database: Database, *items: Received[Any]) -> None:
    for item in items:
        async with database.transaction() as tx:
            await bridge.handlers()[type(item.fact)](item, tx)


async def late_of(database: Database, application_id: ApplicationId) -> list[store.LateFact]:
    async with database.connection() as connection:
        return list(await store.late_facts(connection, application_id))


async def test_an_application_starts_one_journey_with_its_search_attributes(
    client: Client, real: WorkflowsSettings, database: Database, steps: FakeSteps
) -> None:
    case = a_case(steps)
    bridge = Bridge(client, SystemClock())
    await handled(bridge, database, received(case.submitted), received(case.submitted))
    handle = client.get_workflow_handle(workflow_id(case.id))
    described = await handle.describe()
    found = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert found["CaseStage"] == Stage.ELIGIBILITY
    assert (found["ProgramId"], found["RoundId"], found["ProviderId"]) == ("oh-imap", "round-6", "lorain-ccc")
    assert (found["CredentialId"], found["County"]) == ("cybersecurity", "lorain")
    assert found["NeedsStaff"] is False
    async with working(client, real, steps):
        view: CaseView = await until(lambda: handle.query("case", result_type=CaseView))
        assert view.application_id == case.id
        await until(lambda: _count(steps, "request_enrollment"))
    assert steps.verbs().count("determine") == 1


async def _count(steps: FakeSteps, verb: str) -> int:
    return steps.verbs().count(verb)


async def test_a_closed_case_is_not_started_again_and_late_facts_are_parked(
    client: Client, real: WorkflowsSettings, database: Database, steps: FakeSteps
) -> None:
    case = a_case(steps)
    bridge = Bridge(client, SystemClock())
    await handled(bridge, database, received(case.submitted), received(case.withdrawn(), 2))
    handle = client.get_workflow_handle(workflow_id(case.id), result_type=Outcome)
    async with working(client, real, steps):
        assert await asyncio.wait_for(handle.result(), 30) is Outcome.WITHDRAWN
    late = received(case.completed(), 3)
    await handled(bridge, database, received(case.submitted), late, late)
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    (parked,) = await late_of(database, case.id)
    assert (parked.event_id, parked.reason) == (late.envelope.id, "case_closed")
    assert parked.payload == case.completed().model_dump(mode="json")


async def test_a_fact_of_a_case_that_never_began_waits_a_little_and_is_parked(
    client: Client, database: Database, steps: FakeSteps
) -> None:
    case = a_case(steps)
    clock = FixedClock(NOW)
    bridge = Bridge(client, clock)
    early = received(case.settled())
    with pytest.raises(Unavailable):
        await handled(bridge, database, early)
    clock.advance(START_PATIENCE + timedelta(seconds=1))
    await handled(bridge, database, early)
    (parked,) = await late_of(database, case.id)
    assert parked.reason == "never_started"


async def test_what_the_journey_knows_from_its_own_steps_is_not_signaled(
    client: Client, database: Database, steps: FakeSteps
) -> None:
    case = a_case(steps)
    placed = case.hold_placed().model_copy(update={"from_waiting_list": False})
    await handled(Bridge(client, SystemClock()), database, received(placed))
    assert await late_of(database, case.id) == []


async def test_facts_in_kafka_take_twenty_cases_to_their_end_with_every_record_sent_twice(
    client: Client, real: WorkflowsSettings, database: Database, steps: FakeSteps
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    cases = [a_case(steps) for _ in range(20)]
    name = f"test-workflows-{uuid.uuid4().hex[:8]}"
    topics = sorted({topic_of(fact.TYPE).value for fact in (cases[0].submitted, cases[0].settled())})
    await from_now_on(real.kafka_bootstrap, f"cairn.{name}", *topics)
    consumer = Consumer(
        name=name,
        database=database,
        settings=real,
        handlers=Bridge(client, SystemClock()).handlers(),
        clock=SystemClock(),
        side_by_side=True,
    )
    relay = Relay(database, real)
    async with working(client, real, steps), running(consumer.run(), relay.run()):
        for topic in topics:
            await send(real.kafka_bootstrap, *_records(cases, topic, random.Random(seed)), topic=topic)
        outcomes: list[Awaitable[Any]] = [
            client.get_workflow_handle(workflow_id(case.id), result_type=Outcome).result() for case in cases
        ]
        await until(lambda: _count(steps, "determine"))
        async with asyncio.timeout(60):
            await _started(database, cases)
            assert await asyncio.gather(*outcomes) == [Outcome.REIMBURSED] * len(cases)
    assert set(steps.counts().values()) == {len(cases)}
    for case in cases:
        assert await late_of(database, case.id) == []


async def _started(database: Database, cases: list[Case]) -> None:
    for case in cases:

        async def known(application_id: ApplicationId = case.id) -> bool:
            async with database.connection() as connection:
                return await store.was_started(connection, application_id)

        await until(known)


def _records(cases: list[Case], topic: str, chance: random.Random) -> list[Any]:
    """Each case's facts of one topic in order, the cases mixed, every record twice."""
    queues = []
    for case in cases:
        facts = [case.submitted, case.accepted(), case.completed(), case.claimed(), case.settled()]
        mine = [fact for fact in facts if topic_of(fact.TYPE) == topic]
        items = [received(fact, number) for number, fact in enumerate(mine, start=1)]
        queues.append([item for item in items for _ in range(2)])
    records = []
    while any(queues):
        item = chance.choice([queue for queue in queues if queue]).pop(0)
        key, value = item.fact.application_id, item.fact.model_dump_json().encode()
        records.append((key, value, item.envelope.to_headers()))
    return records


async def test_a_fact_whose_inbox_row_was_lost_is_not_told_twice(
    client: Client, real: WorkflowsSettings, database: Database, steps: FakeSteps
) -> None:
    """The journey took the signal, the batch rolled back, the case closed meanwhile: that is no late fact."""
    case = a_case(steps)
    bridge = Bridge(client, SystemClock())
    withdrawal = received(case.withdrawn(), 2)
    async with working(client, real, steps):
        await handled(bridge, database, received(case.submitted), withdrawal)
        assert await client.get_workflow_handle(workflow_id(case.id), result_type=Outcome).result() == Outcome.WITHDRAWN
        await handled(bridge, database, withdrawal)
        assert await late_of(database, case.id) == []
        await handled(Bridge(client, SystemClock()), database, withdrawal)
        assert [late.event_id for late in await late_of(database, case.id)] == [withdrawal.envelope.id]
