"""Every wait of the journey has a deadline: the moment, the line the UI shows beside it, and what may move it.

The lengths come from the case's plan. A staff hold stops the clock: on resume the deadline moves by the length of the
hold, because neither the person nor the college could act on a case that stood still.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from contracts.plan import WAIT_MAX

STEP_TRY_AGAIN = timedelta(days=7)
"""A step that failed for good is put to staff; unanswered, it is tried again after this long."""
STEP_ROUNDS_MAX = 104
"""How often: two years of weeks."""
OVERDUE = WAIT_MAX
"""What staff must settle although the deadline passed (money is owed) stays open this long again."""

LOOK_AGAIN = timedelta(days=30)
"""After this long staff look again at a case that they stopped, and again after as long."""
HOLD_REMINDERS_MAX = 24
"""How often they are reminded: two years. Only staff end a hold, so it is never ended for them."""


class Waited(Enum):
    """How a wait ended."""

    MET = auto()
    REMIND = auto()
    """Nothing yet, and it is time to remind whoever is waited for."""
    DUE = auto()
    """The deadline passed."""


@dataclass
class Deadline:
    """One wait's deadline; `remind_at` is an earlier moment at which the wait is interrupted once."""

    due_at: datetime
    summary: str
    remind_at: datetime | None = None

    @property
    def next_at(self) -> datetime:
        """The next moment at which something happens if nobody acts."""
        return self.due_at if self.remind_at is None else min(self.remind_at, self.due_at)

    def passed(self, now: datetime) -> Waited | None:
        """What time has brought about by `now`; a reminder is reported once."""
        if self.remind_at is not None and self.remind_at <= now and self.remind_at < self.due_at:
            self.remind_at = None
            return Waited.REMIND
        return Waited.DUE if self.due_at <= now else None

    def extend(self, until: datetime) -> None:
        """Give the wait until this moment."""
        self.due_at = until

    def shift(self, by: timedelta) -> None:
        """Move the whole wait, because the clock stood still for so long."""
        self.due_at += by
        if self.remind_at is not None:
            self.remind_at += by


def after(now: datetime, wait: timedelta, summary: str, *, remind_after: timedelta | None = None) -> Deadline:
    """The deadline of a wait that begins now."""
    return Deadline(now + wait, summary, None if remind_after is None else now + remind_after)
