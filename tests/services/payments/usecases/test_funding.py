"""Hold, encumber, release, expire: the money of a case up to its claim, on a real server."""

import asyncio

import asyncpg
import pytest

from contracts.events.payments import (
    FundsEncumbered,
    FundsReleased,
    HoldExpired,
    HoldPlaced,
    HoldRefused,
    HoldWaitlisted,
)
from contracts.steps.payments import EncumbranceStatus, HoldStatus
from services.payments.domain import NotYetKnown, RequestDiffers
from services.payments.usecases.funding import expire_holds
from services.payments.usecases.program import follow_program
from services.payments.usecases.waiting import serve_all_waiting
from tests.services.payments.case import NOW, OTHER, Case, published


async def publish(desk, **given):
    async with desk.db.transaction() as tx:
        await follow_program(published(**given), tx, now=NOW)


async def pass_expiry(fresh, case):
    """Let the database's clock go past the hold's expiry."""
    owner = await asyncpg.connect(fresh.owner_dsn)
    try:
        await owner.execute(
            "UPDATE payments.funding SET expires_at = now() - interval '1 second' WHERE application_id = $1", case.id
        )
    finally:
        await owner.close()


async def test_a_hold_is_asked_often_and_placed_once(desk):
    case = Case("ann")
    answers = await asyncio.gather(*(desk.hold(case) for _ in range(12)))
    assert {(a.status, a.hold_id) for a in answers} == {(HoldStatus.HELD, answers[0].hold_id)}
    assert await desk.stages() == {"available": 700_000, "held": 300_000}
    [placed] = await desk.told(HoldPlaced)
    assert placed["from_waiting_list"] is False


async def test_the_same_hold_for_another_amount_is_another_request(desk):
    await desk.hold(Case("ann"), 300_000)
    with pytest.raises(RequestDiffers):
        await desk.hold(Case("ann"), 299_999)


async def test_the_price_is_encumbered_and_the_rest_goes_back(desk):
    case = Case("ann")
    await desk.hold(case)
    for _ in range(2):
        result = await desk.encumber(case, 250_000)
        assert (result.status, result.encumbered_cents, result.released_cents) == (
            EncumbranceStatus.ENCUMBERED, 250_000, 50_000,
        )  # fmt: skip
    assert await desk.stages() == {"available": 750_000, "encumbered": 250_000}
    assert len(await desk.told(FundsEncumbered)) == 1


async def test_more_than_was_held_is_not_encumbered(desk):
    case = Case("ann")
    await desk.hold(case)
    assert (await desk.encumber(case, 300_001)).status is EncumbranceStatus.EXCEEDS_HOLD
    assert await desk.stages() == {"available": 700_000, "held": 300_000}


async def test_without_a_hold_nothing_is_encumbered(desk):
    assert (await desk.encumber(Case("ann"))).status is EncumbranceStatus.NO_HOLD


@pytest.mark.parametrize("encumbered", [False, True])
async def test_release_gives_everything_back_once(desk, encumbered):
    case = Case("ann")
    await desk.hold(case)
    if encumbered:
        await desk.encumber(case, 200_000)
    expected = 200_000 if encumbered else 300_000
    assert [(await desk.release(case)).released_cents for _ in range(3)] == [expected] * 3
    assert await desk.stages() == {"available": 1_000_000}
    assert len(await desk.told(FundsReleased)) == 1
    assert (await desk.prove()).is_right


async def test_a_hold_that_comes_after_the_release_is_refused(desk):
    case = Case("ann")
    assert (await desk.release(case)).released_cents == 0
    held = await desk.hold(case)
    assert (held.status, held.reason) == (HoldStatus.REFUSED, "closed")
    assert await desk.stages() == {"available": 1_000_000}


async def test_an_expired_hold_is_released_by_the_clock_and_may_be_asked_again(desk, fresh):
    case = Case("ann")
    await desk.hold(case)
    assert await expire_holds(db=desk.db, now=NOW) == 0
    await pass_expiry(fresh, case)
    assert await expire_holds(db=desk.db, now=NOW) == 1
    assert await desk.stages() == {"available": 1_000_000}
    assert len(await desk.told(HoldExpired)) == 1
    assert (await desk.encumber(case)).status is EncumbranceStatus.NO_HOLD
    again = await desk.hold(case, hold_number=2)
    assert again.status is HoldStatus.HELD
    assert (await desk.encumber(case, hold_number=2)).status is EncumbranceStatus.ENCUMBERED
    assert (await desk.prove()).is_right


async def test_an_expired_hold_cannot_be_encumbered_before_the_sweep(desk, fresh):
    case = Case("ann")
    await desk.hold(case)
    await pass_expiry(fresh, case)
    assert (await desk.encumber(case)).status is EncumbranceStatus.NO_HOLD
    assert await desk.stages() == {"available": 1_000_000}
    assert len(await desk.told(HoldExpired)) == 1


async def test_a_program_that_nobody_published_yet_is_waited_for(desk):
    with pytest.raises(NotYetKnown):
        await desk.hold(Case("ann"), round_id="round-7")


async def test_without_an_award_the_hold_is_refused_for_good(desk):
    case = Case("ann", provider="stranger")
    held = await desk.hold(case)
    assert (held.status, held.reason) == (HoldStatus.REFUSED, "closed")
    assert (await desk.hold(case)).status is HoldStatus.REFUSED
    assert len(await desk.told(HoldRefused)) == 1


async def test_a_person_s_cap_counts_over_all_their_cases(desk):
    await publish(desk, person_cap=500_000, version=2)
    first, second = Case("first", person="ann"), Case("second", person="ann", provider=OTHER)
    assert (await desk.hold(first)).status is HoldStatus.HELD
    held = await desk.hold(second)
    assert (held.status, held.reason) == (HoldStatus.REFUSED, "over_person")
    assert (await desk.hold(Case("third", person="bea"))).status is HoldStatus.HELD
    # A no stays a no after the money came back.
    await desk.release(first)
    assert (await desk.hold(second)).status is HoldStatus.REFUSED
    assert (await desk.prove()).is_right


async def test_two_cases_of_one_person_at_once_stay_within_the_cap(desk):
    await publish(desk, person_cap=500_000, version=2)
    cases = [Case(f"case {n}", person="ann") for n in range(6)]
    answers = await asyncio.gather(*(desk.hold(case, 250_000) for case in cases))
    assert sum(a.status is HoldStatus.HELD for a in answers) == 2
    assert (await desk.prove()).is_right


async def test_who_waits_is_served_in_order_when_money_returns(desk):
    held = [Case("a"), Case("b")]
    waiting = [Case("c"), Case("d")]
    for case in held:
        await desk.hold(case)
    for case in waiting:
        answer = await desk.hold(case)
        assert (answer.status, answer.reason) == (HoldStatus.WAITING, "over_award")
    # Another provider's award has money: its cases do not stand behind these.
    assert (await desk.hold(Case("e", provider=OTHER))).status is HoldStatus.HELD
    await desk.release(held[0])
    placed = [p for p in await desk.told(HoldPlaced) if p["from_waiting_list"]]
    assert [p["application_id"] for p in placed] == [waiting[0].id]
    assert (await desk.hold(waiting[0])).status is HoldStatus.HELD
    assert (await desk.hold(waiting[1])).status is HoldStatus.WAITING
    assert len(await desk.told(HoldWaitlisted)) == 2
    assert (await desk.encumber(waiting[0])).status is EncumbranceStatus.ENCUMBERED
    assert (await desk.prove()).is_right


async def test_a_smaller_request_does_not_overtake_who_waits_for_the_same_money(desk):
    await desk.hold(Case("a"), 300_000)
    await desk.hold(Case("b"), 200_000)
    big, small = Case("big"), Case("small")
    assert (await desk.hold(big, 300_000)).status is HoldStatus.WAITING
    assert (await desk.hold(small, 50_000)).status is HoldStatus.WAITING
    # The big one gives up: what is there is enough for the small one.
    await desk.release(big)
    assert (await desk.hold(small, 50_000)).status is HoldStatus.HELD


async def test_a_case_that_left_the_waiting_list_is_not_served(desk):
    first = Case("a")
    await desk.hold(first, 600_000)
    gone, next_ = Case("gone"), Case("next")
    await desk.hold(gone)
    await desk.hold(next_)
    await desk.release(gone)
    await desk.release(first)
    placed = [p["application_id"] for p in await desk.told(HoldPlaced) if p["from_waiting_list"]]
    assert placed == [next_.id]


async def test_more_money_in_a_new_version_serves_who_waits(desk):
    await desk.hold(Case("a"), 600_000)
    waiting = Case("b")
    assert (await desk.hold(waiting)).status is HoldStatus.WAITING
    await publish(desk, cents=2_000_000, awards={"lorain-ccc": 900_000, OTHER: 600_000}, version=2)
    assert (await desk.hold(waiting)).status is HoldStatus.HELD
    assert sum((await desk.stages()).values()) == 2_000_000


async def test_who_was_passed_over_while_busy_is_served_by_the_sweep(desk):
    first, waiting = Case("a"), Case("b")
    await desk.hold(first, 600_000)
    await desk.hold(waiting)
    async with desk.db.transaction() as busy:
        await busy.execute("SELECT 1 FROM funding WHERE application_id = $1 FOR UPDATE", waiting.id)
        await desk.release(first)
    assert (await desk.stages())["available"] == 1_000_000
    assert await serve_all_waiting(db=desk.db, now=NOW) == 1
    assert (await desk.hold(waiting)).status is HoldStatus.HELD


async def test_a_lowered_appropriation_takes_back_only_what_is_free(desk):
    await desk.hold(Case("a"), 600_000)
    await publish(desk, cents=500_000, version=2)
    money = await desk.money()
    # Line and round cannot go down to half a million: 600,000 are held.
    assert money.appropriated_cents == 1_000_000
    assert {alert.balance_id for alert in money.alerts} == {"line/oh-imap/2026", "round/oh-imap/round-6"}
    await publish(desk, cents=700_000, version=3)
    assert await desk.stages() == {"available": 100_000, "held": 600_000}
    await publish(desk, cents=900_000, version=2)  # An old version that comes late changes nothing.
    assert sum((await desk.stages()).values()) == 700_000
    assert (await desk.prove()).is_right


async def test_many_cases_at_once_leave_books_that_add_up(desk):
    cases = [Case(f"case {n}", provider=OTHER if n % 2 else "lorain-ccc") for n in range(30)]

    async def live(number: int, case: Case) -> None:
        held = await desk.hold(case, 100_000)
        if held.status is HoldStatus.HELD and number % 3:
            await desk.encumber(case, 90_000)
        if number % 4 == 0:
            await desk.release(case)

    await asyncio.gather(*(live(n, case) for n, case in enumerate(cases)))
    assert (await desk.prove()).is_right
    stages = await desk.stages()
    assert sum(stages.values()) == 1_000_000
    # Nobody waits while there is money for them.
    assert await serve_all_waiting(db=desk.db, now=NOW) == 0


async def test_a_round_that_has_money_stays_in_its_fiscal_year(desk):
    await desk.hold(Case("ann"))
    moved = published(version=2)
    moved = moved.model_copy(update={"rounds": [moved.rounds[0].model_copy(update={"fiscal_year": 2027})]})
    async with desk.db.transaction() as tx:
        await follow_program(moved, tx, now=NOW)
    [alert] = (await desk.money()).alerts
    assert (alert.code, alert.balance_id) == ("year_change_refused", "round/oh-imap/round-6")
    assert (await desk.hold(Case("bea"))).status is HoldStatus.HELD
    assert {row.book for row in (await desk.money()).rows} == {"line/oh-imap/2026"}
    assert (await desk.prove()).is_right


async def test_an_award_that_is_listed_no_more_keeps_its_money_and_is_an_alert_once(desk):
    for version in (2, 3):
        await publish(desk, awards={"lorain-ccc": 600_000}, version=version)
    [alert] = (await desk.money()).alerts
    assert (alert.code, alert.balance_id) == ("no_longer_listed", f"award/oh-imap/round-6/{OTHER}")
    assert (alert.published_cents, alert.appropriated_cents) == (0, 600_000)
    assert (await desk.hold(Case("ann", provider=OTHER))).status is HoldStatus.HELD
    assert (await desk.prove()).is_right
