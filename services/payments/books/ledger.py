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
from contracts.plan import CostKind


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
    RECOVER = "recover"
    """Money that was paid comes back: an overpayment, a refund, a true-up. It can be awarded again."""
    OFFSET = "offset"
    """A claim is paid by what its provider owes back, in place of new money."""
    UNEXPEND = "unexpend"
    """An approved claim is undone before its payment was sent."""
    LAPSE = "lapse"
    LAPSE_AVAILABLE = "lapse_available"
    CARRY_OUT = "carry_out"
    CARRY_IN = "carry_in"


@dataclass(frozen=True, slots=True)
class Rule:
    """The accounts a kind debits and credits; `from_pending` where it moves on an earlier transfer's money."""

    debit: Account
    credit: Account
    from_pending: bool = True
    when_soft_closed: bool = True
    """Whether it may still be posted once its fiscal year is closed to new obligations."""
    when_hard_closed: bool = False
    """Whether it may still be posted once the fiscal year's books are shut: payments under way come to their end."""


RULES: Final[Mapping[Kind, Rule]] = {
    Kind.APPROPRIATE: Rule(Account.AUTHORITY, Account.AVAILABLE, from_pending=False),
    Kind.WITHDRAW_APPROPRIATION: Rule(Account.AVAILABLE, Account.AUTHORITY, from_pending=False),
    Kind.HOLD: Rule(Account.AVAILABLE, Account.HELD, from_pending=False, when_soft_closed=False),
    Kind.RELEASE_HOLD: Rule(Account.HELD, Account.AVAILABLE),
    Kind.ENCUMBER: Rule(Account.HELD, Account.ENCUMBERED, when_soft_closed=False),
    Kind.LIQUIDATE: Rule(Account.ENCUMBERED, Account.AVAILABLE, when_hard_closed=True),
    Kind.EXPEND: Rule(Account.ENCUMBERED, Account.PAYABLE, when_hard_closed=True),
    Kind.SEND: Rule(Account.PAYABLE, Account.IN_TRANSIT, when_hard_closed=True),
    Kind.SETTLE: Rule(Account.IN_TRANSIT, Account.DISBURSED, when_hard_closed=True),
    Kind.RETURN: Rule(Account.IN_TRANSIT, Account.PAYABLE, when_hard_closed=True),
    Kind.RETURN_LATE: Rule(Account.DISBURSED, Account.PAYABLE, when_hard_closed=True),
    Kind.RECOVER: Rule(Account.DISBURSED, Account.AVAILABLE, when_hard_closed=True),
    Kind.OFFSET: Rule(Account.PAYABLE, Account.DISBURSED, when_hard_closed=True),
    Kind.UNEXPEND: Rule(Account.PAYABLE, Account.ENCUMBERED, when_hard_closed=True),
    Kind.LAPSE: Rule(Account.ENCUMBERED, Account.LAPSED),
    Kind.LAPSE_AVAILABLE: Rule(Account.AVAILABLE, Account.LAPSED, from_pending=False, when_hard_closed=True),
    Kind.CARRY_OUT: Rule(Account.ENCUMBERED, Account.AUTHORITY),
    Kind.CARRY_IN: Rule(Account.AUTHORITY, Account.ENCUMBERED, from_pending=False),
}


class Phase(StrEnum):
    """What a budget line's fiscal year still takes; it goes forward only."""

    OPEN = "open"
    SOFT_CLOSED = "soft_closed"
    HARD_CLOSED = "hard_closed"


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


def carried_scope(scope: Scope, book: str) -> Scope:
    """The rows in the next year's book that take over money of `scope`: a round's and an award's share of that year.

    Nothing more is held there for the round, so no person's cap is needed.
    """
    year = book.rsplit("/", 1)[1]
    return Scope(
        book=book,
        line=book if scope.line else None,
        round="/".join([*scope.round.split("/")[:3], year]) if scope.round else None,
        award="/".join([*scope.award.split("/")[:4], year]) if scope.award else None,
    )


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
    cost_line: CostKind = CostKind.TUITION
    links_to: TransferId | None = None
    """The entry this one corrects or continues where it moves on no pending money; together they never exceed it."""

    def __post_init__(self) -> None:
        # Refused here: the journal's own CHECK would take the whole batch down with it.
        if self.amount_cents <= 0:
            raise ValueError(f"a transfer of {self.amount_cents} cents moves nothing")

    @property
    def fingerprint(self) -> bytes:
        """What makes two requests the same: everything that moves money, nothing that a retry varies."""
        scope = self.scope
        parts = (self.kind, self.pending_id, scope.book, scope.line, scope.round, scope.award, scope.person)
        text = "\x1f".join("" if part is None else str(part) for part in (*parts, self.amount_cents))
        if self.cost_line is not CostKind.TUITION or self.links_to is not None:
            text += f"\x1f{self.cost_line}\x1f{self.links_to or ''}"
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
    """What the prover found. The books are right where everything after `rows` is empty."""

    entries: int
    rows: int
    differences: tuple[Difference, ...]
    overdrawn: tuple[str, ...]
    """Transfers more of whose money was moved on, or corrected, than they brought."""
    repeated: tuple[str, ...] = ()
    """Ids under which the journal has two entries, in two fiscal years."""
    negative: tuple[str, ...] = ()
    """Balance rows with a stage below zero, or whose stages are not their appropriation."""
    misplaced: tuple[str, ...] = ()
    """Entries, at most a thousand, against the rules: accounts that are not their kind's, money moved on from another
    stage, row or cost line than it was in, rows of another book, or a kind that the year's phase no longer took."""

    @property
    def is_right(self) -> bool:
        return not self.faults

    @property
    def faults(self) -> tuple[Difference | str, ...]:
        """Everything that is wrong, differences first."""
        return (*self.differences, *self.overdrawn, *self.repeated, *self.negative, *self.misplaced)
