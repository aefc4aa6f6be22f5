"""The whole process on real engines: facts in, steps answered, files out and in, facts out; and the commands."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from temporalio import workflow
from temporalio.worker import Worker

from cairn.stack.engines import settings_fields
from contracts.envelope import Envelope, Fact, schema_uri, source_of
from contracts.events.applications import CredentialRecorded, EnrollmentAccepted
from contracts.events.payments import DisbursementSettled, HoldExpired
from contracts.ids import CredentialAwardId, DisbursementId, PaymentBatchId, uuid7
from contracts.steps.payments import (
    ENCUMBER_FUNDS,
    HOLD_FUNDS,
    PAY_CLAIM,
    REVIEW_CLAIM,
    EncumberFunds,
    HoldFunds,
    PayClaim,
)
from contracts.topics import Topic, topic_of
from kit import temporal
from kit.db import Database
from kit.process import Lifetime
from services.payments.main import import_exam_voucher_lot, money_by_stage, prove_ledger, start
from services.payments.remittance import Confirmation, read_vouchers, write_confirmations
from services.payments.settings import PaymentsSettings
from services.payments.usecases.batches import approve_batch, build_batch
from tests.services.payments.case import NOW, PROVIDER, RAILS, ROUND, Case, claim_of, published
from tests.support.engines import FullStack
from tests.support.lifetimes import alive

PATIENCE = 60.0
STEPS = {step.name: step for step in (HOLD_FUNDS, ENCUMBER_FUNDS, REVIEW_CLAIM, PAY_CLAIM)}


@workflow.defn(sandboxed=False)
class AskPayments:
    """Does nothing but ask the steps it is given, one after the other."""

    @workflow.run
    async def run(self, asked: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        return [
            await workflow.execute_activity(
                name,
                STEPS[name].input.model_validate(ask),
                task_queue=STEPS[name].queue.value,
                result_type=dict,
                start_to_close_timeout=timedelta(seconds=20),
            )
            for name, ask in asked
        ]


@pytest.fixture
def settings(full_stack: FullStack) -> PaymentsSettings:
    fields = settings_fields(full_stack.environment)
    return PaymentsSettings.model_validate(fields)


@pytest.fixture
async def process(settings: PaymentsSettings) -> AsyncIterator[Lifetime]:
    async with alive(start, settings) as life:
        yield life


async def publish(bootstrap: str, facts: Sequence[Fact]) -> None:
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
                correlation_id="test",
            )
            for _ in range(2):
                await producer.send_and_wait(
                    topic_of(fact.TYPE).value,
                    fact.model_dump_json().encode(),
                    key=fact.partition_key().encode(),
                    headers=envelope.to_headers(),
                )
    finally:
        await producer.stop()


async def told(bootstrap: str, subject: str, wanted: str) -> dict[str, Any]:
    """The first fact of a type about a subject on payments' topic."""
    consumer = AIOKafkaConsumer(
        Topic.PAYMENTS.value, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None
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


async def ask(settings: PaymentsSettings, *asked: tuple[Any, Any]) -> list[dict[str, Any]]:
    client = await temporal.connect(settings)
    name = f"test-payments-{uuid.uuid4().hex}"
    async with Worker(client, task_queue=name, workflows=[AskPayments]):
        return await client.execute_workflow(
            AskPayments.run,
            [(step.name, request.model_dump(mode="json")) for step, request in asked],
            id=name,
            task_queue=name,
        )


async def appears(path: Path) -> bytes:
    async with asyncio.timeout(PATIENCE):
        while not path.exists():  # noqa: ASYNC110 - a folder has no event
            await asyncio.sleep(0.05)
    return path.read_bytes()


def facts_of(case: Case, program_id: str) -> list[Fact]:
    """The program, and what others tell of the case before its claim."""
    accepted = EnrollmentAccepted(
        application_id=case.id,
        enrollment_id=case.enrollment_id,
        provider_id=PROVIDER,
        credential_id="cyber",
        price_cents=250_000,
        answered_at=NOW,
    )
    recorded = CredentialRecorded(
        application_id=case.id,
        credential_award_id=CredentialAwardId.derive(case.name),
        person_id=case.person_id,
        provider_id=PROVIDER,
        credential_id="cyber",
        earned_on="2026-03-09",
        recorded_at=NOW,
    )
    return [published().model_copy(update={"program_id": program_id}), accepted, recorded]


def hold(case: Case, program_id: str, seconds: int) -> HoldFunds:
    return HoldFunds(
        application_id=case.id,
        person_id=case.person_id,
        program_id=program_id,
        round_id=ROUND,
        provider_id=PROVIDER,
        credential_id="cyber",
        amount_cents=300_000,
        hold_seconds=seconds,
    )


async def send_batch(settings: PaymentsSettings) -> PaymentBatchId:
    """Make and approve a batch of everything ordered; the process puts its file out."""
    now = datetime.now(UTC)
    db = await Database.connect(
        settings.dsn("cairn_payments"), schema="payments", application_name="test", connections_max=1
    )
    try:
        async with db.transaction() as tx:
            batch = await build_batch(tx, maker="finance/anna", rails=RAILS, now=now)
        async with db.transaction() as tx:
            await approve_batch(tx, batch.batch_id, checker="finance/ben", rails=RAILS, now=now)
    finally:
        await db.close()
    return batch.batch_id


async def test_a_case_is_paid_through_the_real_engines(
    full_stack: FullStack, settings: PaymentsSettings, process: Lifetime
) -> None:
    program_id = f"program-{uuid.uuid4().hex[:12]}"
    case, short = Case(uuid.uuid4().hex), Case(uuid.uuid4().hex)
    await publish(full_stack.kafka_bootstrap, facts_of(case, program_id))
    answers = await ask(
        settings,
        (HOLD_FUNDS, hold(case, program_id, 3_600)),
        (HOLD_FUNDS, hold(short, program_id, 1)),
        (ENCUMBER_FUNDS, EncumberFunds(application_id=case.id, enrollment_id=case.enrollment_id, price_cents=250_000)),
        (REVIEW_CLAIM, claim_of(case, 250_000)),
        (PAY_CLAIM, PayClaim(application_id=case.id, claim_id=case.claim_id, attempt_number=1)),
    )
    assert [answer.get("status") for answer in answers] == ["held", "held", "encumbered", "approved", None]
    await told(full_stack.kafka_bootstrap, short.id, HoldExpired.TYPE)

    payment = DisbursementId(answers[-1]["disbursement_id"])
    batch_id = await send_batch(settings)
    assert settings.exchange_dir is not None
    content = await appears(settings.exchange_dir / "outbound" / f"{batch_id}.pvf")
    assert payment in [one.disbursement_id for one in read_vouchers(content).payments]
    word = Confirmation(payment, "V1", f"P{uuid.uuid4().hex[:8]}", date(2026, 3, 11), "PAID")
    inbound = settings.exchange_dir / "inbound"
    (inbound / "answer.part").write_bytes(write_confirmations([word], datetime.now(UTC)))
    (inbound / "answer.part").rename(inbound / f"{batch_id}.pcf")
    settled = await told(full_stack.kafka_bootstrap, case.id, DisbursementSettled.TYPE)
    assert settled["payment_number"] == word.payment_number

    money = await money_by_stage(settings, program_id)
    assert money.pop("appropriation_cents") == sum(money.values()) == 1_000_000
    assert (money["available"], money["disbursed"]) == (750_000, 250_000)
    assert (await prove_ledger(settings))["ok"]


async def test_a_lot_is_imported_from_the_command_line(full_stack: FullStack, settings: PaymentsSettings) -> None:
    order = uuid.uuid4().hex
    count = await import_exam_voucher_lot(
        settings,
        exam_id="an-exam",
        codes=f"code\n{order}-1\n{order}-2\n".encode(),
        expires_at=datetime.now(UTC) + timedelta(days=365),
        order_reference=order,
        unit_cost_cents=25_000,
    )
    assert count == 2
