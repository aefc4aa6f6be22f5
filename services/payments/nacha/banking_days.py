# pyright: strict
"""Days on which the Federal Reserve settles, and what the rules count in them: prenotes, reversals, same-day."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

OPERATOR_ZONE = ZoneInfo("America/New_York")
"""Where the operator's days begin and end."""
PRENOTE_WAIT_DAYS = 3
"""A live entry may follow on the third banking day after the prenote settled."""
REVERSAL_DAYS_MAX = 5
"""A reversal reaches the receiving bank within five banking days after the entry it takes back settled."""
_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6


@dataclass(frozen=True, slots=True)
class SameDayWindow:
    """One of the operator's same-day windows; times are US Eastern, `marker` goes into Company Descriptive Date."""

    received_by: time
    settles_at: time
    marker: str


SAME_DAY_WINDOWS = (
    SameDayWindow(time(10, 30), time(13, 0), "SD1300"),
    SameDayWindow(time(14, 45), time(17, 0), "SD1700"),
    SameDayWindow(time(16, 45), time(18, 0), "SD1800"),
)
SAME_DAY_CENTS_MAX = 100_000_000
"""One million dollars an entry; reversals of same-day entries fall under the same limit."""


def operator_day(now: datetime) -> date:
    """The operator's calendar day at a moment."""
    return now.astimezone(OPERATOR_ZONE).date()


@lru_cache(maxsize=128)
def holidays(year: int) -> frozenset[date]:
    """Days without settlement. One on a Sunday moves to Monday; one on a Saturday is not moved."""
    fixed = (date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25))
    moved = {day + timedelta(1) if day.weekday() == _SUNDAY else day for day in fixed}
    return frozenset(
        moved
        | {
            _nth(year, 1, _MONDAY, 3),
            _nth(year, 2, _MONDAY, 3),
            _nth(year, 6, _MONDAY, 1) - timedelta(7),
            _nth(year, 9, _MONDAY, 1),
            _nth(year, 10, _MONDAY, 2),
            _nth(year, 11, _THURSDAY, 4),
        }
    )


def is_banking_day(day: date) -> bool:
    return day.weekday() < _SATURDAY and day not in holidays(day.year)


def after(day: date, banking_days: int) -> date:
    """The day that many banking days later."""
    while banking_days > 0:
        day += timedelta(1)
        banking_days -= is_banking_day(day)
    return day


def first_live_day(prenote_settled_on: date) -> date:
    """When the first payment to an account may settle after its prenote, if nothing came back."""
    return after(prenote_settled_on, PRENOTE_WAIT_DAYS)


def last_reversal_day(settled_on: date) -> date:
    """Until when an entry may be taken back by a reversal."""
    return after(settled_on, REVERSAL_DAYS_MAX)


def _nth(year: int, month: int, weekday: int, which: int) -> date:
    first = date(year, month, 1)
    return first + timedelta((weekday - first.weekday()) % 7 + 7 * (which - 1))
