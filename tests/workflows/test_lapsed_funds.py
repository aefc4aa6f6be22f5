"""The fiscal year closes over a case: it ends for want of money, unless its provider is owed the money already."""

from contracts.events.payments import FundsLapsed
from contracts.journey import Outcome, Stage
from contracts.steps.applications import CLOSE_CASE
from contracts.steps.payments import HOLD_FUNDS, RELEASE_FUNDS, FundsHeld, HoldStatus
from tests.workflows.driver import LONG_AGO, Case
from tests.workflows.fakes import FakeSteps


def lapsed(case: Case, stage: str = "encumbered") -> FundsLapsed:
    return FundsLapsed(
        application_id=case.id,
        fiscal_year=2026,
        stage=stage,
        lapsed_cents=100 if stage == "encumbered" else 0,
        reason="fiscal_year_lapsed" if stage == "encumbered" else "fiscal_year_closed",
        lapsed_at=LONG_AGO,
    )


async def test_a_case_that_waits_for_money_ends(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, FundsHeld(status=HoldStatus.WAITING, reason="over_round"))
    await case.start()
    await case.reaches(Stage.WAITING_LIST)
    await case.tell(lapsed(case, "waiting"))
    assert await case.outcome() is Outcome.NO_FUNDS
    [closed] = steps.of(CLOSE_CASE)
    assert closed.reasons == ["fiscal_year_closed"]


async def test_a_learner_whose_encumbrance_lapsed_is_told_why(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_learning()
    await case.tell(lapsed(case))
    assert await case.outcome() is Outcome.NO_FUNDS
    [closed] = steps.of(CLOSE_CASE)
    assert closed.reasons == ["fiscal_year_lapsed"]
    assert steps.of(RELEASE_FUNDS)


async def test_a_provider_who_is_owed_the_money_is_paid(case: Case) -> None:
    await case.start()
    await case.to_reimbursement()
    await case.tell(lapsed(case))
    await case.tell(case.settled())
    assert await case.outcome() is Outcome.REIMBURSED
