"""Exam vouchers on a real server: stock, distinct allocations, secrecy, one reveal, reclaim."""

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import NotFound
from contracts.events.applications import ExamRegistered, ExamResult, ExamResulted
from contracts.events.payments import ExamVoucherIssued, ExamVoucherReclaimed
from contracts.steps.payments import ExamVoucherStatus, IssueExamVoucher
from services.payments.domain import AlreadyRevealed, CodeKnown, LotAlreadyImported, LotUnreadable, NotRevealable
from services.payments.exam_codes import ExamCodes, read_lot
from services.payments.store.vouchers import Lot
from services.payments.usecases.vouchers import (
    follow_registration,
    follow_result,
    import_lot,
    issue_exam_voucher,
    reveal_code,
)
from tests.services.payments.case import NOW, Case

KEYS = ExamCodes(os.urandom(32))
TODAY = datetime.now(UTC)
LOT = Lot(
    lot_id="vendor/1",
    exam_id="cyber-exam",
    vendor="vendor",
    order_number="1",
    region="US",
    unit_cost_cents=25_000,
    not_before=TODAY - timedelta(days=1),
    expires_at=TODAY + timedelta(days=300),
    expiry_zone="UTC",
    retires_at=None,
    imported_by="test",
)


def lot(number: int, **given) -> Lot:
    return replace(LOT, lot_id=f"vendor/{number}", order_number=str(number), **given)


async def stock(desk, lot_: Lot, *codes: str) -> None:
    await import_lot(lot_, codes, keys=KEYS, db=desk.db, now=NOW)


async def issue(desk, case, attempt=1, *, usable_days=30):
    ask = IssueExamVoucher(
        application_id=case.id,
        person_id=case.person_id,
        exam_id="cyber-exam",
        attempt_number=attempt,
        usable_seconds=usable_days * 86_400,
    )
    return await issue_exam_voucher(ask, db=desk.db, now=NOW)


async def reveal(desk, voucher_id, *, partner="harbor-portal", key=b"k"):
    return await reveal_code(
        voucher_id,
        partner_id=partner,
        principal=f"partner/{partner}",
        request_key=key,
        keys=KEYS,
        db=desk.db,
        now=NOW,
    )


async def state_of(desk, voucher_id) -> str:
    async with desk.db.connection() as connection:
        return await connection.fetchval("SELECT state FROM exam_voucher WHERE exam_voucher_id = $1", voucher_id)


async def test_many_at_once_get_different_vouchers_and_the_rest_a_clean_no(desk):
    await stock(desk, LOT, *(f"CODE-{n:04d}" for n in range(20)))
    cases = [Case(f"case {n}") for n in range(30)]
    answers = await asyncio.gather(*(issue(desk, case) for case in cases for _ in range(2)))
    issued = {}
    for case, answer in zip([c for c in cases for _ in range(2)], answers, strict=True):
        if answer.status is ExamVoucherStatus.ISSUED:
            issued.setdefault(case.name, set()).add(answer.exam_voucher_id)
    assert len(issued) == 20
    assert all(len(ids) == 1 for ids in issued.values())
    assert len(set.union(*issued.values())) == 20
    assert len(await desk.told(ExamVoucherIssued)) == 20


async def test_the_earliest_that_stays_usable_long_enough_is_spent_first(desk):
    await stock(desk, lot(1, expires_at=TODAY + timedelta(days=10)), "SOON-1")
    await stock(desk, lot(2, expires_at=TODAY + timedelta(days=200)), "LATE-1")
    await stock(desk, lot(3, expires_at=TODAY + timedelta(days=90)), "GOOD-1")
    await stock(desk, lot(4, retires_at=TODAY + timedelta(days=5)), "RETIRED-1")
    await stock(desk, lot(5, not_before=TODAY + timedelta(days=5)), "EARLY-1")
    answer = await issue(desk, Case("ann"))
    assert answer.expires_at == TODAY + timedelta(days=90)
    assert (await issue(desk, Case("ann"), 2)).expires_at == TODAY + timedelta(days=200)
    assert (await issue(desk, Case("bea"))).status is ExamVoucherStatus.NONE_AVAILABLE


async def test_a_code_is_revealed_once_to_the_application_s_partner(desk):
    case = Case("ann")
    await desk.learn(case)
    await stock(desk, LOT, "SECRET-1")
    voucher = (await issue(desk, case)).exam_voucher_id
    with pytest.raises(NotFound):
        await reveal(desk, voucher, partner="other-portal")
    revealed = await reveal(desk, voucher)
    assert revealed.code == "SECRET-1"
    assert "SECRET-1" not in repr(revealed)
    assert (await reveal(desk, voucher)).code == "SECRET-1"
    with pytest.raises(AlreadyRevealed):
        await reveal(desk, voucher, key=b"another request")
    async with desk.db.connection() as connection:
        [row] = await connection.fetch("SELECT principal FROM exam_voucher_reveal")
    assert row["principal"] == "partner/harbor-portal"


async def test_no_code_is_in_any_table_in_the_clear(desk, fresh):
    import asyncpg

    case = Case("ann")
    await desk.learn(case)
    await stock(desk, LOT, "CANARY-7731")
    await reveal(desk, (await issue(desk, case)).exam_voucher_id)
    owner = await asyncpg.connect(fresh.owner_dsn)
    try:
        tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'payments'")
        for table in tables:
            dump = await owner.fetch(f"SELECT t::text AS row FROM payments.{table['tablename']} AS t")
            for row in dump:
                assert "CANARY-7731" not in row["row"]
                assert b"CANARY-7731".hex() not in row["row"]
    finally:
        await owner.close()


@pytest.mark.parametrize("revealed", [False, True])
async def test_unused_vouchers_are_reclaimed_seen_ones_wait_for_the_vendor(desk, revealed):
    case = Case("ann")
    await desk.learn(case)
    await stock(desk, LOT, "CODE-1")
    voucher = (await issue(desk, case)).exam_voucher_id
    if revealed:
        await reveal(desk, voucher)
    await desk.release(case)
    await desk.release(case)
    assert await state_of(desk, voucher) == ("awaiting_vendor" if revealed else "available")
    assert len(await desk.told(ExamVoucherReclaimed)) == (0 if revealed else 1)
    with pytest.raises(NotRevealable):
        await reveal(desk, voucher)
    other = await issue(desk, Case("bea"))
    assert (other.exam_voucher_id == voucher) is not revealed


async def test_the_exam_s_facts_move_the_voucher_forwards_only(desk):
    case = Case("ann")
    await stock(desk, LOT, "CODE-1")
    voucher = (await issue(desk, case)).exam_voucher_id
    about = {"application_id": case.id, "exam_id": "cyber-exam", "attempt_number": 1}
    registered = ExamRegistered(**about, registration="R1", registered_at=NOW)

    async def follow(*facts):
        async with desk.db.transaction() as tx:
            for fact in facts:
                follower = follow_registration if isinstance(fact, ExamRegistered) else follow_result
                await follower(fact, tx, now=NOW)
        return await state_of(desk, voucher)

    def result(word):
        return ExamResulted(**about, result=word, resulted_at=NOW)

    assert await follow(registered) == "registered"
    assert await follow(result(ExamResult.CANCELED)) == "revealed"
    assert await follow(registered) == "registered"
    await desk.release(case)
    assert await state_of(desk, voucher) == "registered"
    assert await follow(result(ExamResult.NO_SHOW), registered, result(ExamResult.CANCELED)) == "used"


async def test_a_lot_comes_in_whole_or_not_at_all(desk):
    await stock(desk, LOT, "CODE-1", "CODE-2")
    with pytest.raises(LotAlreadyImported):
        await stock(desk, LOT, "CODE-3")
    with pytest.raises(CodeKnown):
        await stock(desk, lot(2), "CODE-4", "CODE-2")
    assert (await issue(desk, Case("a"))).status is ExamVoucherStatus.ISSUED
    assert (await issue(desk, Case("b"))).status is ExamVoucherStatus.ISSUED
    assert (await issue(desk, Case("c"))).status is ExamVoucherStatus.NONE_AVAILABLE


@pytest.mark.parametrize(
    "content",
    [b"", b"number\n1\n", b"code\n", b"code\nAB\n", b"code\nSAME-1\nSAME-1\n", b"code\n\xff\xfe\n", b'code\n"AB'],
)
def test_a_lot_that_is_none_is_refused_without_repeating_a_code(content):
    with pytest.raises(LotUnreadable) as refused:
        read_lot(content)
    assert "SAME-1" not in str(refused.value)


def test_a_lot_is_a_csv_with_a_column_of_codes():
    assert read_lot(b"exam,code\nx,CODE-1\nx, CODE-2 \n") == ["CODE-1", "CODE-2"]
