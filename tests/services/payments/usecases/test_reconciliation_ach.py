"""ACH payments settle on the bank's lines alone: by trace number, or by the batch's debit; acknowledged is not paid."""

from datetime import timedelta

import pytest

from tests.services.payments.bank import DAY
from tests.services.payments.case import NOW, PROVIDER, Case
from tests.services.payments.reconciled import CENTS, Books
from tests.services.payments.usecases.test_batches import ACH, on_ach, sent


@pytest.fixture
async def books(desk) -> Books:
    """Two payments in one ACH file."""
    await on_ach(desk, PROVIDER)
    for name in ("a", "b"):
        await desk.pay(await desk.approved(Case(name), CENTS))
    await sent(desk, now=NOW + LATER)
    return Books(desk)


LATER = timedelta(days=20)


async def entries(books: Books) -> list[tuple[str, str]]:
    async with books.db.connection() as connection:
        rows = await connection.fetch(
            "SELECT trace, effective_on FROM payment_entry WHERE disbursement_id IS NOT NULL ORDER BY trace"
        )
    return [(row["trace"], row["effective_on"]) for row in rows]


async def test_each_entry_by_its_trace_number(books: Books):
    (one, day), (two, _) = await entries(books)
    books.now = NOW + LATER + timedelta(days=3)
    books.bank.debit(CENTS, one)
    books.bank.debit(CENTS, text=f"PROVIDER PAYMENT TRACE {two}")
    await books.take(books.bank.statement(day))
    assert (await books.turn()).settled == 2
    assert await books.lines() == {"matched settles": 2}
    assert (await books.page()).nothing_is_open


async def test_the_whole_batch_by_company_and_day_then_one_comes_back_late(books: Books):
    (one, day), _ = await entries(books)
    books.now = NOW + LATER + timedelta(days=3)
    company = ACH.originator.company_id
    books.bank.debit(2 * CENTS, text=f"ACH SETTLEMENT CO ID:{company}")
    await books.take(books.bank.statement(day))
    assert (await books.turn()).settled == 2
    assert await books.lines() == {"matched settles_batch": 1}
    books.bank.credit(CENTS, one, text="ACH RETURN R02")
    await books.take(books.bank.statement(day + timedelta(days=1)))
    assert (await books.turn()).returned == 1
    assert await books.states() == {"settled": 1, "returned": 1}
    assert (await books.desk.prove()).is_right
    assert day > DAY


async def test_two_files_of_equal_total_are_told_apart_by_what_their_batches_are_called(books: Books):
    for name in ("c", "d"):
        await books.desk.pay(await books.desk.approved(Case(name), CENTS))
    await sent(books.desk, now=NOW + LATER)
    paid = "WHERE disbursement_id IS NOT NULL GROUP BY 1 ORDER BY 1"
    called = await books.rows(f"SELECT batch_reference, count(*) FROM payment_entry {paid}")
    (first, second), ((_, day), *_) = called, await entries(books)
    assert called == {first: 2, second: 2}
    async with books.db.connection() as connection:
        written = await connection.fetch(
            "SELECT convert_from(content, 'utf8') FROM payment_batch WHERE payments > 0 ORDER BY id_modifier"
        )
    assert [row[0].split("\n")[1][20:40].rstrip() for row in written] == [first, second]
    books.now = NOW + LATER + timedelta(days=3)
    company = ACH.originator.company_id
    books.bank.debit(2 * CENTS, text=f"ACH SETTLEMENT CO ID:{company}")
    await books.take(books.bank.statement(day))
    assert (await books.turn()).settled == 0
    assert await books.lines() == {"open batch_ambiguous": 1}
    books.bank.debit(2 * CENTS, text=f"ACH SETTLEMENT {second} CO ID:{company}")
    await books.take(books.bank.statement(day + timedelta(days=1)))
    # The second is named, so that the first can only be the other's.
    assert (await books.turn()).settled == 4
    assert await books.lines() == {"matched settles_batch": 2}
