"""States, expiry, retakes, stock, formats and reports of exam vouchers, without a database."""

import contextlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.applications import ExamResult
from contracts.ids import ExamVoucherId
from examples import exam_vendor
from services.payments.domain import ExamVoucherState as State
from services.payments.exam_vouchers.errors import ReportUnreadable, VendorFormatFaulty, VendorUnknown, ZoneUnknown
from services.payments.exam_vouchers.expiry import end_of_day, start_of_day, usable_until
from services.payments.exam_vouchers.formats import Word, load_format, read_format
from services.payments.exam_vouchers.judging import Ending, VoucherFile, heard, judge
from services.payments.exam_vouchers.reports import LineFault, ReportLine, read_report
from services.payments.exam_vouchers.retakes import AttemptResult, RetakePolicy, RetakeRefusal, refusal_of
from services.payments.exam_vouchers.states import MOVES, RUNS_OUT, Act, Refusal, Use, after, sources
from services.payments.exam_vouchers.stock import AlertCode, Limits, Shelf, alerts_of, outlook

VENDORS = Path(__file__).parents[4] / "programs" / "exam-vendors"
HARBOR = load_format(VENDORS, "harbor-testing")
KEYSTONE = load_format(VENDORS, "keystone-certification")
NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


@given(st.sampled_from(State), st.sampled_from(Act))
def test_every_act_on_every_state_is_a_move_or_a_named_refusal(state, act):
    found = after(state, act)
    assert isinstance(found, State if state in sources(act) else Refusal)


@pytest.mark.parametrize("state", [State.USED, State.VOID])
def test_what_is_used_or_void_is_never_given_to_anybody(state):
    reachable = {state}
    while True:
        further = {
            becomes
            for act, moves in MOVES.items()
            if act not in {Act.REINSTATE, Act.RESTOCK}
            for was, becomes in moves.items()
            if was in reachable
        }
        if further <= reachable:
            break
        reachable |= further
    assert reachable == {state}


def test_refusals_are_named():
    assert after(State.USED, Act.REVEAL) is Refusal.ALREADY_USED
    assert after(State.EXPIRED, Act.ALLOCATE) is Refusal.HAS_EXPIRED
    assert after(State.VOID, Act.USE) is Refusal.IS_VOID
    assert after(State.AVAILABLE, Act.REGISTER) is Refusal.NEVER_ALLOCATED
    assert after(State.REVEALED, Act.ALLOCATE) is Refusal.HELD_BY_A_CASE
    assert after(State.AWAITING_VENDOR, Act.ALLOCATE) is Refusal.WAITS_FOR_VENDOR
    assert after(State.REVEALED, Act.CANCEL) is Refusal.NOT_REGISTERED
    assert after(State.REGISTERED, Act.REGISTER) is Refusal.IS_REGISTERED
    assert after(State.REUSABLE, Act.REINSTATE) is Refusal.ALREADY_SO
    assert State.REGISTERED not in RUNS_OUT


@pytest.mark.parametrize(
    ("day", "zone", "last"),
    [
        (date(2026, 6, 30), "UTC", datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)),
        (date(2026, 6, 30), "America/New_York", datetime(2026, 7, 1, 3, 59, 59, tzinfo=UTC)),
        (date(2026, 12, 31), "America/New_York", datetime(2027, 1, 1, 4, 59, 59, tzinfo=UTC)),
        # The day on which clocks go forward, and the one on which they go back.
        (date(2026, 3, 8), "America/New_York", datetime(2026, 3, 9, 3, 59, 59, tzinfo=UTC)),
        (date(2026, 11, 1), "America/New_York", datetime(2026, 11, 2, 4, 59, 59, tzinfo=UTC)),
        (date(2026, 6, 30), "Pacific/Kiritimati", datetime(2026, 6, 30, 9, 59, 59, tzinfo=UTC)),
        # Where the next midnight does not exist the day ends with the change: Beirut, 29 March 2026.
        (date(2026, 3, 28), "Asia/Beirut", datetime(2026, 3, 28, 21, 59, 59, tzinfo=UTC)),
        # Where midnight comes twice the day ends with the first: Havana, 1 November 2026.
        (date(2026, 10, 31), "America/Havana", datetime(2026, 11, 1, 3, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_code_is_good_to_the_end_of_its_last_day_where_the_vendor_is(day, zone, last):
    assert end_of_day(day, zone) == last
    assert start_of_day(day + timedelta(days=1), zone) == last + timedelta(seconds=1)


def test_a_retirement_overrides_a_later_expiry():
    assert usable_until(NOW, None) == NOW
    assert usable_until(NOW, NOW - timedelta(days=1)) == NOW - timedelta(days=1)
    assert usable_until(NOW, NOW + timedelta(days=1)) == NOW


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../UTC"])
def test_an_unknown_zone_is_refused(zone):
    with pytest.raises(ZoneUnknown):
        end_of_day(date(2026, 1, 1), zone)


POLICY = RetakePolicy(2, timedelta(days=14))
FAILED = AttemptResult(ExamResult.FAILED, NOW)


@pytest.mark.parametrize(
    ("attempt", "allocated", "earlier", "now", "refusal"),
    [
        (1, False, None, NOW, None),
        (2, False, None, NOW, RetakeRefusal.NO_EARLIER_ATTEMPT),
        (2, True, None, NOW, RetakeRefusal.NO_RESULT_YET),
        (2, True, AttemptResult(ExamResult.PASSED, NOW), NOW, RetakeRefusal.NOT_FAILED),
        (2, True, AttemptResult(ExamResult.CANCELED, NOW), NOW, RetakeRefusal.NOT_FAILED),
        (2, True, FAILED, NOW + timedelta(days=14, seconds=-1), RetakeRefusal.TOO_EARLY),
        (2, True, FAILED, NOW + timedelta(days=14), None),
        (2, True, AttemptResult(ExamResult.NO_SHOW, NOW), NOW + timedelta(days=14), None),
        (3, True, FAILED, NOW + timedelta(days=99), RetakeRefusal.ATTEMPTS_USED_UP),
    ],
)
def test_who_may_retake(attempt, allocated, earlier, now, refusal):
    assert refusal_of(attempt, POLICY, earlier_allocated=allocated, earlier=earlier, now=now) == refusal


LIMITS = Limits(codes_min=5, supply_days_min=30, risk_days=60)


def shelf(name, codes, days, cents=100):
    return Shelf(name, codes, cents, NOW + timedelta(days=days))


def look(*shelves, pace=0, usable_days=0):
    return outlook("exam", shelves, allocated_recently=pace, usable_days=usable_days, limits=LIMITS, now=NOW)


def test_what_expires_before_it_is_needed_is_value_at_risk():
    found = look(shelf("a", 50, 30), shelf("b", 50, 45), shelf("c", 50, 300), pace=60)
    assert (found.at_risk, found.at_risk_cents) == (10, 1000)
    assert found.supply_days == 75
    assert alerts_of(found, LIMITS) == [AlertCode.VALUE_AT_RISK]


def test_a_code_that_is_not_usable_long_enough_is_at_risk_and_no_supply():
    found = look(shelf("a", 8, 20), pace=30, usable_days=30)
    assert (found.available, found.usable, found.at_risk) == (8, 0, 8)
    assert alerts_of(found, LIMITS) == [AlertCode.LOW_STOCK, AlertCode.VALUE_AT_RISK]


def test_stock_is_low_by_number_or_by_days():
    assert alerts_of(look(shelf("a", 4, 300)), LIMITS) == [AlertCode.LOW_STOCK]
    assert alerts_of(look(shelf("a", 5, 300)), LIMITS) == []
    assert alerts_of(look(shelf("a", 29, 300), pace=30), LIMITS) == [AlertCode.LOW_STOCK]
    assert alerts_of(look(shelf("a", 30, 300), pace=30), LIMITS) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("vendor = ", ""),
        ("vendor = 'x'\n", "zone"),
        ((VENDORS / "harbor-testing.toml").read_text().replace("America/New_York", "America/Nowhere"), "zone"),
        ((VENDORS / "harbor-testing.toml").read_text().replace('"Expired" = "expired"', '"Expired" = "gone"'), "words"),
        (
            (VENDORS / "harbor-testing.toml").read_text().replace('"Expired" =', '"active" ='),
            "words",
        ),
    ],
)
def test_a_faulty_format_is_named_by_file_and_key(text, key):
    with pytest.raises(VendorFormatFaulty) as refused:
        read_format(text.encode(), "x.toml")
    assert refused.value.facts["file"] == "x.toml"
    assert str(refused.value.facts["key"]).startswith(key)


@pytest.mark.parametrize("vendor", ["nobody", "../oh-imap/program", ""])
def test_a_vendor_without_a_format_is_unknown(vendor):
    with pytest.raises(VendorUnknown):
        load_format(VENDORS, vendor)


CODES = exam_vendor.new_codes(4, seed=1)
EVENTS = [
    exam_vendor.Event(CODES[0], "delivered", NOW, NOW + timedelta(hours=2)),
    exam_vendor.Event(CODES[1], "no_show", NOW),
]


@pytest.mark.parametrize(
    ("style", "form", "faults"),
    [
        (exam_vendor.HARBOR, HARBOR, exam_vendor.Faults()),
        (exam_vendor.HARBOR, HARBOR, exam_vendor.Faults(columns_reversed=True)),
        (exam_vendor.HARBOR, HARBOR, exam_vendor.Faults(in_utc=True)),
        (exam_vendor.KEYSTONE, KEYSTONE, exam_vendor.Faults()),
    ],
)
def test_two_vendors_reports_say_the_same(style, form, faults):
    report = read_report(exam_vendor.report_file(EVENTS, style, faults), form)
    assert report.faults == ()
    assert [(line.code, line.word, line.event_at) for line in report.lines] == [
        (CODES[0], Word.DELIVERED, NOW),
        (CODES[1], Word.NO_SHOW, NOW),
    ]
    assert CODES[0] not in repr(report)


def test_bad_lines_are_named_and_never_repeated():
    foreign = [
        f"HT-101 Coding,{CODES[2]} {CODES[3]},Delivered,2026-03-10 09:00,,",
        f"HT-101 Coding,{CODES[2]},{CODES[3]},2026-03-10 09:00,,",
        f"{CODES[3]},{CODES[2]},Delivered,2026-03-10 09:00,,",
        f"HT-101 Coding,{CODES[2]},Delivered,{CODES[3]},,",
        f"HT-101 Coding,{CODES[2]},Delivered,2026-03-10 09:00,,{CODES[3]}!",
        f"HT-101 Coding,{CODES[2]},Delivered",
    ]
    content = exam_vendor.report_file(EVENTS, faults=exam_vendor.Faults(foreign=foreign, wrong_total=True))
    report = read_report(content, HARBOR)
    assert [(one.number, one.fault) for one in report.faults] == [
        (4, LineFault.CODE),
        (5, LineFault.STATUS),
        (6, LineFault.EXAM),
        (7, LineFault.MOMENT),
        (8, LineFault.REFERENCE),
        (9, LineFault.COLUMNS),
        (0, LineFault.TOTALS),
    ]
    assert not any(code in repr(report) for code in CODES)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\xfa", b"Voucher\n1\n", b'Exam,"Voucher', b"a" * (16 * 2**20 + 1), b"Voucher,Voucher,Status\n"],
)
def test_what_is_no_report_is_refused(content):
    with pytest.raises(ReportUnreadable):
        read_report(content, HARBOR)


def test_a_report_that_is_cut_off_is_noticed():
    content = exam_vendor.report_file(EVENTS).rsplit(b"\r\n", 2)[0] + b"\r\n"
    assert [one.fault for one in read_report(content, HARBOR).faults] == [LineFault.TOTALS_MISSING]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(content):
    with contextlib.suppress(ReportUnreadable):
        read_report(b"Exam,Voucher,Status,Exam Time,Status Time,Registration\n" + content, HARBOR)


FILE = VoucherFile(
    exam_voucher_id=ExamVoucherId.derive("x"),
    exam_id="exam",
    lot_id="lot",
    state=State.REGISTERED,
    use=None,
    usable_until=NOW + timedelta(days=30),
    is_held=True,
    was_held=True,
)


def line(word, *, at=NOW, told=None):
    return ReportLine(2, "CODE", word, at, told or at, "exam", "")


LATE = NOW + timedelta(days=31)
ENDED = {"is_held": False}
MISSED = {"state": State.USED, "use": Use.NO_SHOW}


@pytest.mark.parametrize(
    ("known", "word", "ending", "reason", "becomes"),
    [
        ({}, Word.DELIVERED, "applied", "use", State.USED),
        ({}, Word.NO_SHOW, "applied", "use", State.USED),
        ({}, Word.LATE_CANCEL, "applied", "use", State.USED),
        ({}, Word.REGISTRATION_CANCELED, "applied", "reinstate", State.REUSABLE),
        ({}, Word.EVENT_CANCELED, "applied", "reinstate", State.REUSABLE),
        ({}, Word.REGISTERED, "repeated", "as_known", None),
        ({}, Word.UNUSED, "repeated", "as_known", None),
        ({}, Word.EXPIRED, "applied", "expire", State.EXPIRED),
        ({}, Word.VOID, "applied", "void", State.VOID),
        (ENDED, Word.REGISTRATION_CANCELED, "applied", "restock", State.AVAILABLE),
        (ENDED | {"state": State.AWAITING_VENDOR}, Word.UNUSED, "applied", "restock", State.AVAILABLE),
        (ENDED | {"state": State.AWAITING_VENDOR}, Word.DELIVERED, "applied", "use", State.USED),
        (ENDED | {"state": State.AWAITING_VENDOR}, Word.REGISTERED, "applied", "register", State.REGISTERED),
        ({"state": State.ALLOCATED}, Word.REGISTERED, "applied", "register", State.REGISTERED),
        ({"state": State.AVAILABLE}, Word.UNUSED, "repeated", "as_known", None),
        (
            {"state": State.AVAILABLE, "is_held": False, "was_held": False},
            Word.DELIVERED,
            "contradiction",
            "never_allocated",
            State.AWAITING_VENDOR,
        ),
        (
            {"state": State.AWAITING_VENDOR, "is_held": False, "was_held": False},
            Word.UNUSED,
            "contradiction",
            "waits_for_vendor",
            None,
        ),
        (
            ENDED | {"state": State.USED, "use": Use.NO_SHOW},
            Word.MISSED_REUSABLE,
            "applied",
            "restock",
            State.AVAILABLE,
        ),
        ({"state": State.USED, "use": Use.NO_SHOW}, Word.MISSED_REUSABLE, "applied", "reinstate", State.REUSABLE),
        ({"state": State.USED, "use": Use.NO_SHOW}, Word.LATE_CANCEL, "applied", "use", State.USED),
        ({"state": State.USED, "use": Use.DELIVERED}, Word.DELIVERED, "applied", "use", State.USED),
        ({"state": State.USED, "use": Use.DELIVERED}, Word.NO_SHOW, "contradiction", "college_says_otherwise", None),
        (
            {"state": State.USED, "use": Use.DELIVERED},
            Word.MISSED_REUSABLE,
            "contradiction",
            "college_says_otherwise",
            None,
        ),
        (
            {"state": State.USED, "use": Use.DELIVERED, "last_word": Word.DELIVERED, "last_told_at": NOW},
            Word.REGISTRATION_CANCELED,
            "contradiction",
            "already_used",
            None,
        ),
        (
            {"state": State.USED, "use": Use.DELIVERED, "last_word": Word.DELIVERED, "last_told_at": NOW},
            Word.NO_SHOW,
            "contradiction",
            "already_used",
            None,
        ),
        ({"state": State.USED, "use": Use.DELIVERED}, Word.REGISTERED, "repeated", "superseded", None),
        ({"last_word": Word.DELIVERED, "last_told_at": LATE}, Word.NO_SHOW, "repeated", "superseded", None),
        ({"heard": frozenset({(Word.NO_SHOW, NOW, "")})}, Word.NO_SHOW, "repeated", "heard_before", None),
        ({"state": State.EXPIRED}, Word.DELIVERED, "applied", "use", State.USED),
        (
            {"state": State.EXPIRED, "usable_until": NOW - timedelta(seconds=1)},
            Word.DELIVERED,
            "contradiction",
            "used_after_expiry",
            None,
        ),
        ({"state": State.EXPIRED}, Word.REGISTERED, "contradiction", "has_expired", None),
        ({"state": State.EXPIRED}, Word.EXPIRED, "repeated", "as_known", None),
        ({"state": State.VOID}, Word.DELIVERED, "contradiction", "is_void", None),
        ({"state": State.USED, "use": Use.DELIVERED}, Word.VOID, "contradiction", "already_used", None),
    ],
)
def test_what_a_line_does(known, word, ending, reason, becomes):
    judged = judge(replace(FILE, **known), line(word))
    assert (judged.ending, judged.reason, judged.becomes) == (Ending(ending), reason, becomes)


@given(st.lists(st.tuples(st.sampled_from(Word), st.integers(0, 5)), max_size=8), st.sampled_from(State), st.booleans())
def test_the_same_lines_again_change_nothing(words, state, held):
    file = replace(FILE, state=state, is_held=held, use=Use.DELIVERED if state is State.USED else None)
    lines = [line(word, at=NOW + timedelta(days=days)) for word, days in words]
    for one in lines:
        file = heard(file, one, judge(file, one))
    once = file
    for one in lines:
        judged = judge(file, one)
        assert judged.ending is not Ending.APPLIED or judged.becomes is file.state
        file = heard(file, one, judged)
    assert file.state is once.state
