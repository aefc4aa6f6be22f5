"""The day that colleges, banks and the state put on their papers: Ohio's, which is not UTC's in the evening."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

OHIO = ZoneInfo("America/New_York")


def day_of(moment: datetime) -> date:
    """The day in Ohio at this moment."""
    return moment.astimezone(OHIO).date()


def today() -> date:
    """The day in Ohio now."""
    return day_of(datetime.now(UTC))
