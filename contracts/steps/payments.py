"""What the journey may ask of payments. Refusals that the program expects are values."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.events.applications import ClaimDocument, ClaimLine
from contracts.events.payments import ClaimCheck
from contracts.ids import ClaimId, DisbursementId, EnrollmentId, ExamVoucherId, HoldId, PersonId
from contracts.money import Cents, PositiveCents
from contracts.plan import CostLine
from contracts.steps.base import Queue, Step, StepInput, StepOutput, StepPace
from contracts.steps.fiscal_year import FISCAL_YEAR_STEPS
from contracts.texts import Code, Instant, Reference, Slug

AttemptNumber = Annotated[int, Field(ge=1, le=10)]


class HoldFunds(StepInput):
    """Set money aside in program, round, provider award and person at once, or join the waiting list."""

    person_id: PersonId
    program_id: Slug
    round_id: Slug
    provider_id: Slug
    credential_id: Slug
    amount_cents: PositiveCents
    hold_seconds: Annotated[int, Field(ge=1, le=63_300_000)]
    """How long the hold lasts unless it is encumbered, on the database clock."""
    hold_number: AttemptNumber = 1
    """Counts the case's holds: 2 and on only after the one before expired or was released."""
    submitted_at: Instant | None = None
    priority_group: Annotated[int, Field(ge=0, le=99)] | None = None
    """With `submitted_at`, what the program may order its waiting list by."""
    cost_lines: Annotated[list[CostLine], Field(max_length=8)] = []
    """The plan's: which lines of the cost the amount is for. Tuition alone where none are named."""


class HoldStatus(StrEnum):
    HELD = "held"
    WAITING = "waiting"
    REFUSED = "refused"


class FundsHeld(StepOutput):
    status: HoldStatus
    hold_id: HoldId | None = None
    reason: Code | None = None
    """Which limit stood in the way: `over_program`, `over_round`, `over_award`, `over_person`, `closed`."""


HOLD_FUNDS = Step("payments.hold_funds.v1", Queue.PAYMENTS, HoldFunds, FundsHeld)


class EncumberFunds(StepInput):
    """Turn the hold into an encumbrance at the enrollment's price; the rest is released."""

    enrollment_id: EnrollmentId
    price_cents: PositiveCents
    hold_number: AttemptNumber = 1
    """Which of the case's holds it turns into the encumbrance."""


class EncumbranceStatus(StrEnum):
    ENCUMBERED = "encumbered"
    EXCEEDS_HOLD = "exceeds_hold"
    NO_HOLD = "no_hold"
    """The hold expired or was released before."""


class FundsEncumberedResult(StepOutput):
    status: EncumbranceStatus
    encumbered_cents: Cents = 0
    released_cents: Cents = 0


ENCUMBER_FUNDS = Step("payments.encumber_funds.v1", Queue.PAYMENTS, EncumberFunds, FundsEncumberedResult)


class ReleaseFunds(StepInput):
    """Give back whatever the case still holds: waiting-list place, hold, encumbrance, unused exam voucher."""

    reason: Code


class FundsReleasedResult(StepOutput):
    released_cents: Cents


RELEASE_FUNDS = Step("payments.release_funds.v1", Queue.PAYMENTS, ReleaseFunds, FundsReleasedResult)


class IssueExamVoucher(StepInput):
    """Allocate one exam voucher for this attempt that stays usable at least `usable_seconds`.

    Attempt 2 and on is a retake, under the policy of the pack version that the case is pinned to.
    """

    person_id: PersonId
    exam_id: Slug
    attempt_number: AttemptNumber
    usable_seconds: Annotated[int, Field(ge=0, le=63_300_000)]
    attempts_max: AttemptNumber | None = None
    retake_wait_seconds: Annotated[int, Field(ge=0, le=63_300_000)] | None = None
    pack_version: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")] | None = None


class ExamVoucherStatus(StrEnum):
    ISSUED = "issued"
    NONE_AVAILABLE = "none_available"
    REFUSED = "refused"
    """The policy gives no exam voucher for this attempt; `reason` says why."""


class ExamVoucherResult(StepOutput):
    status: ExamVoucherStatus
    reason: Code | None = None
    """`attempts_used_up`, `no_earlier_attempt`, `not_failed`."""
    exam_voucher_id: ExamVoucherId | None = None
    expires_at: Instant | None = None


ISSUE_EXAM_VOUCHER = Step("payments.issue_exam_voucher.v1", Queue.PAYMENTS, IssueExamVoucher, ExamVoucherResult)


class ReviewClaim(StepInput):
    """Match the claim against award, enrollment, credential, price, window; approve, return, refer or refuse."""

    claim_id: ClaimId
    enrollment_id: EnrollmentId
    provider_id: Slug
    credential_id: Slug
    invoice_number: Reference
    invoice_on: str
    amount_cents: PositiveCents
    participant_charged_cents: Cents
    credential_earned_on: str
    claim_due_at: Instant
    submitted_at: Instant
    auto_approve_max_cents: Cents
    approved_by: Annotated[list[str], Field(max_length=4)] = []
    """Staff who approved a referred claim; empty for the automatic match."""
    refused_by: str | None = None
    lines: Annotated[list[ClaimLine], Field(max_length=8)] = []
    documents: Annotated[list[ClaimDocument], Field(max_length=16)] = []
    cost_lines: Annotated[list[CostLine], Field(max_length=8)] = []
    """The plan's cost lines, with what other money already pays of each."""
    review_number: Annotated[int, Field(ge=1)] = 1
    """The review that `approved_by` answers; approvals of an earlier one do not count."""


class ClaimStatus(StrEnum):
    APPROVED = "approved"
    RETURNED = "returned"
    REFERRED = "referred"
    REFUSED = "refused"


class ClaimReviewed(StepOutput):
    status: ClaimStatus
    approved_cents: Cents = 0
    checks: Annotated[list[ClaimCheck], Field(max_length=32)]
    due_at: Instant | None = None
    approvals_counted: Annotated[list[str], Field(max_length=4)] = []
    """Of those who approved, the people whose word counts toward what the amount takes."""
    approvals_barred: Annotated[list[str], Field(max_length=4)] = []
    """Of those who approved, the ones who may not: the provider itself, or who recorded a change of its payee."""
    review_number: Annotated[int, Field(ge=1)] = 1
    """The review that a referred claim waits in: a doubt that came up after people approved begins another."""


REVIEW_CLAIM = Step("payments.review_claim.v1", Queue.PAYMENTS, ReviewClaim, ClaimReviewed, StepPace.DECIDE)


class PayClaim(StepInput):
    """Order the payment of an approved claim; attempt 2 and on only after the one before came back."""

    claim_id: ClaimId
    attempt_number: AttemptNumber


class PaymentOrdered(StepOutput):
    disbursement_id: DisbursementId
    amount_cents: PositiveCents
    due_at: Instant


PAY_CLAIM = Step("payments.pay_claim.v1", Queue.PAYMENTS, PayClaim, PaymentOrdered)

STEPS = (HOLD_FUNDS, ENCUMBER_FUNDS, RELEASE_FUNDS, ISSUE_EXAM_VOUCHER, REVIEW_CLAIM, PAY_CLAIM, *FISCAL_YEAR_STEPS)
