"""Why a payment of a batch may not leave any more, and the refusal that names each of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.errors import Conflict
from services.payments.payees.payees import Route, Waits

STOPS_NAMED_MAX = 20


class StopReason(StrEnum):
    """What happened since the batch was made."""

    CLAIM_STOPPED = "claim_stopped"
    """The person says that the provider charged, and people have not decided yet."""
    CLAIM_REFUSED = "claim_refused"
    CLAIM_IN_REVIEW = "claim_in_review"
    CHARGES_ASKED = "charges_asked"
    """The person was asked whether the provider charged, and has not answered."""
    CASE_HELD = "case_held"
    """By program staff, with all of its payments."""
    NOT_DUE_YET = "not_due_yet"
    """Its month's request is not payable yet."""
    PAYEE_HELD = "payee_held"
    """By a person, a screening list or a return."""
    COOLING_OFF = "cooling_off"
    PRENOTE = "prenote"
    CHANGE_NOTIFIED = "change_notified"
    """The payee's bank has notified a change of the account, and no correction was approved in time."""
    NO_ACCOUNT = "no_account"
    OTHER_RAIL = "other_rail"
    """The payee is paid another way by now."""
    OTHER_SUPPLIER = "other_supplier"
    """The payee's supplier number is another by now."""
    LEFT_THE_BATCH = "left_the_batch"


@dataclass(frozen=True, slots=True)
class Stop:
    """One payment or prenote that may not leave; or the batch itself, where some of it is gone."""

    what: str
    """The payment's id, or the account's whose prenote it is; how many are left where some left the batch."""
    provider_id: str | None
    reason: StopReason

    def __str__(self) -> str:
        whose = f" ({self.provider_id})" if self.provider_id else ""
        return f"{self.what}{whose}: {self.reason}"


class BatchStopped(Conflict):
    """The batch may not leave as it was made: {why}. Withdraw it and build another."""

    code = "batch_stopped"

    def __init__(self, stops: Sequence[Stop]) -> None:
        self.stops = tuple(stops)
        named = "; ".join(str(one) for one in self.stops[:STOPS_NAMED_MAX])
        more = len(self.stops) - STOPS_NAMED_MAX
        super().__init__(why=f"{named}; and {more} more" if more > 0 else named)


class PaymentUnderWay(Conflict):
    """A payment on this case is under way ({disbursement_id}): decide once it is settled or came back."""

    code = "payment_under_way"


_OF_WAIT = {
    Waits.HELD: StopReason.PAYEE_HELD,
    Waits.COOLING_OFF: StopReason.COOLING_OFF,
    Waits.PRENOTE: StopReason.PRENOTE,
    Waits.CHANGE_NOTIFIED: StopReason.CHANGE_NOTIFIED,
    Waits.NO_ACCOUNT: StopReason.NO_ACCOUNT,
}


def reason_of(way: Route | Waits, rail: str) -> StopReason | None:
    """Why a payee cannot be paid by this rail now; None where it can."""
    if isinstance(way, Waits):
        return _OF_WAIT[way]
    return None if way.rail == rail else StopReason.OTHER_RAIL
