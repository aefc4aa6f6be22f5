"""Until when a code may be used: to the end of the last day in the vendor's own time zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.payments.exam_vouchers.errors import ZoneUnknown


def zone_of(name: str) -> ZoneInfo:
    """The zone of the IANA database; `ZoneUnknown` where it has none of this name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ZoneUnknown(zone=name) from None


def end_of_day(day: date, zone: str) -> datetime:
    """The last second of a day as it is counted in `zone`, in UTC.

    Where clocks change at midnight the day ends when the next one begins: a midnight that does not exist is the moment
    of the change, and of a midnight that comes twice it is the first.
    """
    midnight = datetime.combine(day + timedelta(days=1), time(0), zone_of(zone))
    return midnight.astimezone(UTC) - timedelta(seconds=1)


def start_of_day(day: date, zone: str) -> datetime:
    """The first second of a day as it is counted in `zone`, in UTC."""
    return end_of_day(day - timedelta(days=1), zone) + timedelta(seconds=1)


def usable_until(expires_at: datetime, retires_at: datetime | None) -> datetime:
    """A retirement of the exam overrides a later expiry."""
    return expires_at if retires_at is None else min(expires_at, retires_at)
