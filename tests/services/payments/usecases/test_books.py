"""Reading the books: rows, cost lines, pages, statements, the forecast; the nightly proof."""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest

from contracts.errors import NotFound
from services.payments.books.forecast import Risk
from services.payments.books.ledger import Kind
from services.payments.store import funding as funding_store
from services.payments.store.journal import Wanted
from services.payments.usecases import books
from services.payments.usecases.nightly import prove_nightly
from services.payments.usecases.postings import move_of, post_moves
from services.payments.usecases.program import follow_program
from services.payments.usecases.proof import prove_books
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, ROUND, Case, published

LINE = f"line/{PROGRAM}/2026"
AWARD = f"award/{PROGRAM}/{ROUND}/{PROVIDER}"
EVER = (date(2020, 1, 1), date(2099, 12, 31))


@pytest.fixture
async def owner(fresh):
    connection = await asyncpg.connect(fresh.owner_dsn, server_settings={"search_path": "payments"})
    yield connection
    await connection.close()


@pytest.fixture
async def some(desk, db):
    """One case held, one encumbered below its hold, one payable."""
    await desk.hold(Case("held"), 100_000)
    await desk.hold(Case("encumbered"), 100_000)
    await desk.encumber(Case("encumbered"), 90_000)
    await desk.hold(Case("payable"), 50_000)
    await desk.encumber(Case("payable"), 50_000)
    async with db.transaction() as tx:
        found = await funding_store.current(tx, Case("payable").id)
        assert found is not None
        pending = found.encumbrance_transfer_id
        await post_moves(tx, [move_of(found, Kind.EXPEND, 50_000, of=pending, reason="test", at=NOW)])
    return desk


async def page(db, wanted: Wanted = Wanted(), *, after: int = 0, limit: int = 100):
    return (await books.journal_page(PROGRAM, None, wanted, after=after, limit=limit, db=db))[1]


async def test_pages_follow_each_other_without_gap_or_overlap(db, some):
    whole = await page(db)
    assert [entry.entry for entry in whole] == sorted(entry.entry for entry in whole)
    found, after = [], 0
    while more := await page(db, after=after, limit=3):
        found += more
        after = more[-1].entry
    assert found == whole


async def test_the_journal_is_filtered(db, some):
    assert {entry.kind for entry in await page(db, Wanted(kind=Kind.HOLD))} == {"hold"}
    assert len(await page(db, Wanted(kind=Kind.HOLD))) == 3
    of_case = await page(db, Wanted(workflow_id=f"application/{Case('encumbered').id}"))
    assert [entry.kind for entry in of_case] == ["hold", "encumber", "release_hold"]
    follows = await page(db, Wanted(transfer_id=of_case[0].id))
    assert [entry.kind for entry in follows] == ["hold", "encumber", "release_hold"]
    await some.hold(Case("large"), 600_000)
    assert [entry.kind for entry in await page(db, Wanted(outcome="over_award"))] == ["hold"]
    assert {entry.award_id for entry in await page(db, Wanted(row=AWARD))} == {AWARD}


async def test_a_program_without_books_is_not_found(db, desk):
    with pytest.raises(NotFound):
        await books.journal_page("nobody", None, Wanted(), after=0, limit=1, db=db)
    with pytest.raises(NotFound):
        await books.forecast(PROGRAM, 2031, db=db, now=NOW)
    with pytest.raises(NotFound):
        await books.statement("award/a/b/c", *EVER, db=db)


@pytest.mark.parametrize("row", [LINE, AWARD, f"round/{PROGRAM}/{ROUND}"])
async def test_a_statement_closes_with_the_balance_row(db, some, row):
    found = await books.statement(row, *EVER, db=db)
    shown = {one.id: one for one in (await some.money()).rows}[row]
    assert found.closing == dict(shown.stages)
    assert found.closing_appropriated_cents == shown.appropriated_cents
    assert sum(one.entries for one in found.movements) == len(await page(db, Wanted(row=row, outcome="ok")))
    assert set(found.opening.values()) == {0}


async def test_a_statement_of_tomorrow_opens_with_todays_close(db, some):
    today = (await books.statement(AWARD, *EVER, db=db)).closing
    later = await books.statement(AWARD, date(2099, 1, 1), date(2099, 1, 31), db=db)
    assert later.opening == later.closing == today
    assert later.movements == ()


async def test_cost_lines_add_up_to_the_budget_lines(db, some):
    found = await books.cost_lines_of_program(PROGRAM, db=db)
    assert found.agrees
    stages = await some.stages()
    assert found.lines["tuition"]["encumbered"] == stages["encumbered"]
    assert set(found.lines["books"].values()) == {0}


async def test_persons_are_paged(db, desk):
    async with db.transaction() as tx:
        await follow_program(published(person_cap=200_000, version=2), tx, now=NOW)
    for name in ("ann", "bea", "cem"):
        await desk.hold(Case(name), 100_000)
    first = await books.persons_of_program(PROGRAM, after="", limit=2, db=db)
    second = await books.persons_of_program(PROGRAM, after=first[-1].id, limit=2, db=db)
    assert len({row.id for row in (*first, *second)}) == 3
    assert {row.stages["held"] for row in (*first, *second)} == {100_000}


async def test_a_forecast_adds_up(db, some):
    found = await books.forecast(PROGRAM, None, db=db, now=NOW)
    stages = await some.stages()
    assert found.committed_cents == stages["held"] + stages["encumbered"]
    assert found.spent_cents == stages["payable"]
    assert found.year_end == date(2026, 6, 30)
    assert found.appropriated_cents == found.spent_cents + found.expected_cents + found.lapsing_cents
    assert {one.award: one.risk for one in found.outlooks}[AWARD] is Risk.HIGH
    [month] = found.burn_down
    assert (month.spent_cents, month.committed_cents) == (found.spent_cents, found.committed_cents)


async def test_the_books_prove_themselves_once_a_day(db, some):
    first = await prove_nightly(db=db, now=NOW)
    assert first is not None
    assert first.is_right
    assert await prove_nightly(db=db, now=NOW + timedelta(hours=23)) is None
    assert await prove_nightly(db=db, now=NOW + timedelta(hours=24)) is not None


async def test_of_several_processes_one_proves(db, some):
    found = await asyncio.gather(*(prove_nightly(db=db, now=NOW) for _ in range(4)))
    assert sum(proof is not None for proof in found) == 1


async def test_books_that_are_not_right_are_told(db, some, owner, capsys):
    await owner.execute(
        "UPDATE balance SET held_cents = held_cents - 40, available_cents = available_cents + 40 WHERE id = $1", AWARD
    )
    proof = await prove_nightly(db=db, now=NOW)
    assert proof is not None
    assert len(proof.faults) == 2
    assert "ledger.not_right" in capsys.readouterr().out
    assert await owner.fetchval("SELECT faults FROM ledger_proof") == 2
    assert not (await prove_books(db=db)).is_right
