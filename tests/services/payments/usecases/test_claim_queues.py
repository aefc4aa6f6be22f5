"""Who decides claims: levels of approval, people who may not, clocks that call for people, months that are full."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from contracts.events.applications import ChargeAnswered, ClaimSubmitted
from contracts.events.eligibility import ListedApprovalLevel
from contracts.events.payments import ClaimEscalated
from contracts.ids import ClaimId
from contracts.steps.payments import ClaimStatus
from services.payments.claims.prompt_pay import end_of
from services.payments.claims.queues import PayeeRecorder, Queue
from services.payments.domain import MakerIsChecker
from services.payments.store.funding import lock_case
from services.payments.usecases.charges import follow_charge_answer
from services.payments.usecases.claim_queues import (
    close_request,
    decide_one,
    escalate_undecided,
    follow_claim,
    may_decide,
    queue_of,
)
from services.payments.usecases.program import follow_program
from services.payments.usecases.screening import open_alerts
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, Case, Desk, published
from tests.services.payments.usecases.test_charges import RULES, nothing_to_pay
from tests.services.payments.usecases.test_claims import batch_of, failed
from tests.support.lock_waits import until_one_waits

FIFTEENTH = end_of(date(2026, 3, 25), RULES.time_zone)
"""The fifteenth day after a claim came on 10 March."""
LARGE = {"auto_approve_max_cents": 100_000}


@pytest.fixture
async def ruled(desk: Desk) -> Desk:
    """A program with levels of approval that asks nobody about charges."""
    rules = RULES.model_copy(update={"charge_answer_days": 0})
    async with desk.db.transaction() as tx:
        await follow_program(published(version=2).model_copy(update={"claim_rules": rules}), tx, now=NOW)
    return desk


async def ready(desk: Desk, name: str = "ann", **who: str) -> Case:
    case = Case(name, **who)
    await desk.hold(case)
    await desk.encumber(case)
    await desk.learn(case)
    return case


async def test_as_many_people_approve_as_the_level_says(ruled):
    levels = [ListedApprovalLevel(up_to_cents=9_999_999_999, approvers=3)]
    rules = RULES.model_copy(update={"charge_answer_days": 0, "approval_levels": levels})
    async with ruled.db.transaction() as tx:
        await follow_program(published(version=3).model_copy(update={"claim_rules": rules}), tx, now=NOW)
    case = await ready(ruled)
    for people in ([], ["ada"], ["ada", "ben"], ["ada", "staff/ada", "ben"]):
        assert (await ruled.review(case, approved_by=people, **LARGE)).status is ClaimStatus.REFERRED
        [waiting] = await queue_of(Queue.LARGE_CLAIMS, db=ruled.db)
        assert waiting.approvers_needed == 3
    reviewed = await ruled.review(case, approved_by=["ada", "ben", "cid"], **LARGE)
    assert reviewed.status is ClaimStatus.APPROVED
    assert await queue_of(None, db=ruled.db) == []


@pytest.mark.parametrize("barred", [PROVIDER, f"provider/{PROVIDER}", "finance/rita", "rita"])
async def test_neither_the_provider_nor_who_recorded_its_payee_approves(ruled, barred):
    async with ruled.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO payee_repair (repair_id, provider_id, evidence, made_by, made_at) "
            "VALUES ('r', $1, 'call-back', 'finance/rita', $2)",
            PROVIDER,
            NOW,
        )
    case = await ready(ruled)
    await ruled.review(case, **LARGE)
    with pytest.raises((MakerIsChecker, PayeeRecorder)):
        await may_decide(case.claim_id, barred, db=ruled.db)
    # The same by way of the case: the word is heard and does not count.
    for _ in range(2):
        heard = await ruled.review(case, approved_by=[barred, "ada"], **LARGE)
        assert heard.status is ClaimStatus.REFERRED
        assert (heard.approvals_counted, heard.approvals_barred) == (["ada"], [barred])
    assert (await ruled.review(case, approved_by=[barred, "ada", "ben"], **LARGE)).status is ClaimStatus.APPROVED


async def twin_of(ruled: Desk, case: Case) -> None:
    """The provider claims for the same person once more, while people look at the case's claim."""
    twin = await ready(ruled, f"twin of {case.name}", person=case.name)
    assert "claim_resembles" in failed(await ruled.review(twin))


async def test_an_approval_does_not_answer_a_doubt_that_came_up_later(ruled):
    case = await ready(ruled)
    await ruled.review(case, **LARGE)
    assert (await ruled.review(case, approved_by=["ada"], **LARGE)).review_number == 1
    await twin_of(ruled, case)
    for _ in range(2):
        # The second time is the same step once more, after its answer was lost.
        heard = await ruled.review(case, approved_by=["ada", "ben"], **LARGE)
        assert (heard.status, heard.review_number, heard.approvals_counted) == (ClaimStatus.REFERRED, 2, [])
        [waiting] = [one for one in await queue_of(Queue.DUPLICATES, db=ruled.db) if one.claim_id == case.claim_id]
        assert {"above_self_approval", "claim_resembles"} <= set(waiting.reasons)
        assert waiting.approved == ()
    assert (await ruled.review(case, approved_by=["ada"], review_number=2, **LARGE)).status is ClaimStatus.REFERRED
    answered = await ruled.review(case, approved_by=["ada", "ben"], review_number=2, **LARGE)
    assert (answered.status, answered.approvals_counted) == (ClaimStatus.APPROVED, ["ada", "ben"])
    async with ruled.db.connection() as connection:
        words = await connection.fetch(
            "SELECT review_number, decision, array_agg(person ORDER BY person) AS who"
            " FROM claim_review JOIN claim_word USING (claim_id, review_number)"
            " WHERE claim_id = $1 GROUP BY 1, 2 ORDER BY 1",
            case.claim_id,
        )
    assert [tuple(row) for row in words] == [(1, "superseded", ["ada", "ben"]), (2, "approved", ["ada", "ben"])]


async def test_one_persons_approval_does_not_answer_a_later_doubt_either(ruled):
    case = await ready(ruled)
    await ruled.review(case, participant_charged_cents=1)
    await twin_of(ruled, case)
    assert (await ruled.review(case, approved_by=["ada"], participant_charged_cents=1)).status is ClaimStatus.REFERRED
    again = await ruled.review(case, approved_by=["ada"], participant_charged_cents=1, review_number=2)
    assert again.status is ClaimStatus.APPROVED


async def test_a_refusal_needs_no_second_look(ruled):
    case = await ready(ruled)
    await ruled.review(case, **LARGE)
    await twin_of(ruled, case)
    assert (await ruled.review(case, refused_by="ada", **LARGE)).status is ClaimStatus.REFUSED


async def test_the_table_itself_refuses_too_few_and_the_same_twice(ruled):
    case = await ready(ruled)
    for said in ([], ["ada", "ben"]):
        await ruled.review(case, approved_by=said, **LARGE)
    for people in ("'{ada}'", "'{ada,ada}'"):
        with pytest.raises(asyncpg.CheckViolationError):
            async with ruled.db.transaction() as tx:
                await tx.execute(f"UPDATE claim SET approvers = {people}")
    with pytest.raises(asyncpg.CheckViolationError):
        async with ruled.db.transaction() as tx:
            await tx.execute(
                "INSERT INTO claim_word SELECT claim_id, review_number, submitted_by, submitted_by, 'approve', 'x', "
                "now() FROM claim_review"
            )


async def test_nearly_the_same_claim_goes_to_a_person(ruled):
    first = await ready(ruled, "ann")
    assert (await ruled.review(first)).status is ClaimStatus.APPROVED
    numbered = await ready(ruled, "bea")
    assert failed(await ruled.review(numbered, invoice_number="inv.ANN")) == {"invoice_resembles"}
    await ruled.review(numbered, invoice_number="inv.ANN", refused_by="ada")
    await ruled.release(numbered)
    again = await ready(ruled, "ann2", person="ann")
    reviewed = await ruled.review(again, 297_500)
    assert reviewed.status is ClaimStatus.REFERRED
    assert {"claim_resembles", "cost_line_claimed_before"} <= failed(reviewed)
    [waiting] = await queue_of(Queue.DUPLICATES, db=ruled.db)
    assert waiting.claim_id == again.claim_id


async def test_many_resemblances_push_no_exact_duplicate_out_of_sight(ruled):
    """Sixty claims that differ in writing or amount only, each before the exact duplicate by its id."""
    claims = """
        INSERT INTO claim (claim_id, application_id, enrollment_id, provider_id, business_unit, supplier_number,
            invoice_number, invoice_key, invoice_on, claimed_cents, submitted_at, status, approved_cents, checks,
            decided_at, person_id, credential_id, lines)
        SELECT 'clm_' || CASE WHEN n = 0 THEN 'z' ELSE 'a' || n END, 'app_' || n, 'enr_x', $1, 'DEV01', '0000000001',
            'INV-7', 'INV7', '2026-03-10', 300000 - 10000 * (n % 10 + 1) * sign(n)::integer, now(), 'referred', 0, '[]',
            now(), $2, 'cyber', '[{"kind": "books", "amount_cents": 1}]'
        FROM generate_series(0, 60) AS n
    """
    case = await ready(ruled)
    async with ruled.db.transaction() as tx:
        await tx.execute(claims, PROVIDER, case.person_id)
    reviewed = await ruled.review(case, invoice_number="INV-7")
    assert reviewed.status is ClaimStatus.RETURNED
    assert {"invoice_used", "claim_resembles"} <= failed(reviewed)


async def test_a_decision_waits_for_its_case_before_it_takes_the_claim(ruled):
    """Case, claim, payment: whoever holds the case and wants the claim is not waited for by one who holds the claim."""
    case = await ruled.approved(Case("ann"))
    await ruled.pay(case)
    fact = ChargeAnswered(application_id=case.id, charged=True, answered_at=NOW)
    async with ruled.db.transaction() as tx:
        await follow_charge_answer(fact, tx, now=NOW)
    async with ruled.db.transaction() as holder:
        await lock_case(holder, case.id)
        deciding = asyncio.create_task(
            decide_one(case.claim_id, approve=False, actor="finance/anna", note="x", db=ruled.db, now=NOW)
        )
        await until_one_waits(ruled.db, deciding)
        await holder.execute("SELECT FROM claim WHERE claim_id = $1 FOR UPDATE NOWAIT", case.claim_id)
    assert await deciding is None


async def test_a_batch_waits_for_nobody_who_has_the_claim(ruled):
    case = await ruled.approved(Case("ann"))
    await ruled.pay(case)
    async with ruled.db.transaction() as holder:
        await holder.execute("SELECT FROM claim WHERE claim_id = $1 FOR UPDATE", case.claim_id)
        await nothing_to_pay(ruled)
    assert (await batch_of(ruled)).payments == 1


async def test_an_undecided_claim_is_escalated_once_before_the_fifteenth_day(ruled):
    silent, decided = await ready(ruled, "ann"), await ready(ruled, "bea")
    for case in (silent, decided):
        async with ruled.db.transaction() as tx:
            await follow_claim(submitted(case), tx)
    await ruled.review(decided)
    await ruled.review(silent, **LARGE)
    assert await escalate_undecided(db=ruled.db, now=NOW + timedelta(days=10) - timedelta(seconds=1)) == 0
    assert await escalate_undecided(db=ruled.db, now=NOW + timedelta(days=10)) == 1
    assert await escalate_undecided(db=ruled.db, now=NOW + timedelta(days=11)) == 0
    [fact] = await ruled.told(ClaimEscalated)
    assert (fact["claim_id"], fact["notice_due_at"]) == (silent.claim_id, FIFTEENTH)
    [raised] = await open_alerts(db=ruled.db)
    assert (raised.code, raised.provider_id) == ("claim_undecided", PROVIDER)
    assert silent.claim_id in raised.explanation
    assert f"{FIFTEENTH:%Y-%m-%d %H:%M} UTC" in raised.explanation


def submitted(case: Case) -> ClaimSubmitted:
    return ClaimSubmitted(
        application_id=case.id,
        claim_id=case.claim_id,
        enrollment_id=case.enrollment_id,
        provider_id=case.provider,
        invoice_number="INV-1",
        invoice_on="2026-03-10",
        amount_cents=300_000,
        participant_charged_cents=0,
        submitted_at=NOW,
    )


async def test_every_defect_is_named_and_the_mended_claim_is_due_anew(ruled):
    case = await ready(ruled)
    defects = failed(await ruled.review(case, 300_001, invoice_on="2026-04-01"))
    assert defects == {"exceeds_encumbrance", "invoice_in_future"}
    later = NOW + timedelta(days=9)
    mended = await ruled.review(case, claim_id=ClaimId.derive("mended"), submitted_at=later)
    assert (mended.status, mended.due_at) == (ClaimStatus.APPROVED, end_of(date(2026, 4, 18), RULES.time_zone))


async def test_a_claim_after_the_months_request_is_gathered_into_the_next(ruled):
    early, late = await ready(ruled, "ann"), await ready(ruled, "bea")
    await ruled.review(early)
    async with ruled.db.transaction() as tx:
        closed = await close_request(tx, PROGRAM, PROVIDER, by="provider/lorain-ccc", now=NOW)
    assert (closed.slot.month.isoformat(), closed.slot.number) == ("2026-03-01", 1)
    assert (closed.claims, closed.cents) == (1, 300_000)
    async with ruled.db.transaction() as tx:
        assert await close_request(tx, PROGRAM, PROVIDER, by="provider/lorain-ccc", now=NOW) == closed
    reviewed = await ruled.review(late)
    april = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
    assert (reviewed.status, reviewed.due_at) == (ClaimStatus.APPROVED, end_of(date(2026, 5, 1), RULES.time_zone))
    await ruled.pay(late)
    await nothing_to_pay(ruled)
    await ruled.pay(early)
    assert (await batch_of(ruled)).payments == 1
    async with ruled.db.connection() as connection:
        assert await connection.fetchval("SELECT claim_may_be_paid($1, $2)", late.claim_id, april)


async def test_a_claim_keeps_its_request_however_late_people_decide_it(ruled):
    case = await ready(ruled)
    assert (await ruled.review(case, **LARGE)).status is ClaimStatus.REFERRED
    async with ruled.db.transaction() as tx:
        await close_request(tx, PROGRAM, PROVIDER, by="provider/lorain-ccc", now=NOW)
    approved = await ruled.review(case, approved_by=["ada", "ben"], **LARGE)
    assert (approved.status, approved.due_at) == (ClaimStatus.APPROVED, end_of(date(2026, 4, 9), RULES.time_zone))
    await ruled.pay(case)
    assert (await batch_of(ruled)).payments == 1
