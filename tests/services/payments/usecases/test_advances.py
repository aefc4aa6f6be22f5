"""Platinum providers are paid ahead; the claim settles the rest; what is owed back comes out of the next payments."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.eligibility import ListedAdvance, ListedClaimRules
from contracts.events.payments import AdvanceGranted, DisbursementOrdered, DisbursementSettled, PaymentPurpose
from contracts.ids import ClaimId, DisbursementId, TransferId
from contracts.steps.payments import ClaimStatus
from services.payments.claims.advances import (
    PAYMENT_CENTS_MIN,
    Advanced,
    NothingOwed,
    advance_cents,
    advance_for,
    netted,
    refund_due,
)
from services.payments.domain import MakerIsChecker
from services.payments.remittance import Confirmation
from services.payments.store.claim_rules import standing_of
from services.payments.usecases import advances
from services.payments.usecases.advances import agree_refund, grant_advances, propose_refund
from services.payments.usecases.program import follow_program
from services.payments.usecases.provider_statements import statement_for
from tests.services.payments.case import NOW, OTHER, PROGRAM, PROVIDER, ROUND, UNIT, Case, Desk, published
from tests.services.payments.usecases.test_claims import batch_of, confirm, failed
from tests.services.payments.usecases.test_late_payments import owed_by_the_books

PLATINUM = ListedAdvance(
    standing="platinum",
    percent=50,
    trigger="enrollment_accepted",
    true_up="credential_earned",
    refund_below_percent=50,
    effective_from="2025-09-30",
)
RULES = ListedClaimRules(charge_answer_days=0, advances=[PLATINUM])


def advanced(name: str, *, earned: bool = False, ended: bool = True, paid: bool = True, refunded: bool = False):
    settled = TransferId.derive(name) if paid else None
    return Advanced(ClaimId.derive(name), 1_000, settled, earned, ended, refunded)


@pytest.mark.parametrize(
    ("standing", "on", "granted"),
    [
        ("platinum", date(2025, 9, 30), True),
        ("platinum", date(2025, 9, 29), False),
        ("gold", date(2026, 1, 1), False),
        (None, date(2026, 1, 1), False),
    ],
)
def test_who_is_paid_ahead(standing, on, granted):
    assert (advance_for(RULES, standing, on) is not None) is granted


def test_an_advance_is_less_than_the_whole():
    assert [advance_cents(*of) for of in ((300_000, 50), (300_001, 50), (300_000, 100), (150, 90))] == [
        150_000,
        150_000,
        300_000 - PAYMENT_CENTS_MIN,
        50,
    ]


@pytest.mark.parametrize(
    ("earned", "failed_cases", "owed"),
    [(1, 1, 0), (1, 2, 2_000), (0, 1, 1_000), (2, 2, 0), (49, 51, 51_000), (50, 50, 0)],
)
def test_a_refund_is_owed_below_half_and_only_for_who_did_not_earn(earned, failed_cases, owed):
    cases = [advanced(f"e{n}", earned=True) for n in range(earned)] + [advanced(f"f{n}") for n in range(failed_cases)]
    running = [advanced(f"r{n}", ended=False) for n in range(7)]
    found = refund_due([*cases, *running], 50)
    assert (found.cents, found.earned, found.decided) == (owed, earned, earned + failed_cases)


def test_what_was_not_paid_or_is_refunded_already_is_not_owed():
    assert refund_due([advanced("a", paid=False), advanced("b", refunded=True)], 50).cents == 0


@given(st.integers(1, 10**6), st.lists(st.integers(1, 10**6), max_size=6))
def test_netting_takes_no_more_than_is_owed_and_leaves_a_payment(payable, owed):
    taken = netted(payable, owed)
    assert all(0 <= took <= debt for took, debt in zip(taken, owed, strict=True))
    assert sum(taken) == min(sum(owed), max(0, payable - PAYMENT_CENTS_MIN))


async def make_platinum(desk: Desk) -> None:
    """One provider is platinum, and the program's rules have it paid ahead."""
    fact = published(version=2)
    providers = [
        one.model_copy(update={"standing": "platinum"}) for one in fact.providers if one.provider_id == PROVIDER
    ]
    others = [one for one in fact.providers if one.provider_id != PROVIDER]
    async with desk.db.transaction() as tx:
        changed = fact.model_copy(update={"claim_rules": RULES, "providers": [*providers, *others]})
        await follow_program(changed, tx, now=NOW)


@pytest.fixture
async def platinum(desk: Desk) -> Desk:
    await make_platinum(desk)
    return desk


async def enrolled(desk: Desk, name: str, provider: str = PROVIDER, cents: int = 200_000) -> Case:
    case = Case(name, provider=provider)
    await desk.hold(case, cents)
    await desk.encumber(case, cents)
    return case


async def advance_paid(desk: Desk, name: str) -> Case:
    """An enrollment whose advance settled."""
    case = await enrolled(desk, name)
    assert await grant_advances(business_unit=UNIT, db=desk.db, now=NOW) == 1
    await batch_of(desk)
    [payment] = [fact for fact in await desk.told(DisbursementOrdered) if fact["application_id"] == case.id]
    await confirm(desk, settled(payment["disbursement_id"], f"A{name}"), name=f"{name}.pcf")
    return case


def settled(payment: str, number: str) -> Confirmation:
    return Confirmation(DisbursementId(payment), "V1", number, date(2026, 3, 11), "PAID", None)


async def dropped(desk: Desk, case: Case) -> None:
    await desk.release(case, "not_completed")


async def test_nobody_waits_for_an_advance_behind_cases_that_get_none(platinum, monkeypatch):
    monkeypatch.setattr(advances, "ADVANCES_PER_SWEEP_MAX", 1)
    async with platinum.db.transaction() as tx:
        await tx.execute("UPDATE provider SET standing = 'gold' WHERE provider_id = $1", OTHER)
    await enrolled(platinum, "bob", provider=OTHER)
    case = await enrolled(platinum, "ann")
    assert await grant_advances(business_unit=UNIT, db=platinum.db, now=NOW) == 1
    assert [fact["application_id"] for fact in await platinum.told(AdvanceGranted)] == [case.id]


async def test_half_is_paid_ahead_and_the_claim_settles_the_rest(platinum):
    case, plain = await enrolled(platinum, "ann"), await enrolled(platinum, "bob", provider=OTHER)
    for expected in (1, 0):
        assert await grant_advances(business_unit=UNIT, db=platinum.db, now=NOW) == expected
    assert await platinum.stages() == {"available": 600_000, "encumbered": 300_000, "payable": 100_000}
    assert [fact["application_id"] for fact in await platinum.told(AdvanceGranted)] == [case.id]
    [ordered] = await platinum.told(DisbursementOrdered)
    assert (ordered["purpose"], ordered["amount_cents"]) == (PaymentPurpose.ADVANCE, 100_000)
    await batch_of(platinum)
    await confirm(platinum, settled(ordered["disbursement_id"], "A1"))
    assert [fact["purpose"] for fact in await platinum.told(DisbursementSettled)] == [PaymentPurpose.ADVANCE]
    await platinum.learn(case, price_cents=200_000)
    reviewed = await platinum.review(case, 190_000)
    assert (reviewed.status, reviewed.approved_cents) == (ClaimStatus.APPROVED, 190_000)
    payment = await platinum.pay(case)
    assert payment.amount_cents == 90_000
    assert (await platinum.stages())["payable"] == 90_000
    await batch_of(platinum)
    await confirm(platinum, settled(payment.disbursement_id, "P1"), name="b.pcf")
    assert await platinum.stages() == {"available": 610_000, "encumbered": 200_000, "disbursed": 190_000}
    await dropped(platinum, plain)
    assert (await platinum.prove()).is_right


async def test_a_claim_that_the_advance_covers_is_refused_with_its_reason(platinum):
    case = await advance_paid(platinum, "ann")
    await platinum.learn(case, price_cents=200_000)
    reviewed = await platinum.review(case, 100_000)
    assert (reviewed.status, failed(reviewed)) == (ClaimStatus.REFUSED, {"covered_by_advance"})


async def test_who_drops_out_gives_back_the_rest_but_not_what_was_paid(platinum):
    case = await advance_paid(platinum, "ann")
    assert (await platinum.release(case, "not_completed")).released_cents == 100_000
    assert await platinum.stages() == {"available": 900_000, "disbursed": 100_000}


async def test_a_refund_takes_two_people_and_comes_out_of_the_next_payment(platinum):
    lost = await advance_paid(platinum, "ann")
    async with platinum.db.transaction() as tx:
        with pytest.raises(NothingOwed):
            await propose_refund(tx, PROGRAM, ROUND, PROVIDER, maker="finance/anna", now=NOW)
    await dropped(platinum, lost)
    async with platinum.db.transaction() as tx:
        refund = await propose_refund(tx, PROGRAM, ROUND, PROVIDER, maker="finance/anna", now=NOW)
    assert (refund.cents, refund.earned, refund.decided) == (100_000, 0, 1)
    with pytest.raises(MakerIsChecker):
        async with platinum.db.transaction() as tx:
            await agree_refund(tx, refund.refund_id, checker="finance/anna", now=NOW)
    with pytest.raises(asyncpg.CheckViolationError):
        async with platinum.db.transaction() as tx:
            await tx.execute("UPDATE provider_refund SET checked_by = made_by")
    async with platinum.db.transaction() as tx:
        await agree_refund(tx, refund.refund_id, checker="finance/ben", now=NOW)

    # The next enrollment's advance is paid whole; its claim is netted, down to the least payment.
    case = await advance_paid(platinum, "bea")
    await platinum.learn(case, price_cents=200_000)
    await platinum.review(case, 160_000)
    payment = await platinum.pay(case)
    assert payment.amount_cents == 60_000
    batch = await batch_of(platinum)
    assert batch.total_cents == PAYMENT_CENTS_MIN
    await confirm(platinum, settled(payment.disbursement_id, "P1"), name="b.pcf")
    # 59,900 of the lost advance came back and paid this claim; 40,100 are still owed.
    assert await platinum.stages() == {"available": 799_900, "disbursed": 200_100}
    assert (await platinum.prove()).is_right
    async with platinum.db.connection() as connection:
        assert await connection.fetchval("SELECT cents - netted_cents FROM refund_part") == 40_100
    async with platinum.db.transaction() as tx:
        with pytest.raises(NothingOwed):
            await propose_refund(tx, PROGRAM, ROUND, PROVIDER, maker="finance/anna", now=NOW)


async def test_the_statement_tells_advances_netting_and_refunds(platinum):
    await advance_paid(platinum, "ann")
    await enrolled(platinum, "bea")
    await grant_advances(business_unit=UNIT, db=platinum.db, now=NOW)
    today = datetime.now(UTC).date()
    found = (await statement_for(PROVIDER, today - timedelta(days=1), today + timedelta(days=1), db=platinum.db)).ledger
    assert (found.totals["advances"], found.totals["claims"], found.totals["payments"]) == (200_000, 0, 100_000)
    assert found.closing_cents == await owed_by_the_books(platinum, PROVIDER) == 100_000


async def test_a_provider_that_is_listed_no_more_is_paid_ahead_no_more(platinum: Desk):
    async with platinum.db.transaction() as tx:
        assert await standing_of(tx, PROGRAM, PROVIDER) == "platinum"
        await follow_program(published(version=3, awards={OTHER: 600_000}), tx, now=NOW)
        assert await standing_of(tx, PROGRAM, PROVIDER) is None
