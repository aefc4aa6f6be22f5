"""The stock of exam vouchers on a real server: expiry on the database clock, retirement, alerts, charges."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.events.payments import ExamVoucherExpired
from contracts.steps.payments import ExamVoucherStatus, IssueExamVoucher
from services.payments.books.ledger import line_row
from services.payments.domain import MakerIsChecker, RequestDiffers
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.exam_vouchers.errors import (
    LotAlreadyCharged,
    LotNotCharged,
    LotPaymentOpen,
    LotUnknown,
    NoLotOfExam,
)
from services.payments.exam_vouchers.expiry import end_of_day
from services.payments.exam_vouchers.stock import AlertCode, Limits
from services.payments.reconciling.decisions import AmountsDiffer, Decision, MatchMovedMoney
from services.payments.store.vouchers import Lot
from services.payments.usecases import lot_charges, lot_payments
from services.payments.usecases.exam_stock import (
    StockRule,
    expire_vouchers,
    read_alerts,
    read_stock,
    retire_exam,
    watch_stock,
)
from services.payments.usecases.program import follow_program
from services.payments.usecases.reconciliation_acts import decide
from services.payments.usecases.vouchers import import_lot, issue_exam_voucher
from services.payments.views.exam_vouchers import stock_shown
from tests.services.payments.bank import DAY
from tests.services.payments.case import NOW, PROGRAM, Case, published
from tests.services.payments.reconciled import Books

KEYS = ExamCodes(os.urandom(32))
TODAY = datetime.now(UTC)
RULE = StockRule(Limits(codes_min=3, supply_days_min=30, risk_days=60), usable_days=10)
LOT = Lot(
    lot_id="vendor/1",
    exam_id="cyber-exam",
    vendor="vendor",
    order_number="1",
    region="US",
    unit_cost_cents=25_000,
    not_before=TODAY - timedelta(days=400),
    expires_at=TODAY + timedelta(days=300),
    expiry_zone="America/New_York",
    retires_at=None,
    imported_by="test",
)


async def stock(desk, number: int, codes: int, **given) -> None:
    lot = replace(LOT, lot_id=f"vendor/{number}", order_number=str(number), **given)
    names = [f"CODE-{number}-{n}" for n in range(codes)]
    await import_lot(lot, names, keys=KEYS, db=desk.db, now=NOW)


async def issue(desk, name: str):
    case = Case(name)
    ask = IssueExamVoucher(
        application_id=case.id, person_id=case.person_id, exam_id="cyber-exam", attempt_number=1, usable_seconds=0
    )
    return await issue_exam_voucher(ask, db=desk.db, now=datetime.now(UTC))


async def states(desk) -> dict[str, int]:
    return {lot.lot_id: dict(lot.states) for lot in (await read_stock(RULE, db=desk.db, now=TODAY)).lots}


async def test_what_ran_out_expires_on_the_database_clock_and_its_case_is_told(desk):
    await stock(desk, 1, 3, expires_at=TODAY + timedelta(days=1))
    held = await issue(desk, "ann")
    assert await expire_vouchers(db=desk.db, now=NOW) == 0
    async with desk.db.connection() as connection:
        await connection.execute("UPDATE exam_voucher SET usable_until = now() - interval '1 second'")
    assert await expire_vouchers(db=desk.db, now=NOW) == 3
    assert await expire_vouchers(db=desk.db, now=NOW) == 0
    assert await states(desk) == {"vendor/1": {"expired": 3}}
    [told] = await desk.told(ExamVoucherExpired)
    assert (told["exam_voucher_id"], told["attempt_number"]) == (held.exam_voucher_id, 1)
    [alert] = await read_alerts(db=desk.db)
    assert (alert.code, alert.codes, alert.cents) == (AlertCode.EXPIRED_UNUSED, 3, 75_000)


async def test_a_registered_code_is_expired_by_nobody_but_the_vendor(desk):
    await stock(desk, 1, 1)
    await issue(desk, "ann")
    async with desk.db.connection() as connection:
        await connection.execute(
            "UPDATE exam_voucher SET state = 'registered', usable_until = now() - interval '9 days'"
        )
    assert await expire_vouchers(db=desk.db, now=NOW) == 0


async def test_a_code_is_good_on_its_last_day_where_the_vendor_is(desk):
    """Yesterday in UTC may be today at the vendor: on the far side of the date line the day is not over yet."""
    now = datetime.now(UTC)
    west = "Etc/GMT+12"
    there = (now - timedelta(hours=12)).date()
    await stock(desk, 1, 1, expires_at=end_of_day(there, west), expiry_zone=west, expires_on=there)
    assert (await issue(desk, "ann")).status is ExamVoucherStatus.ISSUED
    east = "Etc/GMT-14"
    over = (now + timedelta(hours=14)).date() - timedelta(days=1)
    await stock(desk, 2, 1, expires_at=end_of_day(over, east), expiry_zone=east, expires_on=over)
    assert (await issue(desk, "bea")).status is ExamVoucherStatus.NONE_AVAILABLE


async def test_a_retirement_shortens_every_code_of_the_exam(desk):
    await stock(desk, 1, 2)
    await stock(desk, 2, 1, expires_at=TODAY + timedelta(days=5))
    day = (TODAY + timedelta(days=30)).date()
    assert await retire_exam("vendor", "cyber-exam", day, db=desk.db) == 2
    assert await retire_exam("vendor", "cyber-exam", day, db=desk.db) == 0
    lots = {lot.lot_id: lot for lot in (await read_stock(RULE, db=desk.db, now=TODAY)).lots}
    assert lots["vendor/1"].retires_at == end_of_day(day, "America/New_York")
    async with desk.db.connection() as connection:
        until = await connection.fetch("SELECT DISTINCT usable_until FROM exam_voucher ORDER BY 1")
    assert [row["usable_until"] for row in until] == [
        TODAY + timedelta(days=5),
        end_of_day(day, "America/New_York"),
    ]
    with pytest.raises(NoLotOfExam):
        await retire_exam("vendor", "other-exam", date(2026, 1, 1), db=desk.db)


async def test_a_retirement_binds_the_lots_that_come_after_it(desk):
    await stock(desk, 1, 1)
    day = (TODAY + timedelta(days=30)).date()
    await retire_exam("vendor", "cyber-exam", day, db=desk.db)
    await stock(desk, 2, 1)
    await stock(desk, 3, 1, expires_at=TODAY + timedelta(days=5))
    lots = {lot.lot_id: lot for lot in (await read_stock(RULE, db=desk.db, now=TODAY)).lots}
    assert {lot.retires_at for lot in lots.values()} == {end_of_day(day, "America/New_York")}
    async with desk.db.connection() as connection:
        until = await connection.fetch("SELECT lot_id, usable_until FROM exam_voucher ORDER BY 1")
    ends = end_of_day(day, "America/New_York")
    assert [row["usable_until"] for row in until] == [ends, ends, TODAY + timedelta(days=5)]


async def test_a_case_that_is_over_is_given_no_code(desk):
    await stock(desk, 1, 2)
    assert (await issue(desk, "ann")).status is ExamVoucherStatus.ISSUED
    for name in ("ann", "bea"):
        await desk.release(Case(name), "withdrawn")
    answer = await issue(desk, "bea")
    assert (answer.status, answer.reason) == (ExamVoucherStatus.REFUSED, "case_ended")
    assert (await read_stock(RULE, db=desk.db, now=TODAY)).exams[0].available == 2


async def test_an_alert_is_raised_once_and_ends(desk):
    await stock(desk, 1, 4, expires_at=TODAY + timedelta(days=20))
    await issue(desk, "ann")
    for _ in range(3):
        [found] = await watch_stock(RULE, db=desk.db, now=TODAY)
    assert (found.usable, found.supply_days) == (3, 90)
    [at_risk] = await read_alerts(db=desk.db)
    assert (at_risk.code, at_risk.codes, at_risk.cents) == (AlertCode.VALUE_AT_RISK, 3, 75_000)
    await issue(desk, "bea")
    await watch_stock(RULE, db=desk.db, now=TODAY)
    opened = [one for one in await read_alerts(db=desk.db) if one.ended_at is None]
    assert {one.code for one in opened} == {AlertCode.LOW_STOCK, AlertCode.VALUE_AT_RISK}
    await stock(desk, 2, 50)
    await watch_stock(RULE, db=desk.db, now=TODAY + timedelta(minutes=1))
    alerts = await read_alerts(db=desk.db)
    assert [one.code for one in alerts if one.ended_at is not None] == [AlertCode.LOW_STOCK]
    assert len(alerts) == 2


async def test_a_lot_s_cost_goes_through_the_books_as_exam_fees(desk):
    await stock(desk, 1, 4)
    book = line_row(PROGRAM, 2026)
    charge = {"program_id": PROGRAM, "fiscal_year": 2026, "invoice": "INV-1", "maker": "finance/anna", "now": NOW}

    async def act(work, *args, **given):
        async with desk.db.transaction() as tx:
            return await work(tx, *args, **given)

    async def line() -> dict[str, int]:
        money = await desk.money()
        return {stage: cents for stage, cents in money.stages.items() if cents and stage != "available"}

    with pytest.raises(LotUnknown):
        await act(lot_charges.charge_lot, "vendor/9", **charge)
    with pytest.raises(LotNotCharged):
        await act(lot_charges.approve_charge, "vendor/1", checker="finance/ben", now=NOW)
    assert (await act(lot_charges.charge_lot, "vendor/1", **charge)).cents == 100_000
    assert await line() == {"held": 100_000}
    with pytest.raises(LotAlreadyCharged):
        await act(lot_charges.charge_lot, "vendor/1", **charge)
    with pytest.raises(LotNotCharged):
        await act(lot_payments.propose_payment, "vendor/1", payment_number="P1", maker="finance/anna", now=NOW)
    with pytest.raises(MakerIsChecker):
        await act(lot_charges.approve_charge, "vendor/1", checker="finance/anna", now=NOW)
    for _ in range(2):
        await act(lot_charges.approve_charge, "vendor/1", checker="finance/ben", now=NOW)
        assert await line() == {"payable": 100_000}
    books = Books(desk)
    await paid(act, "P1")
    assert await line() == {"in_transit": 100_000}
    books.bank.credit(100_000, "VENDOR BACK")
    await ended(act, books)
    assert await line() == {"payable": 100_000}
    # It came back, so it is paid again; what the bank does not show is never paid.
    await paid(act, "P2")
    books.bank.debit(99_999, "VENDOR")
    with pytest.raises(AmountsDiffer):
        await ended(act, books, 99_999)
    books.bank.debit(100_000, "VENDOR")
    assert (await ended(act, books)).paid_on == DAY
    assert await line() == {"disbursed": 100_000}
    with pytest.raises(LotPaymentOpen):
        await act(lot_charges.withdraw_charge, "vendor/1", by="finance/anna", now=NOW)
    async with desk.db.connection() as connection:
        lines = await connection.fetch(
            "SELECT DISTINCT cost_line FROM transfer WHERE book = $1 AND kind <> 'appropriate'", book
        )
    assert [row["cost_line"] for row in lines] == ["exam_fee"]
    shown = stock_shown(await read_stock(RULE, db=desk.db, now=TODAY))
    assert (shown.lots[0].charged_to, shown.lots[0].cost_cents) == (book, 100_000)
    assert (await desk.prove()).is_right


async def paid(act, number: str) -> None:
    """Proposed by one, sent by another, each twice: the second time changes nothing."""
    for _ in range(2):
        await act(lot_payments.propose_payment, "vendor/1", payment_number=number, maker="finance/anna", now=NOW)
    with pytest.raises(RequestDiffers):
        await act(lot_payments.propose_payment, "vendor/1", payment_number="P9", maker="finance/anna", now=NOW)
    with pytest.raises(RequestDiffers):
        await act(lot_payments.send_payment, "vendor/1", payment_number="P9", checker="finance/ben", now=NOW)
    for _ in range(2):
        await act(lot_payments.send_payment, "vendor/1", payment_number=number, checker="finance/ben", now=NOW)


async def ended(act, books: Books, cents: int = 100_000):
    """The bank's open line of this amount, named as the evidence; twice."""
    await books.take()
    line_id = next(one.line.line_id for one, _ in (await books.page()).lines if abs(one.line.amount_cents) == cents)
    for _ in range(2):
        charge = await act(lot_payments.end_payment, "vendor/1", line_id=line_id, by="finance/anna", now=NOW)
    assert (await books.lines())["explained exam_voucher_lot"] > 0
    with pytest.raises(MatchMovedMoney):
        await act(decide, Decision("unmatch", line_id, "no"), maker="finance/anna", now=NOW)
    return charge


async def test_a_wrong_charge_is_withdrawn_and_blocks_no_close(desk):
    await stock(desk, 1, 4)
    charge = {"program_id": PROGRAM, "fiscal_year": 2026, "invoice": "INV-1", "maker": "finance/anna", "now": NOW}

    async def act(work, *args, **given):
        async with desk.db.transaction() as tx:
            return await work(tx, *args, **given)

    for attempt in (1, 2):
        made = await act(lot_charges.charge_lot, "vendor/1", **charge)
        assert (made.attempt_number, made.state) == (attempt, "charged")
        if attempt == 2:
            await act(lot_charges.approve_charge, "vendor/1", checker="finance/ben", now=NOW)
        gone = await act(lot_charges.withdraw_charge, "vendor/1", by="finance/anna", now=NOW)
        assert gone.state == "withdrawn"
        assert (await desk.money()).stages["available"] == 1_000_000
    with pytest.raises(LotNotCharged):
        await act(lot_charges.withdraw_charge, "vendor/1", by="finance/anna", now=NOW)
    assert stock_shown(await read_stock(RULE, db=desk.db, now=TODAY)).lots[0].charged_to is None
    assert (await desk.prove()).is_right


async def test_a_refused_charge_stays_refused_and_the_next_one_is_another(desk):
    await stock(desk, 1, 41)
    charge = {"program_id": PROGRAM, "fiscal_year": 2026, "invoice": "INV-1", "maker": "finance/anna", "now": NOW}
    for attempt in (1, 2):
        async with desk.db.transaction() as tx:
            made = await lot_charges.charge_lot(tx, "vendor/1", **charge)
        assert (made.attempt_number, made.state, made.refusal) == (attempt, "refused", "over_program")
    async with desk.db.transaction() as tx:
        await follow_program(published(cents=2_000_000, version=2), tx, now=NOW)
    async with desk.db.transaction() as tx:
        assert (await lot_charges.charge_lot(tx, "vendor/1", **charge)).state == "charged"
    async with desk.db.connection() as connection:
        found = await connection.fetch("SELECT outcome FROM transfer WHERE kind = 'hold' ORDER BY entry")
    assert [row["outcome"] for row in found] == ["over_program", "over_program", "ok"]
    assert (await desk.prove()).is_right
