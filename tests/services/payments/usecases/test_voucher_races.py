"""A code, its case and the end of that case at once: whoever comes second waits, and sees what the first has done."""

import asyncio

import pytest

from contracts.errors import NotFound
from contracts.events.payments import ExamVoucherReclaimed
from contracts.steps.payments import ExamVoucherStatus
from kit.telemetry import current_trace
from services.payments.store import funding as funding_store
from services.payments.usecases.vouchers import issue_for_cases, reclaim_unused
from tests.services.payments.case import NOW, Case
from tests.services.payments.usecases.test_vouchers import LOT, asked, issue, reveal, state_of, stock
from tests.support.lock_waits import until_one_waits


async def test_a_code_is_not_issued_while_its_case_ends(desk):
    case = Case("ann")
    await stock(desk, LOT, "CODE-1")
    async with desk.db.transaction() as ending:
        await funding_store.lock_case(ending, case.id)
        await funding_store.end_case(ending, case.id, "withdrawn", now=NOW)
        await reclaim_unused(ending, case.id, now=NOW)
        issuing = asyncio.create_task(issue(desk, case))
        await until_one_waits(desk.db)
    answer = await issuing
    assert (answer.status, answer.reason) == (ExamVoucherStatus.REFUSED, "case_ended")
    assert (await issue(desk, Case("bea"))).status is ExamVoucherStatus.ISSUED


async def test_a_case_does_not_end_while_its_code_is_issued(desk):
    case = Case("ann")
    await stock(desk, LOT, "CODE-1")
    async with desk.db.transaction() as issuing:
        [answer] = await issue_for_cases(issuing, [asked(case)], traces=[current_trace()], now=NOW)
        ending = asyncio.create_task(desk.release(case))
        await until_one_waits(desk.db)
    await ending
    assert await state_of(desk, answer.exam_voucher_id) == "available"
    assert len(await desk.told(ExamVoucherReclaimed)) == 1


async def test_a_code_that_goes_to_another_case_meanwhile_is_not_shown_to_the_first(desk):
    case, other = Case("ann"), Case("bea")
    await desk.learn(case)
    await stock(desk, LOT, "CODE-1")
    voucher = (await issue(desk, case)).exam_voucher_id
    async with desk.db.transaction() as moving:
        await reclaim_unused(moving, case.id, now=NOW)
        [answer] = await issue_for_cases(moving, [asked(other)], traces=[current_trace()], now=NOW)
        showing = asyncio.create_task(reveal(desk, voucher))
        await until_one_waits(desk.db)
    assert answer.exam_voucher_id == voucher
    with pytest.raises(NotFound):
        await showing
