"""What a budget line will have spent when its fiscal year ends: burn-down, utilisation, liquidation, lapse risk.

Nothing is guessed from outside: what is open is expected to end as what was open before ended, at the same pace.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from services.payments.books.account_statement import move
from services.payments.books.ledger import STAGES, Account, Kind

RESOLVED_MIN = 20
"""Holds or encumbrances a provider must have had resolved before its own record counts; else the program's does."""
RISK_MEDIUM, RISK_HIGH = 0.10, 0.30
"""Share of an award that is expected to lapse."""
COMMITTED = (Account.HELD, Account.ENCUMBERED)
SPENT = (Account.PAYABLE, Account.IN_TRANSIT, Account.DISBURSED)
_GOES_ON = {Account.HELD: Kind.ENCUMBER, Account.ENCUMBERED: Kind.EXPEND}


class Risk(StrEnum):
    """How much of an award is expected to lapse."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Basis(StrEnum):
    """Whose record an expectation rests on."""

    PROVIDER = "provider"
    PROGRAM = "program"
    NONE = "none"
    """Nothing was resolved yet: all that is open is taken to be spent."""


@dataclass(frozen=True, slots=True)
class Open:
    """Money of an award that is held or encumbered since a day."""

    award: str
    stage: Account
    since: date
    cents: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of held or encumbered money of an award, by kind."""

    award: str
    stage: Account
    kind: Kind
    entries: int
    cents: int
    median_seconds: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of a stage goes on to the next, and after how long."""

    share: float = 1.0
    wait: timedelta = timedelta(0)
    basis: Basis = Basis.NONE


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """A budget line at the end of a month. `available + committed + spent + lapsed = appropriated`."""

    month: date
    appropriated_cents: int
    available_cents: int
    committed_cents: int
    spent_cents: int
    lapsed_cents: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """An award at the end of the fiscal year, as far as its record tells."""

    award: str
    appropriated_cents: int
    spent_cents: int
    open_cents: int
    expected_cents: int
    """Of what is open, what is expected to be spent before the year ends."""
    lapsing_cents: int
    """What is expected to be left: available, or open and not spent in time."""
    basis: Basis
    risk: Risk

    @property
    def utilisation(self) -> float:
        """Share of the award that is spent or committed."""
        return (self.spent_cents + self.open_cents) / self.appropriated_cents if self.appropriated_cents else 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """A budget line: where it came from, where it stands, where it will end."""

    line: str
    as_of: date
    year_end: date
    appropriated_cents: int
    spent_cents: int
    committed_cents: int
    expected_cents: int
    lapsing_cents: int
    burn_down: tuple[MonthEnd, ...]
    outlooks: tuple[Outlook, ...] = field(default=())


def burn_down(moved: Sequence[tuple[date, Account, Account, int]]) -> tuple[MonthEnd, ...]:
    """(first of the month, debit, credit, cents) → the line at the end of each month in which something moved."""
    stages = {stage.value: 0 for stage in STAGES}
    ends: dict[date, MonthEnd] = {}
    for month, debit, credit, cents in sorted(moved, key=lambda one: one[0]):
        move(stages, debit, credit, cents)
        ends[month] = MonthEnd(
            month=month,
            appropriated_cents=sum(stages.values()),
            available_cents=stages[Account.AVAILABLE.value],
            committed_cents=sum(stages[stage.value] for stage in COMMITTED),
            spent_cents=sum(stages[stage.value] for stage in SPENT),
            lapsed_cents=stages[Account.LAPSED.value],
        )
    return tuple(ends.values())


def pace_of(stage: Account, own: Sequence[Resolved], program: Sequence[Resolved]) -> Pace:
    """How a stage's money went on so far: the provider's own record where it is long enough, else the program's."""
    for basis, record in ((Basis.PROVIDER, own), (Basis.PROGRAM, program)):
        of_stage = [one for one in record if one.stage is stage]
        entries, cents = sum(one.entries for one in of_stage), sum(one.cents for one in of_stage)
        if entries >= (RESOLVED_MIN if basis is Basis.PROVIDER else 1) and cents:
            on = [one for one in of_stage if one.kind is _GOES_ON[stage]]
            weight = sum(one.entries for one in on)
            seconds = sum(one.median_seconds * one.entries for one in on) / weight if weight else 0.0
            return Pace(sum(one.cents for one in on) / cents, timedelta(seconds=seconds), basis)
    return Pace()


def expected(open_: Open, hold: Pace, encumbrance: Pace, *, as_of: date, year_end: date) -> int:
    """Cents of an open item that will be spent by the end of the year: its share, if its time comes before."""
    if open_.stage is Account.HELD:
        share, wait = hold.share * encumbrance.share, hold.wait + encumbrance.wait
    else:
        share, wait = encumbrance.share, encumbrance.wait
    # What should have come already may still come tomorrow.
    due = max(open_.since + wait, as_of)
    return round(open_.cents * share) if due <= year_end else 0


def outlook_of(
    award: str,
    stages: dict[str, int],
    open_: Sequence[Open],
    resolved: Sequence[Resolved],
    *,
    as_of: date,
    year_end: date,
) -> Outlook:
    """One provider award. `open_` and `resolved` are the whole program's; the award's own count first."""
    own = [one for one in resolved if one.award == award]
    hold, encumbrance = (pace_of(stage, own, resolved) for stage in COMMITTED)
    mine = [one for one in open_ if one.award == award]
    will = sum(expected(one, hold, encumbrance, as_of=as_of, year_end=year_end) for one in mine)
    appropriated = sum(stages.values())
    committed = sum(stages[stage.value] for stage in COMMITTED)
    left = stages[Account.AVAILABLE.value] + committed - will
    share = left / appropriated if appropriated else 0.0
    risk = Risk.HIGH if share >= RISK_HIGH else Risk.MEDIUM if share >= RISK_MEDIUM else Risk.LOW
    basis = min((hold.basis, encumbrance.basis), key=list(Basis).index) if mine else Basis.NONE
    spent = sum(stages[stage.value] for stage in SPENT)
    return Outlook(award, appropriated, spent, committed, will, left, basis, risk)


def forecast_of(
    line: str,
    stages: dict[str, int],
    awards: dict[str, dict[str, int]],
    open_: Sequence[Open],
    resolved: Sequence[Resolved],
    months: Sequence[MonthEnd],
    *,
    as_of: date,
    year_end: date,
) -> Forecast:
    """A budget line and its provider awards, the one with most to lapse first."""
    outlooks = [
        outlook_of(award, of_award, open_, resolved, as_of=as_of, year_end=year_end)
        for award, of_award in awards.items()
    ]
    committed = sum(stages[stage.value] for stage in COMMITTED)
    will = sum(one.expected_cents for one in outlooks)
    return Forecast(
        line=line,
        as_of=as_of,
        year_end=year_end,
        appropriated_cents=sum(stages.values()),
        spent_cents=sum(stages[stage.value] for stage in SPENT),
        committed_cents=committed,
        expected_cents=will,
        lapsing_cents=stages[Account.AVAILABLE.value] + committed - will,
        burn_down=tuple(months),
        outlooks=tuple(sorted(outlooks, key=lambda one: (-one.lapsing_cents, one.award))),
    )
