"""Prompt pay: when a claim is due, by when its defects must be named, and what a late payment costs. Pure.

Sources: ORC 126.30 and OAC 126-3-01 (thirty days, notice within fifteen, interest afterwards), ORC 5703.47 (the rate of
each calendar year). Interest runs by the day on what is unpaid, from the day after the due day to the day of payment;
what is unpaid of it after thirty days is added to the principal (ORC 126.30 (E)). Days are days of the program's time
zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from contracts.errors import Conflict

DUE_DAYS = 30
NOTICE_DAYS = 15
COMPOUNDING_DAYS = 30
ESCALATION_DAYS = 10
"""An undecided claim is put before people this long after it came: early enough to write within the fifteen days."""
DAYS_OF_YEAR = 365
BASIS = 10_000


class RateUnknown(Conflict):
    """The program lists no rate of interest for {calendar_year}."""

    code = "interest_rate_unknown"


@dataclass(frozen=True, slots=True)
class Interest:
    """What a late payment costs beside the payment itself."""

    first_on: date
    last_on: date
    days: int
    cents: int


def due(proper_invoice_at: datetime, zone: str) -> date:
    """The last day on which a proper invoice is paid in time, counted from the day on which it came.

    A mended claim is another invoice: its thirty days begin anew.
    """
    return day_in(zone, proper_invoice_at) + timedelta(days=DUE_DAYS)


def notice_due(received_at: datetime) -> datetime:
    """By when the provider must have been told in writing of every defect."""
    return received_at + timedelta(days=NOTICE_DAYS)


def escalation_due(received_at: datetime) -> datetime:
    """When a claim that is still undecided is put before people."""
    return received_at + timedelta(days=ESCALATION_DAYS)


def day_in(zone: str, at: datetime) -> date:
    """The day of the program's time zone on which a moment falls."""
    return at.astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The first moment of a day in the program's time zone."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def end_of(day: date, zone: str) -> datetime:
    """The last second of a day in the program's time zone."""
    return start_of(day + timedelta(days=1), zone) - timedelta(seconds=1)


def interest(unpaid_cents: int, due_on: date, paid_on: date, rates: Mapping[int, int]) -> Interest | None:
    """Interest on a payment of `unpaid_cents`; None where it was in time.

    `rates` are basis points by calendar year; each day costs 1/365 of its own year's rate, and every thirtieth day the
    interest so far joins the principal. Rounded half up, once, at the end. Raises `RateUnknown`.
    """
    if paid_on <= due_on:
        return None
    first_on, principal = due_on + timedelta(days=1), Fraction(unpaid_cents)
    from_day = first_on
    while from_day <= paid_on:
        to_day = min(paid_on, from_day + timedelta(days=COMPOUNDING_DAYS - 1))
        principal += principal * _share(from_day, to_day, rates)
        from_day = to_day + timedelta(days=1)
    return Interest(first_on, paid_on, (paid_on - due_on).days, int(principal - unpaid_cents + Fraction(1, 2)))


def _share(from_day: date, to_day: date, rates: Mapping[int, int]) -> Fraction:
    """What these days, both included, cost of a principal."""
    share = Fraction(0)
    for year in range(from_day.year, to_day.year + 1):
        if year not in rates:
            raise RateUnknown(calendar_year=year)
        first, last = max(from_day, date(year, 1, 1)), min(to_day, date(year, 12, 31))
        share += Fraction(rates[year] * ((last - first).days + 1), BASIS * DAYS_OF_YEAR)
    return share
