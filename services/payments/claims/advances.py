"""Advances to providers of a standing, and what is owed back where too few people earned the credential. Pure.

Sources: ORC 122.1712 and 122.1713: platinum providers are paid in advance, and refund where fewer than half earn. The
shares are the program's own parameters. A refund is the advances on those who ended without the credential, and only
where the share of those who earned it, among all whose case is decided, is below the program's percent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from contracts.errors import Conflict
from contracts.events.eligibility import ListedAdvance, ListedClaimRules
from contracts.ids import ClaimId, Id, TransferId

TRIGGER = "enrollment_accepted"
PAYMENT_CENTS_MIN = 1_00
"""A payment is never netted away whole: its case ends on the bank's word, so something of it moves."""


class RefundId(Id, prefix="rfd"):
    """What a provider owes back of its advances of one round."""


class NothingOwed(Conflict):
    """The provider owes nothing back: {earned} of {decided} decided cases earned the credential."""

    code = "nothing_owed"


class RefundAlreadyAgreed(Conflict):
    """The refund was agreed before."""

    code = "refund_already_agreed"


@dataclass(frozen=True, slots=True)
class Advanced:
    """One advance and what became of its case."""

    claim_id: ClaimId
    cents: int
    settle_transfer_id: TransferId | None
    """The entry that settled it; None while it is not paid."""
    earned: bool
    ended: bool
    """The case ended without a claim that could be paid."""
    refunded: bool

    @property
    def is_decided(self) -> bool:
        return self.earned or self.ended


@dataclass(frozen=True, slots=True)
class RefundDue:
    """What is owed back, and why."""

    earned: int
    decided: int
    parts: tuple[Advanced, ...]

    @property
    def cents(self) -> int:
        return sum(part.cents for part in self.parts)


def advance_for(rules: ListedClaimRules, standing: str | None, on: date) -> ListedAdvance | None:
    """The rule by which a provider of this standing is paid ahead on an accepted enrollment; None for the others."""
    for rule in rules.advances:
        in_force = rule.effective_from is None or rule.effective_from <= on.isoformat()
        if standing == rule.standing and rule.trigger == TRIGGER and in_force:
            return rule
    return None


def advance_cents(encumbered_cents: int, percent: int) -> int:
    """The share that is paid ahead, rounded down; less than the whole, so that the claim has something to settle."""
    return min(encumbered_cents * percent // 100, encumbered_cents - PAYMENT_CENTS_MIN)


def refund_due(advances: Sequence[Advanced], below_percent: int) -> RefundDue:
    """What a provider owes back of these advances of one round; no parts where enough earned the credential."""
    decided = [one for one in advances if one.is_decided]
    earned = sum(one.earned for one in decided)
    too_few = earned * 100 < below_percent * len(decided)
    owed = (one for one in decided if not one.earned and one.settle_transfer_id is not None and not one.refunded)
    return RefundDue(earned, len(decided), tuple(owed) if too_few else ())


def netted(payable_cents: int, owed: Sequence[int]) -> list[int]:
    """How much of each debt, in order, this payment takes up; at least `PAYMENT_CENTS_MIN` of it is paid in money."""
    room = max(0, payable_cents - PAYMENT_CENTS_MIN)
    taken: list[int] = []
    for cents in owed:
        taken.append(min(cents, room))
        room -= taken[-1]
    return taken
