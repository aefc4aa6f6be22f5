"""Lists of payments: each fault by file, line and column; what each payment becomes; tables and days of the rules."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.nacha import (
    CHANGE_REASONS,
    RETURN_REASONS,
    SAMPLE_ORIGINATOR,
    EntryClass,
    FilePlan,
    FileWriter,
    Invoice,
    PaymentLines,
    PlanRefused,
    RecordMisfit,
    Requires,
    check_digit,
    correction,
    from_addenda,
    in_addenda,
    invoice_segment,
    invoices_of,
    is_routing_number,
    originator_from,
    planning,
    sample_payments,
)
from services.payments.nacha.banking_days import (
    after,
    first_live_day,
    holidays,
    is_banking_day,
    last_reversal_day,
)
from services.payments.nacha.segments import SegmentFaulty
from tests.services.payments.nacha.builders import judged

HEAD = "payee_name,routing_number,account_number,account_type,amount_cents,identification,invoices,kind"
GOOD = "Lorain College,041099999,1234567,checking,120000,SUP-1,INV-1,"
MADE_AT = datetime(2026, 3, 10, 15, 4, tzinfo=UTC)
PLAN = FilePlan(SAMPLE_ORIGINATOR, EntryClass.CCD, MADE_AT, date(2026, 3, 11))


def faults_of(text: str, entry_class: EntryClass = EntryClass.CCD) -> list[tuple[int, str]]:
    lines = PaymentLines(text.splitlines(keepends=True), file="pay.csv", entry_class=entry_class)
    list(lines)
    return [(fault.line, fault.column) for fault in lines.faults]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (",041099999,1,checking,1,,,", "payee_name"),
        ("a name of twenty-three.,041099999,1,checking,1,,,", "payee_name"),
        ("Größe,041099999,1,checking,1,,,", "payee_name"),
        ("A,041099998,1,checking,1,,,", "routing_number"),
        ("A,41099999,1,checking,1,,,", "routing_number"),
        ("A,041099999,,checking,1,,,", "account_number"),
        ("A,041099999,123456789012345678,checking,1,,,", "account_number"),
        ("A,041099999,00000000000,checking,1,,,", "account_number"),
        ("A,041099999,0-0 0---,checking,1,,,", "account_number"),
        (f"A,041099999,{'7' * 140_000},checking,1,,,", "account_number"),
        ("A,041099999,1,current,1,,,", "account_type"),
        ("A,041099999,1,checking,1.50,,,", "amount_cents"),
        ("A,041099999,1,checking,-1,,,", "amount_cents"),
        ("A,041099999,1,checking,0,,,", "amount_cents"),
        ("A,041099999,1,checking,10000000000,,,", "amount_cents"),
        ("A,041099999,1,checking,5,,,prenote", "amount_cents"),
        ("A,041099999,1,checking,1,1234567890123456,,", "identification"),
        ("A,041099999,1,checking,3,,A:1;B:2,", "invoices"),
        ("A,041099999,1,checking,3,,A:2,", "invoices"),
        ("A,041099999,1,checking,3,,A*B,", "invoices"),
        ("A,041099999,1,checking,3,,A:x,", "invoices"),
        ("A,041099999,1,checking,3,,A,reversal", "invoices"),
        ("A,041099999,1,checking,3,,,refund", "kind"),
        ("A,041099999,1,checking", ""),
        ('A,041099999,1,checking,"3"x,,,', ""),
    ],
)
def test_a_fault_of_a_line_is_named(row, column):
    assert faults_of(f"{HEAD}\n{GOOD}\n\n{row}\n") == [(4, column)]


def test_every_fault_is_reported_and_the_other_lines_are_read():
    lines = PaymentLines([f"{HEAD}\n", ",1,,x,y,,,z\n", f"{GOOD}\n"], file="pay.csv", entry_class=EntryClass.CCD)
    assert [payment.payee_name for payment in lines] == ["Lorain College"]
    assert lines.fault_count == 6
    assert str(lines.faults[1]).startswith("pay.csv, line 2, payee_name: ")
    assert {fault.as_json()["line"] for fault in lines.faults} == {2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "")]),
        (f"{HEAD}\n", [(1, "")]),
        (f"{HEAD},tip\n{GOOD},1\n", [(1, "tip")]),
        (f"{HEAD},kind\n{GOOD},\n", [(1, "kind"), (1, "kind")]),
        (HEAD.replace("routing_number,", "") + "\n", [(1, "routing_number")]),
    ],
)
def test_a_faulty_head_is_named(text, expected):
    assert faults_of(text) == expected


def test_ctx_wants_its_invoices_and_a_shorter_name():
    rows = (
        f"{HEAD}\nA,041099999,1,checking,3,,A:1;B:2,\nA,041099999,1,checking,3,,,\n"
        "a name of seventee,041099999,1,savings,3,,A,\n"
    )
    assert faults_of(rows, EntryClass.CTX) == [(3, "invoices"), (4, "payee_name")]


def test_payments_become_batches_and_reversals_their_own():
    rows = [GOOD, "A,041099999,1,savings,0,,,prenote", "A,041099999,1,savings,500,,,reversal", GOOD]
    lines = PaymentLines("\n".join([HEAD, *rows]).splitlines(keepends=True), file="p", entry_class=EntryClass.CCD)
    writer = FileWriter(PLAN.header)
    found, verdict = judged(b"".join(writer.write(PLAN.batches(lines))))
    assert verdict.valid, verdict.first_fault
    assert [(one.batch.number, one.entry.transaction_code) for one in found] == [(1, 22), (1, 33), (2, 37), (3, 22)]
    assert [one.batch.description for one in found] == ["EDU PAYMT", "EDU PAYMT", "REVERSAL", "EDU PAYMT"]
    assert found[0].entry.addenda == ("RMR*IV*INV-1**1200.00\\",)
    assert found[0].batch.company_id == "1999999999"
    assert (writer.sums.credit_cents, writer.sums.debit_cents) == (240_000, 500)


def test_a_full_batch_is_followed_by_another(monkeypatch):
    monkeypatch.setattr(planning, "BATCH_RECORDS_MAX", 5)
    content = b"".join(FileWriter(PLAN.header).write(PLAN.batches(sample_payments(6, EntryClass.CCD))))
    found, verdict = judged(content)
    assert verdict.valid, verdict.first_fault
    assert [one.batch.number for one in found] == [1, 1, 2, 2, 3, 3]


def test_more_money_than_a_file_can_total_is_not_written():
    rows = (f"A,041099999,{n},checking,9999999999,,,\n" for n in range(1, 102))
    lines = PaymentLines([f"{HEAD}\n", *rows], file="p", entry_class=EntryClass.CCD)
    with pytest.raises(RecordMisfit, match="Total Credit Entry Dollar Amount"):
        b"".join(FileWriter(PLAN.header).write(PLAN.batches(lines)))


@pytest.mark.parametrize("entry_class", [EntryClass.CCD, EntryClass.CTX, EntryClass.PPD])
def test_a_sample_is_a_valid_file_and_always_the_same(entry_class):
    plan = FilePlan(SAMPLE_ORIGINATOR, entry_class, MADE_AT, date(2026, 3, 11))
    contents = [b"".join(FileWriter(plan.header).write(plan.batches(sample_payments(60, entry_class)))) for _ in "ab"]
    assert contents[0] == contents[1]
    found, verdict = judged(contents[0])
    assert verdict.valid, verdict.first_fault
    assert len(found) == 60
    paid = [one.entry for one in found if one.entry.amount_cents]
    assert all(sum(i.amount_cents for i in invoices_of(from_addenda(e.addenda))) == e.amount_cents for e in paid)
    if entry_class is EntryClass.CTX:
        text = from_addenda(found[0].entry.addenda)
        segments = text.split("\\")
        assert len(segments[0]) + 1 == 106
        transaction = segments[2 : [s.split("*")[0] for s in segments].index("SE") + 1]
        assert transaction[-1] == f"SE*{len(transaction)}*0001"
        assert in_addenda(text) == found[0].entry.addenda


@given(st.integers(0, 99_999_999), st.integers(1, 9))
@settings(max_examples=50)
def test_a_check_digit_tells_a_wrong_one(institution, wrong):
    text = f"{institution:08d}"
    digit = check_digit(text)
    assert is_routing_number(f"{text}{digit}") is (institution > 0)
    assert not is_routing_number(f"{text}{(digit + wrong) % 10}")


def test_a_segment_carries_no_delimiter_and_fits_an_addendum():
    assert invoice_segment(Invoice("INV-1", 5)) == "RMR*IV*INV-1**0.05\\"
    for number in ("", "A*B", "A\\B", "x" * 51, "Ö"):
        with pytest.raises(SegmentFaulty):
            invoice_segment(Invoice(number, 5))
    assert invoices_of("RMR*IV*A**7\\REF*ZZ*1\\RMR*IV*B**.5\\") == (Invoice("A", 700), Invoice("B", 50))


def test_banking_days():
    assert date(2026, 7, 3) not in holidays(2026)
    assert date(2027, 7, 5) in holidays(2027)
    assert not is_banking_day(date(2026, 11, 26))
    assert after(date(2026, 11, 25), 1) == date(2026, 11, 27)
    assert first_live_day(date(2026, 3, 11)) == date(2026, 3, 16)
    assert last_reversal_day(date(2026, 12, 23)) == date(2026, 12, 31)
    for year in range(2024, 2040):
        assert all(day.weekday() != 6 for day in holidays(year))


def test_a_plan_settles_on_a_banking_day_not_in_the_past():
    for day in (date(2026, 3, 9), date(2026, 3, 14), date(2026, 5, 25)):
        with pytest.raises(PlanRefused):
            FilePlan(SAMPLE_ORIGINATOR, EntryClass.CCD, MADE_AT, day)


def test_every_key_of_an_originator_is_checked():
    given_keys = {
        "company_name": "X" * 17,
        "ein": "12",
        "odfi_routing": "1",
        "odfi_name": 7,
        "origin": "x",
        "moon": "y",
    }
    found, faults = originator_from(given_keys)
    assert found is None
    assert {key for key, _ in faults} == {*given_keys, "origin_name"}
    good = {"company_name": "STATE", "ein": "311234567", "odfi_routing": "041099999", "odfi_name": "BANK"}
    found, faults = originator_from(good | {"origin": "041099999", "origin_name": "STATE"})
    assert faults == []
    assert found is not None
    assert found.company_id == "1311234567"
    for key, value in (
        ("ein", "000000000"),
        ("origin", "0000000000"),
        ("description", "PRENOTE"),
        ("description", "reclaim"),
        ("description", "NONSETTLED"),
        ("description", "REVERSAL 1"),
    ):
        _, faults = originator_from(good | {"origin": "041099999", "origin_name": "STATE"} | {key: value})
        assert [name for name, _ in faults] == [key], (key, value)


def test_every_return_says_what_it_requires_and_whether_money_comes_back():
    assert len(RETURN_REASONS) > 60
    assert all(RETURN_REASONS[code].requires is Requires.REPAIR_PAYEE for code in ("R02", "R03", "R04"))
    assert RETURN_REASONS["R01"].requires is Requires.RETRY
    assert RETURN_REASONS["R16"].requires is Requires.STOP
    between_banks = {code for code, one in RETURN_REASONS.items() if not one.money_returns}
    assert between_banks == {code for code in RETURN_REASONS if "R61" <= code <= "R77"}


def test_every_change_code_is_known():
    assert set(CHANGE_REASONS) == {f"C{n:02d}" for n in range(1, 15)}
    found = correction("C03", "041099999   55-443")
    assert (found.routing_number, found.account_number) == ("041099999", "55-443")
