"""What becomes due for one credential, and from whom, by the payment milestones of its program."""

from dataclasses import dataclass
from fractions import Fraction

from contracts.errors import Refused
from contracts.program import PaymentMilestone, Program


@dataclass(frozen=True, slots=True)
class Instalment:
    """One amount that becomes due at one event."""

    event: str
    payer: str
    payee: str
    cents: int


class HoursUnknown(Refused):
    """The program pays for {event} by hours, and the credential's hours are not known or beyond its price table."""

    code = "hours_unknown"


def schedule(program: Program, *, price_cents: int, hours: int | None = None) -> list[Instalment]:
    """Every instalment in order. Cents that shares do not divide go to the last share; caps come after."""
    shares = [Fraction(milestone.share) for milestone in program.milestones if milestone.share]
    whole = int(sum(shares, Fraction(0)) * price_cents)
    left = whole - sum(int(share * price_cents) for share in shares)
    last_share = max((n for n, milestone in enumerate(program.milestones) if milestone.share), default=-1)
    return [
        Instalment(
            event=milestone.event,
            payer=milestone.payer,
            payee=milestone.payee,
            cents=_capped(milestone, _full(milestone, price_cents, hours) + (left if place == last_share else 0)),
        )
        for place, milestone in enumerate(program.milestones)
    ]


def owed_on_failure(program: Program, *, price_cents: int, hours: int | None = None) -> Instalment | None:
    """What a person who does not finish owes in place of the program; None where nobody owes anything."""
    if program.failure.owed_by == "nobody" or program.failure.owes is None:
        return None
    due = next(
        one for one in schedule(program, price_cents=price_cents, hours=hours) if one.event == program.failure.owes
    )
    return Instalment(due.event, program.failure.owed_by, due.payee, due.cents)


def _full(milestone: PaymentMilestone, price_cents: int, hours: int | None) -> int:
    if milestone.share is not None:
        return int(Fraction(milestone.share) * price_cents)
    if milestone.amount_cents is not None:
        return milestone.amount_cents
    for step in milestone.price_table or []:
        if hours is not None and (step.hours_max is None or hours <= step.hours_max):
            return step.cents
    raise HoursUnknown(event=milestone.event)


def _capped(milestone: PaymentMilestone, cents: int) -> int:
    return cents if milestone.cap_cents is None else min(cents, milestone.cap_cents)
