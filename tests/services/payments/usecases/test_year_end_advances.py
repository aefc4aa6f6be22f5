"""The year's end and encumbrances of which a part was paid ahead, or given back: only what is still open moves on."""

from datetime import datetime

import pytest

from contracts.events.applications import ChargeAnswered
from contracts.events.payments import DisbursementOrdered, FundsLapsed
from contracts.steps.fiscal_year import AmendYearEnd, Disposition
from contracts.steps.payments import ClaimStatus
from services.payments.domain import FundingState
from services.payments.usecases import books, fiscal_year
from services.payments.usecases.advances import agree_refund, grant_advances, propose_refund
from services.payments.usecases.charges import follow_charge_answer
from services.payments.usecases.claim_queues import decide_stopped
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, ROUND, UNIT, Case
from tests.services.payments.usecases.test_advances import make_platinum, settled
from tests.services.payments.usecases.test_claims import batch_of, confirm
from tests.services.payments.usecases.test_fiscal_year import (
    FIRST_MINUTE,
    LAST_EVENING,
    LINE,
    NEXT,
    YEAR,
    approve,
    closed,
    desk,
    encumbered,
    funding_of,
    hard_close,
    post,
    propose,
    rows,
    soft_close,
)

__all__ = ["desk"]

CENTS, AHEAD = 200_000, 100_000


@pytest.fixture
async def paying_ahead(desk):
    await make_platinum(desk)
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE program_version SET fiscal_year_start = '07-01', time_zone = 'America/New_York'")
    return desk


async def ahead(desk, name: str, *, starts: datetime | None = None) -> Case:
    """An encumbrance of which half was paid ahead, and settled."""
    case = await encumbered(desk, name, starts=starts, cents=CENTS)
    assert await grant_advances(business_unit=UNIT, db=desk.db, now=NOW) == 1
    await batch_of(desk)
    [payment] = [fact for fact in await desk.told(DisbursementOrdered) if fact["application_id"] == case.id]
    await confirm(desk, settled(payment["disbursement_id"], f"A{name}"), name=f"{name}.pcf")
    return case


async def test_only_what_is_open_is_listed_carried_and_claimed(paying_ahead):
    case = await ahead(paying_ahead, "ann")
    await soft_close(paying_ahead)
    proposal = await propose(paying_ahead)
    assert (proposal.encumbrances, proposal.open_cents, proposal.carry_cents) == (1, CENTS - AHEAD, CENTS - AHEAD)
    report = await closed(paying_ahead)
    assert (report.carried_cents, report.lapsed_cents, report.open_cents) == (CENTS - AHEAD, 0, CENTS - AHEAD)
    assert report.available_lapsed_cents == 1_000_000 - CENTS
    after = await rows(paying_ahead)
    assert (after[LINE], after[NEXT]) == (
        {"disbursed": AHEAD, "lapsed": 1_000_000 - CENTS},
        {"encumbered": CENTS - AHEAD},
    )
    funding = await funding_of(paying_ahead, case)
    assert (funding.book, funding.open_cents, funding.advanced_cents) == (NEXT, CENTS - AHEAD, AHEAD)
    # The claim is still for the whole price: the year before paid the advance, this one pays the rest.
    reviewed = await paying_ahead.review(case, 190_000)
    assert (reviewed.status, reviewed.approved_cents) == (ClaimStatus.APPROVED, 190_000)
    assert (await paying_ahead.pay(case)).amount_cents == 90_000
    assert (await rows(paying_ahead))[NEXT] == {"payable": 90_000, "available": 10_000}
    assert (await paying_ahead.prove()).is_right


async def test_only_what_is_open_lapses_and_the_advance_is_owed_back(paying_ahead):
    case = await ahead(paying_ahead, "ann", starts=FIRST_MINUTE)
    report = await closed(paying_ahead)
    assert (report.carried_cents, report.lapsed_cents, report.open_cents) == (0, CENTS - AHEAD, CENTS - AHEAD)
    [told] = await paying_ahead.told(FundsLapsed)
    assert (told["application_id"], told["lapsed_cents"]) == (case.id, CENTS - AHEAD)
    assert (await funding_of(paying_ahead, case)).state is FundingState.LAPSED
    assert (await paying_ahead.release(case, "funds_lapsed")).released_cents == 0
    async with paying_ahead.db.transaction() as tx:
        refund = await propose_refund(tx, PROGRAM, ROUND, PROVIDER, maker="finance/anna", now=NOW)
        await agree_refund(tx, refund.refund_id, checker="finance/ben", now=NOW)
    assert refund.cents == AHEAD
    assert (await rows(paying_ahead))[LINE] == {"disbursed": AHEAD, "lapsed": 1_000_000 - AHEAD}
    assert (await paying_ahead.prove()).is_right


async def test_an_amended_line_moves_only_what_is_open(paying_ahead):
    await ahead(paying_ahead, "ann", starts=FIRST_MINUTE)
    await soft_close(paying_ahead)
    await propose(paying_ahead)
    [line] = await fiscal_year.lines_of_close(PROGRAM, 2026, after="", count_max=5, db=paying_ahead.db)
    ask = AmendYearEnd(
        **YEAR, encumbrance=line["transfer_id"], disposition=Disposition.CARRY, reason="moved by us", actor="anna"
    )
    amended = await fiscal_year.amend(ask, db=paying_ahead.db, now=NOW)
    assert (amended.carry_cents, amended.lapse_cents) == (CENTS - AHEAD, 0)
    await approve(paying_ahead)
    await post(paying_ahead)
    assert (await hard_close(paying_ahead)).carried_cents == CENTS - AHEAD


@pytest.mark.parametrize("starts", [LAST_EVENING, FIRST_MINUTE], ids=["carried", "lapsed"])
async def test_an_advance_between_list_and_posting_is_resolved(paying_ahead, starts):
    case = await encumbered(paying_ahead, "ann", starts=starts, cents=CENTS)
    await soft_close(paying_ahead)
    await approve(paying_ahead)
    assert await grant_advances(business_unit=UNIT, db=paying_ahead.db, now=NOW) == 1
    await post(paying_ahead)
    report = await hard_close(paying_ahead)
    moved = report.carried_cents if starts is LAST_EVENING else report.lapsed_cents
    assert (report.open_cents, moved, report.resolved_cents) == (CENTS, CENTS - AHEAD, AHEAD)
    assert report.payable_cents == AHEAD
    assert (await funding_of(paying_ahead, case)).open_cents == CENTS - AHEAD
    assert (await batch_of(paying_ahead)).total_cents == AHEAD
    assert (await rows(paying_ahead))[LINE]["in_transit"] == AHEAD
    assert (await paying_ahead.prove()).is_right


async def test_an_advance_is_paid_on_a_carried_encumbrance_and_carried_without_it(paying_ahead):
    case = await encumbered(paying_ahead, "ann", cents=CENTS)
    await closed(paying_ahead)
    assert await grant_advances(business_unit=UNIT, db=paying_ahead.db, now=NOW) == 1
    assert (await rows(paying_ahead))[NEXT] == {"payable": AHEAD, "encumbered": CENTS - AHEAD}
    assert (await paying_ahead.release(case)).released_cents == CENTS - AHEAD
    assert (await rows(paying_ahead))[NEXT] == {"payable": AHEAD, "available": CENTS - AHEAD}
    assert (await paying_ahead.prove()).is_right


async def charged(desk, case: Case) -> None:
    async with desk.db.transaction() as tx:
        fact = ChargeAnswered(application_id=case.id, charged=True, answered_at=NOW)
        await follow_charge_answer(fact, tx, now=NOW)


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_stopped_claim_below_its_encumbrance_is_carried_with_what_it_stopped(paying_ahead, goes_on):
    """Of 200,000 half was paid ahead, and 10,000 were given back when the claim was approved."""
    case = await ahead(paying_ahead, "ann")
    await paying_ahead.review(case, 190_000)
    await charged(paying_ahead, case)
    funding = await funding_of(paying_ahead, case)
    assert (funding.state, funding.open_cents) == (FundingState.ENCUMBERED, 90_000)
    report = await closed(paying_ahead)
    assert (report.carried_cents, report.open_cents) == (90_000, 90_000)
    assert (await rows(paying_ahead))[NEXT] == {"encumbered": 90_000}
    async with paying_ahead.db.transaction() as tx:
        await decide_stopped(tx, case.claim_id, approve=goes_on, actor="finance/anna", note="looked at", now=NOW)
    if goes_on:
        assert (await paying_ahead.pay(case)).amount_cents == 90_000
        assert (await batch_of(paying_ahead)).total_cents == 90_000
        assert (await rows(paying_ahead))[NEXT] == {"in_transit": 90_000}
    else:
        assert (await paying_ahead.release(case, "claim_refused")).released_cents == 90_000
        assert (await rows(paying_ahead))[NEXT] == {"available": 90_000}
    assert (await paying_ahead.prove()).is_right


async def test_the_forecast_counts_only_what_is_open(paying_ahead):
    await ahead(paying_ahead, "ann")
    found = await books.forecast(PROGRAM, 2026, db=paying_ahead.db, now=NOW)
    assert (found.committed_cents, found.spent_cents) == (CENTS - AHEAD, AHEAD)
    [award] = [one for one in found.outlooks if one.award.endswith(PROVIDER)]
    assert (award.open_cents, award.spent_cents) == (CENTS - AHEAD, AHEAD)
    assert award.expected_cents <= CENTS - AHEAD
