"""Exam vouchers on a real server: stock, distinct allocations, secrecy, one reveal, reclaim."""

import asyncio
import contextlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from contracts.errors import NotFound
from contracts.events.applications import ExamRegistered, ExamResulted
from contracts.events.payments import ExamVoucherIssued, ExamVoucherReclaimed
from contracts.steps.payments import ExamVoucherStatus, IssueExamVoucher
from services.payments.domain import AlreadyRevealed, CodeKnown, LotAlreadyImported, LotUnreadable, NotRevealable
from services.payments.exam_vouchers.codes import ExamCodes, read_lot
from services.payments.exam_vouchers.errors import RetakeNotYet
from services.payments.exam_vouchers.states import MOVES, VENDOR_ONLY
from services.payments.store.vouchers import Lot
from services.payments.usecases import vendor_codes, vouchers
from services.payments.usecases.reveal_attempts import read_attempts
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


@pytest.fixture
async def owner(fresh):
    connection = await asyncpg.connect(fresh.owner_dsn, server_settings={"search_path": "payments"})
    yield connection
    await connection.close()


def lot(number: int, **given) -> Lot:
    return replace(LOT, lot_id=f"vendor/{number}", order_number=str(number), **given)


async def stock(desk, lot_: Lot, *codes: str) -> None:
    await import_lot(lot_, codes, keys=KEYS, db=desk.db, now=NOW)


def asked(case, attempt=1, *, usable_days=30, exam_id="cyber-exam", **policy) -> IssueExamVoucher:
    return IssueExamVoucher(
        application_id=case.id,
        person_id=case.person_id,
        exam_id=exam_id,
        attempt_number=attempt,
        usable_seconds=usable_days * 86_400,
        **policy,
    )


async def issue(desk, case, attempt=1, *, now=NOW, **given):
    return await issue_exam_voucher(asked(case, attempt, **given), db=desk.db, now=now)


async def tell(desk, case, word, attempt=1, *, at=NOW) -> None:
    """The college's word on an attempt."""
    about = {"application_id": case.id, "exam_id": "cyber-exam", "attempt_number": attempt}
    async with desk.db.transaction() as tx:
        if word == "registered":
            await follow_registration(ExamRegistered(**about, registration="R1", registered_at=at), tx, now=NOW)
        else:
            await follow_result(ExamResulted(**about, result=word, resulted_at=at), tx, now=NOW)


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
    assert (await issue(desk, Case("cid"))).expires_at == TODAY + timedelta(days=200)
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


async def attempts_at(desk) -> list[tuple[str, str]]:
    async with desk.db.connection() as connection:
        kept = await connection.fetch("SELECT * FROM exam_voucher_reveal_attempt ORDER BY entry")
    assert {row["attempted_at"] for row in kept} == {NOW}
    return [(row["principal"].removeprefix("partner/"), row["outcome"]) for row in kept]


async def test_every_request_to_show_a_code_is_kept_with_its_outcome(desk):
    case = Case("ann")
    await desk.learn(case)
    await stock(desk, LOT, "SECRET-1")
    voucher = (await issue(desk, case)).exam_voucher_id
    for partner, key in (
        ("other-portal", b"k"),
        ("harbor-portal", b"k"),
        ("harbor-portal", b"k"),
        ("harbor-portal", b"l"),
    ):
        with contextlib.suppress(NotFound, AlreadyRevealed):
            await reveal(desk, voucher, partner=partner, key=key)
    await desk.release(case)
    with pytest.raises(NotRevealable):
        await reveal(desk, voucher)
    assert await attempts_at(desk) == [
        ("other-portal", "not_found"), ("harbor-portal", "shown"), ("harbor-portal", "repeated"),
        ("harbor-portal", "already_revealed"), ("harbor-portal", "not_revealable"),
    ]  # fmt: skip
    refused = await read_attempts(db=desk.db, application_id=case.id, refused=True)
    assert [one.outcome.value for one in refused] == ["not_revealable", "already_revealed", "not_found"]
    assert {one.exam_voucher_id for one in refused} == {voucher}
    assert len(await read_attempts(db=desk.db, exam_voucher_id=voucher)) == 5
    assert await read_attempts(db=desk.db, application_id=Case("bea").id) == []


async def test_who_asks_for_a_code_without_end_fills_no_table_and_hides_nobody(desk, monkeypatch):
    monkeypatch.setattr(vouchers, "REVEAL_ATTEMPTS_MAX", 2)
    case = Case("ann")
    await desk.learn(case)
    await stock(desk, LOT, "SECRET-1")
    voucher = (await issue(desk, case)).exam_voucher_id
    for _ in range(4):
        with pytest.raises(NotFound):
            await reveal(desk, voucher, partner="other-portal")
    assert (await reveal(desk, voucher)).code == "SECRET-1"
    assert await attempts_at(desk) == [("other-portal", "not_found")] * 2 + [("harbor-portal", "shown")]


async def test_no_code_is_in_any_table_in_the_clear(desk, fresh):
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
    for word, state in (("registered", "registered"), ("canceled", "reusable"), ("registered", "registered")):
        await tell(desk, case, word)
        assert await state_of(desk, voucher) == state
    await desk.release(case)
    assert await state_of(desk, voucher) == "registered"
    for word in ("no_show", "registered", "canceled"):
        await tell(desk, case, word)
        assert await state_of(desk, voucher) == "used"


async def test_a_canceled_registration_leaves_the_code_with_its_person_until_the_case_ends(desk):
    case = Case("ann")
    await stock(desk, LOT, "CODE-1")
    voucher = (await issue(desk, case)).exam_voucher_id
    await tell(desk, case, "registered")
    await tell(desk, case, "canceled")
    assert (await issue(desk, case)).exam_voucher_id == voucher
    assert (await issue(desk, Case("bea"))).status is ExamVoucherStatus.NONE_AVAILABLE
    await desk.release(case)
    assert await state_of(desk, voucher) == "awaiting_vendor"
    assert (await issue(desk, Case("bea"))).status is ExamVoucherStatus.NONE_AVAILABLE


RETAKES = {"attempts_max": 2, "retake_wait_seconds": 14 * 86_400, "pack_version": "abc123abc123"}


async def test_a_retake_is_a_second_allocation_under_the_pinned_policy(desk):
    case = Case("ann")
    await stock(desk, LOT, "CODE-1", "CODE-2", "CODE-3")
    assert (await issue(desk, case, 2, **RETAKES)).reason == "no_earlier_attempt"
    first = (await issue(desk, case, **RETAKES)).exam_voucher_id
    with pytest.raises(RetakeNotYet, match="no_result_yet"):
        await issue(desk, case, 2, **RETAKES)
    await tell(desk, case, "failed")
    with pytest.raises(RetakeNotYet, match="too_early"):
        await issue(desk, case, 2, now=NOW + timedelta(days=14) - timedelta(seconds=1), **RETAKES)
    later = NOW + timedelta(days=14)
    second = (await issue(desk, case, 2, now=later, **RETAKES)).exam_voucher_id
    assert second not in {first, None}
    assert (await issue(desk, case, 2, now=NOW, **RETAKES)).exam_voucher_id == second
    assert (await issue(desk, case, 3, now=later, **RETAKES)).reason == "attempts_used_up"
    async with desk.db.connection() as connection:
        [row] = await connection.fetch(
            "SELECT retake_of, pack_version, attempts_max, retake_wait_seconds FROM exam_voucher_allocation"
            " WHERE attempt_number = 2"
        )
    assert tuple(row) == (1, "abc123abc123", 2, 14 * 86_400)


@pytest.mark.parametrize("word", ["passed", "canceled"])
async def test_there_is_no_retake_without_a_failure(desk, word):
    case = Case("ann")
    await stock(desk, LOT, "CODE-1", "CODE-2")
    await issue(desk, case)
    await tell(desk, case, word)
    assert (await issue(desk, case, 2)).reason == "not_failed"


async def test_the_first_result_stays_the_proof_unless_the_sitting_was_canceled(desk):
    case = Case("ann")
    await stock(desk, LOT, "CODE-1", "CODE-2")
    await issue(desk, case)
    await tell(desk, case, "canceled")
    await tell(desk, case, "failed")
    await tell(desk, case, "passed")
    assert (await issue(desk, case, 2)).status is ExamVoucherStatus.ISSUED


async def test_a_code_that_another_transaction_may_let_go_is_waited_for(desk):
    await stock(desk, LOT, "CODE-1")
    async with desk.db.connection() as rival:
        turn = rival.transaction()
        await turn.start()
        await rival.execute("UPDATE exam_voucher SET state = 'allocated'")
        asking = asyncio.create_task(issue(desk, Case("ann")))
        done, _ = await asyncio.wait({asking}, timeout=0.3)
        assert not done
        await turn.rollback()
        assert (await asking).status is ExamVoucherStatus.ISSUED


async def test_a_code_that_comes_back_to_the_same_case_is_shown_once_more(desk, fresh):
    case = Case("ann")
    await desk.learn(case)
    await stock(desk, LOT, "CODE-1")
    voucher = (await issue(desk, case)).exam_voucher_id
    await reveal(desk, voucher)
    await tell(desk, case, "no_show")
    async with desk.db.connection() as connection:
        await connection.execute("UPDATE exam_voucher SET state = 'available', used_as = NULL, vendor_word = 'unused'")
    assert (await issue(desk, case, 2)).exam_voucher_id == voucher
    assert (await reveal(desk, voucher, key=b"again")).code == "CODE-1"
    with pytest.raises(AlreadyRevealed):
        await reveal(desk, voucher, key=b"and again")


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("used", "allocated", "exam_voucher_moves"),
        ("void", "available", "exam_voucher_moves"),
        ("awaiting_vendor", "available", "exam_voucher_vendors_word"),
        ("used", "reusable", "exam_voucher_vendors_word"),
    ],
)
async def test_the_table_itself_refuses_a_move_that_there_is_not(desk, fresh, was, becomes, why):
    await stock(desk, LOT, "CODE-1")
    owner = await asyncpg.connect(fresh.owner_dsn, server_settings={"search_path": "payments"})
    try:
        await owner.execute("ALTER TABLE exam_voucher DISABLE TRIGGER exam_voucher_moves")
        await owner.execute("UPDATE exam_voucher SET state = $1", was)
        await owner.execute("ALTER TABLE exam_voucher ENABLE TRIGGER exam_voucher_moves")
    finally:
        await owner.close()
    async with desk.db.connection() as connection:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await connection.execute("UPDATE exam_voucher SET state = $1", becomes)
    assert refused.value.constraint_name == why


async def test_the_moves_in_the_table_are_the_moves_of_the_states(desk):
    async with desk.db.connection() as connection:
        rows = await connection.fetch("SELECT was, becomes, only_vendor FROM exam_voucher_move")
    acts = {}
    for act, moves in MOVES.items():
        for was, becomes in moves.items():
            if was is not becomes:
                acts.setdefault((was.value, becomes.value), set()).add(act)
    assert {tuple(row) for row in rows} == {(*move, by <= VENDOR_ONLY) for move, by in acts.items()}


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


async def test_a_code_that_its_vendor_sold_for_another_exam_is_refused(desk):
    await stock(desk, LOT, "CODE-1")
    with pytest.raises(CodeKnown) as refused:
        await stock(desk, lot(2, exam_id="cloud-exam"), "CODE-2", "CODE-1")
    assert refused.value.facts == {"line": 2}
    # What another vendor calls so is another code; and nothing of the refused lot was taken.
    await stock(desk, lot(3, exam_id="cloud-exam", vendor="other"), "CODE-1")
    await stock(desk, lot(4, exam_id="cloud-exam"), "CODE-2")


async def test_two_lots_of_one_vendor_at_once_are_not_given_the_same_code(desk):
    twice = [lot(number, exam_id=f"exam-{number}") for number in range(6)]
    done = await asyncio.gather(*(stock(desk, one, "CODE-1") for one in twice), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["CodeKnown"] * 5 + ["NoneType"]


async def test_codes_from_before_get_their_digest_with_the_next_lot(desk, owner, monkeypatch):
    monkeypatch.setattr(vendor_codes, "CODES_AT_ONCE", 2)
    await stock(desk, LOT, *(f"CODE-{number}" for number in range(5)))
    await owner.execute("UPDATE exam_voucher SET vendor_code_mac = NULL")
    with pytest.raises(CodeKnown):
        await stock(desk, lot(2, exam_id="cloud-exam"), "CODE-3")
    assert await owner.fetchval("SELECT count(*) FROM exam_voucher WHERE vendor_code_mac IS NULL") == 0


@pytest.mark.parametrize("held", [None, "cyber-exam", "cloud-exam"])
async def test_of_a_code_taken_in_twice_before_the_one_that_somebody_has_stays(desk, owner, held):
    await stock(desk, LOT, "CODE-1")
    await stock(desk, lot(2, exam_id="cloud-exam", vendor="other"), "CODE-1")
    ids = {row["exam_id"]: row["exam_voucher_id"] for row in await owner.fetch("SELECT * FROM exam_voucher")}
    await owner.execute("UPDATE exam_voucher_lot SET vendor = 'vendor'")
    await owner.execute("UPDATE exam_voucher SET vendor_code_mac = NULL")
    if held:
        await issue(desk, Case("ann"), exam_id=held)
    await stock(desk, lot(3), "CODE-3")
    kept = ids[held] if held else min(ids.values())
    [twin] = set(ids.values()) - {kept}
    assert await owner.fetchval("SELECT twin_of FROM exam_voucher WHERE exam_voucher_id = $1", twin) == kept
    assert (await state_of(desk, twin), await state_of(desk, kept)) == ("void", "allocated" if held else "available")
