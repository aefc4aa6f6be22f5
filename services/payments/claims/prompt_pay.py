"""Prompt pay: when a claim is due, by when its defects must be named, and what a late payment costs. Pure.

Sources: ORC 126.30 and OAC 126-3-01 (thirty days, notice within fifteen, interest afterwards), ORC 5703.47 (the rate of
each calendar year). Interest runs by the day on what is unpaid, from the day after the due day to the day of payment;
what is unpaid of it after thirty days is added to the principal (ORC 126.30 (E)). Days are days of the program's time
zone.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
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
MONTHS_OF_YEAR = 12
BASIS = 10_000


class RateUnknown(Conflict):
    """The program lists no rate of interest for {calendar_year}."""

    code = "interest_rate_unknown"


@dataclass(frozen=True, slots=True)
class Rate:
    """What one calendar year's interest is counted by, as the program pack lists it."""

    basis_points: int
    by_month: bool = False
    """A calendar month costs a twelfth of the year's rate, a day its share of that; else each day costs 1/365."""
    minimum_cents: int = 0
    """Interest that comes to less by a day of payment in this year is not owed."""


@dataclass(frozen=True, slots=True)
class Interest:
    """What a late payment costs beside the payment itself; no cent where it comes to less than the minimum."""

    first_on: date
    last_on: date
    days: int
    cents: int


def due(proper_invoice_at: datetime, zone: str) -> date:
    """The last day on which a proper invoice is paid in time, counted from the day on which it came.

    A mended claim is another invoice: its thirty days begin anew.
    """
    return day_in(zone, proper_invoice_at) + timedelta(days=DUE_DAYS)


def notice_due(received_at: datetime, zone: str) -> datetime:
    """By when the provider must have been told in writing of every defect: the end of the fifteenth day after it."""
    return end_of(day_in(zone, received_at) + timedelta(days=NOTICE_DAYS), zone)


@dataclass(frozen=True, slots=True)
class ReturnedInvoice:
    """A claim that came back with defects."""

    counts_from: datetime
    """When its thirty days would have begun, had it been proper."""
    notice_due_at: datetime
    told_at: datetime | None
    """When the provider was told; None while nothing told it."""


def clock_from(came_at: datetime, proper_at: datetime, returned: Sequence[ReturnedInvoice], zone: str) -> datetime:
    """When the thirty days of a claim began: as it counts as received, or with one before it whose notice was late.

    Source: ORC 126.30 and, in the words of the state's accounting manual (OBM, SAFE, "Prompt Payment, Invoices, and
    Vouchers", IV.1), only after the proper notification is payment due thirty days after a proper invoice, and interest
    is owed where an improper one was not answered within fifteen. What was mended within them needed no notice.
    """
    late = [
        one.counts_from
        for one in returned
        if day_in(zone, min(one.told_at or came_at, came_at)) > day_in(zone, one.notice_due_at)
    ]
    return min([proper_at, *late])


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


def interest(unpaid_cents: int, due_on: date, paid_on: date, rates: Mapping[int, Rate]) -> Interest | None:
    """Interest on a payment of `unpaid_cents`; None where it was in time.

    `rates` are by calendar year; each day costs its share of its own year's rate, and every thirtieth day the interest
    so far joins the principal. Rounded half up, once, at the end. Raises `RateUnknown`.
    """
    if paid_on <= due_on:
        return None
    first_on, principal = due_on + timedelta(days=1), Fraction(unpaid_cents)
    from_day = first_on
    while from_day <= paid_on:
        to_day = min(paid_on, from_day + timedelta(days=COMPOUNDING_DAYS - 1))
        principal += principal * _share(from_day, to_day, rates)
        from_day = to_day + timedelta(days=1)
    cents = int(principal - unpaid_cents + Fraction(1, 2))
    owed = cents if cents >= rates[paid_on.year].minimum_cents else 0
    return Interest(first_on, paid_on, (paid_on - due_on).days, owed)


def _share(from_day: date, to_day: date, rates: Mapping[int, Rate]) -> Fraction:
    """What these days, both included, cost of a principal."""
    share = Fraction(0)
    first = from_day
    while first <= to_day:
        if first.year not in rates:
            raise RateUnknown(calendar_year=first.year)
        rate, days_of_month = rates[first.year], monthrange(first.year, first.month)[1]
        last = min(to_day, first.replace(day=days_of_month))
        parts_of_year = MONTHS_OF_YEAR * days_of_month if rate.by_month else DAYS_OF_YEAR
        share += Fraction(rate.basis_points * ((last - first).days + 1), BASIS * parts_of_year)
        first = last + timedelta(days=1)
    return share
