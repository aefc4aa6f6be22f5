"""Many cases in one transaction: the same answers, rows, entries and facts as one by one."""

import asyncio

import asyncpg
import pytest

from contracts.errors import CairnError
from contracts.events.payments import FundsEncumbered, HoldPlaced, HoldWaitlisted
from contracts.steps.payments import EncumberFunds, EncumbranceStatus, HoldFunds, HoldStatus
from kit.clock import FixedClock
from kit.outbox import decode_headers
from kit.telemetry import continue_trace
from services.payments.domain import NotYetKnown, RequestDiffers
from services.payments.usecases.holding import encumbering, holding
from services.payments.usecases.program import follow_program
from tests.services.payments.case import NOW, PROGRAM, ROUND, Case, published


def asks_of(case: Case, cents: int = 100_000, **given) -> HoldFunds:
    values = {
        "application_id": case.id,
        "person_id": case.person_id,
        "program_id": PROGRAM,
        "round_id": ROUND,
        "provider_id": case.provider,
        "credential_id": "cyber",
        "amount_cents": cents,
        "hold_seconds": 3_600,
    }
    return HoldFunds.model_validate(values | given)


@pytest.fixture
def holds(db):
    return holding(db, FixedClock(NOW))


@pytest.fixture
def encumbrances(db):
    return encumbering(db, FixedClock(NOW))


async def together(coalescer, asks):
    return await asyncio.gather(*(coalescer.ask(ask) for ask in asks), return_exceptions=True)


async def transactions(db) -> int:
    async with db.connection() as connection:
        return await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM funding")


async def test_cases_held_together_are_held_as_one_by_one(desk, db, holds):
    cases = [Case(f"case {number}") for number in range(5)]
    answers = await together(holds, [asks_of(case) for case in cases])
    assert {answer.status for answer in answers} == {HoldStatus.HELD}
    assert len({answer.hold_id for answer in answers}) == 5
    assert await transactions(db) < 5
    # What the journey asks again, alone, is answered the same.
    for case, answer in zip(cases, answers, strict=True):
        assert await desk.hold(case, 100_000) == answer
    placed = await desk.told(HoldPlaced)
    assert [fact["application_id"] for fact in placed] == [case.id for case in cases]
    assert [fact["hold_id"] for fact in placed] == [answer.hold_id for answer in answers]
    assert (await desk.stages())["held"] == 500_000
    assert (await desk.prove()).is_right


async def test_where_money_ends_the_order_of_arrival_decides(desk, holds):
    """Six of one award of 600,000: the third asks for more than is left, so those behind it wait too."""
    cents = [200_000, 200_000, 300_000, 100_000, 100_000, 100_000]
    answers = await together(holds, [asks_of(Case(f"case {n}"), c) for n, c in enumerate(cents)])
    assert [answer.status for answer in answers] == [HoldStatus.HELD] * 2 + [HoldStatus.WAITING] * 4
    assert {answer.reason for answer in answers[2:]} == {"over_award"}
    assert len(await desk.told(HoldWaitlisted)) == 4
    assert (await desk.stages())["held"] == 400_000
    assert (await desk.prove()).is_right


async def test_one_callers_refusal_is_no_others(desk, holds):
    await desk.hold(Case("known"), 100_000)
    answers = await together(
        holds,
        [
            asks_of(Case("a")),
            asks_of(Case("known"), 99_999),
            asks_of(Case("b"), program_id="unknown"),
            asks_of(Case("c")),
            asks_of(Case("known"), 100_000),
        ],
    )
    assert [answers[0].status, answers[3].status, answers[4].status] == [HoldStatus.HELD] * 3
    assert isinstance(answers[1], RequestDiffers)
    assert isinstance(answers[2], NotYetKnown)


async def test_an_ended_case_gets_nothing(desk, holds):
    case = Case("over")
    await desk.release(case)
    answers = await together(holds, [asks_of(case), asks_of(Case("a"))])
    assert (answers[0].status, answers[0].reason) == (HoldStatus.REFUSED, "closed")
    assert answers[1].status is HoldStatus.HELD


async def test_a_persons_cap_counts_within_a_batch(db, desk, holds):
    async with db.transaction() as tx:
        await follow_program(published(person_cap=250_000, version=2), tx, now=NOW)
    asks = [asks_of(Case(f"case {n}", person="ann")) for n in range(3)] + [asks_of(Case("bea"))]
    answers = await together(holds, asks)
    assert [answer.status for answer in answers] == [
        HoldStatus.HELD, HoldStatus.HELD, HoldStatus.REFUSED, HoldStatus.HELD,
    ]  # fmt: skip
    assert answers[2].reason == "over_person"
    assert (await desk.prove()).is_right


async def test_encumbered_together_as_one_by_one(desk, db, encumbrances):
    cases = [Case(f"case {number}") for number in range(4)]
    for case in cases:
        await desk.hold(case, 100_000)
    prices = [100_000, 80_000, 100_001, 90_000]
    asks = [
        EncumberFunds(application_id=case.id, enrollment_id=case.enrollment_id, price_cents=price)
        for case, price in zip(cases, prices, strict=True)
    ]
    answers = await together(encumbrances, asks)
    assert [(one.status, one.encumbered_cents, one.released_cents) for one in answers] == [
        (EncumbranceStatus.ENCUMBERED, 100_000, 0),
        (EncumbranceStatus.ENCUMBERED, 80_000, 20_000),
        (EncumbranceStatus.EXCEEDS_HOLD, 0, 0),
        (EncumbranceStatus.ENCUMBERED, 90_000, 10_000),
    ]
    assert await together(encumbrances, asks) == answers
    assert len(await desk.told(FundsEncumbered)) == 3
    stages = await desk.stages()
    assert (stages["held"], stages["encumbered"]) == (100_000, 270_000)
    assert (await desk.prove()).is_right


async def test_what_the_price_does_not_need_serves_who_waits(desk, holds, encumbrances):
    first = [Case(f"first {n}") for n in range(2)]
    for case in first:
        await desk.hold(case, 300_000)
    assert (await desk.hold(Case("waits"), 50_000)).status is HoldStatus.WAITING
    asks = [EncumberFunds(application_id=c.id, enrollment_id=c.enrollment_id, price_cents=250_000) for c in first]
    await together(encumbrances, asks)
    assert [fact["from_waiting_list"] for fact in await desk.told(HoldPlaced)] == [False, False, True]
    assert (await desk.prove()).is_right


async def test_facts_carry_the_trace_of_their_own_request(desk, db, holds):
    async def ask(name: str) -> None:
        with continue_trace(None, f"correlation-{name}"):
            await holds.ask(asks_of(Case(name)))

    await asyncio.gather(ask("a"), ask("b"))
    async with db.connection() as connection:
        rows = await connection.fetch("SELECT key, headers FROM outbox")
    found = {row["key"]: dict(decode_headers(row["headers"]))["ce_correlationid"] for row in rows}
    assert found == {Case(name).id: f"correlation-{name}".encode() for name in ("a", "b")}


async def test_expired_holds_are_not_encumbered(desk, db, fresh, encumbrances):
    await desk.hold(Case("late"), 100_000)
    await desk.hold(Case("live"), 100_000)
    owner = await asyncpg.connect(fresh.owner_dsn)
    await owner.execute(
        "UPDATE payments.funding SET expires_at = now() - interval '1 second' WHERE application_id = $1",
        Case("late").id,
    )
    await owner.close()
    asks = [
        EncumberFunds(application_id=Case(n).id, enrollment_id=Case(n).enrollment_id, price_cents=100_000)
        for n in ("late", "live")
    ]
    answers = await together(encumbrances, asks)
    assert not any(isinstance(answer, CairnError) for answer in answers)
    assert [answer.status for answer in answers] == [EncumbranceStatus.NO_HOLD, EncumbranceStatus.ENCUMBERED]
