"""What the command line asks of exam vouchers: stock, alerts, who asked for codes, a vendor's report, retirements."""

from dataclasses import asdict
from datetime import date
from typing import Any

from kit.clock import SystemClock
from services.payments.desk.opening import opened
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.exam_vouchers.formats import load_format
from services.payments.exam_vouchers.judging import Ending
from services.payments.exam_vouchers.stock import Limits
from services.payments.settings import PaymentsSettings
from services.payments.usecases.exam_stock import StockRule, read_alerts, read_stock, retire_exam
from services.payments.usecases.redemptions import Reconciled, lines_for_a_person, reconcile_report
from services.payments.usecases.reveal_attempts import read_attempts
from services.payments.views.exam_vouchers import alert_shown, attempt_shown, lot_shown, stock_shown

EXAM_CODES_KEY = "exam_codes.key"
FORMATS = "exam-vendors"
"""The folder of vendors' formats within the programs folder."""


def stock_rule(settings: PaymentsSettings) -> StockRule:
    """How this installation looks at its stock."""
    limits = Limits(settings.exam_stock_codes_min, settings.exam_stock_supply_days_min, settings.exam_stock_risk_days)
    return StockRule(limits, settings.exam_stock_usable_days)


async def exam_voucher_stock(settings: PaymentsSettings, exam_id: str | None = None) -> dict[str, Any]:
    """`{"exams": […], "lots": […], "alerts": […]}` as the stock's door shows them."""
    async with opened(settings) as db:
        stock = await read_stock(stock_rule(settings), db=db, now=SystemClock().now(), exam_id=exam_id)
    return stock_shown(stock).model_dump(mode="json")


async def exam_voucher_alerts(settings: PaymentsSettings) -> list[dict[str, Any]]:
    """The newest alerts, with those that ended."""
    async with opened(settings) as db:
        return [alert_shown(alert).model_dump(mode="json") for alert in await read_alerts(db=db)]


async def reveal_attempts(
    settings: PaymentsSettings, application_id: str | None, exam_voucher_id: str | None, *, refused: bool
) -> list[dict[str, Any]]:
    """The newest requests to see a code, of one case or one voucher where it is named."""
    async with opened(settings) as db:
        found = await read_attempts(
            db=db, application_id=application_id, exam_voucher_id=exam_voucher_id, refused=refused
        )
    return [attempt_shown(one).model_dump(mode="json") for one in found]


async def reconcile_redemptions(
    settings: PaymentsSettings, content: bytes, *, vendor: str, file_name: str, read_by: str
) -> dict[str, Any]:
    """Import a vendor's redemption report: how every line ended, and how the lots it names stand. Never a code."""
    form = load_format(settings.programs_dir / FORMATS, vendor)
    async with opened(settings) as db:
        found = await reconcile_report(
            content,
            form,
            file_name=file_name,
            read_by=read_by,
            keys=ExamCodes(settings.secret(EXAM_CODES_KEY)),
            db=db,
            now=SystemClock().now(),
        )
    return _reconciled(found, vendor)


async def open_redemption_lines(settings: PaymentsSettings, vendor: str | None = None) -> list[dict[str, Any]]:
    """The newest lines of reports that wait for a person."""
    async with opened(settings) as db:
        return await lines_for_a_person(vendor, db=db)


async def retire_exam_of_vendor(settings: PaymentsSettings, vendor: str, exam_id: str, day: date) -> int:
    """Shorten what is usable to the exam's last day; how many codes changed."""
    async with opened(settings) as db:
        return await retire_exam(vendor, exam_id, day, db=db)


def _reconciled(found: Reconciled, vendor: str) -> dict[str, Any]:
    return {
        "ok": not found.open,
        "vendor": vendor,
        "read_before": found.again,
        "lines": sum(found.count(ending) for ending in Ending),
        **{ending.value: found.count(ending) for ending in Ending},
        "for_a_person": [
            {name: value for name, value in asdict(line).items() if value is not None} for line in found.open
        ],
        "lots": [lot_shown(lot, None).model_dump(mode="json", exclude={"charged_to"}) for lot in found.lots],
    }
