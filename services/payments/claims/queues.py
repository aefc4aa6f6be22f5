"""The queues in which people find what rules alone may not decide, and the order of urgency. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from contracts.errors import Conflict
from services.payments.domain import MakerIsChecker


class Queue(StrEnum):
    """Who looks at it: the name says what the doubt is."""

    CHARGES = "charges"
    """The person, or the provider, says that the person was charged."""
    DUPLICATES = "duplicates"
    PAYEES = "payees"
    LARGE_CLAIMS = "large_claims"
    """Nothing is wrong with them but their size."""


_QUEUE_OF = {
    "participant_charged": Queue.CHARGES,
    "person_says_charged": Queue.CHARGES,
    "invoice_resembles": Queue.DUPLICATES,
    "claim_resembles": Queue.DUPLICATES,
    "cost_line_claimed_before": Queue.DUPLICATES,
    "exam_voucher_unused": Queue.DUPLICATES,
    "payee_unknown": Queue.PAYEES,
    "above_self_approval": Queue.LARGE_CLAIMS,
}
_FIRST = (Queue.CHARGES, Queue.DUPLICATES, Queue.PAYEES, Queue.LARGE_CLAIMS)


def queue_for(reasons: Iterable[str]) -> Queue:
    """One queue for a claim: of several doubts the gravest, so that one person sees all of them."""
    named = {_QUEUE_OF[reason] for reason in reasons if reason in _QUEUE_OF}
    return next(queue for queue in _FIRST if queue in named) if named else Queue.LARGE_CLAIMS


class NotInReview(Conflict):
    """The claim waits for nobody's decision."""

    code = "claim_not_in_review"


class ApprovedBefore(MakerIsChecker):
    """You approved this claim before; another person has to."""

    code = "approved_before"


class PayeeRecorder(MakerIsChecker):
    """Whoever recorded a change of the payee approves none of its claims."""

    code = "payee_recorder"


class DecidedInItsCase(Conflict):
    """The claim's case is waiting for this decision: take it there."""

    code = "decided_in_its_case"
