"""What people decide: lines explained, matched and opened again, held statements; two of them where money moves."""

from datetime import timedelta

import asyncpg
import pytest

from services.payments.domain import MakerIsChecker
from services.payments.reconciling.decisions import (
    AmountsDiffer,
    DecisionMade,
    DecisionWaits,
    LineEnded,
    LineOpen,
    MatchMovedMoney,
    NothingExpected,
    StatementUnusable,
)
from services.payments.usecases import reconciliation_acts as acts
from tests.services.payments.bank import DAY, OURS
from tests.services.payments.reconciled import CENTS, Books

ANNA, BEN = "finance/anna", "finance/ben"


@pytest.fixture
def books(desk) -> Books:
    return Books(desk)


async def taken(books: Books) -> None:
    await books.take()
    await books.turn()


async def agree(books: Books, act_id: str, by: str = BEN) -> acts.Act:
    return await acts.agree(act_id, checker=by, ours=OURS, db=books.db, now=books.now)


async def test_a_fee_is_explained_by_one_person_and_opened_again(books: Books):
    books.bank.debit(1_250, text="MONTHLY FEE", kind="698")
    await taken(books)
    line = await books.line("other_activity")
    act = await acts.explain_line(line, "March fee, charged to operations", maker=ANNA, db=books.db, now=books.now)
    assert act.state == "done"
    assert await books.lines() == {"explained explained_by_person": 1}
    with pytest.raises(LineEnded):
        await acts.explain_line(line, "again", maker=ANNA, db=books.db, now=books.now)
    await acts.undo_line(line, "not ours", maker=BEN, db=books.db, now=books.now)
    await books.turn()
    assert await books.lines() == {"open match_undone": 1}
    with pytest.raises(LineOpen):
        await acts.undo_line(line, "again", maker=BEN, db=books.db, now=books.now)


async def test_a_payment_nobody_knows_is_explained_by_two(books: Books):
    books.bank.debit(77_700)
    await taken(books)
    line = await books.line("unknown_payment")
    act = await acts.explain_line(line, "the college's own transfer", maker=ANNA, db=books.db, now=books.now)
    assert act.state == "waiting"
    with pytest.raises(DecisionWaits):
        await acts.explain_line(line, "another", maker=BEN, db=books.db, now=books.now)
    with pytest.raises(MakerIsChecker):
        await agree(books, act.act_id, ANNA)
    assert [one.act_id for one in (await books.page()).waiting] == [act.act_id]
    await agree(books, act.act_id)
    assert await books.lines() == {"explained explained_by_person": 1}
    with pytest.raises(DecisionMade):
        await agree(books, act.act_id)
    async with books.db.connection() as connection:
        with pytest.raises(asyncpg.CheckViolationError, match="maker_is_not_checker"):
            await connection.execute("UPDATE reconciliation_act SET checked_by = made_by")


async def test_a_candidate_is_matched_by_two_and_the_payment_settles(books: Books):
    (one,) = await books.send("a")
    books.bank.debit(CENTS)
    await taken(books)
    line = await books.line("candidates_found")
    act = await acts.match_line(line, one, "confirmed by the bank by phone", maker=ANNA, db=books.db, now=books.now)
    assert await books.states() == {"sent": 1}
    await agree(books, act.act_id)
    assert await books.states() == {"settled": 1}
    assert await books.lines() == {"matched matched_by_person": 1}
    with pytest.raises(MatchMovedMoney):
        await acts.undo_line(line, "wrong", maker=ANNA, db=books.db, now=books.now)
    assert (await books.desk.prove()).is_right
    assert (await books.page()).nothing_is_open


async def test_a_line_is_not_matched_to_another_amount_or_to_a_payment_the_bank_has_shown(books: Books):
    one, two = await books.send("a", "b")
    books.bank.debit(CENTS, one)
    books.bank.debit(CENTS + 9)
    books.bank.debit(CENTS, "elsewhere")
    await taken(books)
    (other,) = [o.line.line_id for o, _ in (await books.page()).lines if o.line.amount_cents == -CENTS - 9]
    (same,) = [o.line.line_id for o, _ in (await books.page()).lines if o.line.amount_cents == -CENTS]
    with pytest.raises(AmountsDiffer):
        await acts.match_line(other, two, "x", maker=ANNA, db=books.db, now=books.now)
    with pytest.raises(NothingExpected):
        await acts.match_line(same, one, "x", maker=ANNA, db=books.db, now=books.now)


async def test_what_moved_between_the_two_people_is_not_matched(books: Books):
    (one,) = await books.send("a")
    books.bank.debit(CENTS)
    await taken(books)
    line = await books.line("candidates_found")
    act = await acts.match_line(line, one, "x", maker=ANNA, db=books.db, now=books.now)
    books.bank.debit(CENTS, one)
    await taken(books)
    with pytest.raises(NothingExpected):
        await agree(books, act.act_id)
    await acts.withdraw(act.act_id, by=ANNA, db=books.db, now=books.now)
    assert await books.rows("SELECT state, 1 FROM reconciliation_act") == {"withdrawn": 1}


async def test_a_held_statement_is_accepted_by_two_and_the_account_goes_on_from_it(books: Books):
    await books.take()
    books.bank.balance_cents += 5
    (held,) = (await books.take()).held
    act = await acts.accept_statement(held.statement_id, "the bank's letter", maker=ANNA, db=books.db, now=books.now)
    with pytest.raises(MakerIsChecker):
        await agree(books, act.act_id, ANNA)
    await agree(books, act.act_id)
    books.bank.debit(5, "x")
    assert (await books.take()).held == []


async def test_a_file_that_proves_nothing_is_dismissed_and_kept(books: Books):
    (held,) = (await books.take(b"neither")).held
    with pytest.raises(StatementUnusable):
        await acts.accept_statement(held.statement_id, "x", maker=ANNA, db=books.db, now=books.now)
    await acts.dismiss_statement(held.statement_id, "the bank sent another", maker=ANNA, db=books.db, now=books.now)
    assert (await books.page()).held == ()
    assert await books.rows("SELECT state, 1 FROM bank_statement") == {"dismissed": 1}


async def test_the_page_adds_up_and_ages_in_banking_days(books: Books):
    one, two, three = await books.send("a", "b", "c")
    books.bank.debit(CENTS, one)
    books.bank.debit(CENTS - 1, two)
    await taken(books)
    await books.confirm(three)
    books.now += timedelta(days=10)
    page = await books.page()
    money = page.in_transit
    assert (money.payments, money.ledger_cents, money.adds_up) == (1, CENTS, True)
    assert (money.confirmed_payments, money.confirmed_cents) == (1, CENTS)
    assert {each.item.disbursement_id: each.reason for each in page.payments} == {
        two: "partial_payment",
        three: "debit_overdue",
    }
    (row,) = [aged for aged in page.aging if aged.lines]
    assert (row.name, row.lines, row.lines_cents, row.payments) == ("6-10 days", 1, CENTS - 1, 2)
    assert [(one.account, one.day) for one in page.accounts] == [("*2468", DAY)]
    assert not page.nothing_is_open
