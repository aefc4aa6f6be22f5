"""Serving the waiting list, in the transaction that gave money back."""

from datetime import datetime

from contracts.envelope import Fact
from contracts.events.payments import FundsLapsed, HoldPlaced, HoldRefused
from contracts.ids import HoldId, TransferId
from contracts.journey import workflow_id
from kit import outbox
from kit.db import Connection, Database
from services.payments.books.cost_lines import Move
from services.payments.books.ledger import WAITABLE, Code, Kind, Transfer
from services.payments.books.waiting import WAITING_PER_AWARD_MAX, Waiting, who_is_served
from services.payments.domain import Funding, FundingState
from services.payments.store import funding as funding_store
from services.payments.store import ledger as ledger_store
from services.payments.store import program as program_store
from services.payments.usecases.postings import WAITING_LIST, cap_of_person, post_holds

LOOKS_MAX = 500
"""How often the list is looked at in one transaction; the clock goes on where that was not enough."""


def hold_id_of(application_id: str, hold_number: int) -> HoldId:
    """One hold per case and hold number, whether placed at once or from the waiting list."""
    return HoldId.derive("hold", application_id, hold_number)


async def serve_waiting(tx: Connection, book: str, *, now: datetime) -> int:
    """Hold money for those whose turn it is, until it is spent; returns how many. Tells each of them."""
    served = 0
    for _ in range(LOOKS_MAX):
        found = await _serve_first(tx, book, now=now)
        served += found
        if not found:
            break
    return served


async def _serve_first(tx: Connection, book: str, *, now: datetime) -> int:
    order = await program_store.waiting_order(tx, book.split("/")[1])
    queued, busy = await funding_store.lock_waiting(
        tx, book, WAITING_PER_AWARD_MAX, smaller_may_pass=order.smaller_may_pass
    )
    if not queued:
        return 0
    by_id = {one.application_id: one for one in queued}
    line = [_waiting(one) for one in queued]
    rows = await ledger_store.balances(tx, sorted({row for waiting in line for row in waiting.rows}))
    available = {name: row.available_cents for name, row in rows.items()}
    turns = who_is_served(line, available, smaller_may_pass=order.smaller_may_pass, busy=busy)
    return await _place(tx, [by_id[waiting.application_id] for waiting in turns], now=now)


async def serve_all_waiting(*, db: Database, now: datetime) -> int:
    """Serve every book once: for a case that was being changed at the moment money came back."""
    async with db.connection() as connection:
        books = await funding_store.books_waited_for(connection)
    served, first = 0, None
    for book in books:
        try:
            async with db.transaction() as tx:
                served += await serve_waiting(tx, book, now=now)
        except Exception as error:
            # One book's fault keeps no other from being served.
            first = first or error
    if first is not None:
        raise first
    return served


def _waiting(funding: Funding) -> Waiting:
    scope = funding.scope
    rows = tuple(row for row in (scope.line, scope.round, scope.award) if row is not None)
    return Waiting(funding.application_id, rows, funding.amount_cents)


async def _place(tx: Connection, turns: list[Funding], *, now: datetime) -> int:
    if not turns:
        return 0
    caps = [cap for one in turns if (cap := await _cap(tx, one, now=now)) is not None]
    holds = [_hold(one, now=now) for one in turns]
    outcomes = await post_holds(tx, list({cap.id: cap for cap in caps}.values()), holds)
    facts: list[Fact] = []
    for funding, hold, outcome in zip(turns, holds, outcomes, strict=True):
        if outcome is Code.OK:
            facts.append(await _placed(tx, funding, hold.id, now=now))
        elif outcome in WAITABLE:
            # The book moved between the look and the posting: the place is kept, the next try has another id.
            await funding_store.turned_down(tx, funding, FundingState.WAITING, outcome.value, now=now)
        else:
            await funding_store.turned_down(tx, funding, FundingState.REFUSED, outcome.value, now=now)
            facts.append(
                HoldRefused(
                    application_id=funding.application_id,
                    reason=outcome.value,
                    amount_cents=funding.amount_cents,
                    refused_at=now,
                )
            )
            if outcome is Code.CLOSED:
                facts.append(lapsed_waiting(funding, now=now))
    await outbox.append_all(tx, facts, now=now)
    return sum(outcome is Code.OK for outcome in outcomes)


def lapsed_waiting(funding: Funding, *, now: datetime) -> FundsLapsed:
    """The fiscal year closed while the case waited: no money will come any more."""
    return FundsLapsed(
        application_id=funding.application_id,
        fiscal_year=int(funding.book.rsplit("/", 1)[1]),
        stage="waiting",
        lapsed_cents=0,
        reason="fiscal_year_closed",
        lapsed_at=now,
    )


async def _placed(tx: Connection, funding: Funding, transfer_id: TransferId, *, now: datetime) -> HoldPlaced:
    hold_id = hold_id_of(funding.application_id, funding.hold_number)
    held = await funding_store.place_held(tx, funding, hold_id, transfer_id, now=now)
    assert held.expires_at is not None
    return HoldPlaced(
        application_id=funding.application_id,
        hold_id=hold_id,
        amount_cents=funding.amount_cents,
        from_waiting_list=True,
        expires_at=held.expires_at,
        placed_at=now,
    )


async def _cap(tx: Connection, funding: Funding, *, now: datetime) -> Transfer | None:
    known = await program_store.round_copy(tx, funding.program_id, funding.round_id)
    cents = known.per_person_cap_cents if known else None
    return await cap_of_person(
        tx, funding.scope, funding.program_id, funding.round_id, funding.person_id, cents, at=now
    )


def _hold(funding: Funding, *, now: datetime) -> Move:
    # Its own id for each try: the refusal that put the case on the list stays a refusal.
    whole = Transfer(
        id=TransferId.derive(Kind.HOLD, funding.application_id, funding.hold_number, "served", funding.served + 1),
        kind=Kind.HOLD,
        scope=funding.scope,
        amount_cents=funding.amount_cents,
        reason="served from the waiting list",
        actor=WAITING_LIST,
        occurred_at=now,
        workflow_id=workflow_id(funding.application_id),
    )
    return Move(whole, funding.lines)
