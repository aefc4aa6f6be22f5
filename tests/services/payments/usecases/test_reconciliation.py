"""Statements into the database, matched three ways: settled on the bank's lines alone, once, and never lost."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from contracts.events.payments import DisbursementReturned, DisbursementSettled
from services.payments.usecases.reconciliation import Turn
from tests.services.payments.bank import DAY
from tests.services.payments.case import UNIT
from tests.services.payments.reconciled import CENTS, Books


@pytest.fixture
def books(desk) -> Books:
    return Books(desk)


async def test_a_line_that_names_a_payment_settles_it_once(books: Books):
    one, two = await books.send("a", "b")
    books.bank.debit(CENTS, one)
    content = books.bank.statement()
    assert (await books.take(content)).new_lines == 1
    assert (await books.turn()).settled == 1
    assert (await books.take(content)).again
    assert await books.turn() == Turn()
    assert await books.states() == {"settled": 1, "sent": 1}
    assert await books.desk.stages() == {"available": 800_000, "in_transit": CENTS, "disbursed": CENTS}
    (told,) = await books.desk.told(DisbursementSettled)
    assert (told["disbursement_id"], told["paid_on"]) == (one, DAY.isoformat())
    assert (await books.desk.prove()).is_right
    assert two != one


async def test_the_finance_systems_word_settles_and_the_banks_line_confirms(books: Books):
    (one,) = await books.send("a")
    await books.confirm(one)
    books.bank.debit(CENTS, one)
    await books.take()
    assert (await books.turn()).settled == 0
    assert await books.lines() == {"matched confirms": 1}
    books.bank.debit(CENTS, f"P{one[-8:]}")
    await books.take()
    await books.turn()
    assert await books.lines() == {"matched confirms": 1, "open duplicate_debit": 1}


async def test_a_word_that_comes_after_the_statement_brings_its_numbers_and_moves_nothing(books: Books):
    (one,) = await books.send("a")
    books.bank.debit(CENTS, one)
    await books.take()
    await books.turn()
    await books.confirm(one)
    assert await books.rows("SELECT payment_number, 1 FROM disbursement") == {f"P{one[-8:]}": 1}
    assert len(await books.desk.told(DisbursementSettled)) == 1


async def test_today_is_the_banks_day_and_not_the_one_that_has_begun_in_greenwich(books: Books):
    await books.send("a")
    books.now = datetime(2026, 3, 12, 2, 30, tzinfo=UTC)
    async with books.db.transaction() as tx:
        await tx.execute("UPDATE payment_batch SET checked_at = $1", datetime(2026, 3, 11, 3, 30, tzinfo=UTC))
    page = await books.page()
    assert page.as_of == date(2026, 3, 11)
    (payment,) = page.payments
    assert payment.item.sent_on == date(2026, 3, 10)


async def test_a_late_return_makes_a_settled_payment_payable_again(books: Books):
    (one,) = await books.send("a")
    books.bank.debit(CENTS, one)
    await books.take()
    await books.turn()
    books.bank.credit(CENTS, one, text="ACH RETURN R02 ACCOUNT CLOSED")
    await books.take()
    assert (await books.turn()).returned == 1
    assert await books.desk.stages() == {"available": 900_000, "payable": CENTS}
    (told,) = await books.desk.told(DisbursementReturned)
    assert (told["return_code"], told["after_settlement"]) == ("R02", True)
    assert (await books.desk.prove()).is_right


async def test_every_bai2_type_of_ach_debit_settles_and_every_type_of_ach_return_brings_back(books: Books):
    debits, returns = ("445", "451", "455", "462", "466", "469"), ("168", "252", "256", "257", "258", "266")
    payments = await books.send(*"abcdef", cents=10_000)
    for payment, kind in zip(payments, debits, strict=True):
        books.bank.debit(10_000, payment, kind=kind)
    await books.take()
    assert (await books.turn()).settled == 6
    for payment, kind in zip(payments, returns, strict=True):
        books.bank.credit(10_000, payment, text="ITEM R03", kind=kind)
    await books.take()
    assert (await books.turn()).returned == 6
    assert await books.lines() == {"matched settles": 6, "matched returns": 6}
    assert await books.rows("SELECT return_code, count(*) FROM disbursement GROUP BY 1") == {"R03": 6}
    assert (await books.desk.prove()).is_right


async def test_a_debit_and_its_return_on_one_statement_are_one_return(books: Books):
    (one,) = await books.send("a")
    books.bank.debit(CENTS, one)
    books.bank.credit(CENTS, one, text="R03")
    await books.take()
    turn = await books.turn()
    assert (turn.settled, turn.returned) == (0, 1)
    assert await books.lines() == {"matched settles": 1, "matched returns": 1}
    assert await books.desk.stages() == {"available": 900_000, "payable": CENTS}


async def test_a_return_that_the_finance_system_told_of_is_confirmed_by_debit_and_credit(books: Books):
    (one,) = await books.send("a")
    await books.confirm(one, "R03")
    books.bank.debit(CENTS, one)
    await books.take()
    await books.turn()
    books.bank.credit(CENTS, one, text="R03")
    await books.take()
    await books.turn()
    assert await books.lines() == {"matched confirms": 1, "matched confirms_return": 1}
    assert await books.desk.stages() == {"available": 900_000, "payable": CENTS}


async def test_a_return_may_come_before_its_debit(books: Books):
    (one,) = await books.send("a")
    books.bank.credit(CENTS, one, text="R02")
    await books.take()
    await books.turn()
    books.bank.debit(CENTS, one)
    await books.take()
    await books.turn()
    assert await books.lines() == {"matched returns": 1, "matched confirms": 1}
    assert await books.desk.stages() == {"available": 900_000, "payable": CENTS}


async def test_less_more_and_again_stay_open_until_they_agree(books: Books):
    one, two = await books.send("a", "b")
    books.bank.debit(CENTS - 400, one)
    books.bank.debit(CENTS, two)
    books.bank.debit(CENTS, two)
    await books.take()
    await books.turn()
    assert await books.lines() == {"open partial_payment": 1, "matched settles": 1, "open duplicate_debit": 1}
    books.bank.debit(400, one)
    books.bank.credit(CENTS, two, text="ENTERED TWICE", kind="195")
    await books.take()
    await books.turn()
    assert await books.lines() == {
        "matched settles_in_parts": 2,
        "matched settles": 1,
        "explained duplicate_reversed": 2,
    }
    assert (await books.desk.prove()).is_right


async def test_one_debit_settles_a_whole_batch(books: Books):
    await books.send("a", "b", "c")
    books.bank.debit(3 * CENTS, UNIT)
    await books.take()
    assert (await books.turn()).settled == 3
    assert await books.lines() == {"matched settles_batch": 1}


async def test_what_is_no_payment_of_the_program_waits_for_a_person(books: Books):
    books.bank.debit(1_250, text="MONTHLY FEE", kind="698")
    await books.take()
    await books.turn()
    assert await books.lines() == {"open other_activity": 1}


async def test_a_payment_that_the_ledger_refuses_to_move_keeps_its_line_open_and_costs_no_other(books: Books, fresh):
    one, two = await books.send("a", "b")
    owner = await asyncpg.connect(fresh.owner_dsn, server_settings={"search_path": "payments"})
    await owner.execute("UPDATE disbursement SET sent_transfer_id = 'trf_none' WHERE disbursement_id = $1", one)
    await owner.close()
    books.bank.debit(CENTS, one)
    books.bank.debit(CENTS, two)
    await books.take()
    turn = await books.turn()
    assert (turn.settled, turn.refused) == (1, 1)
    assert await books.lines() == {"open books_refused": 1, "matched settles": 1}


async def test_two_reconcilers_at_once_settle_once(books: Books):
    payments = await books.send("a", "b", "c")
    for payment in payments:
        books.bank.debit(CENTS, payment)
    await books.take()
    turns = await asyncio.gather(*(books.turn() for _ in range(4)))
    assert sorted(turn.settled for turn in turns) == [0, 0, 0, 3]
    assert len(await books.desk.told(DisbursementSettled)) == 3


async def test_a_statement_with_a_gap_is_held_until_the_missing_one_comes(books: Books):
    one, two = await books.send("a", "b")
    assert (await books.take()).held == []
    books.bank.debit(CENTS, one)
    missing = books.bank.statement(DAY)
    books.bank.debit(CENTS, two)
    taken = await books.take(books.bank.statement(DAY + timedelta(days=1)))
    assert [held.reason for held in taken.held] == ["opening_balance"]
    assert await books.turn() == Turn()
    taken = await books.take(missing)
    assert len(taken.followed) == 1
    assert (await books.turn()).settled == 2


async def test_lines_of_overlapping_statements_count_once(books: Books):
    one, two = await books.send("a", "b")
    books.bank.debit(CENTS, one)
    before = tuple(books.bank.moved)
    await books.take()
    books.bank.debit(CENTS, two)
    taken = await books.take(books.bank.statement(before=before))
    assert (taken.new_lines, taken.repeated_lines, taken.held) == (1, 1, [])
    await books.turn()
    assert await books.lines() == {"matched settles": 2}


async def test_a_wrong_total_a_foreign_account_and_garbage_are_kept_with_their_fault(books: Books):
    books.bank.debit(CENTS, "x")
    content = books.bank.statement()
    wrong = content.replace(b"\n49,", b"\n49,9")
    other = content.replace(b"0975312468", b"0975319999")
    reasons = [(await books.take(each)).held[0].reason for each in (wrong, other, b"neither")]
    assert reasons == ["control_total", "foreign_account", "format"]
    assert await books.lines() == {}
    async with books.db.connection() as connection:
        kept = await connection.fetch("SELECT content FROM statement_file")
    assert {row["content"] for row in kept} == {wrong, other, b"neither"}
    assert (await books.take(content)).new_lines == 1


async def test_what_the_bank_said_cannot_be_changed(books: Books):
    books.bank.debit(CENTS, "x")
    await books.take()
    async with books.db.connection() as connection:
        for sql in (
            "UPDATE statement_line SET amount_cents = 1",
            "DELETE FROM statement_line",
            "UPDATE statement_file SET content = ''",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(sql)


async def test_evidence_is_never_more_than_the_payment_or_the_line(books: Books):
    one, _ = await books.send("a", "b")
    books.bank.debit(CENTS, one)
    books.bank.debit(CENTS, one)
    await books.take()
    await books.turn()
    async with books.db.connection() as connection:
        with pytest.raises(asyncpg.CheckViolationError, match="more than the payment"):
            await connection.execute(
                "INSERT INTO payment_evidence SELECT line_id, $1, 'confirms', $2, NULL, 'x', now() FROM statement_line"
                " WHERE state = 'open'",
                one,
                CENTS,
            )
        with pytest.raises(asyncpg.CheckViolationError, match="journal was written"):
            await connection.execute("DELETE FROM payment_evidence")
