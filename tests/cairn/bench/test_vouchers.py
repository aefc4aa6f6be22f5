"""The benchmark's own claim: every request is answered, no code is given twice, whoever waits too long asks again."""

from cairn.bench import vouchers as bench
from contracts.errors import Unavailable
from contracts.ids import ExamVoucherId
from contracts.steps.payments import ExamVoucherResult, ExamVoucherStatus, IssueExamVoucher


async def test_each_request_is_answered_once_and_counted() -> None:
    refused: set[str] = set()

    async def issue(ask: IssueExamVoucher) -> ExamVoucherResult:
        if ask.application_id not in refused:
            refused.add(ask.application_id)
            raise Unavailable
        voucher = ExamVoucherId.derive(ask.application_id)
        return ExamVoucherResult(status=ExamVoucherStatus.ISSUED, exam_voucher_id=voucher)

    measured = await bench._drive(issue, "test", 100)
    assert len(measured.latencies) == len(measured.given) == measured.asked_again == 100
    assert measured.none_left == 0
