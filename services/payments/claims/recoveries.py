"""Money that a provider pays back: what it is called, and what is refused."""

from collections.abc import Sequence

from contracts.errors import Conflict, Refused
from contracts.ids import Id


class RecoveryId(Id, prefix="rcv"):
    """One payment of a provider back to the program."""


class MoreThanOwed(Refused):
    """The provider owes {owed_cents} cents of this refund, not {cents}."""

    code = "more_than_owed"


class NotMoneyIn(Refused):
    """The line is a debit: nobody paid back by it."""

    code = "not_money_in"


class RecoveryWaits(Conflict):
    """A recovery of this refund waits for its second person, or the document was used for one."""

    code = "recovery_waits"


class RecoveryDecided(Conflict):
    """The recovery is {state} already."""

    code = "recovery_decided"


def spread(cents: int, owed: Sequence[int]) -> list[int]:
    """How much of each debt, in order, so much money pays back."""
    taken: list[int] = []
    for debt in owed:
        taken.append(min(debt, cents))
        cents -= taken[-1]
    return taken
