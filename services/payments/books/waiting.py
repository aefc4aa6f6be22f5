"""The waiting list: in the order the program sets, and nobody overtakes at the limit that somebody waits for.

The rule: cases are looked at in the program's order (first come, first served where it sets none). One is served when
line, round and award have its whole amount. One that stays short at a limit keeps everybody behind it from that
limit's money, however little they ask, unless the program lets smaller requests pass; cases that are short elsewhere
do not stand in the way. Whoever asks anew joins the list behind those who wait for the same limit, in its own place.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from contracts.events.eligibility import ListedWaitingList
from contracts.ids import ApplicationId

WAITING_PER_AWARD_MAX = 20
"""How many waiting cases of one provider award are looked at together; when one is served the next are looked at."""
LAST_GROUP = 999


class Turn(StrEnum):
    """What a program may order its waiting list by."""

    PRIORITY_GROUP = "priority_group"
    SUBMITTED_AT = "submitted_at"
    WAITLISTED_AT = "waitlisted_at"
    APPLICATION_ID = "application_id"


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """How a program orders its waiting list."""

    turns: tuple[Turn, ...] = (Turn.WAITLISTED_AT,)
    smaller_may_pass: bool = False

    @property
    def is_arrival(self) -> bool:
        """First come, first served: whoever joins the list is its last."""
        return self.turns[0] is Turn.WAITLISTED_AT

    def place(self, application_id: str, *, priority_group: int | None, submitted_at: datetime | None) -> str:
        """Sorts cases as the program wants; those with the same place go by when they joined the list."""
        parts: list[str] = []
        for turn in self.turns:
            match turn:
                case Turn.PRIORITY_GROUP:
                    parts.append(f"{LAST_GROUP if priority_group is None else priority_group:03d}")
                case Turn.SUBMITTED_AT:
                    parts.append(f"{submitted_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}" if submitted_at else "")
                case Turn.APPLICATION_ID:
                    parts.append(application_id)
                case Turn.WAITLISTED_AT:
                    # No two join in the same moment: nothing after it decides.
                    break
        return "|".join(parts)


def order_of(published: ListedWaitingList | None) -> WaitingOrder:
    """The program's order as published; words that are not known here are passed over."""
    if published is None:
        return WaitingOrder()
    known = tuple(Turn(word) for word in published.order if word in set(Turn))
    return WaitingOrder(known or (Turn.WAITLISTED_AT,), published.smaller_may_pass)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case on the waiting list and the balance rows it needs money from, widest first."""

    application_id: ApplicationId
    rows: tuple[str, ...]
    amount_cents: int


def who_is_served(
    line: Sequence[Waiting],
    available: Mapping[str, int],
    *,
    smaller_may_pass: bool = False,
    busy: Collection[str] = (),
) -> list[Waiting]:
    """Those of `line`, in its order, whose money is there.

    A case that is `busy`, being changed at this moment, cannot be served; its money is kept for it all the same.
    """
    left = dict(available)
    waited_for: set[str] = set()
    served: list[Waiting] = []
    for waiting in line:
        short = {row for row in waiting.rows if left.get(row, 0) < waiting.amount_cents}
        if short or waited_for.intersection(waiting.rows):
            waited_for |= set() if smaller_may_pass else short
            continue
        for row in waiting.rows:
            left[row] -= waiting.amount_cents
        if waiting.application_id not in busy:
            served.append(waiting)
    return served
