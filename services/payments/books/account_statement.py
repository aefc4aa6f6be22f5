"""A statement of one balance row: opening balance, movements by kind, closing balance; the breakdown by cost line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.plan import CostKind
from services.payments.books.ledger import STAGES, Account, Kind


@dataclass(frozen=True, slots=True)
class Movement:
    """All entries of one kind that moved the row."""

    kind: Kind
    debit: Account
    credit: Account
    entries: int
    cents: int


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """What a line, round, provider award or person had, what moved, and what it has. Cents by stage."""

    row: str
    since: datetime
    until: datetime
    """Not included."""
    opening: dict[str, int]
    movements: tuple[Movement, ...]
    closing: dict[str, int]

    @property
    def opening_appropriated_cents(self) -> int:
        """The stages' sum: what was appropriated when the period began."""
        return sum(self.opening.values())

    @property
    def closing_appropriated_cents(self) -> int:
        return sum(self.closing.values())


def statement_of(
    row: str, since: datetime, until: datetime, before: Sequence[Movement], within: Sequence[Movement]
) -> AccountStatement:
    """The statement of a period, from what moved before it and in it."""
    opening = folded(before)
    return AccountStatement(row, since, until, opening, tuple(within), folded([*before, *within]))


def folded(movements: Iterable[Movement]) -> dict[str, int]:
    """Cents by stage after these movements on an empty row."""
    stages = {stage.value: 0 for stage in STAGES}
    for one in movements:
        move(stages, one.debit, one.credit, one.cents)
    return stages


def move(stages: dict[str, int], debit: Account, credit: Account, cents: int) -> None:
    """One movement; the legislature's side is nobody's stage."""
    if debit is not Account.AUTHORITY:
        stages[debit.value] -= cents
    if credit is not Account.AUTHORITY:
        stages[credit.value] += cents


def by_cost_line(moved: Iterable[tuple[str, Account, Account, int]]) -> dict[str, dict[str, int]]:
    """Cents by cost line and stage, from held onwards: what is available is not yet anybody's tuition or exam fee.

    The columns add up to the stages of the budget lines, entry for entry.
    """
    lines = {line.value: {stage.value: 0 for stage in STAGES} for line in CostKind}
    for line, debit, credit, cents in moved:
        move(lines[line], debit, credit, cents)
    return {
        line: {stage: cents for stage, cents in stages.items() if stage != Account.AVAILABLE.value}
        for line, stages in lines.items()
    }
