"""Where the cost of a lot stands, and where the payment of it."""

from enum import StrEnum


class ChargeState(StrEnum):
    """Of a charge. The first and the third are ends: the lot may be charged again."""

    REFUSED = "refused"
    CHARGED = "charged"
    """Held in the budget line; somebody else approves it."""
    WITHDRAWN = "withdrawn"
    PAYABLE = "payable"
    IN_TRANSIT = "in_transit"
    PAID = "paid"


class LotPaymentState(StrEnum):
    """Of a payment to the vendor."""

    PROPOSED = "proposed"
    WITHDRAWN = "withdrawn"
    SENT = "sent"
    SETTLED = "settled"
    RETURNED = "returned"
