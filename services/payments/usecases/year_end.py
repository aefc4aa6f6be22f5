"""Post what two people approved for the end of a fiscal year, in bounded batches, and shut the year's books.

Killed anywhere and asked again it ends right: a batch is one transaction, and the ids of its entries belong to the
line and the encumbrance.
"""

from collections.abc import Sequence
from datetime import datetime

from contracts.envelope import Fact
from contracts.events.payments import FundsLapsed, HoldExpired, HoldRefused, LapsedFrom
from contracts.ids import ApplicationId
from contracts.steps.fiscal_year import Disposition, HardCloseYear, PostYearEnd, YearEndPosted, YearEndReport
from kit import outbox
from kit.db import Connection, Database
from services.payments.books.fiscal_year import (
    YEAR_END,
    Approved,
    HeldOutsideCases,
    YearNotReady,
    YearUnknown,
    as_moves,
    carried_into,
    postings_of,
)
from services.payments.books.ledger import Code, Kind, Phase, Scope, Transfer, line_row
from services.payments.domain import BooksMoved, Funding, FundingState
from services.payments.store import fiscal_year as store
from services.payments.store import funding as funding_store
from services.payments.store import ledger as ledger_store
from services.payments.store.fiscal_year import Close, Result
from services.payments.usecases.postings import divide, lapse_of, move_of

POSTED_PER_BATCH = 200
BATCHES_PER_TURN = 5
CLOSED = "fiscal_year_closed"
LAPSED = "fiscal_year_lapsed"


async def post_year_end(ask: PostYearEnd, *, db: Database, now: datetime) -> YearEndPosted:
    """Give back what is held, refuse who waits, then carry and lapse what is approved: some batches of it."""
    book = line_row(ask.program_id, ask.fiscal_year)
    posted = 0
    for _ in range(BATCHES_PER_TURN):
        async with db.transaction() as tx:
            close = await _approved_close(tx, book, ask.fiscal_year)
            if close.report is not None:
                break
            done = await _release_holds(tx, close, now=now) or await _refuse_waiting(tx, close, now=now)
            done = done or await _post_batch(tx, close, now=now)
        if not done:
            break
        posted += done
    async with db.transaction() as tx:
        left, unapproved = await store.left(tx, book)
    return YearEndPosted(posted=posted, left=left, unapproved=unapproved)


async def hard_close(ask: HardCloseYear, *, db: Database, now: datetime) -> YearEndReport:
    """Lapse what is available, prove the totals against the journal, shut the books, keep the report."""
    book = line_row(ask.program_id, ask.fiscal_year)
    async with db.transaction() as tx:
        close = await _approved_close(tx, book, ask.fiscal_year)
        if close.report is not None:
            return YearEndReport.model_validate(close.report)
        left, unapproved = await store.left(tx, book)
        if left or unapproved:
            raise YearNotReady(why=f"{left} to post, {unapproved} not approved")
        held = (await ledger_store.balances(tx, [book]))[book].stages["held"]
        if held:
            raise HeldOutsideCases(cents=held)
        await _lapse_available(tx, book, now=now)
        result = await store.result(tx, book)
        if (wrong := fault_in(result)) is not None:
            raise YearNotReady(why=wrong)
        answer = await ledger_store.close_line(tx, book, Phase.HARD_CLOSED)
        if answer != "ok":
            raise YearNotReady(why=answer)
        line = (await ledger_store.balances(tx, [book]))[book]
        report = YearEndReport(
            encumbrances=result.encumbrances,
            open_cents=result.open_cents,
            carried=result.carried,
            carried_cents=result.carried_cents,
            lapsed=result.lapsed,
            lapsed_cents=result.lapsed_cents,
            resolved=result.resolved,
            resolved_cents=result.resolved_cents,
            available_lapsed_cents=await store.lapsed_available(tx, book),
            payable_cents=line.stages["payable"] + line.stages["in_transit"],
            closed_at=now,
        )
        await store.report(tx, book, report.model_dump(mode="json"), now=now)
        return report


def fault_in(result: Result) -> str | None:
    """What does not add up; None where every cent that was open is accounted for, in the list and in the journal."""
    if result.carried_cents + result.lapsed_cents + result.resolved_cents != result.open_cents:
        return "carried, lapsed and resolved are not what was open"
    if not result.carried_cents == result.journal_carried_out == result.journal_carried_in:
        return "what was carried out of the year is not what was carried into the next"
    if result.lapsed_cents != result.journal_lapsed:
        return "what lapsed is not what the journal has"
    return None


async def _approved_close(tx: Connection, book: str, fiscal_year: int) -> Close:
    close = await store.close(tx, book)
    if close is None:
        raise YearUnknown(fiscal_year=fiscal_year)
    if not await store.approvals(tx, book):
        raise YearNotReady(why="nobody has approved it")
    return close


async def _release_holds(tx: Connection, close: Close, *, now: datetime) -> int:
    holds = await store.held(tx, close.book, POSTED_PER_BATCH)
    moves = [
        move_of(
            one,
            Kind.RELEASE_HOLD,
            one.amount_cents,
            of=one.hold_transfer_id,
            reason="fiscal year closed",
            at=now,
            actor=YEAR_END,
            key="year end",
        )
        for one in holds
    ]
    await _post(tx, await divide(tx, moves))
    facts: list[Fact] = []
    for one in holds:
        await funding_store.ended(tx, one, FundingState.EXPIRED, CLOSED, one.amount_cents, now=now)
        assert one.hold_id is not None
        case, cents = one.application_id, one.amount_cents
        facts.append(HoldExpired(application_id=case, hold_id=one.hold_id, released_cents=cents, expired_at=now))
        facts.append(lapsed_fact(close.fiscal_year, case, "held", 0, now=now))
    await outbox.append_all(tx, facts, now=now)
    return len(holds)


async def _refuse_waiting(tx: Connection, close: Close, *, now: datetime) -> int:
    waiting = await store.waiting(tx, close.book, POSTED_PER_BATCH)
    facts: list[Fact] = []
    for one in waiting:
        await funding_store.turned_down(tx, one, FundingState.REFUSED, Code.CLOSED.value, now=now)
        case, cents = one.application_id, one.amount_cents
        facts.append(HoldRefused(application_id=case, reason=Code.CLOSED.value, amount_cents=cents, refused_at=now))
        facts.append(lapsed_fact(close.fiscal_year, case, "waiting", 0, now=now))
    await outbox.append_all(tx, facts, now=now)
    return len(waiting)


async def _post_batch(tx: Connection, close: Close, *, now: datetime) -> int:
    ids = await store.next_to_post(tx, close.book, POSTED_PER_BATCH)
    if not ids:
        return 0
    # Cases first, the book after: whoever pays or withdraws one of them locks in the same order.
    cases = await store.fundings_of(tx, close.book, ids)
    moves = {case: of.encumbrance_transfer_id for case, of in cases.items() if of.encumbrance_transfer_id is not None}
    batch = as_moves(await store.to_post(tx, close.book, ids), moves)
    still_open = [one for one in batch if one.left_cents > 0]
    entries = {one.transfer_id: postings_of(one, close.program_id, close.fiscal_year, at=now) for one in still_open}
    await _post(tx, [entry for posted in entries.values() for entry in posted])
    carried = [one for one in still_open if one.disposition is Disposition.CARRY]
    if carried:
        into = entries[carried[0].transfer_id][-1].scope.book
        gone = {one.application_id for one in carried}
        pairs = [(move, carried_into(close.book, move)) for case, move in moves.items() if case in gone]
        await store.carried(tx, into, pairs, now=now)
    lapsed = [one for one in still_open if one.disposition is Disposition.LAPSE]
    await _tell_lapsed(tx, close, lapsed, cases, now=now)
    await store.posted(tx, close.book, [_outcome(one) for one in batch], now=now)
    return len(batch)


def _outcome(one: Approved) -> tuple[str, str, int]:
    if one.left_cents <= 0:
        return one.transfer_id, "resolved", 0
    return one.transfer_id, "carried" if one.disposition is Disposition.CARRY else "lapsed", one.left_cents


async def _tell_lapsed(
    tx: Connection, close: Close, lapsed: Sequence[Approved], cases: dict[ApplicationId, Funding], *, now: datetime
) -> None:
    facts: list[Fact] = []
    cents: dict[ApplicationId, int] = {}
    for one in lapsed:
        if one.application_id is not None:
            cents[one.application_id] = cents.get(one.application_id, 0) + one.left_cents
    for case, lost in cents.items():
        if case in cases:
            await funding_store.ended(tx, cases[case], FundingState.LAPSED, LAPSED, 0, now=now)
        facts.append(lapsed_fact(close.fiscal_year, case, "encumbered", lost, now=now))
    await outbox.append_all(tx, facts, now=now)


def lapsed_fact(fiscal_year: int, case: ApplicationId, stage: LapsedFrom, cents: int, *, now: datetime) -> FundsLapsed:
    return FundsLapsed(
        application_id=case,
        fiscal_year=fiscal_year,
        stage=stage,
        lapsed_cents=cents,
        reason=LAPSED if cents else CLOSED,
        lapsed_at=now,
    )


async def _lapse_available(tx: Connection, book: str, *, now: datetime) -> None:
    rows = await store.available(tx, book)
    lapses = [
        lapse_of(Scope(book, **{level: row}), cents, row, reason="fiscal year closed", at=now)
        for row, level, cents in rows
    ]
    await _post(tx, lapses)


async def _post(tx: Connection, transfers: Sequence[Transfer]) -> None:
    """All of them or none. Somebody who moved the same money a moment ago makes the batch be tried again."""
    if any(not posted.is_ok for posted in await ledger_store.post(tx, transfers)):
        raise BooksMoved
