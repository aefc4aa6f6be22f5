"""What the finance system's word does to a payment. A line that comes again undoes nothing; a late return re-opens."""

from dataclasses import dataclass
from enum import StrEnum

from services.payments.domain import DisbursementState
from services.payments.remittance import Confirmation
from services.payments.statements import StatementLineId


class Effect(StrEnum):
    """What becomes of one confirmation line."""

    SETTLE = "settle"
    RETURN = "return"
    RETURN_LATE = "return_late"
    """The payment had settled and came back all the same."""
    REPEATED = "repeated"
    """It says what is known."""
    NUMBERED = "numbered"
    """The bank's statement came first; now the payment's numbers are known."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The effect, and the reason where there is none."""

    effect: Effect
    reason: str = ""
    explanation: str = ""


def is_line(payment_number: str | None) -> bool:
    """Whether a payment is known by the bank's line alone: it stands in the place of the number nobody has told."""
    return payment_number is not None and payment_number.startswith(f"{StatementLineId.prefix}_")


def judge(state: DisbursementState, payment_number: str | None, word: Confirmation) -> Verdict:
    """Decide on one line, given where its payment stands and which payment number it was last confirmed under."""
    match state:
        case DisbursementState.SENT:
            return Verdict(Effect.SETTLE if word.status == "PAID" else Effect.RETURN)
        case DisbursementState.ORDERED | DisbursementState.BATCHED:
            return Verdict(Effect.REJECTED, "not_sent", "the payment has not been sent")
        case DisbursementState.SETTLED if word.status == "PAID" and word.payment_number == payment_number:
            return Verdict(Effect.REPEATED)
        case DisbursementState.SETTLED if word.status == "PAID" and is_line(payment_number):
            return Verdict(Effect.NUMBERED)
        # Another payment number may be another payment: that is not for a rule to say.
        case DisbursementState.SETTLED if word.payment_number == payment_number:
            return Verdict(Effect.RETURN_LATE)
        case DisbursementState.SETTLED:
            return Verdict(Effect.REJECTED, "already_settled", "the payment is settled; people have to look at this")
        case _ if word.status == "RETURNED" and word.payment_number == payment_number:
            return Verdict(Effect.REPEATED)
        case _:
            return Verdict(Effect.REJECTED, "already_returned", "the payment came back; people have to look at this")
