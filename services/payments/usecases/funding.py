"""Hold, encumber, release: the money of one case up to its claim."""

from datetime import datetime

from contracts.errors import Unavailable
from contracts.events.payments import (
    FundsEncumbered,
    FundsReleased,
    HoldExpired,
    HoldPlaced,
    HoldRefused,
    HoldWaitlisted,
)
from contracts.ids import ApplicationId, TransferId
from contracts.steps.payments import (
    EncumberFunds,
    EncumbranceStatus,
    FundsEncumberedResult,
    FundsHeld,
    FundsReleasedResult,
    HoldFunds,
    HoldStatus,
    ReleaseFunds,
)
from kit import outbox
from kit.db import Connection, Database
from kit.telemetry import logger
from services.payments.books.ledger import WAITABLE, Code, Kind, Phase, Scope, Transfer, line_row
from services.payments.domain import Funding, FundingState, NotYetKnown, RequestDiffers, scope_of
from services.payments.store import funding as funding_store
from services.payments.store import ledger as ledger_store
from services.payments.store import program as program_store
from services.payments.store.program import RoundCopy
from services.payments.usecases.postings import (
    DATABASE_CLOCK,
    cap_of_person,
    encumbrance_of,
    hold_of,
    move_of,
    post_holds,
    post_moves,
)
from services.payments.usecases.vouchers import reclaim_unused
from services.payments.usecases.waiting import hold_id_of, serve_waiting

EXPIRIES_PER_SWEEP_MAX = 200

_log = logger(__name__)
_OPEN = {FundingState.WAITING, FundingState.HELD, FundingState.ENCUMBERED, FundingState.EXPENDED}


async def hold_funds(ask: HoldFunds, *, db: Database, now: datetime) -> FundsHeld:
    """Set the amount aside in program, round, provider award and person at once, or say which limit is short."""
    async with db.transaction() as tx:
        await funding_store.lock_case(tx, ask.application_id)
        return await hold_for_case(tx, ask, now=now)


async def hold_for_case(tx: Connection, ask: HoldFunds, *, now: datetime) -> FundsHeld:
    """The same, for a case whose lock the transaction holds."""
    earlier = await funding_store.by_number(tx, ask.application_id, ask.hold_number)
    if earlier is not None:
        if (earlier.amount_cents, earlier.provider_id) != (ask.amount_cents, ask.provider_id):
            raise RequestDiffers(what="amount or provider")
        return earlier.answer()
    if await funding_store.has_ended(tx, ask.application_id):
        return FundsHeld(status=HoldStatus.REFUSED, reason=Code.CLOSED.value)
    before = await funding_store.current(tx, ask.application_id)
    if before is not None and before.state in _OPEN:
        raise RequestDiffers(what="hold number")
    known = await program_store.round_copy(tx, ask.program_id, ask.round_id)
    if known is None:
        raise NotYetKnown(what="program")
    return await _hold(tx, ask, known, now=now)


async def _hold(tx: Connection, ask: HoldFunds, known: RoundCopy, *, now: datetime) -> FundsHeld:
    book = line_row(ask.program_id, known.fiscal_year)
    person_id = ask.person_id if known.per_person_cap_cents is not None else None
    scope = scope_of(book, ask.program_id, ask.round_id, ask.provider_id, person_id)
    if known.appropriation_cents is None:
        # Money that was never appropriated cannot be certified as uncommitted.
        return await _without_money(tx, ask, scope, Code.CLOSED.value, now=now)
    cap = await cap_of_person(
        tx, scope, ask.program_id, ask.round_id, ask.person_id, known.per_person_cap_cents, at=now
    )
    order = await program_store.waiting_order(tx, ask.program_id)
    ahead = None
    if not order.smaller_may_pass:
        ahead = await funding_store.somebody_waits(tx, book, ask.round_id, ask.provider_id)
    if ahead is not None and await _fits_person(tx, scope, cap, ask.amount_cents):
        return await _without_money(tx, ask, scope, ahead, now=now)
    hold = hold_of(ask, scope, now=now)
    [outcome] = await post_holds(tx, [cap] if cap else [], [hold])
    if outcome is not Code.OK:
        return await _without_money(tx, ask, scope, outcome.value, now=now)
    held = await funding_store.add_held(
        tx,
        ask,
        book=book,
        capped=scope.person is not None,
        hold_id=hold_id_of(ask.application_id, ask.hold_number),
        transfer_id=hold.id,
        now=now,
    )
    assert held.hold_id is not None
    assert held.expires_at is not None
    placed = HoldPlaced(
        application_id=ask.application_id,
        hold_id=held.hold_id,
        amount_cents=ask.amount_cents,
        from_waiting_list=False,
        expires_at=held.expires_at,
        placed_at=now,
    )
    await outbox.append(tx, placed, now=now)
    return held.answer()


async def _fits_person(tx: Connection, scope: Scope, cap: Transfer | None, cents: int) -> bool:
    """Whether the person's own cap has room, so that waiting has a point."""
    if scope.person is None:
        return True
    row = (await ledger_store.balances(tx, [scope.person])).get(scope.person)
    return (row.available_cents if row else 0) + (cap.amount_cents if cap else 0) >= cents


async def _without_money(tx: Connection, ask: HoldFunds, scope: Scope, reason: str, *, now: datetime) -> FundsHeld:
    """Wait where money that comes back can lift the limit; refuse otherwise."""
    waits = Code(reason) in WAITABLE
    state = FundingState.WAITING if waits else FundingState.REFUSED
    order = await program_store.waiting_order(tx, ask.program_id)
    place = order.place(ask.application_id, priority_group=ask.priority_group, submitted_at=ask.submitted_at)
    funding = await funding_store.add_without_money(
        tx, ask, book=scope.book, capped=scope.person is not None, state=state, reason=reason, place=place, now=now
    )
    case, cents = ask.application_id, ask.amount_cents
    fact = (
        HoldWaitlisted(application_id=case, reason=reason, amount_cents=cents, waitlisted_at=now)
        if waits
        else HoldRefused(application_id=case, reason=reason, amount_cents=cents, refused_at=now)
    )
    await outbox.append(tx, fact, now=now)
    if not waits or order.is_arrival or not await serve_waiting(tx, scope.book, now=now):
        return funding.answer()
    # The program's order may have put it before those who waited already, and its money was there.
    served = await funding_store.by_number(tx, ask.application_id, ask.hold_number)
    assert served is not None
    return served.answer()


async def encumber_funds(ask: EncumberFunds, *, db: Database, now: datetime) -> FundsEncumberedResult:
    """Commit the hold to the enrollment at its price; what the price does not need goes back at once."""
    async with db.transaction() as tx:
        await funding_store.lock_case(tx, ask.application_id)
        return await encumber_for_case(tx, ask, now=now)


async def encumber_for_case(tx: Connection, ask: EncumberFunds, *, now: datetime) -> FundsEncumberedResult:
    """The same, for a case whose lock the transaction holds."""
    funding = await funding_store.by_number(tx, ask.application_id, ask.hold_number)
    if funding is None:
        return FundsEncumberedResult(status=EncumbranceStatus.NO_HOLD)
    if funding.enrollment_id is not None:
        return _encumbered_before(funding, ask)
    if funding.state is not FundingState.HELD or funding.expires_at is None:
        return FundsEncumberedResult(status=EncumbranceStatus.NO_HOLD)
    if funding.expires_at <= await funding_store.database_now(tx):
        await _expire(tx, [funding], now=now)
        return FundsEncumberedResult(status=EncumbranceStatus.NO_HOLD)
    line = (await ledger_store.balances(tx, [funding.book])).get(funding.book)
    if line is not None and line.phase is not Phase.OPEN:
        # An appropriation that has ended takes no new obligation (ORC 131.33): what was held of it goes back.
        await _expire(tx, [funding], now=now, reason="fiscal year closed", key="year end")
        return FundsEncumberedResult(status=EncumbranceStatus.NO_HOLD)
    rest = funding.amount_cents - ask.price_cents
    if rest < 0:
        return FundsEncumberedResult(status=EncumbranceStatus.EXCEEDS_HOLD)
    moves = encumbrance_of(funding, ask.price_cents, now=now)
    await post_moves(tx, moves)
    await funding_store.encumbered(
        tx,
        funding,
        enrollment_id=ask.enrollment_id,
        transfer_id=moves[0].id,
        cents=ask.price_cents,
        now=now,
    )
    fact = FundsEncumbered(
        application_id=ask.application_id, encumbered_cents=ask.price_cents, released_cents=rest, encumbered_at=now
    )
    await outbox.append(tx, fact, now=now)
    if rest:
        await serve_waiting(tx, funding.book, now=now)
    return FundsEncumberedResult(
        status=EncumbranceStatus.ENCUMBERED, encumbered_cents=ask.price_cents, released_cents=rest
    )


def _encumbered_before(funding: Funding, ask: EncumberFunds) -> FundsEncumberedResult:
    if (funding.enrollment_id, funding.encumbered_cents) != (ask.enrollment_id, ask.price_cents):
        raise RequestDiffers(what="enrollment or price")
    return FundsEncumberedResult(
        status=EncumbranceStatus.ENCUMBERED,
        encumbered_cents=funding.encumbered_cents,
        released_cents=funding.amount_cents - funding.encumbered_cents,
    )


async def release_funds(ask: ReleaseFunds, *, db: Database, now: datetime) -> FundsReleasedResult:
    """Give back whatever the case has: waiting place, hold, encumbrance not yet payable, unused exam voucher.

    It is the end of the case's money: a request for a hold that comes later is refused.
    """
    async with db.transaction() as tx:
        await funding_store.lock_case(tx, ask.application_id)
        funding = await funding_store.current(tx, ask.application_id)
        await funding_store.end_case(tx, ask.application_id, ask.reason, now=now)
        await reclaim_unused(tx, ask.application_id, now=now)
        if funding is None:
            return FundsReleasedResult(released_cents=0)
        match funding.state:
            case FundingState.RELEASED:
                return FundsReleasedResult(released_cents=funding.released_cents)
            case FundingState.WAITING:
                await funding_store.ended(tx, funding, FundingState.CANCELLED, ask.reason, 0, now=now)
                # Somebody behind may need less than is there.
                await serve_waiting(tx, funding.book, now=now)
                return FundsReleasedResult(released_cents=0)
            case FundingState.HELD:
                kind, pending, cents = Kind.RELEASE_HOLD, funding.hold_transfer_id, funding.amount_cents
            case FundingState.ENCUMBERED:
                kind, pending, cents = Kind.LIQUIDATE, funding.encumbrance_transfer_id, funding.open_cents
            case _:
                return FundsReleasedResult(released_cents=0)
        return await _give_back(tx, funding, kind, cents, of=pending, reason=ask.reason, now=now)


async def give_back_encumbered(tx: Connection, application_id: ApplicationId, reason: str, *, now: datetime) -> None:
    """Give back what is encumbered for a case that is over; its lock is the caller's."""
    funding = await funding_store.current(tx, application_id)
    if funding is not None and funding.state is FundingState.ENCUMBERED:
        pending, cents = funding.encumbrance_transfer_id, funding.open_cents
        await _give_back(tx, funding, Kind.LIQUIDATE, cents, of=pending, reason=reason, now=now)


async def _give_back(
    tx: Connection, funding: Funding, kind: Kind, cents: int, *, of: TransferId | None, reason: str, now: datetime
) -> FundsReleasedResult:
    await post_moves(tx, [move_of(funding, kind, cents, of=of, reason=reason, at=now)])
    await funding_store.ended(tx, funding, FundingState.RELEASED, reason, cents, now=now)
    fact = FundsReleased(application_id=funding.application_id, released_cents=cents, reason=reason, released_at=now)
    await outbox.append(tx, fact, now=now)
    await serve_waiting(tx, funding.book, now=now)
    return FundsReleasedResult(released_cents=cents)


async def expire_holds(*, db: Database, now: datetime) -> int:
    """Release holds past their expiry on the database's clock; returns how many.

    Where a batch fails each is released by itself: one that cannot be keeps no other. The first fault is raised then.
    """
    try:
        async with db.transaction() as tx:
            expired = await funding_store.lock_expired(tx, EXPIRIES_PER_SWEEP_MAX)
            await _expire(tx, expired, now=now)
        return len(expired)
    except Unavailable:
        raise
    except Exception as error:
        _log.warning("holds.batch_failed", error=type(error).__name__)
        return await _expire_one_by_one(db=db, now=now)


async def _expire_one_by_one(*, db: Database, now: datetime) -> int:
    stuck, first, ended = list[str](), None, 0
    for _ in range(EXPIRIES_PER_SWEEP_MAX):
        trying = ""
        try:
            async with db.transaction() as tx:
                expired = await funding_store.lock_expired(tx, 1, but_not=stuck)
                if not expired:
                    break
                trying = str(expired[0].hold_id)
                await _expire(tx, expired, now=now)
        except Unavailable:
            raise
        except Exception as error:
            first = first or error
            stuck.append(trying)
        else:
            ended += 1
    if first is not None:
        raise first
    return ended


async def _expire(
    tx: Connection, expired: list[Funding], *, now: datetime, reason: str = "hold expired", key: str = "expired"
) -> None:
    moves = [
        move_of(
            one,
            Kind.RELEASE_HOLD,
            one.amount_cents,
            of=one.hold_transfer_id,
            reason=reason,
            at=now,
            actor=DATABASE_CLOCK,
            key=key,
        )
        for one in expired
    ]
    await post_moves(tx, moves)
    facts: list[HoldExpired] = []
    for one in expired:
        await funding_store.ended(tx, one, FundingState.EXPIRED, reason.replace(" ", "_"), one.amount_cents, now=now)
        assert one.hold_id is not None
        facts.append(
            HoldExpired(
                application_id=one.application_id,
                hold_id=one.hold_id,
                released_cents=one.amount_cents,
                expired_at=now,
            )
        )
    await outbox.append_all(tx, facts, now=now)
    for book in sorted({one.book for one in expired}):
        await serve_waiting(tx, book, now=now)
