"""Burn-down, pace, expectation, outlook: plain sums over what the journal says."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.books.account_statement import Movement, by_cost_line, statement_of
from services.payments.books.forecast import (
    RESOLVED_MIN,
    Basis,
    Open,
    Pace,
    Resolved,
    Risk,
    burn_down,
    expected,
    forecast_of,
    outlook_of,
    pace_of,
)
from services.payments.books.ledger import STAGES, Account, Kind
from tests.services.payments.bookkeeping import NOW

A, B = "award/p/r/a", "award/p/r/b"
AS_OF, YEAR_END = date(2026, 3, 10), date(2026, 6, 30)
DAY = 86_400.0


def stages(**given: int) -> dict[str, int]:
    return {stage.value: given.get(stage.value, 0) for stage in STAGES}


def encumbered(award: str, kind: Kind, entries: int, cents: int, days: float = 30) -> Resolved:
    return Resolved(award, Account.ENCUMBERED, kind, entries, cents, days * DAY)


def test_the_burn_down_stands_at_each_months_end():
    months = burn_down(
        [
            (date(2025, 7, 1), Account.AUTHORITY, Account.AVAILABLE, 1_000),
            (date(2025, 8, 1), Account.AVAILABLE, Account.HELD, 400),
            (date(2025, 8, 1), Account.HELD, Account.ENCUMBERED, 300),
            (date(2025, 10, 1), Account.ENCUMBERED, Account.PAYABLE, 200),
            (date(2025, 10, 1), Account.ENCUMBERED, Account.LAPSED, 100),
        ]
    )
    assert [(m.month.month, m.available_cents, m.committed_cents, m.spent_cents, m.lapsed_cents) for m in months] == [
        (7, 1_000, 0, 0, 0), (8, 600, 400, 0, 0), (10, 600, 100, 200, 100),
    ]  # fmt: skip
    assert {month.appropriated_cents for month in months} == {1_000}


def test_a_providers_own_record_counts_once_it_is_long_enough():
    program = [encumbered(B, Kind.EXPEND, 5, 900), encumbered(B, Kind.LIQUIDATE, 5, 100)]
    few = [encumbered(A, Kind.EXPEND, RESOLVED_MIN - 1, 100)]
    many = [encumbered(A, Kind.EXPEND, RESOLVED_MIN, 50, 10), encumbered(A, Kind.LAPSE, 1, 50)]
    assert pace_of(Account.ENCUMBERED, few, [*program]) == Pace(0.9, timedelta(days=30), Basis.PROGRAM)
    assert pace_of(Account.ENCUMBERED, many, program) == Pace(0.5, timedelta(days=10), Basis.PROVIDER)
    assert pace_of(Account.HELD, many, program) == Pace()


@pytest.mark.parametrize(
    ("stage", "since", "cents"),
    [
        (Account.ENCUMBERED, date(2026, 3, 1), 500),
        (Account.ENCUMBERED, date(2026, 5, 1), 500),
        (Account.ENCUMBERED, date(2026, 5, 2), 0),
        # Overdue: it may still come.
        (Account.ENCUMBERED, date(2025, 7, 1), 500),
        (Account.HELD, date(2026, 3, 1), 400),
        (Account.HELD, date(2026, 4, 22), 0),
    ],
)
def test_what_is_open_is_expected_where_its_time_comes_before_the_year_ends(stage, since, cents):
    hold, encumbrance = Pace(0.8, timedelta(days=10)), Pace(0.5, timedelta(days=60))
    assert expected(Open(A, stage, since, 1_000), hold, encumbrance, as_of=AS_OF, year_end=YEAR_END) == cents


def test_an_award_is_rated_by_what_will_be_left():
    open_ = [Open(A, Account.ENCUMBERED, AS_OF, 600), Open(B, Account.ENCUMBERED, AS_OF, 100)]
    record = [encumbered(A, Kind.EXPEND, 10, 900, 10), encumbered(A, Kind.LIQUIDATE, 2, 100)]
    given = stages(available=50, encumbered=600, disbursed=350)
    outlook = outlook_of(A, given, open_, record, as_of=AS_OF, year_end=YEAR_END)
    assert (outlook.expected_cents, outlook.lapsing_cents, outlook.risk) == (540, 110, Risk.MEDIUM)
    assert (outlook.basis, outlook.utilisation) == (Basis.PROGRAM, 0.95)
    late = outlook_of(A, given, open_, record, as_of=YEAR_END + timedelta(days=1), year_end=YEAR_END)
    assert (late.expected_cents, late.lapsing_cents, late.risk) == (0, 650, Risk.HIGH)


def test_a_forecast_names_the_award_with_most_to_lapse_first():
    awards = {A: stages(available=10, disbursed=90), B: stages(available=60, encumbered=40)}
    line = stages(available=70, encumbered=40, disbursed=90)
    open_ = [Open(B, Account.ENCUMBERED, AS_OF, 40)]
    found = forecast_of("line/p/2026", line, awards, open_, [], (), as_of=AS_OF, year_end=YEAR_END)
    assert [one.award for one in found.outlooks] == [B, A]
    assert (found.expected_cents, found.lapsing_cents, found.spent_cents) == (40, 70, 90)


@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from(list(Account)), st.sampled_from(list(Account)),
                          st.integers(1, 1_000)), max_size=30))  # fmt: skip
def test_every_month_adds_up_to_what_was_appropriated(moved):
    for month in burn_down([(date(2025, 1 + m, 1), debit, credit, cents) for m, debit, credit, cents in moved]):
        parts = month.available_cents + month.committed_cents + month.spent_cents + month.lapsed_cents
        assert parts == month.appropriated_cents


def test_a_statement_closes_with_its_opening_and_what_moved():
    appropriated = Movement(Kind.APPROPRIATE, Account.AUTHORITY, Account.AVAILABLE, 1, 1_000)
    held = Movement(Kind.HOLD, Account.AVAILABLE, Account.HELD, 2, 300)
    found = statement_of(A, NOW, NOW, [appropriated], [held])
    assert found.opening == stages(available=1_000)
    assert found.closing == stages(available=700, held=300)
    assert (found.opening_appropriated_cents, found.closing_appropriated_cents) == (1_000, 1_000)


def test_cost_lines_show_what_is_held_and_further():
    found = by_cost_line(
        [
            ("tuition", Account.AUTHORITY, Account.AVAILABLE, 1_000),
            ("tuition", Account.AVAILABLE, Account.HELD, 300),
            ("exam_fee", Account.AVAILABLE, Account.HELD, 50),
            ("exam_fee", Account.HELD, Account.ENCUMBERED, 50),
        ]
    )
    assert found["tuition"]["held"] == 300
    assert (found["exam_fee"]["held"], found["exam_fee"]["encumbered"]) == (0, 50)
    assert "available" not in found["tuition"]
