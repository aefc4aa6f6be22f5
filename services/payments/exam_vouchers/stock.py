"""What is left of each exam's codes, how long it lasts, and what will expire unused at the present pace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

PACE_DAYS = 30
"""Over how many past days the daily use is counted."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The unused codes of one lot that could still be given to somebody."""

    lot_id: str
    codes: int
    unit_cost_cents: int
    usable_until: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on somebody is told."""

    codes_min: int
    """So many codes are the least there should be."""
    supply_days_min: int
    """For so many days they should last at the present pace."""
    risk_days: int
    """What expires within so many days is looked at."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one exam's stock comes to."""

    exam_id: str
    available: int
    usable: int
    """Of these, the ones that stay usable as long as an exam voucher must."""
    allocated_recently: int
    supply_days: int | None
    """How many days `usable` lasts; None where nothing was allocated lately."""
    at_risk: int
    """Codes that expire within the days looked at before they are needed."""
    at_risk_cents: int
    """What was paid for these."""


class AlertCode(StrEnum):
    """What staff are told of a stock."""

    LOW_STOCK = "low_stock"
    VALUE_AT_RISK = "value_at_risk"
    EXPIRED_UNUSED = "expired_unused"


def outlook(
    exam_id: str, shelves: Sequence[Shelf], *, allocated_recently: int, usable_days: int, limits: Limits, now: datetime
) -> Outlook:
    """Codes are spent in the order in which they expire, as many a day as over the last `PACE_DAYS`."""
    ordered = sorted(shelves, key=lambda shelf: (shelf.usable_until, shelf.lot_id))
    must_last_until = now + timedelta(days=usable_days)
    usable = sum(shelf.codes for shelf in ordered if shelf.usable_until >= must_last_until)
    spent = at_risk = at_risk_cents = 0
    for shelf in ordered:
        if shelf.usable_until > now + timedelta(days=limits.risk_days):
            break
        # A code is given only while it stays usable long enough: its last useful day comes before its expiry.
        days_left = max(0, (shelf.usable_until - must_last_until).days)
        needed = max(0, allocated_recently * days_left // PACE_DAYS - spent)
        used = min(shelf.codes, needed)
        spent += used
        at_risk += shelf.codes - used
        at_risk_cents += (shelf.codes - used) * shelf.unit_cost_cents
    return Outlook(
        exam_id=exam_id,
        available=sum(shelf.codes for shelf in ordered),
        usable=usable,
        allocated_recently=allocated_recently,
        supply_days=usable * PACE_DAYS // allocated_recently if allocated_recently else None,
        at_risk=at_risk,
        at_risk_cents=at_risk_cents,
    )


def alerts_of(found: Outlook, limits: Limits) -> list[AlertCode]:
    """What staff should be told of this stock now."""
    short = found.supply_days is not None and found.supply_days < limits.supply_days_min
    told = [AlertCode.LOW_STOCK] if short or found.usable < limits.codes_min else []
    return told + ([AlertCode.VALUE_AT_RISK] if found.at_risk_cents else [])
