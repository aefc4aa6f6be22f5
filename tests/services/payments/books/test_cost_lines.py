"""Dividing a case's money over its cost lines: to the cent, never more than a line has, the same each time."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import TransferId
from contracts.plan import CostKind, CostLine
from services.payments.books.cost_lines import (
    Move,
    Part,
    awarded,
    divided,
    entries_of,
    entry_ids,
    in_proportion,
    parts_of,
    short_of,
)
from services.payments.books.ledger import Code, Kind, Scope, Transfer

TUITION, EXAM, BOOKS, SUPPORTS = CostKind
room_of = st.dictionaries(st.sampled_from(CostKind), st.integers(0, 10**7), min_size=1)
shares_asked = st.dictionaries(st.sampled_from(CostKind), st.integers(0, 10**7))
WHOLE = Transfer(
    id=TransferId.derive("encumber"),
    kind=Kind.ENCUMBER,
    scope=Scope("line/p/2026", "line/p/2026"),
    amount_cents=1,
    reason="test",
    actor="test",
    occurred_at=datetime(2026, 3, 10, tzinfo=UTC),
)


@given(room_of, shares_asked, st.data())
def test_a_division_is_exact_within_each_line_and_the_same_each_time(left, asked, data):
    has = sum(left.values())
    cents = data.draw(st.integers(1, has) if has else st.nothing()) if has else 1
    shares = divided(cents, left, asked)
    assert sum(shares.values()) == cents
    assert all(shares.values())
    assert divided(cents, dict(reversed(left.items())), dict(reversed(asked.items()))) == shares
    if has:
        assert all(of <= left[line] for line, of in shares.items())


@given(room_of, shares_asked)
def test_what_is_asked_is_given_as_far_as_the_line_has_it(left, asked):
    wanted = {line: min(asked.get(line, 0), of) for line, of in left.items()}
    if not (cents := sum(wanted.values())):
        return
    assert divided(cents, left, asked) == {line: wanted[line] for line in CostKind if wanted.get(line)}


@given(room_of, st.data())
def test_proportion_is_off_by_less_than_a_cent(room, data):
    total = sum(room.values())
    cents = data.draw(st.integers(0, total))
    for line, share in in_proportion(cents, room).items():
        assert abs(share * total - cents * room[line]) < total


@pytest.mark.parametrize(
    ("cents", "left", "asked", "shares"),
    [
        (100, {TUITION: 100, BOOKS: 100}, {}, {TUITION: 50, BOOKS: 50}),
        (101, {TUITION: 100, BOOKS: 100}, {}, {TUITION: 51, BOOKS: 50}),
        (100, {TUITION: 200, EXAM: 50, BOOKS: 50}, {BOOKS: 40}, {TUITION: 46, EXAM: 12, BOOKS: 42}),
        (60, {TUITION: 50, EXAM: 50}, {EXAM: 90}, {TUITION: 10, EXAM: 50}),
        (30, {TUITION: 50, EXAM: 50}, {TUITION: 20, EXAM: 40}, {TUITION: 10, EXAM: 20}),
        (1, {SUPPORTS: 1}, {TUITION: 1}, {SUPPORTS: 1}),
    ],
)
def test_how_cents_divide(cents, left, asked, shares):
    assert divided(cents, left, asked) == shares


def test_more_than_is_left_is_not_hidden():
    """The ledger has to refuse it, so it must ask for it."""
    assert divided(120, {TUITION: 50, BOOKS: 50}, {}) == {TUITION: 70, BOOKS: 50}
    assert divided(5, {}, {}) == {TUITION: 5}


@pytest.mark.parametrize(
    ("plan", "cents", "lines"),
    [
        ([], 100, {TUITION: 100}),
        ([(TUITION, 80, 0), (BOOKS, 20, 0)], 100, {TUITION: 80, BOOKS: 20}),
        ([(TUITION, 80, 80), (BOOKS, 20, 5)], 15, {BOOKS: 15}),
        ([(TUITION, 80, 0), (BOOKS, 20, 0)], 50, {TUITION: 40, BOOKS: 10}),
        ([(BOOKS, 20, 30)], 7, {TUITION: 7}),
        ([(BOOKS, 20, 0)], 27, {TUITION: 7, BOOKS: 20}),
    ],
)
def test_an_award_by_line(plan, cents, lines):
    named = [CostLine(kind=kind, price_cents=price, funded_elsewhere_cents=other) for kind, price, other in plan]
    assert awarded(named, cents) == lines


@given(room_of, st.lists(st.integers(1, 10**7), max_size=4))
def test_moves_one_after_the_other_leave_no_cent_and_take_none_twice(award, steps):
    award = {line: cents for line, cents in award.items() if cents}
    if not award:
        return
    hold = replace(WHOLE, id=TransferId.derive("hold"), kind=Kind.HOLD, amount_cents=sum(award.values()))
    moves, left = [Move(hold, award)], hold.amount_cents
    for number, wanted in enumerate([*steps, hold.amount_cents]):
        if cents := min(wanted, left):
            part = replace(WHOLE, id=TransferId.derive(number), amount_cents=cents, pending_id=hold.id)
            moves.append(Move(part, award))
            left -= cents
    held, *after = entries_of(moves, {})
    assert {entry.cost_line: entry.amount_cents for entry in held} == award
    for entry in held:
        taken = [one for each in after for one in each if one.pending_id == entry.id]
        assert sum(one.amount_cents for one in taken) == entry.amount_cents
        assert {one.cost_line for one in taken} <= {entry.cost_line}


def test_a_move_of_one_line_is_the_move_itself():
    move = Move(replace(WHOLE, pending_id=TransferId.derive("hold")), {BOOKS: 1})
    assert entries_of([move], {}) == [[replace(move.whole, cost_line=BOOKS)]]


def test_the_first_entry_has_the_moves_own_id_and_each_goes_on_from_its_line():
    before = entry_ids(TransferId.derive("hold"), [BOOKS, EXAM])
    known = {before[EXAM]: Part(EXAM, 10), before[BOOKS]: Part(BOOKS, 90)}
    [entries] = entries_of(
        [Move(replace(WHOLE, amount_cents=50, pending_id=before[EXAM]), {EXAM: 10, BOOKS: 90})], known
    )
    assert [(one.cost_line, one.amount_cents, one.pending_id) for one in entries] == [
        (EXAM, 5, before[EXAM]),
        (BOOKS, 45, before[BOOKS]),
    ]
    assert entries[0].id == WHOLE.id
    assert {one.id for one in entries} <= set(parts_of(WHOLE.id))


def test_the_limit_is_named_that_the_whole_is_over():
    scope = Scope("line/p/2026", "line", "round", "award", "person")
    rows = {"line": 100, "round": 90, "award": 80, "person": 70}
    assert [short_of(scope, rows, cents) for cents in (70, 71)] == [Code.OK, Code.OVER_PERSON]
    assert short_of(replace(scope, person=None), rows, 81) is Code.OVER_AWARD
    assert short_of(replace(scope, person=None, award=None), rows, 95) is Code.OVER_ROUND
    assert short_of(Scope("line/p/2026", "line"), rows, 101) is Code.OVER_PROGRAM
