"""Holds and encumbrances of many cases in one transaction: the coalescer's work.

What is plain (a new hold with room in every limit; a live hold that becomes an encumbrance) is done by sets. Whatever
is not is decided as `funding` decides it, case by case, in the same transaction and in the order of arrival.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.envelope import Fact
from contracts.errors import CairnError, Unavailable
from contracts.events.payments import FundsEncumbered, HoldPlaced
from contracts.ids import HoldId, TransferId
from contracts.steps.payments import (
    EncumberFunds,
    EncumbranceStatus,
    FundsEncumberedResult,
    FundsHeld,
    HoldFunds,
    HoldStatus,
)
from kit import outbox
from kit.clock import Clock
from kit.db import Connection, Database
from kit.telemetry import TraceContext, continue_trace
from services.payments.books.budgets import Standing, person_target, raise_to
from services.payments.books.cost_lines import Move
from services.payments.books.ledger import Code, Scope, Transfer, line_row
from services.payments.domain import Funding, FundingState, NotYetKnown, PostingFailed, scope_of
from services.payments.store import funding as funding_store
from services.payments.store import holding as store
from services.payments.store import ledger as ledger_store
from services.payments.store import program as program_store
from services.payments.store.program import RoundCopy
from services.payments.usecases.coalescer import Coalescer, Waiting
from services.payments.usecases.funding import encumber_for_case, hold_for_case
from services.payments.usecases.postings import JOURNEY, divide, encumbrance_of, hold_of, post_moves
from services.payments.usecases.waiting import hold_id_of, serve_waiting

Holds = Sequence[Waiting[HoldFunds, FundsHeld]]
Encumbrances = Sequence[Waiting[EncumberFunds, FundsEncumberedResult]]


def holding(db: Database, clock: Clock) -> Coalescer[HoldFunds, FundsHeld]:
    """`hold_funds` for many callers at once. The book is the program's and its fiscal year's, so the program shards."""

    async def together(tx: Connection, batch: Holds) -> Sequence[FundsHeld | CairnError]:
        return await hold_together(tx, batch, now=clock.now())

    return Coalescer(db, together, shard_key=lambda ask: ask.program_id, alone_key=lambda ask: ask.application_id)


def encumbering(db: Database, clock: Clock) -> Coalescer[EncumberFunds, FundsEncumberedResult]:
    """`encumber_funds` for many callers at once; the request does not say which book, so there is one shard."""

    async def together(tx: Connection, batch: Encumbrances) -> Sequence[FundsEncumberedResult | CairnError]:
        return await encumber_together(tx, batch, now=clock.now())

    return Coalescer(db, together, shard_key=lambda _: "encumbrances", alone_key=lambda ask: ask.application_id)


@dataclass(frozen=True, slots=True)
class _NewHold:
    """A plain request for a hold, and what is posted for it."""

    ask: HoldFunds
    trace: TraceContext
    scope: Scope
    move: Move
    hold_id: HoldId
    cap_cents: int | None


async def hold_together(tx: Connection, batch: Holds, *, now: datetime) -> list[FundsHeld | CairnError]:
    """An answer for each, as `hold_funds` would give it."""
    cases = [one.ask.application_id for one in batch]
    known = await store.lock_cases(tx, cases)
    special = known.keys() | await store.ended_among(tx, cases)
    plain = await _plain_holds(tx, [one for one in batch if one.ask.application_id not in special], now=now)
    placed = await _place_all(tx, plain, now=now)
    answers: list[FundsHeld | CairnError] = []
    for one in batch:
        answer = placed.get(one.ask.application_id)
        if answer is None:
            with _trace_of(one.trace):
                try:
                    answer = await hold_for_case(tx, one.ask, now=now)
                except CairnError as refusal:
                    _let_pass(refusal)
                    answer = refusal
        answers.append(answer)
    return answers


async def _plain_holds(tx: Connection, batch: Holds, *, now: datetime) -> list[_NewHold]:
    """Those whose round has money and for whose limits nobody waits."""
    rounds: dict[tuple[str, str], RoundCopy | None] = {}
    ahead: dict[tuple[str, str, str], bool] = {}
    plain: list[_NewHold] = []
    for one in batch:
        ask = one.ask
        of_round = (ask.program_id, ask.round_id)
        if of_round not in rounds:
            rounds[of_round] = await program_store.round_copy(tx, *of_round)
        found = rounds[of_round]
        if found is None or found.appropriation_cents is None:
            continue
        book = line_row(ask.program_id, found.fiscal_year)
        of_award = (book, ask.round_id, ask.provider_id)
        if of_award not in ahead:
            ahead[of_award] = await funding_store.somebody_waits(tx, *of_award) is not None
        if not ahead[of_award]:
            plain.append(_new_hold(one, book, found.per_person_cap_cents, now=now))
    return plain


def _new_hold(one: Waiting[HoldFunds, FundsHeld], book: str, cap_cents: int | None, *, now: datetime) -> _NewHold:
    ask = one.ask
    person_id = ask.person_id if cap_cents is not None else None
    scope = scope_of(book, ask.program_id, ask.round_id, ask.provider_id, person_id)
    hold_id = hold_id_of(ask.application_id, ask.hold_number)
    return _NewHold(ask, one.trace, scope, hold_of(ask, scope, now=now), hold_id, cap_cents)


async def _place_all(tx: Connection, plain: list[_NewHold], *, now: datetime) -> dict[str, FundsHeld]:
    """All of them held, or none where one does not fit: then the order of arrival has to decide."""
    if not plain:
        return {}
    await store.save(tx)
    holds = await divide(tx, [one.move for one in plain])
    posted = await ledger_store.post(tx, [*await _caps(tx, plain, now=now), *holds])
    if any(one.code is not Code.OK for one in posted):
        # What the journal says of the others goes too: it was decided as if all had come at once.
        await store.undo(tx)
        return {}
    held = [(one.ask, one.scope.book, one.scope.person is not None, one.hold_id, one.move.id) for one in plain]
    expiries = await store.add_all_held(tx, held, now=now)
    facts: list[Fact] = [
        HoldPlaced(
            application_id=one.ask.application_id,
            hold_id=one.hold_id,
            amount_cents=one.ask.amount_cents,
            from_waiting_list=False,
            expires_at=expiries[one.ask.application_id],
            placed_at=now,
        )
        for one in plain
    ]
    await outbox.append_all(tx, facts, now=now, traces=[one.trace for one in plain])
    return {one.ask.application_id: FundsHeld(status=HoldStatus.HELD, hold_id=one.hold_id) for one in plain}


async def _caps(tx: Connection, plain: list[_NewHold], *, now: datetime) -> list[Transfer]:
    """The postings that give each person's row its cap, where it does not have it yet."""
    capped = {one.scope.person: one for one in plain if one.scope.person is not None and one.cap_cents is not None}
    if not capped:
        return []
    rows = await ledger_store.balances(tx, [row for row in capped if row is not None])
    raises: list[Transfer] = []
    for name, one in capped.items():
        row = rows.get(name or "")
        standing = Standing(row.appropriated_cents, row.appropriations) if row else Standing()
        ask = one.ask
        target = person_target(one.scope.book, ask.program_id, ask.round_id, ask.person_id, one.cap_cents or 0)
        move = raise_to(target, standing, actor=JOURNEY, at=now)
        raises += [move] if move else []
    return raises


async def encumber_together(
    tx: Connection, batch: Encumbrances, *, now: datetime
) -> list[FundsEncumberedResult | CairnError]:
    """An answer for each, as `encumber_funds` would give it."""
    known = await store.lock_cases(tx, [one.ask.application_id for one in batch])
    database_now = await funding_store.database_now(tx)
    plain: dict[str, tuple[Waiting[EncumberFunds, FundsEncumberedResult], Funding]] = {}
    for one in batch:
        for funding in known.get(one.ask.application_id, ()):
            if funding.hold_number == one.ask.hold_number and _becomes_encumbrance(funding, one.ask, database_now):
                plain[one.ask.application_id] = (one, funding)
    done = await _encumber_all(tx, list(plain.values()), now=now)
    answers: list[FundsEncumberedResult | CairnError] = []
    for one in batch:
        answer = done.get(one.ask.application_id)
        if answer is None:
            with _trace_of(one.trace):
                try:
                    answer = await encumber_for_case(tx, one.ask, now=now)
                except CairnError as refusal:
                    _let_pass(refusal)
                    answer = refusal
        answers.append(answer)
    return answers


def _becomes_encumbrance(funding: Funding, ask: EncumberFunds, database_now: datetime) -> bool:
    return (
        funding.state is FundingState.HELD
        and funding.enrollment_id is None
        and funding.expires_at is not None
        and funding.expires_at > database_now
        and ask.price_cents <= funding.amount_cents
    )


async def _encumber_all(
    tx: Connection, plain: list[tuple[Waiting[EncumberFunds, FundsEncumberedResult], Funding]], *, now: datetime
) -> dict[str, FundsEncumberedResult]:
    if not plain:
        return {}
    moves: list[Move] = []
    encumbered: list[tuple[EncumberFunds, TransferId]] = []
    facts: list[Fact] = []
    answers: dict[str, FundsEncumberedResult] = {}
    for one, funding in plain:
        price, rest = one.ask.price_cents, funding.amount_cents - one.ask.price_cents
        of_case = encumbrance_of(funding, price, now=now)
        moves += of_case
        encumbered.append((one.ask, of_case[0].id))
        facts.append(
            FundsEncumbered(
                application_id=funding.application_id, encumbered_cents=price, released_cents=rest, encumbered_at=now
            )
        )
        answers[funding.application_id] = FundsEncumberedResult(
            status=EncumbranceStatus.ENCUMBERED, encumbered_cents=price, released_cents=rest
        )
    await post_moves(tx, moves)
    await store.all_encumbered(tx, encumbered, now=now)
    await outbox.append_all(tx, facts, now=now, traces=[one.trace for one, _ in plain])
    for book in sorted({funding.book for one, funding in plain if one.ask.price_cents < funding.amount_cents}):
        await serve_waiting(tx, book, now=now)
    return answers


def _trace_of(trace: TraceContext):
    return continue_trace(trace.traceparent, trace.correlation_id, trace.causation_id)


def _let_pass(refusal: CairnError) -> None:
    """A refusal is decided before anything of its case is written; what may come later undoes the batch."""
    if isinstance(refusal, Unavailable | PostingFailed) and not isinstance(refusal, NotYetKnown):
        raise refusal
