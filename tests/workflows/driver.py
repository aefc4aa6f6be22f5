"""Drives one case through the journey in the time-skipping server: tell facts, act as staff, let weeks pass."""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from contracts.envelope import CaseFact, source_of
from contracts.events.applications import (
    ApplicationSubmitted,
    ApplicationWithdrawn,
    ClaimSubmitted,
    CompletionAttested,
    DocumentReceived,
    EnrollmentAccepted,
    EnrollmentWithdrawn,
    ExamRegistered,
    ExamResult,
    ExamResulted,
)
from contracts.events.payments import (
    ClaimRevoked,
    DisbursementRepaired,
    DisbursementReturned,
    DisbursementSettled,
    HoldPlaced,
)
from contracts.ids import (
    ApplicationId,
    AttestationId,
    ClaimId,
    DisbursementId,
    DocumentId,
    EnrollmentId,
    HoldId,
    PersonId,
)
from contracts.journey import WORKFLOW_TYPE, CaseView, Outcome, SignaledFact, Stage, StartJourney, workflow_id
from contracts.steps.base import Queue, Step
from tests.workflows.fakes import AWARD_CENTS, FakeSteps
from workflows.attributes import at_start
from workflows.journey import FundingJourney
from workflows.sandbox import journey_runner

PATIENCE_SECONDS = 20.0
LONG_AGO = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)


def submitted(name: str) -> ApplicationSubmitted:
    return ApplicationSubmitted(
        application_id=ApplicationId.derive(name),
        person_id=PersonId.derive(name),
        partner_id="ohiomeansjobs",
        program_id="oh-imap",
        round_id="round-6",
        provider_id="lorain-ccc",
        credential_id="cybersecurity",
        county="lorain",
        submitted_at=LONG_AGO,
        sealed_declaration="declarationdeclaration",
        sealed_contact="contactcontactcontact",
    )


class Case:
    """One application under test."""

    def __init__(self, env: WorkflowEnvironment, steps: FakeSteps, name: str = "case") -> None:
        self.env = env
        self.steps = steps
        self.submitted = submitted(name)
        self.id = self.submitted.application_id
        self.enrollment_id = EnrollmentId.derive(self.id)
        self._sequences: Counter[str] = Counter()
        self._handle: WorkflowHandle[Any, Outcome] | None = None

    @property
    def handle(self) -> WorkflowHandle[Any, Outcome]:
        assert self._handle is not None
        return self._handle

    async def start(self, **arguments: Any) -> None:
        start = StartJourney(event_id=uuid.uuid5(uuid.NAMESPACE_URL, self.id), submitted=self.submitted)
        self._handle = await self.env.client.start_workflow(
            WORKFLOW_TYPE,
            start,
            id=workflow_id(self.id),
            task_queue=Queue.JOURNEY,
            result_type=Outcome,
            search_attributes=at_start(self.submitted),
            **arguments,
        )

    def word(self, fact: CaseFact, *, sequence: int | None = None, event_id: uuid.UUID | None = None) -> SignaledFact:
        """The fact as the bridge would pass it on; the next in its source's order unless told otherwise."""
        source = source_of(fact.TYPE)
        if sequence is None:
            self._sequences[source] += 1
            sequence = self._sequences[source]
        return SignaledFact(
            event_id=event_id or uuid.uuid4(),
            source=source,
            sequence=sequence,
            occurred_at=LONG_AGO,
            correlation_id="test",
            payload=fact.model_dump(mode="json"),
        )

    async def tell(self, fact: CaseFact, *, sequence: int | None = None) -> SignaledFact:
        """Signal one fact."""
        word = self.word(fact, sequence=sequence)
        await self.handle.signal(fact.TYPE, word)
        return word

    async def view(self) -> CaseView:
        return await self.handle.query("case", result_type=CaseView)

    async def reaches(self, stage: Stage, *, question: str | None = None, noted: str | None = None) -> CaseView:
        """Wait until the case stands there (with that open question, with that line in its history)."""
        view = await self.view()
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while not (
            view.stage is stage
            and (question is None or view.question == question)
            and (noted is None or any(noted in line for line in view.history))
        ):
            assert asyncio.get_running_loop().time() < deadline, f"not at {stage} {question} {noted}: {view}"
            await asyncio.sleep(0.005)
            view = await self.view()
        return view

    async def lines(self, words: str, count: int) -> None:
        """Wait until that many lines of the case's history hold these words."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum(words in line for line in (await self.view()).history) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def act(self, update: str, act: Any) -> CaseView:
        """Act as staff."""
        return await self.handle.execute_update(update, act, result_type=CaseView)

    async def passes(self, wait: timedelta) -> None:
        await self.env.sleep(wait)

    async def outcome(self) -> Outcome:
        return await asyncio.wait_for(self.handle.result(), PATIENCE_SECONDS)

    # The facts of the ordinary case

    def withdrawn(self) -> ApplicationWithdrawn:
        return ApplicationWithdrawn(application_id=self.id, reason="changed_plans", withdrawn_at=LONG_AGO)

    def document(self, number: int = 1) -> DocumentReceived:
        return DocumentReceived(
            application_id=self.id,
            document_id=DocumentId.derive(self.id, number),
            kind="income_proof",
            sealed_evidence=f"evidenceevidence{number}",
            received_at=LONG_AGO,
        )

    def hold_placed(self, number: int = 1) -> HoldPlaced:
        return HoldPlaced(
            application_id=self.id,
            hold_id=HoldId.derive(self.id, number),
            amount_cents=AWARD_CENTS,
            from_waiting_list=True,
            expires_at=LONG_AGO + timedelta(days=200),
            placed_at=LONG_AGO,
        )

    def enrollment(self) -> dict[str, Any]:
        return {
            "application_id": self.id,
            "enrollment_id": self.enrollment_id,
            "provider_id": "lorain-ccc",
            "credential_id": "cybersecurity",
        }

    def accepted(self, price_cents: int = AWARD_CENTS) -> EnrollmentAccepted:
        return EnrollmentAccepted(**self.enrollment(), price_cents=price_cents, answered_at=LONG_AGO)

    def completed(self) -> CompletionAttested:
        return CompletionAttested(
            **self.enrollment(),
            attestation_id=AttestationId.derive(self.id),
            issuer_id="lorain-ccc",
            completed_on="2026-07-31",
            attested_at=LONG_AGO,
        )

    def left_course(self) -> EnrollmentWithdrawn:
        return EnrollmentWithdrawn(**self.enrollment(), reason="moved_away", withdrawn_at=LONG_AGO)

    def registered(self, attempt: int = 1) -> ExamRegistered:
        return ExamRegistered(
            application_id=self.id,
            exam_id="security-plus",
            attempt_number=attempt,
            registration="REG-1",
            registered_at=LONG_AGO,
        )

    def resulted(self, result: ExamResult, attempt: int = 1) -> ExamResulted:
        return ExamResulted(
            application_id=self.id,
            exam_id="security-plus",
            attempt_number=attempt,
            result=result,
            resulted_at=datetime(2026, 8, 14, 12, 0, tzinfo=UTC),
        )

    def claimed(self, number: int = 1, amount_cents: int = AWARD_CENTS) -> ClaimSubmitted:
        return ClaimSubmitted(
            application_id=self.id,
            claim_id=ClaimId.derive(self.id, number),
            enrollment_id=self.enrollment_id,
            provider_id="lorain-ccc",
            invoice_number=f"INV-{number}",
            invoice_on="2026-08-15",
            amount_cents=amount_cents,
            participant_charged_cents=0,
            submitted_at=LONG_AGO,
        )

    def payment(self, attempt: int = 1) -> dict[str, Any]:
        return {
            "application_id": self.id,
            "disbursement_id": DisbursementId.derive(self.id, attempt),
            "claim_id": ClaimId.derive(self.id, 1),
            "provider_id": "lorain-ccc",
            "amount_cents": AWARD_CENTS,
        }

    def settled(self, attempt: int = 1) -> DisbursementSettled:
        return DisbursementSettled(
            **self.payment(attempt), payment_number="P-1", paid_on="2026-09-01", settled_at=LONG_AGO
        )

    def returned(self, attempt: int = 1) -> DisbursementReturned:
        return DisbursementReturned(**self.payment(attempt), return_code="R03", returned_at=LONG_AGO)

    def repaired(self, attempt: int = 1) -> DisbursementRepaired:
        return DisbursementRepaired(**self.payment(attempt), repaired_at=LONG_AGO)

    def revoked(self) -> ClaimRevoked:
        claim = self.claimed()
        return ClaimRevoked(
            application_id=self.id,
            claim_id=claim.claim_id,
            provider_id=claim.provider_id,
            reason="person_says_charged",
            revoked_at=LONG_AGO,
        )

    # The ordinary path, as far as a test needs it

    async def to_learning(self) -> None:
        await self.reaches(Stage.ENROLLMENT)
        await self.tell(self.accepted())
        await self.reaches(Stage.LEARNING)

    async def to_exam(self) -> None:
        await self.to_learning()
        await self.tell(self.completed())
        await self.reaches(Stage.EXAM)

    async def to_claim(self) -> None:
        await self.to_learning()
        await self.tell(self.completed())
        await self.reaches(Stage.CLAIM)

    async def to_reimbursement(self) -> None:
        await self.to_claim()
        await self.tell(self.claimed())
        await self.reaches(Stage.REIMBURSEMENT)


async def current_details(case: Case) -> str:
    """What the Temporal UI shows of a running case, as its own query asks for it."""
    answered = await case.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return answered.current_details


async def until_asked(steps: FakeSteps, step: Step[Any, Any], times: int) -> None:
    """Wait until the step was asked that often."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(steps.of(step)) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def journey_workers(env: WorkflowEnvironment, steps: FakeSteps) -> AsyncIterator[None]:
    """The journey's worker and one for each service's queue, with fake steps."""
    async with contextlib.AsyncExitStack() as stack:
        for queue in (Queue.APPLICATIONS, Queue.ELIGIBILITY, Queue.PAYMENTS):
            await stack.enter_async_context(Worker(env.client, task_queue=queue, activities=steps.on(queue)))
        await stack.enter_async_context(
            Worker(env.client, task_queue=Queue.JOURNEY, workflows=[FundingJourney], workflow_runner=journey_runner())
        )
        yield
