"""The waiting list's order and its fairness, for every list there can be."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.eligibility import ListedWaitingList
from contracts.ids import ApplicationId
from services.payments.books.waiting import Turn, Waiting, WaitingOrder, order_of, who_is_served

LIMITS = [("line", f"round-{r}", f"award-{r}-{a}") for r in range(2) for a in range(2)]
ROWS = sorted({row for limits in LIMITS for row in limits})
MONDAY = datetime(2026, 3, 9, 12, tzinfo=UTC)

queues = st.lists(st.tuples(st.sampled_from(LIMITS), st.integers(1, 9)), max_size=12).map(
    lambda asked: [Waiting(ApplicationId.derive(place), rows, cents) for place, (rows, cents) in enumerate(asked)]
)
money = st.fixed_dictionaries({row: st.integers(0, 20) for row in ROWS})


def left_after(available, served):
    left = dict(available)
    for one in served:
        for row in one.rows:
            left[row] -= one.amount_cents
    return left


@given(queues, money, st.booleans())
def test_nobody_is_promised_what_is_not_there(queue, available, may_pass):
    served = who_is_served(queue, available, smaller_may_pass=may_pass)
    assert all(cents >= 0 for cents in left_after(available, served).values())
    assert [one for one in queue if one in served] == served


@given(queues, money)
def test_nobody_overtakes_at_the_limit_that_somebody_ahead_waits_for(queue, available):
    served = who_is_served(queue, available)
    for place, waiting in enumerate(queue):
        if waiting in served:
            continue
        before = left_after(available, [one for one in queue[:place] if one in served])
        short = {row for row in waiting.rows if before[row] < waiting.amount_cents}
        assert not any(short.intersection(one.rows) for one in queue[place + 1 :] if one in served)


@given(queues, money, st.booleans(), st.data())
def test_whoever_is_being_changed_is_not_served_and_its_money_is_kept(queue, available, may_pass, data):
    busy = {one.application_id for one in data.draw(st.lists(st.sampled_from(queue), max_size=3))} if queue else set()
    served = who_is_served(queue, available, smaller_may_pass=may_pass, busy=busy)
    undisturbed = who_is_served(queue, available, smaller_may_pass=may_pass)
    assert served == [one for one in undisturbed if one.application_id not in busy]


@given(queues, money)
def test_whoever_is_passed_over_has_a_reason(queue, available):
    """Either its own money is not there, or somebody ahead waits for one of its limits."""
    served = who_is_served(queue, available)
    waited_for = set()
    left = dict(available)
    for waiting in queue:
        short = {row for row in waiting.rows if left[row] < waiting.amount_cents}
        if waiting in served:
            assert not short
            assert not waited_for.intersection(waiting.rows)
            left = left_after(left, [waiting])
        else:
            assert short or waited_for.intersection(waiting.rows)
            waited_for |= short


@given(queues, money)
def test_where_smaller_requests_may_pass_everybody_who_fits_is_served(queue, available):
    served = who_is_served(queue, available, smaller_may_pass=True)
    left = left_after(available, served)
    for waiting in queue:
        if waiting not in served:
            assert any(left[row] < waiting.amount_cents for row in waiting.rows)


@given(st.lists(st.tuples(st.none() | st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=10))
def test_places_sort_as_the_program_says(cases):
    order = WaitingOrder((Turn.PRIORITY_GROUP, Turn.SUBMITTED_AT, Turn.APPLICATION_ID))
    named = [(group, day, f"app_{name}") for group, day, name in cases]
    by_place = sorted(
        named,
        key=lambda one: order.place(one[2], priority_group=one[0], submitted_at=MONDAY + timedelta(days=one[1])),
    )
    assert by_place == sorted(named, key=lambda one: (99 if one[0] is None else one[0], one[1], one[2]))


def test_an_hour_is_the_same_hour_in_every_zone():
    order = WaitingOrder((Turn.SUBMITTED_AT,))
    here = MONDAY.astimezone().astimezone(tz=None)
    assert order.place("x", priority_group=None, submitted_at=here) == order.place(
        "x", priority_group=None, submitted_at=MONDAY
    )


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (None, WaitingOrder()),
        (ListedWaitingList(order=["moon_phase"]), WaitingOrder()),
        (
            ListedWaitingList(order=["priority_group", "moon_phase", "submitted_at"], smaller_may_pass=True),
            WaitingOrder((Turn.PRIORITY_GROUP, Turn.SUBMITTED_AT), smaller_may_pass=True),
        ),
    ],
)
def test_an_order_that_is_not_known_here_is_first_come_first_served(published, expected):
    assert order_of(published) == expected
    assert WaitingOrder().is_arrival
