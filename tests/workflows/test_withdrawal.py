"""The person may give up at any stage, and so may an operator."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from contracts.events.eligibility import Eligibility
from contracts.journey import UPDATE_HOLD, UPDATE_RESUME, Outcome, Stage
from contracts.steps.applications import CLOSE_CASE
from contracts.steps.eligibility import DETERMINE
from contracts.steps.payments import (
    HOLD_FUNDS,
    ISSUE_EXAM_VOUCHER,
    RELEASE_FUNDS,
    REVIEW_CLAIM,
    ClaimStatus,
    ExamVoucherResult,
    ExamVoucherStatus,
    FundsHeld,
    HoldStatus,
)
from tests.workflows.driver import Case
from tests.workflows.fakes import PLAN_WITH_EXAM, FakeSteps, determined, reviewed
from tests.workflows.test_staff import HOLD, RESUME

Path = Callable[[Case, FakeSteps], Awaitable[None]]


async def _information(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, determined(Eligibility.MORE_INFORMATION, missing=["income_proof"]))
    await case.start()
    await case.reaches(Stage.INFORMATION)


async def _appeal(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, determined(Eligibility.INELIGIBLE))
    await case.start()
    await case.reaches(Stage.APPEAL)


async def _waiting_list(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, FundsHeld(status=HoldStatus.WAITING, reason="over_round"))
    await case.start()
    await case.reaches(Stage.WAITING_LIST)


async def _enrollment(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)


async def _silent_college(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.passes(timedelta(days=11))
    await case.reaches(Stage.ENROLLMENT, question="silent_college")


async def _learning(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_learning()


async def _exam(case: Case, steps: FakeSteps) -> None:
    steps.plan = PLAN_WITH_EXAM
    await case.start()
    await case.to_exam()


async def _no_voucher(case: Case, steps: FakeSteps) -> None:
    steps.plan = PLAN_WITH_EXAM
    steps.script(ISSUE_EXAM_VOUCHER, ExamVoucherResult(status=ExamVoucherStatus.NONE_AVAILABLE))
    await case.start()
    await case.to_learning()
    await case.tell(case.completed())
    await case.reaches(Stage.EXAM, question="no_exam_voucher")


async def _claim(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_claim()


async def _claim_review(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.REFERRED))
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await case.reaches(Stage.CLAIM, question="claim_review")


MONEY_MAY_BE_HELD: list[Path] = [
    _waiting_list,
    _enrollment,
    _silent_college,
    _learning,
    _exam,
    _no_voucher,
    _claim,
    _claim_review,
]


@pytest.mark.parametrize("path", [_information, _appeal, *MONEY_MAY_BE_HELD], ids=lambda path: path.__name__[1:])
async def test_a_withdrawal_ends_the_case_where_it_stands(case: Case, steps: FakeSteps, path: Path) -> None:
    await path(case, steps)
    stage = (await case.view()).stage
    await case.tell(case.withdrawn())
    assert await case.outcome() is Outcome.WITHDRAWN
    assert steps.of(CLOSE_CASE)[0].reasons == ["changed_plans"]
    assert steps.of(CLOSE_CASE)[0].stage == stage
    assert len(steps.of(RELEASE_FUNDS)) == (1 if path in MONEY_MAY_BE_HELD else 0)


async def test_a_withdrawal_no_longer_stops_a_payment_that_is_owed(case: Case) -> None:
    await case.start()
    await case.to_reimbursement()
    await case.tell(case.withdrawn())
    await case.reaches(Stage.REIMBURSEMENT, noted="does not stop the payment")
    await case.tell(case.settled())
    assert await case.outcome() is Outcome.REIMBURSED


async def test_a_withdrawal_while_the_claim_is_approved_comes_too_late(case: Case, steps: FakeSteps) -> None:
    gate = steps.block(REVIEW_CLAIM)
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await case.reaches(Stage.CLAIM, noted="claim submitted")
    await case.tell(case.withdrawn())
    gate.set()
    await case.reaches(Stage.REIMBURSEMENT, noted="came while the claim was approved")
    await case.tell(case.settled())
    assert await case.outcome() is Outcome.REIMBURSED


async def test_a_withdrawal_during_a_step_counts_when_the_step_is_done(case: Case, steps: FakeSteps) -> None:
    gate = steps.block(HOLD_FUNDS)
    await case.start()
    await case.reaches(Stage.AWARD)
    await case.tell(case.withdrawn())
    gate.set()
    assert await case.outcome() is Outcome.WITHDRAWN
    assert steps.verbs() == ["determine", "hold_funds", "release_funds", "close_case"]


async def test_a_withdrawal_during_a_hold_counts_on_resume(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_learning()
    await case.act(UPDATE_HOLD, HOLD)
    await case.tell(case.withdrawn())
    await case.passes(timedelta(days=30))
    assert steps.of(RELEASE_FUNDS) == []
    await case.act(UPDATE_RESUME, RESUME)
    assert await case.outcome() is Outcome.WITHDRAWN
    assert len(steps.of(RELEASE_FUNDS)) == 1
