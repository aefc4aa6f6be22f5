"""Due days, notice days and interest: hand-worked examples, and what holds for any amount and any two days."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.claims.prompt_pay import (
    Rate,
    RateUnknown,
    ReturnedInvoice,
    clock_from,
    day_in,
    due,
    end_of,
    escalation_due,
    interest,
    notice_due,
    start_of,
)

RATES = {2025: Rate(800), 2026: Rate(700)}
NEW_YORK = ZoneInfo("America/New_York")
CAME = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cents", "due_on", "paid_on", "days", "owed"),
    [
        # 300,000 x 7 % x 10 / 365 = 575.34
        (300_000, date(2026, 3, 31), date(2026, 4, 10), 10, 575),
        # The first day is the one after the due day: 300,000 x 7 % / 365 = 57.53
        (300_000, date(2026, 3, 31), date(2026, 4, 1), 1, 58),
        # Ten days of December at 8 % (657.53) and ten of January at 7 % (575.34)
        (300_000, date(2025, 12, 21), date(2026, 1, 10), 20, 1_233),
        # 18,250 x 7 % / 365 = 3.50: half a cent goes up
        (18_250, date(2026, 6, 1), date(2026, 6, 2), 1, 4),
        # Thirty days, 300,000 x 7 % x 30 / 365 = 1,726.03, and one day of 301,726.03: 57.86
        (300_000, date(2026, 3, 31), date(2026, 5, 1), 31, 1_784),
        # A whole year: 300,000 x (1 + 7 % x 30 / 365) ** 12 x (1 + 7 % x 5 / 365) = 321,688.64
        (300_000, date(2025, 12, 31), date(2026, 12, 31), 365, 21_689),
        (1, date(2026, 3, 31), date(2026, 4, 10), 10, 0),
    ],
)
def test_interest_as_worked_by_hand(cents, due_on, paid_on, days, owed):
    found = interest(cents, due_on, paid_on, RATES)
    assert found is not None
    assert (found.days, found.cents) == (days, owed)
    assert (found.first_on, found.last_on) == (due_on + timedelta(days=1), paid_on)


@pytest.mark.parametrize(
    ("due_on", "paid_on", "owed"),
    [
        # A whole April: 300,000 x 7 % / 12 = 1,750
        (date(2026, 3, 31), date(2026, 4, 30), 1_750),
        # Ten days of thirty: 1,750 / 3 = 583.33
        (date(2026, 3, 31), date(2026, 4, 10), 583),
        # Ten days of twenty-eight: 1,750 x 10 / 28 = 625
        (date(2026, 1, 31), date(2026, 2, 10), 625),
        # Ten days of December at 8 % (2,000 x 10 / 31 = 645.16), ten of January at 7 % (1,750 x 10 / 31 = 564.52)
        (date(2025, 12, 21), date(2026, 1, 10), 1_210),
        # May: thirty of its days (1,693.55), and one on 301,693.55 (56.77)
        (date(2026, 4, 30), date(2026, 5, 31), 1_750),
    ],
)
def test_interest_by_the_month_as_worked_by_hand(due_on, paid_on, owed):
    by_month = {2025: Rate(800, by_month=True), 2026: Rate(700, by_month=True)}
    found = interest(300_000, due_on, paid_on, by_month)
    assert found is not None
    assert found.cents == owed


@pytest.mark.parametrize(("minimum_cents", "owed"), [(575, 575), (576, 0), (1_000, 0)])
@pytest.mark.parametrize("by_month", [False, True])
def test_interest_below_the_minimum_of_the_year_of_payment_is_not_owed(minimum_cents, owed, by_month):
    cents = 295_714 if by_month else 300_000
    found = interest(cents, date(2026, 3, 31), date(2026, 4, 10), {2026: Rate(700, by_month, minimum_cents)})
    assert found is not None
    assert (found.days, found.cents) == (10, owed)


def test_a_payment_in_time_costs_nothing():
    for paid_on in (date(2026, 3, 1), date(2026, 3, 31)):
        assert interest(300_000, date(2026, 3, 31), paid_on, {}) is None


def test_a_year_without_a_rate_is_no_guess():
    with pytest.raises(RateUnknown):
        interest(300_000, date(2026, 12, 30), date(2027, 1, 2), RATES)


@given(st.integers(1, 10**10), st.dates(date(2025, 1, 1), date(2026, 8, 1)), st.integers(1, 30), st.integers(0, 90))
def test_interest_never_shrinks_and_what_is_unpaid_after_thirty_days_bears_interest(cents, due_on, first, more):
    first_on = due_on + timedelta(days=first)
    short, month = interest(cents, due_on, first_on, RATES), interest(cents, due_on, due_on + timedelta(days=30), RATES)
    assert short
    assert month
    assert short.cents <= month.cents
    whole = interest(cents, due_on, due_on + timedelta(days=30 + more), RATES)
    rest = interest(cents + month.cents, due_on + timedelta(days=30), due_on + timedelta(days=30 + more), RATES)
    assert whole
    assert abs(month.cents + (rest.cents if rest else 0) - whole.cents) <= 1


def test_an_undecided_claim_is_put_before_people_on_the_tenth_day():
    assert escalation_due(CAME) == CAME + timedelta(days=10)


@pytest.mark.parametrize(
    ("came", "ends"),
    [
        # Late in the evening it is tomorrow in UTC already; the fifteenth day is the program's.
        (datetime(2026, 2, 20, 23, 30, tzinfo=NEW_YORK), "2026-03-08T04:59:59Z"),
        # The clocks go forward on 8 March, and back on 1 November: the fifteenth day ends whole all the same.
        (datetime(2026, 3, 1, 0, 0, tzinfo=NEW_YORK), "2026-03-17T03:59:59Z"),
        (datetime(2026, 10, 20, 23, 59, tzinfo=NEW_YORK), "2026-11-05T04:59:59Z"),
    ],
)
def test_a_notice_is_in_time_to_the_end_of_the_programs_fifteenth_day(came, ends):
    assert notice_due(came.astimezone(UTC), NEW_YORK.key) == datetime.fromisoformat(ends)


ZONE = NEW_YORK.key
RETURNED = ReturnedInvoice(CAME, notice_due(CAME, ZONE), None)
MENDED = datetime(2026, 4, 20, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told_at", "mended_at", "began_at"),
    [
        # Told on the fifteenth day, an hour before midnight in New York; and an hour after.
        (datetime(2026, 3, 25, 23, 0, tzinfo=NEW_YORK), MENDED, MENDED),
        (datetime(2026, 3, 26, 1, 0, tzinfo=NEW_YORK), MENDED, CAME),
        # Never told: mended after the fifteenth day, and within it.
        (None, MENDED, CAME),
        (None, datetime(2026, 3, 25, 23, 0, tzinfo=NEW_YORK), datetime(2026, 3, 25, 23, 0, tzinfo=NEW_YORK)),
        # Told late of what was mended before.
        (MENDED, datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC)),
    ],
)
def test_the_thirty_days_begin_with_the_invoice_whose_notice_was_late(told_at, mended_at, began_at):
    assert clock_from(mended_at, mended_at, [replace(RETURNED, told_at=told_at)], ZONE) == began_at


def test_a_notice_in_time_later_does_not_mend_an_earlier_one_that_was_late():
    first = replace(RETURNED, told_at=CAME + timedelta(days=20))
    came = CAME + timedelta(days=21)
    second = ReturnedInvoice(came, notice_due(came, ZONE), came)
    assert clock_from(MENDED, MENDED, [first, second], ZONE) == CAME
    assert clock_from(MENDED, MENDED + timedelta(days=11), [second], ZONE) == MENDED + timedelta(days=11)


@pytest.mark.parametrize(
    ("came", "due_on", "ends"),
    [
        # In the evening it is tomorrow in UTC already.
        (
            datetime(2026, 2, 20, 23, 30, tzinfo=NEW_YORK),
            date(2026, 3, 22),
            "2026-03-23T03:59:59Z",
        ),
        (datetime(2026, 3, 5, 21, 0, tzinfo=NEW_YORK), date(2026, 4, 4), "2026-04-05T03:59:59Z"),
        # The clocks go back on 1 November: thirty times twenty-four hours end a day early.
        (
            datetime(2026, 10, 10, 0, 30, tzinfo=NEW_YORK),
            date(2026, 11, 9),
            "2026-11-10T04:59:59Z",
        ),
    ],
)
def test_a_claim_is_due_thirty_days_of_the_program_after_it_came(came, due_on, ends):
    zone = NEW_YORK.key
    assert due(came.astimezone(UTC), zone) == due_on
    assert end_of(due_on, zone) == datetime.fromisoformat(ends)


def test_days_are_the_programs_days():
    zone = "America/New_York"
    assert day_in(zone, datetime(2026, 4, 1, 3, 59, tzinfo=UTC)) == date(2026, 3, 31)
    assert start_of(date(2026, 4, 1), zone) == datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
    assert start_of(date(2026, 12, 1), zone) == datetime(2026, 12, 1, 5, 0, tzinfo=UTC)
