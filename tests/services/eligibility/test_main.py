"""The whole process on real engines: a fact in by Kafka, a determination by Temporal, a fact out."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from temporalio import workflow
from temporalio.worker import Worker

from cairn.stack.engines import settings_fields
from contracts.envelope import Envelope, schema_uri, source_of
from contracts.events.applications import ApplicationSubmitted
from contracts.events.eligibility import ApplicationDetermined, ProgramPublished
from contracts.ids import ApplicationId, PersonId, uuid7
from contracts.personal import Declaration
from contracts.steps.eligibility import DETERMINE, Determination, Determine
from contracts.topics import Topic
from kit import temporal
from kit.db import Database
from kit.process import Lifetime
from kit.vault import Vault
from services.eligibility.main import load_program, start
from services.eligibility.packs import PackFaulty
from services.eligibility.settings import EligibilitySettings
from tests.services.eligibility.cases import PROGRAMS, pack
from tests.support.engines import FullStack
from tests.support.lifetimes import alive

PATIENCE = 60.0


@workflow.defn(sandboxed=False)
class AskEligibility:
    """Does nothing but ask the step."""

    @workflow.run
    async def run(self, ask: Determine) -> Determination:
        return await workflow.execute_activity(
            DETERMINE.name,
            ask,
            task_queue=DETERMINE.queue.value,
            result_type=Determination,
            start_to_close_timeout=timedelta(seconds=20),
        )


@pytest.fixture
def settings(full_stack: FullStack) -> EligibilitySettings:
    fields = settings_fields(full_stack.environment)
    return EligibilitySettings.model_validate(fields)


@pytest.fixture
async def process(settings: EligibilitySettings) -> AsyncIterator[Lifetime]:
    async with alive(start, settings) as life:
        yield life


async def _submitted(settings: EligibilitySettings, owner_dsn: str) -> ApplicationSubmitted:
    vault = Vault.from_settings(settings, reader="test")
    person_id = PersonId.new()
    owner = await asyncpg.connect(owner_dsn)
    try:
        told = Declaration(state_of_residence="OH").model_dump_json().encode()
        async with owner.transaction():
            sealed = await vault.admit(owner, person_id, seal={"declaration": told, "contact": b"{}"})
    finally:
        await owner.close()
    return ApplicationSubmitted(
        application_id=ApplicationId.new(),
        person_id=person_id,
        partner_id="harbor-portal",
        program_id="oh-imap",
        round_id="r6",
        provider_id="lorain-ccc",
        credential_id="lorain-cybersecurity",
        submitted_at=datetime(2026, 6, 1, tzinfo=UTC),
        sealed_declaration=sealed["declaration"],
        sealed_contact=sealed["contact"],
    )


async def _publish(bootstrap: str, fact: ApplicationSubmitted) -> None:
    envelope = Envelope(
        id=uuid7(),
        type=fact.TYPE,
        source=source_of(fact.TYPE),
        time=datetime.now(UTC),
        subject=fact.application_id,
        dataschema=schema_uri(fact.TYPE),
        sequence=1,
        correlation_id="test",
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for _ in range(3):
            await producer.send_and_wait(
                Topic.APPLICATIONS.value,
                fact.model_dump_json().encode(),
                key=fact.application_id.encode(),
                headers=envelope.to_headers(),
            )
    finally:
        await producer.stop()


async def _told(bootstrap: str, subject: str, wanted: str) -> dict[str, object]:
    """The first fact of a type about a subject on eligibility's topic."""
    consumer = AIOKafkaConsumer(
        Topic.ELIGIBILITY.value, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE):
            async for record in consumer:
                if record.key == subject.encode() and dict(record.headers)["ce_type"] == wanted.encode():
                    return json.loads(record.value)
    finally:
        await consumer.stop()
    raise AssertionError("the topic ended")


async def test_the_process_decides_and_tells(
    full_stack: FullStack, settings: EligibilitySettings, process: Lifetime
) -> None:
    loaded = await load_program(settings, PROGRAMS / "oh-imap")
    assert loaded["pack_version"] == pack().version
    assert not (await load_program(settings, PROGRAMS / "oh-imap"))["changed"]
    published = await _told(full_stack.kafka_bootstrap, "oh-imap", ProgramPublished.TYPE)
    assert published["pack_version"] == pack().version

    fact = await _submitted(settings, full_stack.owner_dsn)
    await _publish(full_stack.kafka_bootstrap, fact)
    ask = Determine(
        **fact.model_dump(include=set(Determine.model_fields) & set(ApplicationSubmitted.model_fields)),
        determination_number=1,
    )
    client = await temporal.connect(settings)
    async with Worker(client, task_queue="test-eligibility", workflows=[AskEligibility]):
        answer = await client.execute_workflow(
            AskEligibility.run, ask, id=f"test/{fact.application_id}", task_queue="test-eligibility"
        )
    assert (answer.outcome, answer.plan.award_cents) == ("eligible", 2_750_00)
    told = await _told(full_stack.kafka_bootstrap, fact.application_id, ApplicationDetermined.TYPE)
    assert told["determination_id"] == answer.determination_id
    await _copied(settings, fact.application_id)


async def _copied(settings: EligibilitySettings, application_id: ApplicationId) -> None:
    db = await Database.connect(
        settings.dsn("cairn_eligibility"), schema="eligibility", application_name="test", connections_max=1
    )
    try:
        async with asyncio.timeout(PATIENCE), db.connection() as connection:
            statement = "SELECT partner_id FROM application WHERE application_id = $1"
            while await connection.fetchval(statement, application_id) != "harbor-portal":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await db.close()


async def test_a_faulty_pack_is_not_loaded(settings: EligibilitySettings, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "program.toml").write_text('id = "odd"\n')
    with pytest.raises(PackFaulty):
        await load_program(settings, tmp_path / "odd")
