"""What a fact means for its case: one line of the timeline, and where it puts the case.

Facts of different services arrive in any order. So every fact carries a `place` on the path, and the highest place
seen decides; amounts are sums. The same facts give the same case, whatever order they came in.
"""

# pyright: strict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from contracts.events.eligibility import Finding
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
    next_party: str
    next_text: str


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
    committed_cents: int = 0
    """Change of the money set aside for the case: more when held, less when released."""
    payment_id: str | None = None
    payment: dict[str, Any] = {}
    """What became of the payment `payment_id`: `{"settled_cents": …}` or `{"returned": true}`."""
    on_hold: bool | None = None
    details: dict[str, Any] = {}


_PLACES = 10**16
"""Room for microseconds since 1970 within each phase."""


def place(phase: int, number: int = 0) -> int:
    """A point on the path: phases in order, `number` orders what can happen repeatedly within one."""
    return phase * _PLACES + number


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
