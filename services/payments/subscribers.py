"""The Kafka door: programs become budgets; what claims and exam vouchers are matched against becomes copies."""

from collections.abc import Mapping

from contracts.envelope import Fact
from contracts.events.applications import (
    ApplicationSubmitted,
    ChargeAnswered,
    ClaimSubmitted,
    CredentialRecorded,
    EnrollmentAccepted,
    EnrollmentStarted,
    ExamRegistered,
    ExamResulted,
    StaffActRecorded,
)
from contracts.events.eligibility import ProgramPublished
from contracts.events.notifications import ClaimDefectsNotified
from kit.clock import Clock
from kit.db import Connection
from kit.inbox import Handler, Received
from services.payments.usecases import charges, claim_notices, claim_queues, held_cases, program, vouchers

CONSUMER = "payments"


def handlers(clock: Clock) -> Mapping[type[Fact], Handler]:
    """What to do with each fact."""

    async def on_program(received: Received[ProgramPublished], tx: Connection) -> None:
        await program.follow_program(received.fact, tx, now=clock.now())

    async def on_application(received: Received[ApplicationSubmitted], tx: Connection) -> None:
        await program.follow_application(received.fact, tx)

    async def on_enrollment(received: Received[EnrollmentAccepted], tx: Connection) -> None:
        await program.follow_enrollment(received.fact, tx)

    async def on_started(received: Received[EnrollmentStarted], tx: Connection) -> None:
        await program.follow_start(received.fact, tx)

    async def on_credential(received: Received[CredentialRecorded], tx: Connection) -> None:
        await program.follow_credential(received.fact, tx)

    async def on_exam_registered(received: Received[ExamRegistered], tx: Connection) -> None:
        await vouchers.follow_registration(received.fact, tx, now=clock.now())

    async def on_exam_resulted(received: Received[ExamResulted], tx: Connection) -> None:
        await vouchers.follow_result(received.fact, tx, now=clock.now())

    async def on_claim(received: Received[ClaimSubmitted], tx: Connection) -> None:
        await claim_queues.follow_claim(received.fact, tx)

    async def on_notification(received: Received[ClaimDefectsNotified], tx: Connection) -> None:
        await claim_notices.follow_notification(received.fact, tx)

    async def on_charge_answer(received: Received[ChargeAnswered], tx: Connection) -> None:
        await charges.follow_charge_answer(received.fact, tx, now=clock.now())

    async def on_staff_act(received: Received[StaffActRecorded], tx: Connection) -> None:
        await held_cases.follow_staff_act(received.fact, received.envelope.sequence, tx)

    return {
        StaffActRecorded: on_staff_act,
        ClaimSubmitted: on_claim,
        ClaimDefectsNotified: on_notification,
        ChargeAnswered: on_charge_answer,
        ProgramPublished: on_program,
        ApplicationSubmitted: on_application,
        EnrollmentAccepted: on_enrollment,
        EnrollmentStarted: on_started,
        CredentialRecorded: on_credential,
        ExamRegistered: on_exam_registered,
        ExamResulted: on_exam_resulted,
    }
