"""The steps the journey may ask of payments, on its task queue."""

from collections.abc import Callable, Sequence
from typing import Any

from contracts.steps.payments import (
    ENCUMBER_FUNDS,
    HOLD_FUNDS,
    ISSUE_EXAM_VOUCHER,
    PAY_CLAIM,
    RELEASE_FUNDS,
    REVIEW_CLAIM,
    ClaimReviewed,
    EncumberFunds,
    ExamVoucherResult,
    FundsEncumberedResult,
    FundsHeld,
    FundsReleasedResult,
    HoldFunds,
    IssueExamVoucher,
    PayClaim,
    PaymentOrdered,
    ReleaseFunds,
    ReviewClaim,
)
from kit.clock import Clock
from kit.db import Database
from kit.temporal import implements
from services.payments.usecases import claims, disbursements, funding, vouchers


class PaymentsSteps:
    """Each step with the pool and the clock it runs on."""

    def __init__(self, db: Database, clock: Clock, *, business_unit: str) -> None:
        self._db = db
        self._clock = clock
        self._business_unit = business_unit

    @implements(HOLD_FUNDS)
    async def hold_funds(self, ask: HoldFunds) -> FundsHeld:
        return await funding.hold_funds(ask, db=self._db, now=self._clock.now())

    @implements(ENCUMBER_FUNDS)
    async def encumber_funds(self, ask: EncumberFunds) -> FundsEncumberedResult:
        return await funding.encumber_funds(ask, db=self._db, now=self._clock.now())

    @implements(RELEASE_FUNDS)
    async def release_funds(self, ask: ReleaseFunds) -> FundsReleasedResult:
        return await funding.release_funds(ask, db=self._db, now=self._clock.now())

    @implements(ISSUE_EXAM_VOUCHER)
    async def issue_exam_voucher(self, ask: IssueExamVoucher) -> ExamVoucherResult:
        return await vouchers.issue_exam_voucher(ask, db=self._db, now=self._clock.now())

    @implements(REVIEW_CLAIM)
    async def review_claim(self, ask: ReviewClaim) -> ClaimReviewed:
        return await claims.review_claim(ask, business_unit=self._business_unit, db=self._db, now=self._clock.now())

    @implements(PAY_CLAIM)
    async def pay_claim(self, ask: PayClaim) -> PaymentOrdered:
        return await disbursements.pay_claim(ask, db=self._db, now=self._clock.now())

    def all(self) -> Sequence[Callable[..., Any]]:
        return (
            self.hold_funds,
            self.encumber_funds,
            self.release_funds,
            self.issue_exam_voucher,
            self.review_claim,
            self.pay_claim,
        )
