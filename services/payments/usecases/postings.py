"""What every use case needs of the ledger: moves of a case's money, postings that must succeed, a person's cap."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from contracts.ids import TransferId
from contracts.journey import workflow_id
from contracts.plan import CostKind
from contracts.steps.payments import HoldFunds
from kit.db import Connection
from services.payments.books.budgets import Standing, person_target, raise_to
from services.payments.books.cost_lines import Lines, Move, awarded, entries_of, given_back, short_of
from services.payments.books.fiscal_year import YEAR_END
from services.payments.books.ledger import Code, Kind, Phase, Posted, Scope, Transfer
from services.payments.domain import BooksMoved, Funding, PostingFailed
from services.payments.store import ledger as ledger_store

JOURNEY = "journey"
DATABASE_CLOCK = "database clock"
WAITING_LIST = "waiting list"
CAME_BACK = "came back to a closed year"

UNDER_WAY = frozenset({Kind.SEND, Kind.SETTLE, Kind.OFFSET, Kind.RETURN, Kind.RETURN_LATE, Kind.RECOVER, Kind.UNEXPEND})
"""Moves of a payment: their money is where the entry before put it."""
COMING_BACK = frozenset({Kind.RECOVER, Kind.LIQUIDATE})
"""What makes money available again, also in a year whose books are shut."""


def move_of(
    funding: Funding,
    kind: Kind,
    cents: int,
    *,
    of: TransferId | None,
    reason: str,
    at: datetime,
    actor: str = JOURNEY,
    key: str | int = "",
    asked: Lines | None = None,
) -> Move:
    """A move of the case's money; its id is the case's, the hold's number, the kind and `key`.

    `asked` says for which cost lines, where the request does.
    """
    whole = Transfer(
        id=TransferId.derive(kind, funding.application_id, funding.hold_number, key),
        kind=kind,
        scope=funding.scope,
        amount_cents=cents,
        reason=reason,
        actor=actor,
        occurred_at=at,
        pending_id=of,
        workflow_id=workflow_id(funding.application_id),
    )
    return Move(whole, funding.lines, asked or {})


def hold_of(ask: HoldFunds, scope: Scope, *, now: datetime) -> Move:
    """The hold that a request asks for."""
    whole = Transfer(
        id=TransferId.derive(Kind.HOLD, ask.application_id, ask.hold_number),
        kind=Kind.HOLD,
        scope=scope,
        amount_cents=ask.amount_cents,
        reason="award",
        actor=JOURNEY,
        occurred_at=now,
        workflow_id=workflow_id(ask.application_id),
    )
    return Move(whole, awarded(ask.cost_lines, ask.amount_cents))


def encumbrance_of(funding: Funding, price_cents: int, *, now: datetime) -> list[Move]:
    """The hold becomes an encumbrance at the price, first; then what the price does not need goes back."""
    hold, rest = funding.hold_transfer_id, funding.amount_cents - price_cents
    encumber = move_of(funding, Kind.ENCUMBER, price_cents, of=hold, reason="enrollment accepted", at=now)
    if not rest:
        return [encumber]
    return [encumber, move_of(funding, Kind.RELEASE_HOLD, rest, of=hold, reason="price below hold", at=now, key="rest")]


async def divide(tx: Connection, moves: Sequence[Move]) -> list[Transfer]:
    """The entries of these moves, one for each cost line. Asks what is left only where a case has several."""
    before = {one.whole.pending_id for one in moves if len(one.lines) > 1}
    asked = sorted(one for one in before if one is not None)
    known = await ledger_store.parts(tx, asked) if asked else {}
    return [entry for entries in entries_of(moves, known) for entry in entries]


async def post_moves(tx: Connection, moves: Sequence[Move]) -> None:
    """`post_or_fail` of the entries of these moves."""
    await post_or_fail(tx, await divide(tx, moves))


async def post_or_fail(tx: Connection, transfers: Sequence[Transfer]) -> None:
    """Post what the business rows say must be possible; anything but ok undoes the transaction.

    A payment under way stays in the year that it was approved in, wherever its case's money has been carried since;
    and what comes back to a year whose books are shut lapses at once.
    """
    moved = await _where_the_money_is(tx, transfers)
    for posted in await ledger_store.post(tx, moved):
        if not posted.is_ok:
            raise PostingFailed(code=(posted.outcome or posted.code).value, transfer_id=posted.transfer.id)
    recovered = [one for one in moved if one.kind in COMING_BACK]
    if recovered:
        await lapse_recovered(tx, recovered)


async def _where_the_money_is(tx: Connection, transfers: Sequence[Transfer]) -> list[Transfer]:
    pending = [one.pending_id for one in transfers if one.kind in UNDER_WAY and one.pending_id is not None]
    if not pending:
        return list(transfers)
    known = await ledger_store.scopes(tx, pending)
    return [
        replace(one, scope=known.get(one.pending_id or "", one.scope)) if one.kind in UNDER_WAY else one
        for one in transfers
    ]


async def lapse_recovered(tx: Connection, recovered: Sequence[Transfer]) -> None:
    """Money that comes back to a year whose books are shut is nobody's to award any more: it lapses at once."""
    books = await ledger_store.balances(tx, sorted({one.scope.book for one in recovered}))
    shut = [one for one in recovered if books[one.scope.book].phase is Phase.HARD_CLOSED]
    lapses = [
        lapse_of(
            one.scope,
            one.amount_cents,
            one.id,
            reason="came back to a closed year",
            at=one.occurred_at,
            link=one.id,
            cost_line=one.cost_line,
        )
        for one in shut
    ]
    if any(not posted.is_ok for posted in await ledger_store.post(tx, lapses)):
        raise BooksMoved


def lapse_of(
    scope: Scope,
    cents: int,
    key: str,
    *,
    reason: str,
    at: datetime,
    link: TransferId | None = None,
    cost_line: CostKind = CostKind.TUITION,
) -> Transfer:
    """Uncommitted money of a closed year that lapses; its id is the line's and `key`'s."""
    return Transfer(
        id=TransferId.derive(Kind.LAPSE_AVAILABLE, scope.book, key),
        kind=Kind.LAPSE_AVAILABLE,
        scope=scope,
        amount_cents=cents,
        reason=reason,
        actor=YEAR_END,
        occurred_at=at,
        cost_line=cost_line,
        links_to=link,
    )


async def cap_of_person(
    tx: Connection, scope: Scope, program_id: str, round_id: str, person_id: str, cap_cents: int | None, *, at: datetime
) -> Transfer | None:
    """The posting that gives the person's row its cap, where it does not have it yet."""
    if scope.person is None or cap_cents is None:
        return None
    row = (await ledger_store.balances(tx, [scope.person])).get(scope.person)
    standing = Standing(row.appropriated_cents, row.appropriations) if row else Standing()
    target = person_target(scope.book, program_id, round_id, person_id, cap_cents)
    return raise_to(target, standing, actor=JOURNEY, at=at)


async def post_holds(tx: Connection, caps: Sequence[Transfer], holds: Sequence[Move]) -> list[Code]:
    """Post the caps and then the holds, in one batch; one outcome per hold, which is whole or not at all."""
    entries = entries_of(holds, {})
    posted = await ledger_store.post(tx, [*caps, *(entry for of_hold in entries for entry in of_hold)])
    if any(one.outcome is None for one in posted):
        # Another transaction gave a person's row another cap a moment ago.
        raise BooksMoved
    answers = iter(posted[len(caps) :])
    of_holds = [[next(answers) for _ in of_hold] for of_hold in entries]
    await post_or_fail(tx, [back for of_hold in of_holds for back in _given_back(of_hold)])
    return [await _outcome(tx, hold, of_hold) for hold, of_hold in zip(holds, of_holds, strict=True)]


def _given_back(of_hold: Sequence[Posted]) -> list[Transfer]:
    if all(one.is_ok for one in of_hold):
        return []
    return [given_back(one.transfer) for one in of_hold if one.is_ok]


async def _outcome(tx: Connection, hold: Move, of_hold: Sequence[Posted]) -> Code:
    """What the whole came to. A line may fit where the whole does not: the limit is named that the whole is over."""
    refused = [one.outcome for one in of_hold if one.outcome is not None and not one.is_ok]
    if not refused:
        return Code.OK
    if len(of_hold) == 1:
        return refused[0]
    if Code.CLOSED in refused:
        return Code.CLOSED
    scope = hold.whole.scope
    available = {name: row.available_cents for name, row in (await ledger_store.balances(tx, scope.rows)).items()}
    found = short_of(scope, available, hold.whole.amount_cents)
    return refused[0] if found is Code.OK else found
