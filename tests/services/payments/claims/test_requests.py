"""One request a month: to the second at the month's border in the program's zone, and what comes too late waits."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.claims.requests import RequestSlot, next_month, proper_invoice_at, slot_for

ZONE = "America/New_York"
MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)
LAST_SECOND = datetime(2026, 4, 1, 3, 59, 59, tzinfo=UTC)
FIRST_SECOND = datetime(2026, 4, 1, 4, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("came", "most", "closed", "slot"),
    [
        (LAST_SECOND, 1, set(), RequestSlot(MARCH)),
        (FIRST_SECOND, 1, set(), RequestSlot(APRIL)),
        (LAST_SECOND, 1, {RequestSlot(MARCH)}, RequestSlot(APRIL)),
        (LAST_SECOND, 2, {RequestSlot(MARCH)}, RequestSlot(MARCH, 2)),
        (LAST_SECOND, 2, {RequestSlot(MARCH), RequestSlot(MARCH, 2)}, RequestSlot(APRIL)),
        (LAST_SECOND, 1, {RequestSlot(MARCH), RequestSlot(APRIL)}, RequestSlot(MAY)),
        (LAST_SECOND, None, {RequestSlot(MARCH)}, RequestSlot(MARCH, 2)),
        (FIRST_SECOND, 1, {RequestSlot(MARCH)}, RequestSlot(APRIL)),
    ],
)
def test_which_request_a_claim_belongs_to(came, most, closed, slot):
    assert slot_for(came, ZONE, most, closed) == slot


def test_a_gathered_claim_counts_as_received_when_its_month_begins():
    assert proper_invoice_at(LAST_SECOND, RequestSlot(APRIL), ZONE) == FIRST_SECOND
    assert proper_invoice_at(LAST_SECOND, RequestSlot(MARCH), ZONE) == LAST_SECOND


@given(st.integers(0, 200_000_000), st.integers(1, 3))
def test_no_claim_is_turned_away_and_none_goes_back_in_time(seconds, most):
    came = LAST_SECOND + timedelta(seconds=seconds)
    closed: set[RequestSlot] = set()
    for _ in range(8):
        slot = slot_for(came, ZONE, most, closed)
        assert slot not in closed
        assert 1 <= slot.number <= most
        assert proper_invoice_at(came, slot, ZONE) >= came
        closed.add(slot)
    assert len({slot.month for slot in closed}) >= 8 // most


def test_december_is_followed_by_january():
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
