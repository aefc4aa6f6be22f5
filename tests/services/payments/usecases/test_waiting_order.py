"""The program's own order of its waiting list, from the pack to who is served when money returns."""

from datetime import timedelta

import pytest

from contracts.errors import NotFound
from contracts.events.eligibility import ListedWaitingList
from contracts.steps.payments import HoldFunds, HoldStatus
from services.payments.usecases import funding
from services.payments.usecases.program import follow_program
from services.payments.usecases.standing import place_of_case
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, ROUND, Case, published


async def publish(desk, version: int, **waiting):
    listed = ListedWaitingList(**waiting) if waiting else None
    async with desk.db.transaction() as tx:
        fact = published(version=version).model_copy(update={"waiting_list": listed})
        await follow_program(fact, tx, now=NOW)


async def ask(desk, name: str, cents: int, *, group: int | None = None, minute: int = 0):
    case = Case(name)
    asked = HoldFunds(
        application_id=case.id,
        person_id=case.person_id,
        program_id=PROGRAM,
        round_id=ROUND,
        provider_id=PROVIDER,
        credential_id="cyber",
        amount_cents=cents,
        hold_seconds=3_600,
        priority_group=group,
        submitted_at=NOW + timedelta(minutes=minute),
    )
    return (await funding.hold_funds(asked, db=desk.db, now=NOW)).status


async def held(desk) -> set[str]:
    async with desk.db.connection() as connection:
        rows = await connection.fetch("SELECT application_id FROM funding WHERE state = 'held'")
    return {row["application_id"] for row in rows}


async def test_the_first_group_is_served_first(desk):
    await publish(desk, 2, order=["priority_group", "submitted_at"])
    first = Case("first")
    await desk.hold(first, 600_000)
    assert await ask(desk, "late-but-poor", 200_000, group=0, minute=9) is HoldStatus.WAITING
    assert await ask(desk, "early", 200_000, minute=1) is HoldStatus.WAITING
    assert await ask(desk, "second-group", 200_000, group=1, minute=5) is HoldStatus.WAITING
    await desk.encumber(first, 300_000)
    assert await held(desk) == {Case("late-but-poor").id}
    await desk.release(Case("late-but-poor"))
    assert await held(desk) == {Case("second-group").id}


async def test_a_new_order_sorts_those_who_wait_already(desk):
    first = Case("first")
    await desk.hold(first, 600_000)
    assert await ask(desk, "early", 300_000, group=1, minute=1) is HoldStatus.WAITING
    assert await ask(desk, "late", 300_000, group=0, minute=2) is HoldStatus.WAITING
    await publish(desk, 2, order=["priority_group"])
    await desk.encumber(first, 300_000)
    assert await held(desk) == {Case("late").id}


async def test_a_newcomer_whose_place_is_first_does_not_wait_for_bigger_ones_behind_it(desk):
    await publish(desk, 2, order=["priority_group", "submitted_at"])
    await desk.hold(Case("first"), 500_000)
    assert await ask(desk, "big", 300_000, group=1) is HoldStatus.WAITING
    assert await ask(desk, "small-and-first", 100_000, group=0) is HoldStatus.HELD
    assert await ask(desk, "small-and-last", 1) is HoldStatus.WAITING


async def test_smaller_requests_pass_only_where_the_pack_says_so(desk):
    await desk.hold(Case("first"), 500_000)
    assert await ask(desk, "big", 300_000) is HoldStatus.WAITING
    assert await ask(desk, "small", 100_000) is HoldStatus.WAITING
    await publish(desk, 2, order=["waitlisted_at"], smaller_may_pass=True)
    assert await ask(desk, "smaller", 50_000) is HoldStatus.HELD


async def test_a_case_can_be_told_why_it_waits_and_where_it_stands(desk):
    await desk.hold(Case("first"), 600_000)
    for name in ("ann", "bob"):
        await ask(desk, name, 100_000)
        await desk.learn(Case(name))
    place = await place_of_case(Case("bob").id, partner_id="harbor-portal", db=desk.db)
    assert (place.reason, place.ahead, place.amount_cents) == ("over_award", 1, 100_000)
    assert (await place_of_case(Case("ann").id, partner_id=None, db=desk.db)).ahead == 0
    with pytest.raises(NotFound):
        await place_of_case(Case("bob").id, partner_id="other-portal", db=desk.db)
    with pytest.raises(NotFound):
        await place_of_case(Case("first").id, partner_id=None, db=desk.db)
