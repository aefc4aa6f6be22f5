"""The close of a fiscal year: by service date, by two people, in batches, to the cent, once."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts.events.applications import EnrollmentStarted
from contracts.events.payments import FundsLapsed, HoldExpired
from contracts.ids import TransferId
from contracts.steps.fiscal_year import (
    AmendYearEnd,
    ApprovalStatus,
    ApproveYearEnd,
    Disposition,
    HardCloseYear,
    ListEndedYears,
    PostYearEnd,
    ProposeYearEnd,
    SoftCloseStatus,
    SoftCloseYear,
)
from contracts.steps.payments import ClaimStatus, EncumbranceStatus, HoldStatus
from services.payments.books.fiscal_year import (
    CalendarUnknown,
    HeldOutsideCases,
    NotOpenEncumbrance,
    YearNotReady,
    YearUnknown,
)
from services.payments.books.ledger import Kind, Phase, Scope, Transfer, line_row
from services.payments.domain import Funding, MakerIsChecker
from services.payments.store import funding as funding_store
from services.payments.store import ledger as ledger_store
from services.payments.usecases import fiscal_year, year_end
from services.payments.usecases.postings import move_of, post_moves
from services.payments.usecases.program import follow_program, follow_start
from tests.services.payments.case import NOW, OTHER, PROGRAM, ROUND, Case, Desk, published

YEAR = {"program_id": PROGRAM, "fiscal_year": 2026}
LINE, NEXT = line_row(PROGRAM, 2026), line_row(PROGRAM, 2027)
COLUMBUS = ZoneInfo("America/New_York")


@pytest.fixture
async def desk(db) -> Desk:
    """A program whose calendar is known."""
    fact = published().model_copy(update={"fiscal_year_start": "07-01", "time_zone": "America/New_York"})
    async with db.transaction() as tx:
        await follow_program(fact, tx, now=NOW)
    return Desk(db)


async def encumbered(desk, name: str, *, starts: datetime | None = None, cents: int = 100_000, **given) -> Case:
    case = Case(name, **given)
    await desk.hold(case, cents)
    await desk.encumber(case, cents)
    await desk.learn(case, price_cents=cents)
    if starts is not None:
        fact = EnrollmentStarted(
            application_id=case.id,
            enrollment_id=case.enrollment_id,
            provider_id=case.provider,
            credential_id="cyber",
            started_at=starts,
        )
        async with desk.db.transaction() as tx:
            await follow_start(fact, tx)
            await tx.execute("DELETE FROM credential WHERE application_id = $1", case.id)
    return case


async def soft_close(desk):
    return await fiscal_year.soft_close(SoftCloseYear(**YEAR), db=desk.db, now=NOW)


async def propose(desk):
    return await fiscal_year.propose(ProposeYearEnd(**YEAR), db=desk.db, now=NOW)


async def approve(desk, *, by=("anna", "ben"), digest: str | None = None):
    seen = digest or (await propose(desk)).digest
    ask = ApproveYearEnd(**YEAR, digest=seen, made_by=by[0], checked_by=by[1])
    return (await fiscal_year.approve(ask, db=desk.db, now=NOW)).status


async def post(desk):
    while (posted := await year_end.post_year_end(PostYearEnd(**YEAR), db=desk.db, now=NOW)).left:
        assert posted.posted
    return posted


async def hard_close(desk):
    return await year_end.hard_close(HardCloseYear(**YEAR), db=desk.db, now=NOW)


async def closed(desk):
    await soft_close(desk)
    await approve(desk)
    await post(desk)
    return await hard_close(desk)


async def rows(desk) -> dict[str, dict[str, int]]:
    return {row.id: {name: cents for name, cents in row.stages.items() if cents} for row in (await desk.money()).rows}


LAST_EVENING = datetime(2026, 6, 30, 23, 30, tzinfo=COLUMBUS)
FIRST_MINUTE = datetime(2026, 7, 1, 0, 1, tzinfo=COLUMBUS)


async def test_what_began_in_the_year_is_carried_and_what_begins_later_lapses(desk):
    await encumbered(desk, "ann", starts=LAST_EVENING)
    await encumbered(desk, "bob", starts=FIRST_MINUTE, cents=150_000)
    await encumbered(desk, "cleo", cents=70_000, provider=OTHER)
    report = await closed(desk)
    assert (report.carried_cents, report.lapsed_cents, report.resolved_cents) == (170_000, 150_000, 0)
    assert (report.open_cents, report.encumbrances, report.carried, report.lapsed) == (320_000, 3, 2, 1)
    assert report.available_lapsed_cents == 680_000
    after = await rows(desk)
    assert after[LINE] == {"lapsed": 830_000}
    assert after[NEXT] == {"encumbered": 170_000}
    assert after[f"award/{PROGRAM}/{ROUND}/{OTHER}/2027"] == {"encumbered": 70_000}
    assert (await desk.prove()).is_right
    [told] = await desk.told(FundsLapsed)
    assert (told["application_id"], told["lapsed_cents"], told["stage"]) == (Case("bob").id, 150_000, "encumbered")


async def test_a_re_run_is_a_no_op(desk):
    await encumbered(desk, "ann")
    report = await closed(desk)
    before = (await rows(desk), await desk.told(), (await desk.prove()).entries)
    assert (await soft_close(desk)).status is SoftCloseStatus.HARD_CLOSED
    assert (await year_end.post_year_end(PostYearEnd(**YEAR), db=desk.db, now=NOW)).posted == 0
    assert await hard_close(desk) == report
    assert (await rows(desk), await desk.told(), (await desk.prove()).entries) == before


async def test_a_carried_case_is_claimed_paid_and_returned_in_the_next_years_line(desk):
    ann = await encumbered(desk, "ann")
    await closed(desk)
    reviewed = await desk.review(ann, 80_000)
    assert reviewed.status is ClaimStatus.APPROVED
    assert (await rows(desk))[NEXT] == {"payable": 80_000, "available": 20_000}
    await desk.pay(ann)
    assert (await desk.prove()).is_right


async def test_a_carried_case_that_is_withdrawn_gives_its_money_to_the_next_year(desk):
    ann = await encumbered(desk, "ann")
    await closed(desk)
    assert (await desk.release(ann)).released_cents == 100_000
    assert (await rows(desk))[NEXT] == {"available": 100_000}


async def test_a_carried_encumbrance_is_carried_again(desk):
    ann = await encumbered(desk, "ann")
    await closed(desk)
    following = {"program_id": PROGRAM, "fiscal_year": 2027}
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE program_version SET fiscal_year_start = '01-01', time_zone = 'UTC'")
        # A year that is over on every clock.
        await tx.execute(
            "INSERT INTO fiscal_year_close (book, program_id, fiscal_year, last_day, time_zone, soft_closed_at)"
            " VALUES ($1, $2, 2027, '2027-12-31', 'UTC', now())",
            NEXT,
            PROGRAM,
        )
        await tx.execute("SELECT close_line($1, 'soft_closed')", NEXT)
    proposal = await fiscal_year.propose(ProposeYearEnd(**following), db=desk.db, now=NOW)
    ask = ApproveYearEnd(**following, digest=proposal.digest, made_by="anna", checked_by="ben")
    await fiscal_year.approve(ask, db=desk.db, now=NOW)
    await year_end.post_year_end(PostYearEnd(**following), db=desk.db, now=NOW)
    await year_end.hard_close(HardCloseYear(**following), db=desk.db, now=NOW)
    assert (await rows(desk))[line_row(PROGRAM, 2028)] == {"encumbered": 100_000}
    assert (await desk.review(ann, 100_000)).status is ClaimStatus.APPROVED
    assert (await desk.prove()).is_right


async def test_nothing_new_is_held_after_the_soft_close(desk):
    await soft_close(desk)
    refused = await desk.hold(Case("late"), 1)
    assert (refused.status, refused.reason) == (HoldStatus.REFUSED, "closed")


async def test_holds_go_back_and_who_waits_is_told(desk):
    await desk.hold(Case("ann"), 600_000)
    waits = await desk.hold(Case("bob"), 600_000)
    assert waits.status is HoldStatus.WAITING
    report = await closed(desk)
    assert (report.open_cents, report.available_lapsed_cents) == (0, 1_000_000)
    told = {one["application_id"]: one["stage"] for one in await desk.told(FundsLapsed)}
    assert told == {Case("ann").id: "held", Case("bob").id: "waiting"}
    assert (await desk.stages()) == {"lapsed": 1_000_000}


async def test_one_person_does_not_suffice(desk):
    await encumbered(desk, "ann")
    await soft_close(desk)
    with pytest.raises(MakerIsChecker):
        await approve(desk, by=("anna", "anna"))
    with pytest.raises(YearNotReady):
        await year_end.post_year_end(PostYearEnd(**YEAR), db=desk.db, now=NOW)
    with pytest.raises(YearNotReady):
        await hard_close(desk)


async def test_what_they_did_not_see_is_not_approved(desk):
    await encumbered(desk, "ann")
    await encumbered(desk, "bob")
    await soft_close(desk)
    seen = (await propose(desk)).digest
    await desk.release(Case("bob"))
    await propose(desk)
    assert await approve(desk, digest=seen) is ApprovalStatus.CHANGED
    assert await approve(desk) is ApprovalStatus.APPROVED
    await post(desk)
    assert (await hard_close(desk)).open_cents == 100_000


async def test_what_was_only_held_is_not_promised_once_the_year_is_over(desk):
    case = Case("bob")
    await desk.hold(case, 100_000)
    await soft_close(desk)
    for _ in range(2):
        assert (await desk.encumber(case, 90_000)).status is EncumbranceStatus.NO_HOLD
    assert (await rows(desk))[LINE] == {"available": 1_000_000}
    [told] = await desk.told(HoldExpired)
    assert (told["application_id"], told["released_cents"]) == (case.id, 100_000)
    again = await desk.hold(case, 100_000, hold_number=2)
    assert (again.status, again.reason) == (HoldStatus.REFUSED, "closed")
    assert (await desk.prove()).is_right


async def test_an_amended_line_keeps_what_people_decided(desk):
    await encumbered(desk, "ann", starts=FIRST_MINUTE)
    await soft_close(desk)
    first = await propose(desk)
    [line] = await fiscal_year.lines_of_close(PROGRAM, 2026, after="", count_max=5, db=desk.db)
    assert (line["service_on"], line["service_basis"]) == (date(2026, 7, 1), "course_started")
    ask = AmendYearEnd(
        **YEAR, encumbrance=line["transfer_id"], disposition=Disposition.CARRY, reason="moved by us", actor="anna"
    )
    amended = await fiscal_year.amend(ask, db=desk.db, now=NOW)
    assert (amended.carry_cents, amended.lapse_cents) == (100_000, 0)
    assert amended.digest != first.digest
    assert await propose(desk) == amended
    assert await approve(desk) is ApprovalStatus.APPROVED
    with pytest.raises(NotOpenEncumbrance):
        await fiscal_year.amend(ask, db=desk.db, now=NOW)


async def test_what_is_paid_between_list_and_posting_is_neither_carried_nor_lapsed(desk):
    ann, bob = await encumbered(desk, "ann"), await encumbered(desk, "bob")
    await soft_close(desk)
    await approve(desk)
    assert (await desk.review(ann, 100_000)).status is ClaimStatus.APPROVED
    await post(desk)
    report = await hard_close(desk)
    assert (report.carried_cents, report.resolved_cents, report.open_cents) == (100_000, 100_000, 200_000)
    assert report.payable_cents == 100_000
    # What is owed is still ordered and paid from the closed year.
    await desk.pay(ann)
    assert (await desk.review(bob, 100_000)).status is ClaimStatus.APPROVED
    assert (await desk.prove()).is_right


async def test_a_year_that_is_not_over_is_not_closed(desk, db):
    future = published().model_copy(
        update={"fiscal_year_start": "07-01", "time_zone": "America/New_York", "published_at": NOW + timedelta(days=1)}
    )
    rounds = [future.rounds[0].model_copy(update={"round_id": "round-9", "fiscal_year": 2199})]
    async with db.transaction() as tx:
        await follow_program(future.model_copy(update={"rounds": rounds, "pack_version": "9" * 12}), tx, now=NOW)
    answer = await fiscal_year.soft_close(SoftCloseYear(program_id=PROGRAM, fiscal_year=2199), db=db, now=NOW)
    assert answer.status is SoftCloseStatus.NOT_OVER
    assert answer.ends_at is not None
    assert answer.ends_at.astimezone(COLUMBUS) == datetime(2199, 7, 1, tzinfo=COLUMBUS)
    ended = await fiscal_year.ended_years(ListEndedYears(program_id=PROGRAM), db=db, now=NOW)
    assert ended.fiscal_years == [2026]
    none = await fiscal_year.soft_close(SoftCloseYear(program_id=PROGRAM, fiscal_year=2100), db=db, now=NOW)
    assert none.status is SoftCloseStatus.UNKNOWN


async def test_a_program_without_a_calendar_is_said_so(desk, db):
    async with db.transaction() as tx:
        await tx.execute("UPDATE program_version SET time_zone = NULL")
    with pytest.raises(CalendarUnknown):
        await soft_close(desk)
    with pytest.raises(YearUnknown):
        await propose(desk)


async def test_a_status_says_where_the_year_stands(desk):
    await encumbered(desk, "ann")
    status = await fiscal_year.status_of_year(PROGRAM, 2026, db=desk.db)
    assert (status.close, status.phase, status.proposal) == (None, Phase.OPEN, None)
    await closed(desk)
    status = await fiscal_year.status_of_year(PROGRAM, 2026, db=desk.db)
    assert status.close is not None
    assert (status.phase, [one["checked_by"] for one in status.approvals]) == (Phase.HARD_CLOSED, ["ben"])


async def test_a_line_whose_money_is_held_for_no_case_is_not_shut(desk):
    await soft_close_after(
        desk,
        Transfer(
            id=TransferId.derive("lot"),
            kind=Kind.HOLD,
            scope=Scope(LINE, line=LINE),
            amount_cents=5_000,
            reason="a lot of exam vouchers",
            actor="test",
            occurred_at=NOW,
        ),
    )
    await approve(desk)
    await post(desk)
    with pytest.raises(HeldOutsideCases):
        await hard_close(desk)


async def soft_close_after(desk, transfer: Transfer) -> None:
    async with desk.db.transaction() as tx:
        await ledger_store.post(tx, [transfer])
    await soft_close(desk)


async def posted(desk, case: Case, kind: Kind, *, of: str) -> Transfer:
    """One move of the case's money, posted as the use cases post it."""
    funding = await funding_of(desk, case)
    async with desk.db.transaction() as tx:
        move = move_of(funding, kind, 100_000, of=TransferId(of), reason="test", at=NOW, key=of)
        await post_moves(tx, [move])
    return move


async def test_a_payment_stays_in_the_year_it_was_approved_in(desk):
    """Its case may have been carried: an advance is paid from the old year, the claim from the new one."""
    ann, bob = await encumbered(desk, "ann", cents=200_000), await encumbered(desk, "bob")
    before = await funding_of(desk, ann)
    advance = await posted(desk, ann, Kind.EXPEND, of=str(before.encumbrance_transfer_id))
    await closed(desk)
    assert (await funding_of(desk, ann)).book == NEXT
    sent = await posted(desk, ann, Kind.SEND, of=advance.id)
    settled = await posted(desk, ann, Kind.SETTLE, of=sent.id)
    assert (await rows(desk))[LINE] == {"disbursed": 100_000, "lapsed": 700_000}
    late = await posted(desk, ann, Kind.RETURN_LATE, of=settled.id)
    assert (await rows(desk))[LINE] == {"payable": 100_000, "lapsed": 700_000}
    again = await posted(desk, ann, Kind.SEND, of=late.id)
    settled = await posted(desk, ann, Kind.SETTLE, of=again.id)
    await posted(desk, ann, Kind.RECOVER, of=settled.id)
    # A refund to a year whose books are shut lapses at once.
    assert (await rows(desk))[LINE] == {"lapsed": 800_000}
    assert (await rows(desk))[NEXT] == {"encumbered": 200_000}
    assert (await desk.review(bob, 100_000)).status is ClaimStatus.APPROVED
    assert (await desk.prove()).is_right


@pytest.mark.parametrize(("then", "ends"), [(Kind.EXPEND, "payable"), (Kind.LIQUIDATE, "lapsed")])
async def test_a_payment_stopped_after_the_hard_close_goes_on_or_lapses(desk, then, ends):
    ann = await encumbered(desk, "ann")
    before = await funding_of(desk, ann)
    payable = await posted(desk, ann, Kind.EXPEND, of=str(before.encumbrance_transfer_id))
    await closed(desk)
    stopped = await posted(desk, ann, Kind.UNEXPEND, of=payable.id)
    await posted(desk, ann, then, of=stopped.id)
    stages = (await rows(desk))[LINE]
    assert stages == ({"payable": 100_000, "lapsed": 900_000} if ends == "payable" else {"lapsed": 1_000_000})
    assert (await desk.prove()).is_right


async def funding_of(desk, case: Case) -> Funding:
    async with desk.db.transaction() as tx:
        found = await funding_store.current(tx, case.id)
    assert found is not None
    return found
