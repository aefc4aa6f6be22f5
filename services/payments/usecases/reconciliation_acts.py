"""People end what rules alone may not: explain a line, match it, undo that, decide on a held statement."""

from collections.abc import Collection
from datetime import datetime

from contracts.errors import NotFound
from kit.db import Connection, Database
from services.payments.domain import BooksMoved, two_people
from services.payments.reconciling import Evidence, TransitItem
from services.payments.reconciling.decisions import (
    Decision,
    DecisionMade,
    DecisionWaits,
    LineEnded,
    LineOpen,
    MatchMovedMoney,
    NothingExpected,
    ReconciliationActId,
    StatementNotHeld,
    StatementUnusable,
    effect_of_match,
    explaining_takes_two,
    match_takes_two,
)
from services.payments.statements import StatementLine
from services.payments.store import reconciliation as store
from services.payments.store import reconciliation_acts as act_store
from services.payments.store import statements as statement_store
from services.payments.store.reconciliation_acts import Act
from services.payments.store.statements import Statement
from services.payments.usecases.reconciliation import apply_evidence
from services.payments.usecases.statements import accept_held, follow_chain

UNPROVEN = 0
OF_STATEMENTS = ("accept", "dismiss")


async def decide(tx: Connection, decision: Decision, *, maker: str, now: datetime) -> Act:
    """One person decides. Where money of the program is concerned it waits for a second one, else it is done at once.

    Raises `DecisionWaits`, `NotFound`, and by its kind: `LineEnded`, `AmountsDiffer`, `NothingExpected`, `LineOpen`,
    `MatchMovedMoney`, `StatementNotHeld`, `StatementUnusable`.
    """
    await statement_store.lock_statements(tx)
    takes_two = await _takes_two(tx, decision)
    act = Act(
        act_id=ReconciliationActId.new(),
        kind=decision.kind,
        line_id=None if decision.kind in OF_STATEMENTS else decision.about,
        statement_id=decision.about if decision.kind in OF_STATEMENTS else None,
        disbursement_id=decision.disbursement_id,
        reason=decision.reason,
        needs_check=takes_two,
        state="waiting" if takes_two else "done",
        made_by=maker,
        made_at=now,
    )
    return await _make(tx, act, ours=(), now=now)


async def agree_to(tx: Connection, act_id: str, *, checker: str, ours: Collection[str], now: datetime) -> Act:
    """The second person agrees, and it is done. Raises `MakerIsChecker`, `DecisionMade`, `NotFound`."""
    await statement_store.lock_statements(tx)
    act = await _waiting(tx, act_id)
    two_people(checker, act.made_by)
    await act_store.checked(tx, act_id, checker=checker, now=now)
    await _perform(tx, act, by=f"{act.made_by}, {checker}", ours=ours, now=now)
    return await _as_kept(tx, act_id)


async def take_back(tx: Connection, act_id: str, *, by: str, now: datetime) -> Act:
    """Take back a decision that waits; anybody of the office may. Raises `DecisionMade`, `NotFound`."""
    await _waiting(tx, act_id)
    await act_store.withdrawn(tx, act_id, by=by, now=now)
    return await _as_kept(tx, act_id)


async def decide_one(decision: Decision, *, maker: str, db: Database, now: datetime) -> Act:
    """`decide` in a transaction of its own."""
    async with db.transaction() as tx:
        return await decide(tx, decision, maker=maker, now=now)


async def explain_line(line_id: str, reason: str, *, maker: str, db: Database, now: datetime) -> Act:
    """Say what a line is that pays and returns nothing."""
    return await decide_one(Decision("explain", line_id, reason), maker=maker, db=db, now=now)


async def match_line(
    line_id: str, disbursement_id: str, reason: str, *, maker: str, db: Database, now: datetime
) -> Act:
    """Say which payment stands behind a line of exactly its amount."""
    return await decide_one(Decision("match", line_id, reason, disbursement_id), maker=maker, db=db, now=now)


async def undo_line(line_id: str, reason: str, *, maker: str, db: Database, now: datetime) -> Act:
    """Open a line again that moved nothing in the ledger."""
    return await decide_one(Decision("unmatch", line_id, reason), maker=maker, db=db, now=now)


async def accept_statement(statement_id: str, reason: str, *, maker: str, db: Database, now: datetime) -> Act:
    """Ask that a held statement be taken as it is, though it does not continue its account; another person agrees."""
    return await decide_one(Decision("accept", statement_id, reason), maker=maker, db=db, now=now)


async def dismiss_statement(statement_id: str, reason: str, *, maker: str, db: Database, now: datetime) -> Act:
    """Put a held statement aside for good: the bank has sent another. Its file is kept."""
    return await decide_one(Decision("dismiss", statement_id, reason), maker=maker, db=db, now=now)


async def agree(act_id: str, *, checker: str, ours: Collection[str], db: Database, now: datetime) -> Act:
    """`agree_to` in a transaction of its own."""
    async with db.transaction() as tx:
        return await agree_to(tx, act_id, checker=checker, ours=ours, now=now)


async def withdraw(act_id: str, *, by: str, db: Database, now: datetime) -> Act:
    """`take_back` in a transaction of its own."""
    async with db.transaction() as tx:
        return await take_back(tx, act_id, by=by, now=now)


async def _takes_two(tx: Connection, decision: Decision) -> bool:
    match decision.kind:
        case "explain":
            return explaining_takes_two(await _open_line(tx, decision.about))
        case "match":
            line = await _open_line(tx, decision.about)
            return match_takes_two(effect_of_match(line, await _item(tx, decision.disbursement_id or "")))
        case "unmatch":
            await _may_open_again(tx, decision.about)
            return False
        case "accept":
            statement = await _held(tx, decision.about)
            if statement.place == UNPROVEN:
                raise StatementUnusable(reason=statement.reason)
            return True
        case "dismiss":
            await _held(tx, decision.about)
            return False


async def _may_open_again(tx: Connection, line_id: str) -> None:
    found = await act_store.line(tx, line_id)
    if found is None:
        raise NotFound(kind="statement line")
    if found[1] == "open":
        raise LineOpen
    if await act_store.posted_on(tx, line_id):
        raise MatchMovedMoney


async def _as_kept(tx: Connection, act_id: str) -> Act:
    act = await act_store.act(tx, act_id)
    assert act is not None
    return act


async def _make(tx: Connection, act: Act, *, ours: Collection[str], now: datetime) -> Act:
    if not await act_store.add(tx, act):
        raise DecisionWaits
    if not act.needs_check:
        await _perform(tx, act, by=act.made_by, ours=ours, now=now)
    return act


async def _perform(tx: Connection, act: Act, *, by: str, ours: Collection[str], now: datetime) -> None:
    match act.kind:
        case "explain":
            line = await _open_line(tx, act.line_id or "")
            await act_store.end_line(tx, line.line_id, "explained", "explained_by_person", (), by=by, now=now)
        case "match":
            await _match(tx, act, by=by, now=now)
        case "unmatch":
            await act_store.drop_evidence(tx, act.line_id or "")
            await act_store.open_line(tx, act.line_id or "")
        case "accept":
            statement = await _held(tx, act.statement_id or "")
            if not await accept_held(tx, statement, by=by, ours=ours, trusted=True, now=now):
                raise StatementUnusable(reason=statement.reason)
            await follow_chain(tx, statement.bank, statement.account, ours=ours, now=now)
        case _:
            statement = await _held(tx, act.statement_id or "")
            await statement_store.decide(
                tx, statement.statement_id, "dismissed", reason=statement.reason, by=by, now=now
            )


async def _match(tx: Connection, act: Act, *, by: str, now: datetime) -> None:
    line = await _open_line(tx, act.line_id or "")
    item = await _item(tx, act.disbursement_id or "")
    # The payment may have moved since the first person looked.
    evidence = Evidence(line, item.disbursement_id, effect_of_match(line, item), item.amount_cents)
    applied = await apply_evidence(tx, [evidence], by=by, now=now)
    if applied.undone:
        raise BooksMoved
    await act_store.end_line(tx, line.line_id, "matched", "matched_by_person", [item.disbursement_id], by=by, now=now)


async def _open_line(tx: Connection, line_id: str) -> StatementLine:
    found = await act_store.line(tx, line_id)
    if found is None:
        raise NotFound(kind="statement line")
    line, state = found
    if state != "open":
        raise LineEnded(state=state)
    return line


async def _item(tx: Connection, disbursement_id: str) -> TransitItem:
    found = await store.item(tx, disbursement_id)
    if found is None:
        raise NothingExpected(movement="movement")
    return found


async def _held(tx: Connection, statement_id: str) -> Statement:
    statement = await statement_store.statement(tx, statement_id)
    if statement is None:
        raise NotFound(kind="bank statement")
    if statement.state != "held":
        raise StatementNotHeld(state=statement.state)
    return statement


async def _waiting(tx: Connection, act_id: str) -> Act:
    act = await act_store.act(tx, act_id)
    if act is None:
        raise NotFound(kind="decision")
    if act.state != "waiting":
        raise DecisionMade(state=act.state)
    return act
