"""What a fact means for its case: one line of the timeline, and where it puts the case.

Facts of different services arrive in any order. So every fact carries a `place` on the path, and the highest place
seen decides; amounts are sums. The same facts give the same case, whatever order they came in.
"""

# pyright: strict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from contracts.events.eligibility import Finding, PlannedWaits
from contracts.journey import Stage


class Reason(BaseModel):
    """Why something was decided: a stable code, a sentence, and the source in law where there is one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    text: str
    citation: str | None = None


class Lead(BaseModel):
    """What the furthest fact of a case says about it: why, what is missing, by when, and who acts next."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reasons: list[Reason] = []
    missing: list[str] = []
    due_at: datetime | None = None
    """By when, where the fact itself says so; staff may move it."""
    wait: str | None = None
    """The planned wait that gives the deadline, as `wait_name` names it."""
    not_after: datetime | None = None
    """A date that no act of staff moves: the law's, or an exam voucher's own."""
    told_at: datetime | None = None
    next_party: str
    next_text: str


class Moved(BaseModel):
    """What staff last did to a deadline: they extended it, or let a case go on whose clock stood still."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stage: str
    due_at: datetime | None
    acted_at: datetime
    held_since: datetime | None

    def applied(self, due_at: datetime, *, since: datetime, stage: str) -> datetime:
        """The deadline of a wait of `stage` that began at `since`."""
        # What began while the case stood still began for the journey when it went on.
        if self.held_since is not None and self.held_since <= since <= self.acted_at:
            return self.acted_at + (due_at - since)
        is_meant = self.stage == stage and since <= self.acted_at
        return self.due_at if is_meant and self.due_at is not None else due_at


class Entry(BaseModel):
    """One fact's line in the timeline and its effect on the case."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str
    reasons: list[Reason] = []
    place: int | None = None
    stage: Stage | None = None
    lead: Lead | None = None
    outcome: str | None = None
    closed_at: datetime | None = None
    findings: list[Finding] | None = None
    findings_number: int = 0
    waits: PlannedWaits | None = None
    """Of the same determination as the findings."""
    committed_cents: int = 0
    """Change of the money set aside for the case: more when held, less when released."""
    payment_id: str | None = None
    payment: dict[str, Any] = {}
    """What became of the payment `payment_id`: `{"settled_cents": …}` or `{"returned": true}`."""
    begins: str | None = None
    """The planned wait that begins with this fact."""
    moved: Moved | None = None
    on_hold: bool | None = None
    details: dict[str, Any] = {}


_PLACES = 10**16
"""Room for microseconds since 1970 within each phase."""


def place(phase: int, number: int = 0) -> int:
    """A point on the path: phases in order, `number` orders what can happen repeatedly within one."""
    return phase * _PLACES + number


def wait_name(wait: str, number: int = 0) -> str:
    """One wait of a case by a field of `PlannedWaits`; `number` tells repeated ones apart."""
    return f"{wait}:{number}"


def due_at(
    lead: Lead, *, stage: str, waits: PlannedWaits | None, began: dict[str, datetime], moved: Moved | None
) -> datetime | None:
    """By when the party that `lead` names must act; None where nothing is due, or not enough facts came to tell.

    `began` tells by name when each planned wait began.
    """
    due, since = lead.due_at, lead.told_at
    if lead.wait is not None:
        since = began.get(lead.wait)
        if waits is not None and since is not None:
            due = since + getattr(waits, lead.wait.partition(":")[0])
    if due is not None and since is not None and moved is not None:
        due = moved.applied(due, since=since, stage=stage)
    return min((one for one in (due, lead.not_after) if one is not None), default=None)


def microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


_REASON_TEXTS = {
    "over_program": "The program's money is committed.",
    "over_round": "The round's money is committed.",
    "over_award": "The provider's award in this round is committed.",
    "over_person": "The person has reached the limit of this round.",
    "closed": "The round's budget is closed.",
    "fiscal_year_lapsed": "The fiscal year ended and the money set aside lapsed.",
    "fiscal_year_closed": "The fiscal year ended before there was money.",
    "no_seats": "The college has no seat.",
    "college_silent": "The college did not answer in time.",
    "exam_not_passed": "The certification exam was not passed.",
    "withdrawn_by_person": "The person withdrew the application.",
}


def reason(code: str, known: Iterable[Finding] = ()) -> Reason:
    """A bare code with its sentence: from the case's findings, from the known codes, or the code's own words."""
    for finding in known:
        if finding.reason == code:
            return Reason(code=code, text=finding.text, citation=finding.citation)
    return Reason(code=code, text=_REASON_TEXTS.get(code, code.replace("_", " ").capitalize() + "."))


def paid_cents(payments: dict[str, dict[str, Any]]) -> int:
    """What was settled and did not come back."""
    return sum(int(payment.get("settled_cents", 0)) for payment in payments.values() if not payment.get("returned"))
