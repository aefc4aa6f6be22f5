"""What each code of the bank does: to the money, to the account, to the payee. One table for returns, one for changes.

Source: Nacha Operating Rules, Appendix Four (returns) and Five (notifications of change).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.payments.books.ledger import Kind
from services.payments.domain import DisbursementState
from services.payments.nacha import CHANGE_REASONS, RETURN_REASONS, Requires


class PayeeEffect(StrEnum):
    """What a return means for its payee beyond the one payment."""

    NOTHING = "nothing"
    INVALID_ACCOUNT = "invalid_account"
    """Nothing more goes to the account: the payee states another under change control."""
    HELD = "held"
    """Nothing more goes to the payee until two people release it."""
    ALERT = "alert"
    """Our own record was wrong: somebody looks."""


@dataclass(frozen=True, slots=True)
class ReturnPosting:
    """What a return code posts before and after settlement; None posts nothing, and a person looks at it."""

    before: Kind | None
    after: Kind | None
    payee: PayeeEffect


_BY_REQUIREMENT: Final[Mapping[Requires, ReturnPosting]] = {
    Requires.RETRY: ReturnPosting(Kind.RETURN, Kind.RETURN_LATE, PayeeEffect.NOTHING),
    Requires.REPAIR_PAYEE: ReturnPosting(Kind.RETURN, Kind.RETURN_LATE, PayeeEffect.INVALID_ACCOUNT),
    Requires.CORRECT_FILE: ReturnPosting(Kind.RETURN, Kind.RETURN_LATE, PayeeEffect.ALERT),
    Requires.STOP: ReturnPosting(Kind.RETURN, Kind.RETURN_LATE, PayeeEffect.HELD),
    # Dishonored and contested returns: whose the money is stands only when the two banks are done.
    Requires.BANKS: ReturnPosting(None, None, PayeeEffect.ALERT),
}
RETURN_POSTINGS: Final[Mapping[str, ReturnPosting]] = {
    code: _BY_REQUIREMENT[reason.requires] for code, reason in RETURN_REASONS.items()
}
"""Every return code, with what it posts."""


class ChangePosting(StrEnum):
    """What a notification of change leads to. None of them posts anything: the entry was paid."""

    PROPOSES_CHANGE = "proposes_change"
    """The corrected account is proposed under change control, and waits for its call-back."""
    ALERT = "alert"
    """It speaks of our own record, not of the account."""


CHANGE_POSTINGS: Final[Mapping[str, ChangePosting]] = {
    code: ChangePosting.PROPOSES_CHANGE
    if {place for place, _, _ in reason.places} & {"routing_number", "account_number", "transaction_code", "name"}
    else ChangePosting.ALERT
    for code, reason in CHANGE_REASONS.items()
}
"""Every change code, with what it leads to."""


class Standing(StrEnum):
    """What a return finds its payment in, where nothing is posted."""

    REPEATED = "repeated"
    NOT_SENT = "not_sent"
    ALREADY_RETURNED = "already_returned"
    BETWEEN_BANKS = "between_banks"


def posting_of(state: DisbursementState, known_code: str | None, code: str) -> Kind | Standing:
    """The journal entry that a return makes, given where its payment stands and the code it came back with before."""
    posting = RETURN_POSTINGS[code]
    if posting.before is None or posting.after is None:
        return Standing.BETWEEN_BANKS
    match state:
        case DisbursementState.SENT:
            return posting.before
        case DisbursementState.SETTLED:
            return posting.after
        case DisbursementState.RETURNED | DisbursementState.REPAIRED:
            return Standing.REPEATED if known_code == code else Standing.ALREADY_RETURNED
        case _:
            return Standing.NOT_SENT
