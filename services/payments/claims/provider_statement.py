"""A provider's statement for a period: what it was owed at its beginning, what moved, what it is owed at its end. Pure.

Folded from the journal's own entries, so that it adds up to the ledger: what a provider is owed is its money in the
stages payable and in transit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.payments.books.ledger import RULES, Account, Kind

OWED = frozenset({Account.PAYABLE, Account.IN_TRANSIT})
ADVANCE = "advance"
"""The reason of an entry that pays ahead of completion."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One journal entry of the provider's money."""

    transfer_id: str
    kind: Kind
    reason: str
    amount_cents: int
    workflow_id: str | None
    at: datetime

    @property
    def heading(self) -> str:
        """Under which heading of the statement it stands; empty where it moves nothing between the two."""
        if self.kind is Kind.EXPEND and self.reason == ADVANCE:
            return "advances"
        return _HEADINGS.get(self.kind, "")

    @property
    def owed_cents(self) -> int:
        """By how much it changes what the provider is owed."""
        rule = RULES[self.kind]
        return self.amount_cents * ((rule.credit in OWED) - (rule.debit in OWED))


_HEADINGS: Mapping[Kind, str] = {
    Kind.EXPEND: "claims",
    Kind.UNEXPEND: "stopped",
    Kind.SETTLE: "payments",
    Kind.RETURN: "returns",
    Kind.RETURN_LATE: "returns_after_payment",
    Kind.OFFSET: "netted",
    Kind.RECOVER: "refunds",
}
HEADINGS: tuple[str, ...] = (
    "claims",
    "advances",
    "stopped",
    "payments",
    "returns",
    "returns_after_payment",
    "netted",
    "refunds",
)


@dataclass(frozen=True, slots=True)
class ProviderStatement:
    """`opening_cents` and every heading's effect make `closing_cents`."""

    opening_cents: int
    closing_cents: int
    totals: Mapping[str, int]
    """Cents by heading; returns and refunds change nothing that is owed: they say what came back."""
    movements: tuple[Movement, ...]


def statement_of(before: int, movements: Iterable[Movement]) -> ProviderStatement:
    """The statement of these movements after `before` cents were owed."""
    told = tuple(movements)
    totals = dict.fromkeys(HEADINGS, 0)
    closing = before
    for movement in told:
        closing += movement.owed_cents
        if movement.heading:
            totals[movement.heading] += movement.amount_cents
    return ProviderStatement(before, closing, totals, tuple(one for one in told if one.heading))
