"""Vendors' redemption reports on a real server: every line ends, states follow, again is a no-op, no code is kept."""

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from contracts.errors import CairnError
from contracts.events.applications import ExamRegistered, ExamResulted
from contracts.events.payments import ExamVoucherExpired, ExamVoucherReclaimed
from contracts.steps.payments import ExamVoucherStatus, IssueExamVoucher
from examples import exam_vendor
from examples.exam_vendor import Event, Faults
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.exam_vouchers.errors import ReportUnreadable
from services.payments.exam_vouchers.formats import load_format
from services.payments.exam_vouchers.judging import Ending
from services.payments.store.vouchers import Lot
from services.payments.usecases.redemptions import lines_for_a_person, reconcile_report
from services.payments.usecases.vouchers import (
    follow_registration,
    follow_result,
    import_lot,
    issue_exam_voucher,
    reveal_code,
)
from tests.services.payments.case import NOW, Case

KEYS = ExamCodes(os.urandom(32))
TODAY = datetime.now(UTC).replace(second=0, microsecond=0)
VENDORS = Path(__file__).parents[4] / "programs" / "exam-vendors"
HARBOR = load_format(VENDORS, "harbor-testing")
KEYSTONE = load_format(VENDORS, "keystone-certification")
LOT = Lot(
    lot_id="harbor-testing/1",
    exam_id="coding-exam",
    vendor="harbor-testing",
    order_number="1",
    region="US",
    unit_cost_cents=25_000,
    not_before=TODAY - timedelta(days=1),
    expires_at=TODAY + timedelta(days=300),
    expiry_zone="America/New_York",
    retires_at=None,
    imported_by="test",
)


class Vendor:
    """A lot in stock, cases that have codes of it, and the reports about them."""

    def __init__(self, desk, codes: list[str]) -> None:
        self.desk, self.codes = desk, codes
        self.cases: dict[int, Case] = {}

    async def give(self, count: int, *, reveal: bool = True) -> None:
        """One code each, in the order in which they were sold."""
        for number in range(len(self.cases), len(self.cases) + count):
            case = Case(f"case {number}")
            await self.desk.learn(case)
            ask = IssueExamVoucher(
                application_id=case.id,
                person_id=case.person_id,
                exam_id="coding-exam",
                attempt_number=1,
                usable_seconds=0,
            )
            given = await issue_exam_voucher(ask, db=self.desk.db, now=NOW)
            assert given.status is ExamVoucherStatus.ISSUED
            if reveal:
                shown = await self.reveal(given.exam_voucher_id)
                self.cases[self.codes.index(shown.code)] = case
            else:
                self.cases[number] = case

    async def reveal(self, voucher_id):
        return await reveal_code(
            voucher_id,
            partner_id="harbor-portal",
            principal="partner/harbor-portal",
            request_key=b"k",
            keys=KEYS,
            db=self.desk.db,
            now=NOW,
        )

    async def college(self, number: int, word: str) -> None:
        about = {"application_id": self.cases[number].id, "exam_id": "coding-exam", "attempt_number": 1}
        async with self.desk.db.transaction() as tx:
            if word == "registered":
                await follow_registration(ExamRegistered(**about, registration="R1", registered_at=NOW), tx, now=NOW)
            else:
                await follow_result(ExamResulted(**about, result=word, resulted_at=NOW), tx, now=NOW)

    async def report(self, *events: Event, style=exam_vendor.HARBOR, form=HARBOR, faults: Faults | None = None):
        content = exam_vendor.report_file(events, style, faults)
        return await self.take(content, form=form)

    async def take(self, content: bytes, *, form=HARBOR):
        return await reconcile_report(
            content, form, file_name="report.csv", read_by="ada", keys=KEYS, db=self.desk.db, now=NOW
        )

    def event(self, number: int, status: str, *, at: datetime = TODAY, told_at: datetime | None = None) -> Event:
        return Event(self.codes[number], status, at, told_at)

    async def states(self) -> dict[str, int]:
        async with self.desk.db.connection() as connection:
            rows = await connection.fetch("SELECT state, used_as FROM exam_voucher")
        return Counter(row["used_as"] or row["state"] for row in rows)


@pytest.fixture
async def vendor(desk):
    codes = exam_vendor.new_codes(12, seed=7)
    await import_lot(LOT, codes, keys=KEYS, db=desk.db, now=NOW)
    return Vendor(desk, codes)


def endings(done) -> list[tuple[int, str, str]]:
    return [(line.number, line.ending.value, line.reason) for line in done.lines]


async def test_every_word_moves_its_code_and_lots_add_up(vendor):
    await vendor.give(6)
    given = sorted(vendor.cases)
    for number in given:
        await vendor.college(number, "registered")
    statuses = ("delivered", "no_show", "late_cancel", "canceled", "event_canceled", "registered")
    done = await vendor.report(*(vendor.event(n, status) for n, status in zip(given, statuses, strict=True)))
    assert [line.ending for line in done.lines] == [Ending.APPLIED] * 5 + [Ending.REPEATED]
    assert done.open == ()
    assert await vendor.states() == {
        "available": 6,
        "delivered": 1,
        "no_show": 1,
        "late_cancel": 1,
        "reusable": 2,
        "registered": 1,
    }
    [lot] = done.lots
    assert sum(lot.states.values()) == lot.codes == 12
    assert lot.cost_cents == 12 * 25_000


async def test_the_same_file_again_changes_nothing_and_neither_do_its_lines_in_another(vendor):
    await vendor.give(3)
    first, second, third = sorted(vendor.cases)
    events = [vendor.event(first, "delivered"), vendor.event(second, "canceled"), vendor.event(third, "no_show")]
    for number in (first, second, third):
        await vendor.college(number, "registered")
    content = exam_vendor.report_file(events)
    once = await vendor.take(content)
    before = await vendor.states()
    again = await vendor.take(content)
    assert again.again
    assert endings(again) == endings(once)
    reordered = await vendor.report(*reversed(events), faults=Faults(columns_reversed=True, in_utc=True, repeat=2))
    assert reordered.count(Ending.REPEATED) == 5
    assert await vendor.states() == before


async def test_what_cannot_be_is_kept_for_a_person(vendor):
    await vendor.give(3)
    delivered, voided, _ = sorted(vendor.cases)
    unsold = next(n for n in range(12) if n not in vendor.cases)
    await vendor.report(vendor.event(delivered, "delivered"), vendor.event(voided, "void"))
    foreign = exam_vendor.new_codes(1, seed=99)[0]
    later = TODAY + timedelta(hours=1)
    done = await vendor.report(
        vendor.event(delivered, "canceled", at=later),
        vendor.event(voided, "delivered", at=later),
        vendor.event(unsold, "delivered", at=later),
        Event(foreign, "delivered", later),
        faults=Faults(foreign=["HT-101 Coding,too short"], wrong_total=True),
    )
    assert endings(done) == [
        (0, "unreadable", "totals"),
        (2, "contradiction", "already_used"),
        (3, "contradiction", "is_void"),
        (4, "contradiction", "never_allocated"),
        (5, "unknown_code", "unknown_code"),
        (6, "unreadable", "columns"),
    ]
    assert sum(done.count(ending) for ending in Ending) == 5
    states = await vendor.states()
    # The code that nobody was given is out of stock until a person has looked at it.
    assert states["awaiting_vendor"] == 1
    assert states["available"] == 8
    kept = await lines_for_a_person("harbor-testing", db=vendor.desk.db)
    assert len(kept) == 6
    assert not any(code in str(kept) for code in [*vendor.codes, foreign])
    assert await lines_for_a_person("somebody-else", db=vendor.desk.db) == []


async def test_only_the_vendor_s_word_brings_a_seen_code_back_into_stock(vendor):
    await vendor.give(2)
    seen, registered = sorted(vendor.cases)
    await vendor.college(registered, "registered")
    for case in vendor.cases.values():
        await vendor.desk.release(case)
    assert await vendor.states() == {"available": 10, "awaiting_vendor": 1, "registered": 1}
    done = await vendor.report(vendor.event(seen, "unused"), vendor.event(registered, "canceled"))
    assert done.count(Ending.APPLIED) == 2
    assert await vendor.states() == {"available": 12}
    told = await vendor.desk.told(ExamVoucherReclaimed)
    assert {fact["application_id"] for fact in told} == {case.id for case in vendor.cases.values()}


async def test_a_missed_exam_that_the_vendor_reinstates_goes_back_into_stock_once_the_attempt_is_over(vendor):
    await vendor.give(1)
    [number] = vendor.cases
    await vendor.college(number, "registered")
    await vendor.college(number, "no_show")
    assert (await vendor.states())["no_show"] == 1
    await vendor.report(vendor.event(number, "reinstated", at=TODAY))
    assert await vendor.states() == {"available": 12}


async def test_the_college_and_the_vendor_may_not_agree(vendor):
    await vendor.give(2)
    first, second = sorted(vendor.cases)
    await vendor.college(first, "passed")
    await vendor.college(second, "no_show")
    done = await vendor.report(vendor.event(first, "no_show"), vendor.event(second, "delivered"))
    assert [line.reason for line in done.lines] == ["college_says_otherwise"] * 2


async def test_reports_may_come_late_and_in_any_order(vendor):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    await vendor.give(4)
    given = sorted(vendor.cases)
    moment = {"registered": 0, "canceled": 1, "delivered": 2}
    story = {given[0]: ["registered", "canceled"], given[1]: ["registered", "canceled", "registered", "delivered"]}
    story |= {given[2]: ["registered", "delivered"], given[3]: ["registered"]}
    events = [
        vendor.event(n, status, at=TODAY + timedelta(days=place), told_at=TODAY + timedelta(hours=place))
        for n, statuses in story.items()
        for place, status in enumerate(statuses)
    ]
    assert set(moment) == {event.status for event in events}
    random.Random(seed).shuffle(events)
    for event in events:
        await vendor.report(event)
    states = await vendor.states()
    assert states["delivered"] == 2
    assert states["registered"] == 1
    # Whether the registration that was canceled was heard of first or not: nobody is registered.
    assert states["reusable"] + states["revealed"] == 1


async def test_a_late_report_of_an_exam_before_expiry_turns_expired_into_used(vendor, fresh):
    await vendor.give(2)
    in_time, too_late = sorted(vendor.cases)
    async with vendor.desk.db.connection() as connection:
        await connection.execute("UPDATE exam_voucher SET usable_until = $1", TODAY - timedelta(days=2))
        await connection.execute("UPDATE exam_voucher SET state = 'expired' WHERE state = 'revealed'")
    done = await vendor.report(
        vendor.event(in_time, "delivered", at=TODAY - timedelta(days=3)),
        vendor.event(too_late, "delivered", at=TODAY - timedelta(days=1)),
    )
    assert [line.reason for line in done.lines] == ["use", "used_after_expiry"]


async def test_the_case_hears_that_its_code_expired(vendor):
    await vendor.give(1)
    [number] = vendor.cases
    await vendor.report(vendor.event(number, "expired"))
    [told] = await vendor.desk.told(ExamVoucherExpired)
    assert told["application_id"] == vendor.cases[number].id


async def test_a_vendor_s_report_touches_no_other_vendor_s_codes(vendor):
    other = replace(LOT, lot_id="keystone-certification/1", vendor="keystone-certification")
    codes = exam_vendor.new_codes(2, seed=8)
    await import_lot(other, codes, keys=KEYS, db=vendor.desk.db, now=NOW)
    events = [Event(codes[0], "void", TODAY), vendor.event(0, "void")]
    first = await vendor.report(*events)
    assert [line.reason for line in first.lines] == ["unknown_code", "void"]
    second = await vendor.report(*events, style=exam_vendor.KEYSTONE, form=KEYSTONE)
    assert [line.reason for line in second.lines] == ["void", "unknown_code"]


async def test_no_code_of_a_report_is_in_any_table_log_or_error(vendor, fresh, capsys):
    await vendor.give(2)
    foreign = exam_vendor.new_codes(2, seed=99)
    canaries = [*vendor.codes, *foreign]
    events = [vendor.event(n, "delivered") for n in vendor.cases] + [vendor.event(11, "delivered")]
    bad = [f"HT-101 Coding,{foreign[0]} {foreign[1]},Delivered,2026-03-10 09:00,,", f"{foreign[0]},{foreign[1]}"]
    done = await vendor.report(*events, Event(foreign[1], "delivered", TODAY), faults=Faults(foreign=bad))
    assert done.count(Ending.UNREADABLE) == 2
    texts = [repr(done), capsys.readouterr().out]
    for content in (b"Voucher\n" + foreign[0].encode(), f'Exam,"{foreign[0]}'.encode()):
        with pytest.raises(ReportUnreadable) as refused:
            await vendor.take(content)
        texts += [repr(refused.value), str(refused.value.__context__), str(refused.value.__cause__)]
        assert isinstance(refused.value, CairnError)
    owner = await asyncpg.connect(fresh.owner_dsn)
    try:
        for table in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'payments'"):
            rows = await owner.fetch(f"SELECT t::text AS row FROM payments.{table['tablename']} AS t")
            texts += [row["row"] for row in rows]
    finally:
        await owner.close()
    for code in canaries:
        assert not any(code in text or code.encode().hex() in text for text in texts)
