"""What a provider pays back: two people, a line of the bank or a document, never more than is owed."""

import pytest

from services.payments.claims.recoveries import MoreThanOwed, NotMoneyIn, RecoveryDecided, RecoveryWaits
from services.payments.domain import MakerIsChecker
from services.payments.reconciling.decisions import AmountsDiffer, Decision, MatchMovedMoney
from services.payments.usecases.advances import agree_refund, propose_refund
from services.payments.usecases.reconciliation_acts import decide
from services.payments.usecases.recoveries import approve_recovery, propose_recovery, withdraw_recovery
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, ROUND, Desk
from tests.services.payments.reconciled import Books
from tests.services.payments.usecases.test_advances import advance_paid, dropped, make_platinum

DEBT = 100_000


async def act(desk: Desk, work, *args, **given):
    async with desk.db.transaction() as tx:
        return await work(tx, *args, **given)


@pytest.fixture
async def refund(desk: Desk) -> str:
    """An agreed refund of one advance."""
    await make_platinum(desk)
    await dropped(desk, await advance_paid(desk, "ann"))
    made = await act(desk, propose_refund, PROGRAM, ROUND, PROVIDER, maker="finance/anna", now=NOW)
    with pytest.raises(MoreThanOwed):
        await propose(desk, made.refund_id, 1, document="too early")
    await act(desk, agree_refund, made.refund_id, checker="finance/ben", now=NOW)
    return made.refund_id


async def propose(desk: Desk, refund: str, cents: int, *, line: str | None = None, document: str | None = None):
    given = {"cents": cents, "line_id": line, "document": document, "maker": "finance/anna", "now": NOW}
    return await act(desk, propose_recovery, refund, **given)


async def approve(desk: Desk, refund: str, made, by: str = "finance/ben"):
    return await act(desk, approve_recovery, refund, made.recovery_id, checker=by, now=NOW)


async def test_a_debt_is_paid_back_in_parts_and_never_more_than_it_was(desk, refund):
    made = await propose(desk, refund, 40_000, document="check 7")
    assert (await desk.stages())["disbursed"] == DEBT
    with pytest.raises(RecoveryWaits):
        await propose(desk, refund, 1_000, document="check 8")
    with pytest.raises(MakerIsChecker):
        await approve(desk, refund, made, by="finance/anna")
    await approve(desk, refund, made)
    with pytest.raises(RecoveryDecided):
        await approve(desk, refund, made)
    assert (await desk.stages())["disbursed"] == DEBT - 40_000
    with pytest.raises(RecoveryWaits):
        await propose(desk, refund, 1_000, document="check 7")
    with pytest.raises(MoreThanOwed):
        await propose(desk, refund, DEBT - 40_000 + 1, document="check 8")
    await approve(desk, refund, await propose(desk, refund, DEBT - 40_000, document="check 8"))
    assert "disbursed" not in await desk.stages()
    async with desk.db.connection() as connection:
        entries = await connection.fetch(
            "SELECT t.amount_cents, p.kind FROM transfer AS t JOIN transfer AS p ON p.id = t.pending_id"
            " WHERE t.kind = 'recover' ORDER BY t.entry"
        )
    assert [tuple(row) for row in entries] == [(40_000, "settle"), (DEBT - 40_000, "settle")]
    assert (await desk.prove()).is_right


async def test_the_banks_line_behind_it_is_a_credit_of_that_amount_and_is_used_once(desk, refund):
    books = Books(desk)
    books.bank.credit(30_000, "REFUND OF LORAIN", text="WIRE")
    books.bank.debit(30_000, "SOMETHING ELSE")
    await books.take()
    lines = {one.line.amount_cents: one.line.line_id for one, _ in (await books.page()).lines}
    with pytest.raises(NotMoneyIn):
        await propose(desk, refund, 30_000, line=lines[-30_000])
    with pytest.raises(AmountsDiffer):
        await propose(desk, refund, 29_999, line=lines[30_000])
    wrong = await propose(desk, refund, 30_000, line=lines[30_000])
    assert (await act(desk, withdraw_recovery, refund, wrong.recovery_id)).state == "withdrawn"
    await approve(desk, refund, await propose(desk, refund, 30_000, line=lines[30_000]))
    assert (await books.lines())["explained recovery"] == 1
    with pytest.raises(MatchMovedMoney):
        await act(desk, decide, Decision("unmatch", lines[30_000], "no"), maker="finance/anna", now=NOW)
    assert (await desk.stages())["disbursed"] == DEBT - 30_000
    assert (await desk.prove()).is_right
