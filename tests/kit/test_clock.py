"""Clocks tell aware UTC moments."""

from datetime import UTC, datetime, timedelta, timezone

from kit.clock import FixedClock, SystemClock


def test_the_system_clock_is_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(datetime(2026, 6, 30, 20, 0, tzinfo=timezone(timedelta(hours=-4))))
    assert clock.now() == clock.now() == datetime(2026, 7, 1, 0, 0, tzinfo=UTC)
    clock.advance(timedelta(seconds=1))
    assert clock.now() == datetime(2026, 7, 1, 0, 0, 1, tzinfo=UTC)
