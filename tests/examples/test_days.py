"""Outside parties date their papers by Ohio's day: by UTC's, every claim of an evening is dated in the future."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import examples
from examples.days import day_of


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 30, 4, 59, tzinfo=UTC), date(2026, 11, 29)),
        (datetime(2026, 11, 30, 5, 0, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 7, 1, 3, 59, tzinfo=UTC), date(2026, 6, 30)),
    ],
)
def test_an_evening_in_ohio_is_not_the_next_day(moment: datetime, day: date) -> None:
    assert day_of(moment) == day


def test_no_outside_party_asks_another_calendar_for_the_day() -> None:
    folder = Path(examples.__path__[0])
    asking = [path.name for path in folder.glob("*.py") if ".date()" in path.read_text() and path.name != "days.py"]
    assert asking == []
