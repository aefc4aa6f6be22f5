"""The waiting list: first come, first served, and nobody overtakes at the limit that somebody waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.ids import ApplicationId

WAITING_PER_AWARD_MAX = 20
"""How many waiting cases of one provider award are looked at in one turn; the next turn takes the next."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case on the waiting list and the balance rows it needs money from, widest first."""

    application_id: ApplicationId
    rows: tuple[str, ...]
    amount_cents: int


def who_is_served(line: Sequence[Waiting], available: Mapping[str, int]) -> list[Waiting]:
    """Those of `line`, in its order, whose money is there.

    A case that stays short at a row keeps everybody behind it from that row's money: a smaller amount does not
    overtake. Cases short elsewhere do not stand in the way.
    """
    left = dict(available)
    waited_for: set[str] = set()
    served: list[Waiting] = []
    for waiting in line:
        short = {row for row in waiting.rows if left.get(row, 0) < waiting.amount_cents}
        if short or waited_for.intersection(waiting.rows):
            waited_for |= short
            continue
        for row in waiting.rows:
            left[row] -= waiting.amount_cents
        served.append(waiting)
    return served
