"""Deadlines: reminded once, due once, moved by an extension or by a hold."""

from datetime import UTC, datetime, timedelta

from workflows.deadlines import Waited, after

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_reminder_comes_once_and_then_the_deadline() -> None:
    deadline = after(NOW, 10 * DAY, "college", remind_after=5 * DAY)
    assert deadline.next_at == NOW + 5 * DAY
    assert deadline.passed(NOW + 4 * DAY) is None
    assert deadline.passed(NOW + 5 * DAY) is Waited.REMIND
    assert deadline.passed(NOW + 5 * DAY) is None
    assert deadline.next_at == NOW + 10 * DAY
    assert deadline.passed(NOW + 10 * DAY) is Waited.DUE


def test_a_reminder_after_the_deadline_never_comes() -> None:
    deadline = after(NOW, 2 * DAY, "college", remind_after=5 * DAY)
    assert deadline.next_at == NOW + 2 * DAY
    assert deadline.passed(NOW + 6 * DAY) is Waited.DUE


def test_a_hold_moves_deadline_and_reminder_alike() -> None:
    deadline = after(NOW, 10 * DAY, "college", remind_after=5 * DAY)
    deadline.shift(3 * DAY)
    assert (deadline.remind_at, deadline.due_at) == (NOW + 8 * DAY, NOW + 13 * DAY)


def test_an_extension_moves_the_deadline_alone() -> None:
    deadline = after(NOW, 10 * DAY, "college", remind_after=5 * DAY)
    deadline.extend(NOW + 30 * DAY)
    assert (deadline.remind_at, deadline.due_at) == (NOW + 5 * DAY, NOW + 30 * DAY)
