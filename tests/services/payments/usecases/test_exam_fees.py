"""An exam is paid once: with the program's exam voucher, or by its fee in the provider's claim."""

import pytest

from contracts.ids import ClaimId
from contracts.plan import CostKind, CostLine
from contracts.steps.payments import ClaimStatus
from services.payments.claims.queues import Queue
from services.payments.usecases.books import cost_lines_of_program
from services.payments.usecases.claim_queues import queue_of
from services.payments.usecases.program import follow_program
from tests.services.payments.case import NOW, PROGRAM, Case, published
from tests.services.payments.usecases.test_claims import failed
from tests.services.payments.usecases.test_vouchers import LOT, issue, reveal, stock, tell

TUITION, EXAM = 250_000, 50_000
LINES = [
    {"kind": CostKind.TUITION, "amount_cents": TUITION},
    {"kind": CostKind.EXAM_FEE, "amount_cents": EXAM},
]
ANN = Case("ann")


@pytest.fixture
async def taught(desk):
    """An enrollment whose credential has an exam fee of its own, and a stock of exam vouchers."""
    fact = published(version=2)
    prices = [
        CostLine(kind=CostKind.TUITION, price_cents=TUITION),
        CostLine(kind=CostKind.EXAM_FEE, price_cents=EXAM),
    ]
    credentials = [one.model_copy(update={"cost_lines": prices}) for one in fact.credentials]
    async with desk.db.transaction() as tx:
        await follow_program(fact.model_copy(update={"credentials": credentials}), tx, now=NOW)
    await stock(desk, LOT, "CODE-0001", "CODE-0002")
    await desk.hold(ANN, cost_lines=prices)
    await desk.encumber(ANN)
    await desk.learn(ANN)
    return desk


@pytest.mark.parametrize("lines", [LINES, []], ids=["as a line", "for all of them"])
async def test_the_fee_of_an_exam_that_a_voucher_paid_is_returned_and_the_rest_is_paid(taught, lines):
    await issue(taught, ANN)
    await tell(taught, ANN, "registered")
    await tell(taught, ANN, "passed")
    reviewed = await taught.review(ANN, lines=lines)
    assert (reviewed.status, failed(reviewed)) == (ClaimStatus.RETURNED, {"exam_paid_by_voucher"})
    mended = await taught.review(ANN, TUITION, lines=LINES[:1] if lines else [], claim_id=ClaimId.derive("mended"))
    assert mended.status is ClaimStatus.APPROVED
    assert await taught.stages() == {"available": 1_000_000 - TUITION, "payable": TUITION}
    assert (await cost_lines_of_program(PROGRAM, db=taught.db)).lines["tuition"]["payable"] == TUITION


@pytest.mark.parametrize("seen", [True, False])
async def test_a_voucher_that_was_not_used_puts_the_fee_before_a_person(taught, seen):
    voucher = await issue(taught, ANN)
    if seen:
        await reveal(taught, voucher.exam_voucher_id)
    reviewed = await taught.review(ANN, lines=LINES)
    assert (reviewed.status, failed(reviewed)) == (ClaimStatus.REFERRED, {"exam_voucher_unused"})
    [waiting] = await queue_of(Queue.DUPLICATES, db=taught.db)
    assert waiting.reasons == ("exam_voucher_unused",)
    assert (await taught.review(ANN, lines=LINES, approved_by=["ada"])).status is ClaimStatus.APPROVED


@pytest.mark.parametrize("state", ["expired", "void"])
async def test_a_voucher_that_came_to_nothing_paid_no_exam(taught, state):
    await issue(taught, ANN)
    async with taught.db.transaction() as tx:
        await tx.execute("UPDATE exam_voucher SET state = $1 WHERE state = 'allocated'", state)
    assert (await taught.review(ANN, lines=LINES)).status is ClaimStatus.APPROVED


async def test_a_voucher_that_was_given_to_somebody_else_paid_no_exam_of_this_case(taught):
    other = Case("bob")
    voucher = await issue(taught, ANN)
    async with taught.db.transaction() as tx:
        await tx.execute("UPDATE exam_voucher_allocation SET ended_at = now()")
        await tx.execute("UPDATE exam_voucher SET state = 'void' WHERE state = 'available'")
        await tx.execute("UPDATE exam_voucher SET state = 'available' WHERE state = 'allocated'")
    assert (await issue(taught, other)).exam_voucher_id == voucher.exam_voucher_id
    assert (await taught.review(ANN, lines=LINES)).status is ClaimStatus.APPROVED


async def test_without_a_voucher_the_fee_is_the_provider_s(taught):
    assert (await taught.review(ANN, lines=LINES)).status is ClaimStatus.APPROVED
