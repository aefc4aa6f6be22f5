"""Fake owners of the steps: each answers as a test tells it to, and remembers what it was asked."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from contracts.events.eligibility import Eligibility, Finding
from contracts.ids import CredentialAwardId, DeterminationId, DisbursementId, EnrollmentId, ExamVoucherId, HoldId
from contracts.plan import CasePlan, CostKind, CostLine, Deadlines, ExamPolicy
from contracts.steps import applications, eligibility, payments
from contracts.steps.applications import CaseLapsed, CredentialOnRecord, Done, EnrollmentRequestedResult
from contracts.steps.base import Queue, Step, StepInput, StepOutput
from contracts.steps.eligibility import Determination
from contracts.steps.payments import (
    ClaimReviewed,
    ClaimStatus,
    EncumbranceStatus,
    ExamVoucherResult,
    ExamVoucherStatus,
    FundsEncumberedResult,
    FundsHeld,
    FundsReleasedResult,
    HoldStatus,
    PaymentOrdered,
)

ALL_STEPS: tuple[Step[Any, Any], ...] = (*applications.STEPS, *eligibility.STEPS, *payments.STEPS)

AWARD_CENTS = 250_000

DEADLINES = Deadlines(
    more_information=timedelta(days=14),
    appeal=timedelta(days=30),
    waiting_list=timedelta(days=60),
    hold=timedelta(days=45),
    enrollment_reminder=timedelta(days=5),
    enrollment_answer=timedelta(days=10),
    enrollment_escalation=timedelta(days=7),
    enrollment_waitlist=timedelta(days=21),
    completion=timedelta(days=180),
    exam_registration=timedelta(days=30),
    exam_result=timedelta(days=45),
    credential=timedelta(days=20),
    claim=timedelta(days=42),
    claim_review=timedelta(days=15),
    payment=timedelta(days=30),
)

PLAN = CasePlan(
    program_id="oh-imap",
    round_id="round-6",
    pack_version="0123456789abcdef",
    award_cents=AWARD_CENTS,
    cost_lines=[CostLine(kind=CostKind.TUITION, price_cents=AWARD_CENTS)],
    deadlines=DEADLINES,
    claim_auto_approve_max_cents=AWARD_CENTS,
)

EXAM = ExamPolicy(
    exam_id="security-plus", attempts_max=2, retake_wait=timedelta(days=14), usable_for=timedelta(days=90)
)
PLAN_WITH_EXAM = PLAN.model_copy(update={"exam": EXAM})

Answer = StepOutput | BaseException | Callable[[Any], StepOutput]


def finding(result: str, reason: str) -> Finding:
    return Finding(
        criterion="is_ohio_resident", result=result, reason=reason, text="As declared.", citation="ORC 122.1710"
    )


def determined(outcome: Eligibility, *, plan: CasePlan = PLAN, missing: list[str] | None = None) -> Determination:
    results = {
        Eligibility.ELIGIBLE: ("met", "ohio_resident"),
        Eligibility.INELIGIBLE: ("not_met", "not_an_ohio_resident"),
        Eligibility.MORE_INFORMATION: ("unknown", "income_unknown"),
    }
    return Determination(
        determination_id=DeterminationId.derive("test"),
        outcome=outcome,
        findings=[finding(*results[outcome])],
        missing=missing or [],
        plan=plan,
    )


def reviewed(
    status: ClaimStatus,
    approved_cents: int = 0,
    reason: str = "price_above_award",
    barred: Sequence[str] = (),
    review_number: int = 1,
) -> ClaimReviewed:
    check = payments.ClaimCheck(
        check="price", passed=status is ClaimStatus.APPROVED, reason=reason, text="As invoiced."
    )
    return ClaimReviewed(
        status=status,
        approved_cents=approved_cents,
        checks=[check],
        approvals_barred=list(barred),
        review_number=review_number,
    )


class FakeSteps:
    """Answers every step. `script` answers come first, in order; then the step's usual answer."""

    def __init__(self, plan: CasePlan = PLAN) -> None:
        self.plan = plan
        self.asked: list[tuple[str, StepInput]] = []
        self._script: defaultdict[str, list[Answer]] = defaultdict(list)
        self._gates: dict[str, asyncio.Event] = {}

    def script(self, step: Step[Any, Any], *answers: Answer) -> None:
        """What the next calls of the step get, one after the other."""
        self._script[step.name] += answers

    def block(self, step: Step[Any, Any]) -> asyncio.Event:
        """Hold the step's calls back until the event is set."""
        gate = self._gates[step.name] = asyncio.Event()
        return gate

    def of(self, step: Step[Any, Any]) -> list[Any]:
        """What the step was asked so far."""
        return [request for name, request in self.asked if name == step.name]

    def counts(self) -> Counter[str]:
        return Counter(name for name, _ in self.asked)

    def verbs(self) -> list[str]:
        """The steps in the order in which they were asked, by their verb."""
        return [name.split(".")[1] for name, _ in self.asked]

    def on(self, queue: Queue) -> list[Callable[..., Any]]:
        return [self._activity(step) for step in ALL_STEPS if step.queue is queue]

    def _activity(self, step: Step[Any, Any]) -> Callable[..., Any]:
        async def perform(request: Any) -> Any:
            self.asked.append((step.name, request))
            if step.name in self._gates:
                await self._gates[step.name].wait()
            answer = self._script[step.name].pop(0) if self._script[step.name] else self._usual(step.name, request)
            if isinstance(answer, BaseException):
                raise answer
            return answer(request) if callable(answer) else answer

        perform.__annotations__ = {"request": step.input, "return": step.output}
        return activity.defn(name=step.name)(perform)

    def _usual(self, name: str, request: Any) -> StepOutput:
        case = request.application_id
        match name.split(".")[1]:
            case "determine":
                return determined(Eligibility.ELIGIBLE, plan=self.plan)
            case "hold_funds":
                return FundsHeld(status=HoldStatus.HELD, hold_id=HoldId.derive(case, request.hold_number))
            case "request_enrollment":
                return EnrollmentRequestedResult(enrollment_id=EnrollmentId.derive(case))
            case "encumber_funds":
                released = self.plan.award_cents - request.price_cents
                return FundsEncumberedResult(
                    status=EncumbranceStatus.ENCUMBERED,
                    encumbered_cents=request.price_cents,
                    released_cents=released,
                )
            case "issue_exam_voucher":
                return ExamVoucherResult(
                    status=ExamVoucherStatus.ISSUED,
                    exam_voucher_id=ExamVoucherId.derive(case, request.attempt_number),
                    expires_at=datetime(2030, 1, 1, tzinfo=UTC),
                )
            case "record_credential":
                return CredentialOnRecord(credential_award_id=CredentialAwardId.derive(case))
            case "review_claim":
                return reviewed(ClaimStatus.APPROVED, request.amount_cents)
            case "pay_claim":
                return PaymentOrdered(
                    disbursement_id=DisbursementId.derive(case, request.attempt_number),
                    amount_cents=AWARD_CENTS,
                    due_at=datetime(2030, 1, 1, tzinfo=UTC),
                )
            case "lapse_case":
                return CaseLapsed(lapsed=True)
            case "release_funds":
                return FundsReleasedResult(released_cents=0)
            case _:
                return Done()
