"""What people may decide about a line or a statement, and when it takes two of them."""

from dataclasses import dataclass
from typing import Literal

from contracts.errors import Conflict, Refused
from contracts.ids import Id
from services.payments.reconciling.effects import POSTED, Effect, effect_on
from services.payments.reconciling.items import ItemState, TransitItem
from services.payments.statements import Kind, StatementLine

REASON_CHARS_MAX = 500

DecisionKind = Literal["explain", "match", "unmatch", "accept", "dismiss"]
"""Of a line: explain, match, unmatch. Of a held statement: accept, dismiss."""


class ReconciliationActId(Id, prefix="rac"):
    """One decision of a person about a line or a statement."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decides about a line or a held statement, and why."""

    kind: DecisionKind
    about: str
    """The line's id, or the statement's."""
    reason: str
    disbursement_id: str | None = None
    """The payment behind the line, where it is matched."""


class LineEnded(Conflict):
    """The line is {state} already."""

    code = "line_ended"


class LineOpen(Conflict):
    """The line is open: there is nothing to undo."""

    code = "line_open"


class AmountsDiffer(Refused):
    """The line moved {line_cents} cents, the payment is {payment_cents} cents."""

    code = "amounts_differ"


class NothingExpected(Conflict):
    """The bank has shown this payment's {movement} before, or none is to come."""

    code = "nothing_expected"


class MatchMovedMoney(Conflict):
    """Money was moved in the ledger on this line: a return or a recovery corrects it, nothing undoes it."""

    code = "match_moved_money"


class DecisionWaits(Conflict):
    """A decision about it already waits for its second person."""

    code = "decision_waits"


class DecisionMade(Conflict):
    """The decision is {state} already."""

    code = "decision_made"


class StatementNotHeld(Conflict):
    """The statement is {state}."""

    code = "statement_not_held"


class StatementUnusable(Refused):
    """The statement cannot be accepted ({reason}): ask the bank for another."""

    code = "statement_unusable"


def explaining_takes_two(line: StatementLine) -> bool:
    """A movement that looks like the program's money is not explained away by one person."""
    return line.kind is not Kind.OTHER and line.amount_cents != 0


def effect_of_match(line: StatementLine, item: TransitItem) -> Effect:
    """What matching them by hand does. Raises `AmountsDiffer`, `NothingExpected`."""
    if abs(line.amount_cents) != item.amount_cents:
        raise AmountsDiffer(line_cents=line.amount_cents, payment_cents=item.amount_cents)
    if line.amount_cents < 0 and not item.debit_expected:
        raise NothingExpected(movement="debit")
    if line.amount_cents > 0 and item.state is ItemState.RETURNED and not item.credit_due:
        raise NothingExpected(movement="return")
    return effect_on(item.state, line)


def match_takes_two(effect: Effect) -> bool:
    """Where money moves in the ledger, another person has to agree."""
    return effect in POSTED
