"""Facts that the payments service owns: money held, encumbered, claimed, paid; exam vouchers (never their codes)."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from contracts.envelope import CaseFact
from contracts.ids import ClaimId, DisbursementId, ExamVoucherId, HoldId, PaymentBatchId
from contracts.money import Cents, PositiveCents
from contracts.texts import Code, Instant, Reference, Sentence, Slug


class HoldPlaced(CaseFact):
    """Money is set aside for the case; from the waiting list, if the case had waited."""

    TYPE: ClassVar[str] = "cairn.payments.hold.placed.v1"

    hold_id: HoldId
    amount_cents: PositiveCents
    from_waiting_list: bool
    expires_at: Instant
    placed_at: Instant


class HoldWaitlisted(CaseFact):
    """Money is short under the named limit; the case waits its turn."""

    TYPE: ClassVar[str] = "cairn.payments.hold.waitlisted.v1"

    reason: Code
    amount_cents: PositiveCents
    waitlisted_at: Instant


class HoldRefused(CaseFact):
    """Money will not be set aside: the named limit cannot be lifted by waiting."""

    TYPE: ClassVar[str] = "cairn.payments.hold.refused.v1"

    reason: Code
    amount_cents: PositiveCents
    refused_at: Instant


class FundsEncumbered(CaseFact):
    """The hold became an encumbrance; what the price did not need went back."""

    TYPE: ClassVar[str] = "cairn.payments.funds.encumbered.v1"

    encumbered_cents: PositiveCents
    released_cents: Cents
    encumbered_at: Instant


class FundsReleased(CaseFact):
    """Unused money went back to where it was held from."""

    TYPE: ClassVar[str] = "cairn.payments.funds.released.v1"

    released_cents: Cents
    reason: Code
    released_at: Instant


LapsedFrom: TypeAlias = Literal["waiting", "held", "encumbered"]
"""What the case had of the money when its year closed."""


class FundsLapsed(CaseFact):
    """The fiscal year closed over the case: what it had, or waited for, is gone, and nothing can be paid from it."""

    TYPE: ClassVar[str] = "cairn.payments.funds.lapsed.v1"

    fiscal_year: Annotated[int, Field(ge=2000, le=2200)]
    stage: LapsedFrom
    """What the case had of the year's money."""
    lapsed_cents: Cents
    """What was encumbered; a hold goes back to the line first, and a waiting place has none."""
    reason: Code
    lapsed_at: Instant


class HoldExpired(CaseFact):
    """A hold that was not encumbered in time was released by the database clock."""

    TYPE: ClassVar[str] = "cairn.payments.hold.expired.v1"

    hold_id: HoldId
    released_cents: PositiveCents
    expired_at: Instant


class ExamVoucherIssued(CaseFact):
    """An exam voucher is allocated to the case; its code is revealed only to the applicant, once."""

    TYPE: ClassVar[str] = "cairn.payments.exam_voucher.issued.v1"

    exam_voucher_id: ExamVoucherId
    exam_id: Slug
    attempt_number: Annotated[int, Field(ge=1, le=10)]
    expires_at: Instant
    issued_at: Instant


class ExamVoucherReclaimed(CaseFact):
    """An exam voucher that was not used is available again."""

    TYPE: ClassVar[str] = "cairn.payments.exam_voucher.reclaimed.v1"

    exam_voucher_id: ExamVoucherId
    exam_id: Slug
    reclaimed_at: Instant


class ExamVoucherExpired(CaseFact):
    """An exam voucher that the case had was not used in time; its code is worth nothing any more."""

    TYPE: ClassVar[str] = "cairn.payments.exam_voucher.expired.v1"

    exam_voucher_id: ExamVoucherId
    exam_id: Slug
    attempt_number: Annotated[int, Field(ge=1, le=10)]
    expired_at: Instant


class ClaimCheck(BaseModel):
    """One check of a claim, with its result and reason."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    check: Code
    passed: bool
    reason: Code
    text: Sentence


class _ClaimFact(CaseFact):
    claim_id: ClaimId
    provider_id: Slug
    claimed_cents: PositiveCents
    checks: Annotated[list[ClaimCheck], Field(min_length=1, max_length=32)]
    decided_at: Instant


class ClaimApproved(_ClaimFact):
    """The claim matches; the money is payable."""

    TYPE: ClassVar[str] = "cairn.payments.claim.approved.v1"

    approved_cents: PositiveCents
    due_at: Instant
    """Prompt pay: thirty days after a proper invoice (OAC 126-3-01)."""


class ClaimReturned(_ClaimFact):
    """The claim has defects the provider can mend; every one is named."""

    TYPE: ClassVar[str] = "cairn.payments.claim.returned.v1"


class ClaimReferred(_ClaimFact):
    """Rules alone may not approve the claim; people decide."""

    TYPE: ClassVar[str] = "cairn.payments.claim.referred.v1"


class ClaimRefused(_ClaimFact):
    """The claim is refused, with every reason."""

    TYPE: ClassVar[str] = "cairn.payments.claim.refused.v1"


class ClaimEscalated(CaseFact):
    """The provider has to be told of defects within fifteen days (OAC 126-3-01), and the claim is not decided yet."""

    TYPE: ClassVar[str] = "cairn.payments.claim.escalated.v1"

    claim_id: ClaimId
    provider_id: Slug
    received_at: Instant
    notice_due_at: Instant
    escalated_at: Instant


class ClaimChargeAsked(CaseFact):
    """Before money moves the person is asked whether the provider charged; the payment waits until `answer_by`."""

    TYPE: ClassVar[str] = "cairn.payments.claim.charge_asked.v1"

    claim_id: ClaimId
    provider_id: Slug
    amount_cents: PositiveCents
    answer_by: Instant
    asked_at: Instant


class ClaimChargeUnanswered(CaseFact):
    """The person did not answer in time; the payment goes on, and the record says so."""

    TYPE: ClassVar[str] = "cairn.payments.claim.charge_unanswered.v1"

    claim_id: ClaimId
    provider_id: Slug
    closed_at: Instant


class ClaimStopped(CaseFact):
    """The person says that the provider charged: the payment is stopped and people decide the claim."""

    TYPE: ClassVar[str] = "cairn.payments.claim.stopped.v1"

    claim_id: ClaimId
    provider_id: Slug
    amount_cents: PositiveCents
    reason: Code
    stopped_at: Instant


class ClaimResumed(CaseFact):
    """People let a stopped claim go on: it is payable again."""

    TYPE: ClassVar[str] = "cairn.payments.claim.resumed.v1"

    claim_id: ClaimId
    provider_id: Slug
    amount_cents: PositiveCents
    due_at: Instant
    resumed_at: Instant


class ClaimRevoked(CaseFact):
    """People refused a claim that had been approved and was stopped; nothing is paid on it."""

    TYPE: ClassVar[str] = "cairn.payments.claim.revoked.v1"

    claim_id: ClaimId
    provider_id: Slug
    reason: Code
    revoked_at: Instant


class AdvanceGranted(CaseFact):
    """Part of the enrollment's price is payable ahead of completion (ORC 122.1712, 122.1713)."""

    TYPE: ClassVar[str] = "cairn.payments.advance.granted.v1"

    claim_id: ClaimId
    provider_id: Slug
    amount_cents: PositiveCents
    granted_at: Instant


class PaymentPurpose(StrEnum):
    """What a payment is for: a claim, or an advance ahead of it."""

    CLAIM = "claim"
    ADVANCE = "advance"


class _DisbursementFact(CaseFact):
    disbursement_id: DisbursementId
    claim_id: ClaimId
    provider_id: Slug
    amount_cents: PositiveCents
    purpose: PaymentPurpose = PaymentPurpose.CLAIM


class DisbursementOrdered(_DisbursementFact):
    """A payment is ordered and waits for its batch."""

    TYPE: ClassVar[str] = "cairn.payments.disbursement.ordered.v1"

    attempt_number: Annotated[int, Field(ge=1, le=10)]
    due_at: Instant
    ordered_at: Instant


class DisbursementSent(_DisbursementFact):
    """The payment left in a file."""

    TYPE: ClassVar[str] = "cairn.payments.disbursement.sent.v1"

    batch_id: PaymentBatchId
    sent_at: Instant


class DisbursementSettled(_DisbursementFact):
    """The finance system confirmed the payment."""

    TYPE: ClassVar[str] = "cairn.payments.disbursement.settled.v1"

    payment_number: Reference
    paid_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    settled_at: Instant


class DisbursementReturned(_DisbursementFact):
    """The payment came back; the money is payable again, never available."""

    TYPE: ClassVar[str] = "cairn.payments.disbursement.returned.v1"

    return_code: Annotated[str, Field(pattern=r"^[A-Z][0-9]{2}$")]
    after_settlement: bool = False
    """The payment had settled: the case may be closed, and payments makes the next attempt by itself."""
    returned_at: Instant


class DisbursementRepaired(_DisbursementFact):
    """What made the payment come back is mended; it may be paid again."""

    TYPE: ClassVar[str] = "cairn.payments.disbursement.repaired.v1"

    repaired_at: Instant
