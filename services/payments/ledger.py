"""The ledger's words: accounts, kinds of transfer, the balance rows a case moves money in, and transfers.

The posting function in `migrations/` decides; this module says what it is asked. Source: ORC 126.07, 131.33.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from contracts.ids import TransferId


class Account(StrEnum):
    """Where money stands within a balance row. `AUTHORITY` is the legislature's side of an appropriation."""

    AUTHORITY = "authority"
    AVAILABLE = "available"
    HELD = "held"
    ENCUMBERED = "encumbered"
    PAYABLE = "payable"
    IN_TRANSIT = "in_transit"
    DISBURSED = "disbursed"
    LAPSED = "lapsed"


STAGES: Final = tuple(account for account in Account if account is not Account.AUTHORITY)
"""The stages whose sum is the appropriation, at all times, in every balance row."""


class Kind(StrEnum):
    """What a transfer does."""

    APPROPRIATE = "appropriate"
    WITHDRAW_APPROPRIATION = "withdraw_appropriation"
    HOLD = "hold"
    RELEASE_HOLD = "release_hold"
    ENCUMBER = "encumber"
    LIQUIDATE = "liquidate"
    EXPEND = "expend"
    SEND = "send"
    SETTLE = "settle"
    RETURN = "return"
    RETURN_LATE = "return_late"
    LAPSE = "lapse"


@dataclass(frozen=True, slots=True)
class Rule:
    """The accounts a kind debits and credits; `from_pending` where it moves on an earlier transfer's money."""

    debit: Account
    credit: Account
    from_pending: bool = True


RULES: Final[Mapping[Kind, Rule]] = {
    Kind.APPROPRIATE: Rule(Account.AUTHORITY, Account.AVAILABLE, from_pending=False),
    Kind.WITHDRAW_APPROPRIATION: Rule(Account.AVAILABLE, Account.AUTHORITY, from_pending=False),
    Kind.HOLD: Rule(Account.AVAILABLE, Account.HELD, from_pending=False),
    Kind.RELEASE_HOLD: Rule(Account.HELD, Account.AVAILABLE),
    Kind.ENCUMBER: Rule(Account.HELD, Account.ENCUMBERED),
    Kind.LIQUIDATE: Rule(Account.ENCUMBERED, Account.AVAILABLE),
    Kind.EXPEND: Rule(Account.ENCUMBERED, Account.PAYABLE),
    Kind.SEND: Rule(Account.PAYABLE, Account.IN_TRANSIT),
    Kind.SETTLE: Rule(Account.IN_TRANSIT, Account.DISBURSED),
    Kind.RETURN: Rule(Account.IN_TRANSIT, Account.PAYABLE),
    Kind.RETURN_LATE: Rule(Account.DISBURSED, Account.PAYABLE),
    Kind.LAPSE: Rule(Account.ENCUMBERED, Account.LAPSED),
}


class Code(StrEnum):
    """What became of a transfer. `REPLAY` and `CONFLICT` speak of the request, the rest are outcomes in the journal."""

    OK = "ok"
    REPLAY = "replay"
    CONFLICT = "conflict"
    OVER_PROGRAM = "over_program"
    OVER_ROUND = "over_round"
    OVER_AWARD = "over_award"
    OVER_PERSON = "over_person"
    CLOSED = "closed"
    PENDING_NOT_FOUND = "pending_not_found"
    ALREADY_RESOLVED = "already_resolved"


WAITABLE: Final = frozenset({Code.OVER_PROGRAM, Code.OVER_ROUND, Code.OVER_AWARD})
"""Limits that returning money lifts: the case may wait. A person's own cap and a closed budget it does not."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The balance rows a transfer moves money in, all at once; `book` is the line whose lock guards them."""

    book: str
    line: str | None = None
    round: str | None = None
    award: str | None = None
    person: str | None = None

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(row for row in (self.line, self.round, self.award, self.person) if row is not None)


def line_row(program_id: str, fiscal_year: int) -> str:
    """The budget line of a program's fiscal year."""
    return f"line/{program_id}/{fiscal_year}"


def round_row(program_id: str, round_id: str) -> str:
    return f"round/{program_id}/{round_id}"


def award_row(program_id: str, round_id: str, provider_id: str) -> str:
    return f"award/{program_id}/{round_id}/{provider_id}"


def person_row(program_id: str, round_id: str, person_id: str) -> str:
    return f"person/{program_id}/{round_id}/{person_id}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One request to the posting function."""

    id: TransferId
    kind: Kind
    scope: Scope
    amount_cents: int
    reason: str
    actor: str
    occurred_at: datetime
    pending_id: TransferId | None = None
    workflow_id: str | None = None

    @property
    def fingerprint(self) -> bytes:
        """What makes two requests the same: everything that moves money, nothing that a retry varies."""
        scope = self.scope
        parts = (self.kind, self.pending_id, scope.book, scope.line, scope.round, scope.award, scope.person)
        text = "\x1f".join("" if part is None else str(part) for part in (*parts, self.amount_cents))
        return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to one transfer: `code` for this request, `outcome` as the journal has it (None in a conflict)."""

    transfer: Transfer
    code: Code
    outcome: Code | None

    @property
    def is_ok(self) -> bool:
        """Whether the money has moved, now or when the same request first came."""
        return self.outcome is Code.OK


@dataclass(frozen=True, slots=True)
class Difference:
    """A balance row that is not what its journal entries add up to."""

    balance_id: str
    account: str
    journal_cents: int
    balance_cents: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What the prover found. The books are right where `differences` and `overdrawn` are empty."""

    entries: int
    rows: int
    differences: tuple[Difference, ...]
    overdrawn: tuple[str, ...]
    """Transfers more of whose money was moved on than they brought."""

    @property
    def is_right(self) -> bool:
        return not self.differences and not self.overdrawn
