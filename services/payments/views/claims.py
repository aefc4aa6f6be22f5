"""What the doors to claims take and show."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import ApplicationId, ClaimId
from contracts.money import BudgetCents, Cents, PositiveCents
from contracts.texts import Code, Instant, Sentence, Slug
from services.payments.claims.advances import RefundId
from services.payments.claims.queues import Queue
from services.payments.store.advances import Refund
from services.payments.store.claim_queues import OpenReview
from services.payments.usecases.claim_queues import ClosedRequest
from services.payments.usecases.provider_statements import PeriodStatement


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class DecideClaim(BaseModel):
    """One person's word on a stopped claim, and why."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "refuse"]
    note: Sentence


class CloseRequest(BaseModel):
    """Which program's request of this month takes no more claims."""

    model_config = ConfigDict(extra="forbid")

    program_id: Slug


class NewRefund(BaseModel):
    """Whose advances of which round are assessed."""

    model_config = ConfigDict(extra="forbid")

    program_id: Slug
    round_id: Slug
    provider_id: Slug


class RefundShown(_Shown):
    """What a provider owes back of its advances of a round; `checked_by` once another person agreed."""

    refund_id: RefundId
    program_id: Slug
    round_id: Slug
    provider_id: Slug
    earned: Annotated[int, Field(ge=0)]
    decided: Annotated[int, Field(ge=0)]
    cents: PositiveCents
    made_by: Annotated[str, Field(max_length=100)]
    checked_by: Annotated[str, Field(max_length=100)] | None


class ReviewShown(_Shown):
    """Where the review of a claim stands; `open` while more people have to agree."""

    claim_id: ClaimId
    open: bool
    approved: Annotated[int, Field(ge=0)]
    approvers_needed: Annotated[int, Field(ge=0)]


class WaitingClaim(_Shown):
    """A claim that waits for people."""

    claim_id: ClaimId
    application_id: ApplicationId
    provider_id: Slug
    queue: Queue
    origin: Literal["match", "charge"]
    reasons: list[Code]
    claimed_cents: PositiveCents
    approved: Annotated[int, Field(ge=0)]
    approvers_needed: Annotated[int, Field(ge=1)]
    opened_at: Instant
    notice_due_at: Instant | None
    """By when the provider has to be told of defects; none where the claim was approved once."""


class ClaimReviews(_Shown):
    items: list[WaitingClaim]


class ClosedRequestShown(_Shown):
    """The closed request with what it holds."""

    month: date
    number: Annotated[int, Field(ge=1)]
    claims: Annotated[int, Field(ge=0)]
    cents: BudgetCents


class StatementLine(_Shown):
    """One entry of the journal on a provider's statement."""

    heading: Code
    amount_cents: PositiveCents
    reason: Annotated[str, Field(max_length=200)]
    case: Annotated[str, Field(max_length=100)] | None
    at: Instant


class InterestLine(_Shown):
    """Interest that the agency owes on one late payment."""

    claim_id: ClaimId
    unpaid_cents: PositiveCents
    days: Annotated[int, Field(ge=1)]
    cents: Cents


class StatementShown(_Shown):
    """A provider's statement: opening, what moved by heading, closing. Interest stands beside the ledger."""

    provider_id: Slug
    first: date
    last: date
    opening_cents: BudgetCents
    closing_cents: BudgetCents
    totals: dict[Code, BudgetCents]
    lines: list[StatementLine]
    interest: list[InterestLine]


def statement_shown(found: PeriodStatement) -> StatementShown:
    ledger = found.ledger
    return StatementShown.model_validate(
        {
            "provider_id": found.provider_id,
            "first": found.first,
            "last": found.last,
            "opening_cents": ledger.opening_cents,
            "closing_cents": ledger.closing_cents,
            "totals": dict(ledger.totals),
            "lines": [
                {
                    "heading": one.heading,
                    "amount_cents": one.amount_cents,
                    "reason": one.reason,
                    "case": one.workflow_id,
                    "at": one.at,
                }
                for one in ledger.movements
            ],
            "interest": [
                {"claim_id": i.claim_id, "unpaid_cents": i.unpaid_cents, "days": i.days, "cents": i.cents}
                for i in found.interest
            ],
        }
    )


def reviews_shown(found: Sequence[OpenReview]) -> ClaimReviews:
    return ClaimReviews(items=[review_waiting(one) for one in found])


def review_waiting(one: OpenReview) -> WaitingClaim:
    return WaitingClaim.model_validate(
        {
            "claim_id": one.claim_id,
            "application_id": one.application_id,
            "provider_id": one.provider_id,
            "queue": one.queue,
            "origin": one.origin,
            "reasons": [*one.reasons, *one.later_reasons],
            "claimed_cents": one.claimed_cents,
            "approved": len(one.approved),
            "approvers_needed": one.approvers_needed,
            "opened_at": one.opened_at,
            "notice_due_at": one.notice_due_at,
        }
    )


def review_shown(claim_id: ClaimId, one: OpenReview | None) -> ReviewShown:
    return ReviewShown(
        claim_id=claim_id,
        open=one is not None,
        approved=len(one.approved) if one else 0,
        approvers_needed=one.approvers_needed if one else 0,
    )


def request_shown(one: ClosedRequest) -> ClosedRequestShown:
    return ClosedRequestShown(month=one.slot.month, number=one.slot.number, claims=one.claims, cents=one.cents)


def refund_shown(refund: Refund) -> RefundShown:
    return RefundShown.model_validate(refund, from_attributes=True)
