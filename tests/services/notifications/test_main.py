"""The whole process on real engines: facts in by Kafka, a webhook and a letter out, and the fact that they went."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from cairn.stack.engines import settings_fields
from contracts.envelope import Envelope, Fact, schema_uri, source_of
from contracts.events.notifications import NoticeSent, WebhookDelivered
from contracts.ids import NoticeId, PersonId, WebhookMessageId, uuid7
from contracts.personal import Contact
from contracts.topics import topic_of
from kit.process import Lifetime
from kit.vault import Vault
from kit.webhooks import verify
from services.notifications.main import register_endpoint, start
from services.notifications.settings import NotificationsSettings
from tests.services.notifications.receiver import receiving
from tests.services.notifications.sample import Case, program
from tests.support.engines import FullStack
from tests.support.lifetimes import alive

PATIENCE = 60.0
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def settings(full_stack: FullStack) -> NotificationsSettings:
    fields = settings_fields(full_stack.environment)
    return NotificationsSettings.model_validate({**fields, "allow_loopback_webhooks": True})


@pytest.fixture
async def process(settings: NotificationsSettings) -> AsyncIterator[Lifetime]:
    async with alive(start, settings) as life:
        yield life


async def _case(settings: NotificationsSettings, owner_dsn: str, email: str) -> Case:
    vault = Vault.from_settings(settings, reader="test")
    person_id = PersonId.new()
    owner = await asyncpg.connect(owner_dsn)
    try:
        contact = Contact(given_name="Ana", email=email).model_dump_json().encode()
        async with owner.transaction():
            sealed = await vault.admit(owner, person_id, seal={"contact": contact})
    finally:
        await owner.close()
    return Case(language="es", sealed_contact=sealed["contact"], person_id=person_id)


async def _publish(bootstrap: str, *facts: Fact) -> list[UUID]:
    """Each fact twice, as a broker may."""
    ids: list[UUID] = []
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for number, fact in enumerate(facts, 1):
            envelope = Envelope(
                id=uuid7(),
                type=fact.TYPE,
                source=source_of(fact.TYPE),
                time=datetime.now(UTC),
                subject=fact.partition_key(),
                dataschema=schema_uri(fact.TYPE),
                sequence=number,
                correlation_id="req_of_the_portal",
                traceparent=f"00-{TRACE_ID}-00f067aa0ba902b7-01",
            )
            ids.append(envelope.id)
            for _ in range(2):
                await producer.send_and_wait(
                    topic_of(fact.TYPE).value,
                    fact.model_dump_json().encode(),
                    key=fact.partition_key().encode(),
                    headers=envelope.to_headers(),
                )
    finally:
        await producer.stop()
    return ids


async def _told(bootstrap: str, subject: str, wanted: set[str]) -> dict[str, tuple[Envelope, dict[str, object]]]:
    """The first fact of each wanted type about a subject on the topic of notifications."""
    found: dict[str, tuple[Envelope, dict[str, object]]] = {}
    consumer = AIOKafkaConsumer(
        "cairn.notifications", bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE):
            async for record in consumer:
                if record.key == subject.encode():
                    envelope = Envelope.from_headers(record.headers)
                    found.setdefault(envelope.type, (envelope, json.loads(record.value)))
                if wanted <= set(found):
                    return found
    finally:
        await consumer.stop()
    raise AssertionError("the topic ended")


def _letters(folder: Path, email: str) -> list[str]:
    letters = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in (folder / "new").iterdir()]
    return [str(letter["Message-ID"]) for letter in letters if email in str(letter["To"])]


async def test_facts_become_a_webhook_a_letter_and_facts(
    full_stack: FullStack, settings: NotificationsSettings, process: Lifetime
) -> None:
    email = f"{uuid7().hex}@mail.example"
    case = await _case(settings, full_stack.owner_dsn, email)
    provider = f"college-{uuid7().hex[-12:]}"
    requested = case.requested().model_copy(update={"provider_id": provider})
    async with receiving() as receiver:
        made = await register_endpoint(settings, provider, receiver.url)
        submitted_id, requested_id, _ = await _publish(
            full_stack.kafka_bootstrap, case.submitted(), requested, program()
        )
        await receiver.until(lambda: bool(receiver.messages), PATIENCE)
        told = await _told(full_stack.kafka_bootstrap, case.id, {NoticeSent.TYPE, WebhookDelivered.TYPE})
        assert len(receiver.messages) == 1
        came = receiver.messages[0]
    assert came.id == WebhookMessageId.derive(str(requested_id))
    assert verify(headers=came.headers, body=came.body, keys=[made["secret"]], now=datetime.now(UTC)) == came.id
    notice_id = NoticeId.derive(str(submitted_id))
    assert _letters(full_stack.mail, email) == [f"<{notice_id}@cairn.example>"]
    for envelope, _fact in told.values():
        assert envelope.correlation_id == "req_of_the_portal"
        assert envelope.traceparent is None or envelope.traceparent[3:35] == TRACE_ID
    assert told[NoticeSent.TYPE][1]["notice_id"] == notice_id
