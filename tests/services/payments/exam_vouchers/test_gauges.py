"""The stock of exam vouchers on the metrics page."""

from kit.telemetry import metrics_page
from services.payments.exam_vouchers.gauges import show
from services.payments.exam_vouchers.stock import Outlook


def test_every_exam_s_stock_is_on_the_metrics_page():
    show([Outlook("gauge-exam", 9, 7, 30, 7, 2, 50_000), Outlook("idle-exam", 1, 1, 0, None, 0, 0)])
    page = metrics_page()[0].decode()
    for line in (
        'cairn_exam_vouchers_available{exam_id="gauge-exam"} 9.0',
        'cairn_exam_vouchers_usable{exam_id="gauge-exam"} 7.0',
        'cairn_exam_vouchers_supply_days{exam_id="gauge-exam"} 7.0',
        'cairn_exam_vouchers_at_risk_cents{exam_id="gauge-exam"} 50000.0',
        'cairn_exam_vouchers_supply_days{exam_id="idle-exam"} 100000.0',
    ):
        assert line in page
