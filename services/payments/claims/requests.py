"""One request a month: a provider's claims of a month travel together, and what comes after it is closed waits. Pure.

The program takes at most so many requests a month of each provider. A request is open to every claim of its month, in
the program's time zone. A provider may close it early; a claim that comes after the month's last request is closed is
never refused: it is gathered into the next month's first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from services.payments.claims.prompt_pay import day_in, start_of


@dataclass(frozen=True, slots=True, order=True)
class RequestSlot:
    """The `number`-th request of the month that begins on `month`."""

    month: date
    number: int = 1


def slot_for(
    submitted_at: datetime, zone: str, per_month_max: int | None, closed: Collection[RequestSlot]
) -> RequestSlot:
    """The request that a claim belongs to. `closed` are the provider's requests that take no more claims."""
    month = first_of_month(day_in(zone, submitted_at))
    while True:
        number = 1
        while RequestSlot(month, number) in closed:
            number += 1
        if per_month_max is None or number <= per_month_max:
            return RequestSlot(month, number)
        month = next_month(month)


def proper_invoice_at(submitted_at: datetime, slot: RequestSlot, zone: str) -> datetime:
    """When the claim counts as received: when it came, or when the month begins that it was gathered into."""
    return max(submitted_at, start_of(slot.month, zone))


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
