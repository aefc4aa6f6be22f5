"""Fiscal years of the journal, phases of a budget line, corrections, cost lines."""

import hashlib
from dataclasses import replace

import asyncpg
import pytest

from contracts.plan import CostKind
from services.payments.books.ledger import Code, Kind, Phase, Scope, line_row
from services.payments.store import ledger as store
from tests.services.payments.bookkeeping import LINE, appropriation, opened, scope_of, transfer

NEXT = line_row("oh-imap", 2027)


def next_year(cents: int):
    return transfer("next year", Kind.APPROPRIATE, cents, scope=Scope(NEXT, line=NEXT))


@pytest.fixture
async def fresh(fresh_database):
    return await fresh_database("payments")


@pytest.fixture
async def db(database_for, fresh):
    return await database_for("payments", on=fresh)


@pytest.fixture
async def owner(fresh):
    connection = await asyncpg.connect(fresh.owner_dsn, server_settings={"search_path": "payments"})
    yield connection
    await connection.close()


async def post(db, *transfers) -> list[Code]:
    async with db.transaction() as tx:
        return [posted.code for posted in await store.post(tx, transfers)]


async def close(db, phase: Phase, line: str = LINE) -> str:
    async with db.transaction() as tx:
        return await store.close_line(tx, line, phase)


async def test_a_years_part_of_the_journal_is_made_by_its_appropriation(db, owner):
    await post(db, *opened(1_000))
    assert await owner.fetchval("SELECT to_regclass('transfer_2027')") is None
    assert await post(db, next_year(500)) == [Code.OK]
    assert await owner.fetchval("SELECT count(*) FROM transfer_2027") == 1
    assert await owner.fetchval("SELECT count(*) FROM transfer_2026") == 3


async def test_an_id_counts_in_all_years(db):
    hold = transfer("hold", Kind.HOLD, 100)
    await post(db, *opened(1_000), next_year(1_000), hold)
    elsewhere = replace(hold, scope=Scope(NEXT, line=NEXT))
    assert await post(db, elsewhere) == [Code.CONFLICT]
    assert await post(db, hold) == [Code.REPLAY]


async def test_a_year_without_any_appropriation_keeps_its_refusals(db):
    hold = transfer("hold", Kind.HOLD, 100, scope=Scope(NEXT, line=NEXT))
    assert await post(db, hold) == [Code.CLOSED]
    assert await post(db, next_year(1_000), hold) == [Code.OK, Code.REPLAY]


async def test_after_the_soft_close_nothing_is_held_or_promised_and_what_is_open_goes_on(db):
    hold, other = transfer("hold", Kind.HOLD, 100), transfer("other", Kind.HOLD, 50)
    encumber = transfer("encumber", Kind.ENCUMBER, 100, pending=hold.id)
    promise = transfer("promise", Kind.ENCUMBER, 50, pending=other.id)
    await post(db, *opened(1_000), hold, other, encumber)
    assert await close(db, Phase.SOFT_CLOSED) == "ok"
    assert await close(db, Phase.SOFT_CLOSED) == "ok"
    expend = transfer("expend", Kind.EXPEND, 100, pending=encumber.id)
    back = transfer("back", Kind.RELEASE_HOLD, 50, pending=other.id)
    asked = (transfer("late", Kind.HOLD, 1), promise, expend, back)
    assert await post(db, *asked) == [Code.CLOSED, Code.CLOSED, Code.OK, Code.OK]
    assert await post(db, transfer("late", Kind.HOLD, 1)) == [Code.REPLAY]


async def test_a_hard_close_waits_for_what_is_promised_and_lets_payments_end(db):
    hold = transfer("hold", Kind.HOLD, 1_000)
    encumber = transfer("encumber", Kind.ENCUMBER, 1_000, pending=hold.id)
    expend = transfer("expend", Kind.EXPEND, 1_000, pending=encumber.id)
    await post(db, *opened(1_000), hold, encumber)
    assert await close(db, Phase.HARD_CLOSED) == "out_of_order"
    await close(db, Phase.SOFT_CLOSED)
    assert await close(db, Phase.HARD_CLOSED) == "still_open"
    assert await post(db, expend) == [Code.OK]
    assert await close(db, Phase.HARD_CLOSED) == "ok"
    assert await close(db, Phase.SOFT_CLOSED) == "out_of_order"
    assert await close(db, Phase.SOFT_CLOSED, "line/nobody/2026") == "unknown"
    send = transfer("send", Kind.SEND, 1_000, pending=expend.id)
    settle = transfer("settle", Kind.SETTLE, 1_000, pending=send.id)
    recover = transfer("recover", Kind.RECOVER, 400, pending=settle.id)
    another = transfer("another", Kind.HOLD, 1)
    more = transfer("more", Kind.APPROPRIATE, 1, scope=Scope(LINE, line=LINE))
    assert await post(db, another, more, send, settle, recover) == [Code.CLOSED, Code.CLOSED, Code.OK, Code.OK, Code.OK]


async def test_what_is_recovered_or_undone_never_exceeds_the_original(db):
    hold = transfer("hold", Kind.HOLD, 1_000)
    encumber = transfer("encumber", Kind.ENCUMBER, 1_000, pending=hold.id)
    expend = transfer("expend", Kind.EXPEND, 1_000, pending=encumber.id)
    undone = transfer("undone", Kind.UNEXPEND, 300, pending=expend.id)
    send = transfer("send", Kind.SEND, 700, pending=expend.id)
    settle = transfer("settle", Kind.SETTLE, 700, pending=send.id)
    codes = await post(db, *opened(1_000), hold, encumber, expend, undone, send, settle)
    assert set(codes) == {Code.OK}
    assert await post(
        db,
        transfer("back 1", Kind.RECOVER, 500, pending=settle.id),
        transfer("back 2", Kind.RECOVER, 300, pending=settle.id),
        transfer("back 3", Kind.RECOVER, 200, pending=settle.id),
        transfer("undone 2", Kind.UNEXPEND, 1, pending=expend.id),
    ) == [Code.OK, Code.ALREADY_RESOLVED, Code.OK, Code.ALREADY_RESOLVED]
    async with db.connection() as connection:
        row = (await store.balances(connection, [LINE]))[LINE]
    assert {stage: cents for stage, cents in row.stages.items() if cents} == {"available": 700, "encumbered": 300}


async def test_corrections_are_linked_and_never_exceed_what_they_correct(db):
    hold = transfer("hold", Kind.HOLD, 100)
    await post(db, *opened(1_000), next_year(1_000), hold)

    def link(name: str, cents: int, to=hold.id):
        scope = Scope(NEXT, line=NEXT)
        return replace(transfer(name, Kind.CARRY_IN, cents, scope=scope), links_to=to)

    nothing = transfer("nothing", Kind.HOLD, 1).id
    assert await post(db, link("a", 60), link("b", 41), link("c", 40), link("d", 1, nothing)) == [
        Code.OK, Code.ALREADY_RESOLVED, Code.OK, Code.PENDING_NOT_FOUND,
    ]  # fmt: skip
    assert await post(db, link("e", 1)) == [Code.ALREADY_RESOLVED]
    # The same id without its link, or with another, is another request.
    assert await post(db, replace(link("a", 60), links_to=None)) == [Code.CONFLICT]
    async with db.connection() as connection:
        assert (await store.prove(connection)).is_right


async def test_money_keeps_its_cost_line(db):
    hold = replace(transfer("exam", Kind.HOLD, 100), cost_line=CostKind.EXAM_FEE)
    wrong = transfer("wrong", Kind.ENCUMBER, 100, pending=hold.id)
    right = replace(transfer("right", Kind.ENCUMBER, 100, pending=hold.id), cost_line=CostKind.EXAM_FEE)
    assert (await post(db, *opened(1_000), hold, wrong, right))[3:] == [Code.OK, Code.PENDING_NOT_FOUND, Code.OK]


async def test_the_prover_finds_one_id_in_two_years_and_a_row_below_zero(db, owner):
    await post(db, *opened(1_000), next_year(1_000), transfer("hold", Kind.HOLD, 100))
    await owner.execute(
        "INSERT INTO transfer (id, fiscal_year, outcome, kind, debit, credit, book, amount_cents, reason, actor,"
        " occurred_at, fingerprint) SELECT id, 2027, 'over_program', kind, debit, credit, $1, amount_cents, reason,"
        " actor, occurred_at, fingerprint FROM transfer WHERE kind = 'hold'",
        NEXT,
    )
    await owner.execute("ALTER TABLE balance DROP CONSTRAINT commitments_within_credits")
    await owner.execute("ALTER TABLE balance DROP CONSTRAINT stages_add_up")
    await owner.execute("UPDATE balance SET available_cents = -1 WHERE id = $1", NEXT)
    async with db.connection() as connection:
        proof = await store.prove(connection)
    assert proof.repeated == (transfer("hold", Kind.HOLD, 100).id,)
    assert proof.negative == (NEXT,)
    assert not proof.is_right


def test_a_transfer_of_nothing_is_refused_before_it_is_asked():
    with pytest.raises(ValueError, match="moves nothing"):
        transfer("nothing", Kind.HOLD, 0)


def test_the_fingerprint_of_tuition_is_as_it_was():
    plain = transfer("hold", Kind.HOLD, 100, scope=scope_of("ann"))
    assert plain.fingerprint == replace(plain, reason="another", actor="another").fingerprint
    assert plain.fingerprint != replace(plain, cost_line=CostKind.BOOKS).fingerprint
    assert plain.fingerprint != replace(plain, links_to=plain.id).fingerprint
    parts = (plain.kind, None, LINE, LINE, plain.scope.round, plain.scope.award, plain.scope.person, 100)
    text = "\x1f".join("" if part is None else str(part) for part in parts)
    assert plain.fingerprint == hashlib.sha256(text.encode()).digest()


async def test_appropriations_of_a_row_are_counted(db):
    await post(db, *opened(1_000), appropriation(LINE, 5, "a"), appropriation(LINE, 5, "b"))
    async with db.connection() as connection:
        row = (await store.balances(connection, [LINE]))[LINE]
    assert (row.appropriations, row.appropriated_cents, row.phase) == (3, 1_010, Phase.OPEN)


async def test_a_row_takes_nothing_in_a_book_that_it_does_not_belong_to(db):
    await post(db, *opened(1_000), next_year(1_000))
    astray = (
        transfer("hold", Kind.HOLD, 1, scope=replace(scope_of(), book=NEXT, line=NEXT)),
        transfer("line", Kind.HOLD, 1, scope=replace(scope_of(), line=NEXT)),
        transfer("round", Kind.APPROPRIATE, 1, scope=Scope(NEXT, round=scope_of().round)),
        transfer("other line", Kind.APPROPRIATE, 1, scope=Scope(LINE, line=line_row("oh-imap", 2030))),
    )
    assert await post(db, *astray) == [Code.CLOSED] * 4
    async with db.connection() as connection:
        assert (await store.prove(connection)).is_right
        assert line_row("oh-imap", 2030) not in await store.balances(connection, [line_row("oh-imap", 2030)])


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("another account than its kind's", "'hold', 'held', 'available', 'line/oh-imap/2026', NULL, NULL"),
        ("money of another stage", "'settle', 'in_transit', 'disbursed', 'line/oh-imap/2026', NULL, $1"),
        ("money of other rows", "'encumber', 'held', 'encumbered', 'line/oh-imap/2026', NULL, $1"),
        ("a row of another book", "'hold', 'available', 'held', 'line/oh-imap/2027', 'round/oh-imap/round-6', NULL"),
        ("a year that is over", "'hold', 'available', 'held', 'line/oh-imap/2026', NULL, NULL"),
    ],
)
async def test_the_prover_finds_an_entry_against_the_rules(db, owner, what, values):
    hold = transfer("hold", Kind.HOLD, 100)
    await post(db, *opened(1_000), next_year(1_000), hold)
    if what == "a year that is over":
        await close(db, Phase.SOFT_CLOSED)
    async with db.connection() as connection:
        assert (await store.prove(connection)).misplaced == ()
    await owner.execute(
        "INSERT INTO transfer (id, fiscal_year, outcome, kind, debit, credit, book, round_id, pending_id, amount_cents,"
        f" reason, actor, occurred_at, fingerprint)"
        f" SELECT 'trf_x', 2026, 'ok', {values}, 5, 'x', 'x', now(), sha256('x')"
        " WHERE $1::text IS NOT NULL",
        hold.id,
    )
    async with db.connection() as connection:
        proof = await store.prove(connection)
    assert (proof.misplaced, proof.is_right) == (("trf_x",), False)


async def test_a_row_that_one_batch_names_for_two_books_is_the_first_ones(db):
    await post(db, *opened(1_000), next_year(1_000))
    new = ("award/p/1", "award/p/2", "award/p/3", "award/p/4")

    def asked(award: str, book: str):
        return transfer(f"{award} {book}", Kind.APPROPRIATE, 10, scope=Scope(book, line=book, award=award))

    for award, first, second in zip(new, (LINE, NEXT, LINE, NEXT), (NEXT, LINE, NEXT, LINE), strict=True):
        assert await post(db, asked(award, first), asked(award, second)) == [Code.OK, Code.CLOSED], (award, first)


async def test_the_prover_names_each_entry_that_is_followed_and_not_there(db, owner):
    await post(db, *opened(1_000))
    await owner.execute(
        "INSERT INTO transfer (id, fiscal_year, outcome, kind, debit, credit, book, line_id, pending_id, links_to,"
        " amount_cents, reason, actor, occurred_at, fingerprint)"
        " SELECT v.id, 2026, 'ok', kind, debit, credit, $1, $1, v.pending, v.link, 5, 'x', 'x', now(), sha256('x')"
        " FROM (VALUES ('trf_a', 'settle', 'in_transit', 'disbursed', 'trf_gone_1', NULL),"
        " ('trf_b', 'settle', 'in_transit', 'disbursed', 'trf_gone_2', NULL),"
        " ('trf_c', 'hold', 'available', 'held', NULL, 'trf_gone_3')) AS v(id, kind, debit, credit, pending, link)",
        LINE,
    )
    async with db.connection() as connection:
        proof = await store.prove(connection)
    assert proof.overdrawn == ("trf_gone_1", "trf_gone_2", "trf_gone_3")
    assert proof.misplaced == ("trf_a", "trf_b")
