"""The steps the journey may ask of payments, on its task queue."""

from collections.abc import Callable, Sequence
from typing import Any

from contracts.steps.fiscal_year import (
    AMEND_YEAR_END,
    APPROVE_YEAR_END,
    HARD_CLOSE_YEAR,
    LIST_ENDED_YEARS,
    POST_YEAR_END,
    PROPOSE_YEAR_END,
    SOFT_CLOSE_YEAR,
    AmendYearEnd,
    ApproveYearEnd,
    EndedYears,
    HardCloseYear,
    ListEndedYears,
    PostYearEnd,
    ProposeYearEnd,
    SoftCloseYear,
    YearEndApproved,
    YearEndPosted,
    YearEndProposal,
    YearEndReport,
    YearSoftClosed,
)
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
from services.payments.usecases import claims, disbursements, fiscal_year, funding, holding, vouchers, year_end


class PaymentsSteps:
    """Each step with the pool and the clock it runs on."""

    def __init__(self, db: Database, clock: Clock, *, business_unit: str) -> None:
        self._db = db
        self._clock = clock
        self._business_unit = business_unit
        self._holds = holding.holding(db, clock)
        self._encumbrances = holding.encumbering(db, clock)
        self._exam_vouchers = vouchers.issuing(db, clock)

    @implements(HOLD_FUNDS)
    async def hold_funds(self, ask: HoldFunds) -> FundsHeld:
        return await self._holds.ask(ask)

    @implements(ENCUMBER_FUNDS)
    async def encumber_funds(self, ask: EncumberFunds) -> FundsEncumberedResult:
        return await self._encumbrances.ask(ask)

    @implements(RELEASE_FUNDS)
    async def release_funds(self, ask: ReleaseFunds) -> FundsReleasedResult:
        return await funding.release_funds(ask, db=self._db, now=self._clock.now())

    @implements(ISSUE_EXAM_VOUCHER)
    async def issue_exam_voucher(self, ask: IssueExamVoucher) -> ExamVoucherResult:
        return await self._exam_vouchers.ask(ask)

    @implements(REVIEW_CLAIM)
    async def review_claim(self, ask: ReviewClaim) -> ClaimReviewed:
        return await claims.review_claim(ask, business_unit=self._business_unit, db=self._db, now=self._clock.now())

    @implements(PAY_CLAIM)
    async def pay_claim(self, ask: PayClaim) -> PaymentOrdered:
        return await disbursements.pay_claim(ask, db=self._db, now=self._clock.now())

    async def close(self) -> None:
        """Answer what still waits for its transaction."""
        await self._holds.close()
        await self._encumbrances.close()
        await self._exam_vouchers.close()

    def all(self) -> Sequence[Callable[..., Any]]:
        return (
            self.hold_funds,
            self.encumber_funds,
            self.release_funds,
            self.issue_exam_voucher,
            self.review_claim,
            self.pay_claim,
        )


class FiscalYearSteps:
    """What the close of a fiscal year asks."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    @implements(LIST_ENDED_YEARS)
    async def list_ended_years(self, ask: ListEndedYears) -> EndedYears:
        return await fiscal_year.ended_years(ask, db=self._db, now=self._clock.now())

    @implements(SOFT_CLOSE_YEAR)
    async def soft_close_year(self, ask: SoftCloseYear) -> YearSoftClosed:
        return await fiscal_year.soft_close(ask, db=self._db, now=self._clock.now())

    @implements(PROPOSE_YEAR_END)
    async def propose_year_end(self, ask: ProposeYearEnd) -> YearEndProposal:
        return await fiscal_year.propose(ask, db=self._db, now=self._clock.now())

    @implements(AMEND_YEAR_END)
    async def amend_year_end(self, ask: AmendYearEnd) -> YearEndProposal:
        return await fiscal_year.amend(ask, db=self._db, now=self._clock.now())

    @implements(APPROVE_YEAR_END)
    async def approve_year_end(self, ask: ApproveYearEnd) -> YearEndApproved:
        return await fiscal_year.approve(ask, db=self._db, now=self._clock.now())

    @implements(POST_YEAR_END)
    async def post_year_end(self, ask: PostYearEnd) -> YearEndPosted:
        return await year_end.post_year_end(ask, db=self._db, now=self._clock.now())

    @implements(HARD_CLOSE_YEAR)
    async def hard_close_year(self, ask: HardCloseYear) -> YearEndReport:
        return await year_end.hard_close(ask, db=self._db, now=self._clock.now())

    def all(self) -> Sequence[Callable[..., Any]]:
        return (
            self.list_ended_years,
            self.soft_close_year,
            self.propose_year_end,
            self.amend_year_end,
            self.approve_year_end,
            self.post_year_end,
            self.hard_close_year,
        )
