"""The stock of exam vouchers as metrics: codes left, days of supply, what is at risk of expiry."""

from collections.abc import Sequence

from prometheus_client import Gauge

from services.payments.exam_vouchers.stock import Outlook

AVAILABLE = Gauge("cairn_exam_vouchers_available", "Codes in stock.", ["exam_id"])
USABLE = Gauge("cairn_exam_vouchers_usable", "Codes in stock that stay usable long enough to be given.", ["exam_id"])
SUPPLY_DAYS = Gauge("cairn_exam_vouchers_supply_days", "Days the stock lasts at the last month's pace.", ["exam_id"])
AT_RISK_CENTS = Gauge(
    "cairn_exam_vouchers_at_risk_cents", "What was paid for codes that will expire before they are needed.", ["exam_id"]
)
UNLIMITED_DAYS = 100_000


def show(outlooks: Sequence[Outlook]) -> None:
    """Put every exam's outlook on the metrics page."""
    for one in outlooks:
        AVAILABLE.labels(one.exam_id).set(one.available)
        USABLE.labels(one.exam_id).set(one.usable)
        SUPPLY_DAYS.labels(one.exam_id).set(UNLIMITED_DAYS if one.supply_days is None else one.supply_days)
        AT_RISK_CENTS.labels(one.exam_id).set(one.at_risk_cents)
