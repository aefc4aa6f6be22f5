"""What a late payment costs is recorded once; what is unpaid is told with its interest; statements add up."""

from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.errors import NotFound
from contracts.events.applications import ChargeAnswered
from contracts.events.eligibility import ListedInterestRate
from services.payments.claims.provider_statement import HEADINGS
from services.payments.remittance import Confirmation, read_vouchers
from services.payments.usecases import late_payments, provider_statements
from services.payments.usecases.charges import follow_charge_answer
from services.payments.usecases.late_payments import record_interest, what_is_late
from services.payments.usecases.program import follow_program
from services.payments.usecases.provider_statements import PeriodTooFull, PeriodUnreadable, statement_for
from tests.services.payments.case import NOW, OTHER, PROVIDER, Case, Desk, published
from tests.services.payments.usecases.test_charges import RULES
from tests.services.payments.usecases.test_claim_queues import follow_claim, submitted
from tests.services.payments.usecases.test_claims import batch_of, confirm, word

RATES = [ListedInterestRate(calendar_year=2026, basis_points=700, source="ORC 5703.47")]
DUE_ON = date(2026, 4, 9)
"""Thirty days after the claim came."""


@pytest.fixture
async def rated(desk: Desk) -> Desk:
    rules = RULES.model_copy(update={"charge_answer_days": 0, "interest_rates": RATES})
    async with desk.db.transaction() as tx:
        await follow_program(published(version=2).model_copy(update={"claim_rules": rules}), tx, now=NOW)
    return desk


def paid(payment, on: date) -> Confirmation:
    return Confirmation(payment.disbursement_id, "V1", f"P{on:%j}", on, "PAID", None)


@pytest.mark.parametrize(("on", "owed"), [(DUE_ON, None), (DUE_ON + timedelta(days=1), 58), (date(2026, 4, 19), 575)])
async def test_interest_runs_from_the_day_after_the_due_day_and_is_recorded_once(rated, on, owed):
    payment = await rated.pay(await rated.approved(Case("ann")))
    await batch_of(rated)
    await confirm(rated, paid(payment, on))
    before = await rated.stages()
    for _ in range(2):
        await record_interest(db=rated.db, now=NOW)
    late = await what_is_late(db=rated.db, now=NOW)
    assert [one.cents for one in late.interest] == ([] if owed is None else [owed])
    assert (late.interest_count, late.interest_cents) == (len(late.interest), owed or 0)
    # It is the agency's own money: the program's books do not move.
    assert await rated.stages() == before


@pytest.mark.parametrize(
    ("said", "owed"),
    [
        ({"accrues_by": "month"}, 583),
        ({"minimum_cents": 576}, 0),
        ({"accrues_by": "month", "minimum_cents": 583}, 583),
    ],
)
async def test_basis_and_minimum_are_the_programs(rated, said, owed):
    rates = [RATES[0].model_copy(update=said)]
    rules = RULES.model_copy(update={"charge_answer_days": 0, "interest_rates": rates})
    async with rated.db.transaction() as tx:
        await follow_program(published(version=3).model_copy(update={"claim_rules": rules}), tx, now=NOW)
    payment = await rated.pay(await rated.approved(Case("ann")))
    await batch_of(rated)
    await confirm(rated, paid(payment, date(2026, 4, 19)))
    assert await record_interest(db=rated.db, now=NOW) == 1
    # What comes to less than the minimum stays on record with its days, so that nobody wonders.
    [found] = (await what_is_late(db=rated.db, now=NOW)).interest
    assert (found.days, found.cents) == (10, owed)


async def test_the_due_day_is_the_programs_in_the_file_and_in_the_interest(rated):
    case = Case("ann")
    await rated.hold(case)
    await rated.encumber(case)
    await rated.learn(case)
    # 5 March, nine in the evening in New York.
    await rated.review(case, submitted_at=datetime(2026, 3, 6, 2, 0, tzinfo=UTC))
    payment = await rated.pay(case)
    batch = await batch_of(rated)
    assert [one.due_on for one in read_vouchers(batch.content).payments] == [date(2026, 4, 4)]
    await confirm(rated, paid(payment, date(2026, 4, 5)))
    assert await record_interest(db=rated.db, now=NOW) == 1
    [owed] = (await what_is_late(db=rated.db, now=NOW)).interest
    assert (owed.first_on, owed.days) == (date(2026, 4, 5), 1)


async def test_nobody_waits_for_interest_behind_payments_that_owe_none(rated, monkeypatch):
    monkeypatch.setattr(late_payments, "PAYMENTS_PER_SWEEP_MAX", 1)
    monkeypatch.setattr(late_payments, "SWEEPS_PER_TURN_MAX", 1)
    unrated, in_time, late = [
        await rated.pay(await rated.approved(Case(name), 200_000)) for name in ("ann", "bea", "cid")
    ]
    await batch_of(rated)
    await confirm(rated, paid(unrated, date(2027, 1, 5)), paid(in_time, DUE_ON), paid(late, date(2026, 4, 19)))
    assert sum([await record_interest(db=rated.db, now=NOW) for _ in range(2)]) == 1
    assert [one.disbursement_id for one in (await what_is_late(db=rated.db, now=NOW)).interest] == [
        late.disbursement_id
    ]
    # The year's rate is listed: what waited for it is recorded, nothing twice.
    rates = [*RATES, ListedInterestRate(calendar_year=2027, basis_points=800, source="ORC 5703.47")]
    rules = RULES.model_copy(update={"charge_answer_days": 0, "interest_rates": rates})
    async with rated.db.transaction() as tx:
        await follow_program(published(version=3).model_copy(update={"claim_rules": rules}), tx, now=NOW)
    assert [await record_interest(db=rated.db, now=NOW) for _ in range(2)] == [1, 0]


async def test_what_is_unpaid_and_undecided_is_told(rated):
    case, silent = await rated.approved(Case("ann")), Case("bea")
    async with rated.db.transaction() as tx:
        await follow_claim(submitted(silent), tx)
    in_time = await what_is_late(db=rated.db, now=NOW + timedelta(days=9))
    assert (in_time.undecided, in_time.unpaid) == ([], [])
    late = await what_is_late(db=rated.db, now=datetime(2026, 4, 19, 16, 0, tzinfo=UTC))
    assert ([one.claim_id for one in late.undecided], late.overdue_notices) == ([silent.claim_id], 1)
    [unpaid] = late.unpaid
    assert unpaid.interest
    assert (unpaid.claim.claim_id, unpaid.interest.days, unpaid.interest.cents) == (case.claim_id, 10, 575)


async def owed_by_the_books(desk: Desk, provider: str) -> int:
    rows = [row for row in (await desk.money()).rows if row.id.endswith(f"/{provider}")]
    return sum(row.stages["payable"] + row.stages["in_transit"] for row in rows)


async def test_a_statement_adds_up_to_the_ledger(rated):
    first, second = [await rated.pay(await rated.approved(Case(name), 250_000)) for name in ("ann", "bea")]
    other = await rated.approved(Case("cid", provider=OTHER))
    await batch_of(rated)
    await confirm(rated, word(first), word(second, "RETURNED", code="R03", number="P2"))
    async with rated.db.transaction() as tx:
        await follow_charge_answer(ChargeAnswered(application_id=other.id, charged=True, answered_at=NOW), tx, now=NOW)
    today = datetime.now(UTC).date()
    span = (today - timedelta(days=2), today + timedelta(days=2))
    found = (await statement_for(PROVIDER, *span, db=rated.db)).ledger
    assert found.opening_cents == 0
    assert found.closing_cents == await owed_by_the_books(rated, PROVIDER) == 250_000
    expected = {"claims": 500_000, "payments": 250_000, "returns": 250_000}
    assert found.totals == dict.fromkeys(HEADINGS, 0) | expected
    stopped = (await statement_for(OTHER, *span, db=rated.db)).ledger
    assert (stopped.totals["claims"], stopped.totals["stopped"]) == (300_000, 300_000)
    assert stopped.closing_cents == await owed_by_the_books(rated, OTHER) == 0
    after = (
        await statement_for(PROVIDER, span[1] + timedelta(days=1), span[1] + timedelta(days=9), db=rated.db)
    ).ledger
    assert (after.opening_cents, after.closing_cents, after.movements) == (250_000, 250_000, ())


async def test_a_statement_is_whole_or_none(rated, monkeypatch):
    for name in ("ann", "bea"):
        await rated.approved(Case(name), 250_000)
    today = datetime.now(UTC).date()
    span = (today - timedelta(days=2), today + timedelta(days=2))
    monkeypatch.setattr(provider_statements, "MOVEMENTS_MAX", 2)
    assert len((await statement_for(PROVIDER, *span, db=rated.db)).ledger.movements) == 2
    monkeypatch.setattr(provider_statements, "MOVEMENTS_MAX", 1)
    with pytest.raises(PeriodTooFull):
        await statement_for(PROVIDER, *span, db=rated.db)


async def test_a_statement_has_a_period_and_a_provider(rated):
    with pytest.raises(PeriodUnreadable):
        await statement_for(PROVIDER, date(2026, 2, 1), date(2026, 1, 1), db=rated.db)
    with pytest.raises(NotFound):
        await statement_for("nobody", date(2026, 1, 1), date(2026, 1, 1), db=rated.db)
