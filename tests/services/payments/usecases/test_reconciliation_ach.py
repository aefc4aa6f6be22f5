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
