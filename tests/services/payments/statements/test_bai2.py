"""BAI2: hand-written file, round trip, and every fault named while the other accounts are kept."""

import random
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.statements import (
    FILE_BYTES_MAX,
    Kind,
    WrittenAccount,
    WrittenLine,
    read_bai2,
    read_statement,
    write_bai2,
)

SAMPLE = (Path(__file__).parent / "samples" / "two_accounts.bai2").read_bytes()
DAY = date(2026, 3, 10)

words = st.text("ABCDEFGHIJ KLM,0123456789", max_size=60).map(lambda text: " ".join(text.split()).strip(","))
written_lines = st.builds(
    WrittenLine,
    st.sampled_from(["455", "466", "257", "142", "698"]),
    st.integers(1, 10**9),
    st.from_regex(r"\A[A-Z0-9]{0,10}\Z"),
    st.from_regex(r"\A[a-z0-9_]{0,30}\Z"),
    words,
)
written_accounts = st.builds(
    WrittenAccount,
    st.from_regex(r"\A[0-9]{6,12}\Z"),
    st.lists(written_lines, max_size=6).map(tuple),
    st.integers(-(10**6), 10**9),
)


def written(*counts: int) -> bytes:
    """Accounts with so many transactions each."""
    accounts = [
        WrittenAccount(
            f"00000{1000 + at}",
            tuple(WrittenLine("455", 1000 + n, f"BR{at}{n}", f"ref{at}{n}", "SOME TEXT") for n in range(count)),
            10**6,
        )
        for at, count in enumerate(counts)
    ]
    return write_bai2("042000314", "CAIRN", DAY, accounts)


def test_the_hand_written_file_reads_as_it_says():
    file = read_statement(SAMPLE)
    assert file.ok
    first, second = file.accounts
    assert (first.account, first.bank, first.day, first.balances_agree) == ("*2468", "042000314", DAY, True)
    assert (first.debits_cents, first.credits_cents, second.balances_agree) == (762_345, 150_000, None)
    payment, continued, returned, batch = first.lines
    assert (payment.amount_cents, payment.kind, payment.reference) == (-300_000, Kind.PAYMENT, "042000310000001")
    assert continued.description == "PAID, SEE CREDIT 5/6 OF ACCOUNT *9012"
    assert continued.value_on == DAY
    assert (returned.kind, returned.return_code, returned.trace) == (Kind.RETURN, "R02", "042000310000003")
    assert (batch.company_id, batch.amount_cents) == ("1316402047", -150_000)
    assert [line.kind for line in second.lines] == [Kind.OTHER, Kind.OTHER]
    assert [line.amount_cents for line in second.lines] == [-2500, 7500]
    assert "0975312468" not in repr(file)


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (Kind.RETURN, ("168", "252", "256", "257", "258", "266")),
        (Kind.PAYMENT, ("445", "446", "451", "452", "455", "462", "463", "464", "465", "466", "467")),
        (Kind.OTHER, ("142", "166", "169", "354", "698")),
    ],
)
def test_the_types_of_payments_and_returns(kind, types):
    lines = tuple(WrittenLine(code, 100 + n, "", f"ref{n}", "ITEM R03") for n, code in enumerate(types))
    [account] = read_bai2(write_bai2("042000314", "CAIRN", DAY, [WrittenAccount("000001000", lines, 10**6)])).accounts
    assert {line.kind for line in account.lines} == {kind}
    told = {code: line.return_code for code, line in zip(types, account.lines, strict=True)}
    for code in types:
        assert told[code] == ("R03" if kind is Kind.RETURN or code in {"142", "166", "169"} else None)


@pytest.mark.parametrize(
    ("old", "new", "record", "field", "reason"),
    [
        (b"01,042000314,CAIRN", b"04,042000314,CAIRN", 1, "record code", "header_missing"),
        (b",80,,2/", b",80,,1/", 1, "version", "version"),
        (b"CAIRN,260311", b"CAIRN,261311", 1, "creation day", "not_a_day"),
        (b",0600,", b",2500,", 1, "creation time", "malformed"),
        (b"02,CAIRN,042000314,1,", b"02,CAIRN,,1,", 2, "originator", "missing"),
        (b"042000314,1,2603", b"042000314,4,2603", 2, "group status", "not_an_update"),
        (b"1,260310,2359", b"1,260332,2359", 2, "as-of day", "not_a_day"),
        (b"2359,USD,2/", b"2359,USD,1/", 2, "as-of-date modifier", "interim"),
        (b"2359,USD,2/", b"2359,USD,3/", 2, "as-of-date modifier", "interim"),
        (b"2359,USD,2/", b"2359,USD,5/", 2, "as-of-date modifier", "malformed"),
        (b"468,USD,010", b"468,EUR,010", 3, "currency", "currency"),
        (b"010,50000000", b"010,5000x000", 3, "amount", "malformed"),
        (b"03,0975312468", b"03,", 3, "account", "missing"),
        (b"16,455,300000", b"16,455,", 4, "amount", "missing"),
        (b"16,455,300000", b"16,455,-300000", 4, "amount", "malformed"),
        (b"16,455,300000", b"16,455,300001", 10, "account control total", "control_total"),
        (b"16,455,300000,Z", b"16,455,300000,Q", 4, "funds type", "malformed"),
        (b"16,455,300000", b"16,045,300000", 4, "type code", "not_a_transaction"),
        (b"16,455,300000", b"16,4X5,300000", 4, "type code", "malformed"),
        (b"V,260310,0900", b"V,260230,0900", 5, "value day", "not_a_day"),
        (b"V,260310,0900", b"V,260310,0960", 5, "value time", "malformed"),
        (b"S,100000,50000,0", b"S,100000,50001,0", 9, "availability", "distribution_sum"),
        (b"49,100300000,8", b"49,100300001,8", 10, "account control total", "control_total"),
        (b"49,100300000,8", b"49,100300000,9", 10, "records", "record_count"),
        (b"49,100300000,8", b"49,,8", 10, "account control total", "missing"),
        (b"D,2,0,5000,1,2500", b"D,2,0,5000,1,2501", 14, "availability", "distribution_sum"),
        (b"D,2,0,5000,1,2500", b"D,99,0,5000,1,2500", 14, "distributions", "too_many"),
        (b"98,100310000,2,15", b"98,100310001,2,15", 16, "group control total", "control_total"),
        (b"98,100310000,2,15", b"98,100310000,3,15", 16, "accounts", "account_count"),
        (b"98,100310000,2,15", b"98,100310000,2,14", 16, "records", "record_count"),
        (b"99,100310000,1,17", b"99,100310009,1,17", 17, "file control total", "control_total"),
        (b"99,100310000,1,17", b"99,100310000,2,17", 17, "groups", "group_count"),
        (b"99,100310000,1,17", b"99,100310000,1,18", 17, "records", "record_count"),
        (b"99,100310000,1,17/\n", b"", 0, "file", "cut_off"),
        (b"98,100310000,2,15/\n", b"", 16, "record code", "group_trailer_missing"),
        (b"49,10000,5/\n", b"", 15, "record code", "account_trailer_missing"),
        (b"03,5550001111,,,,,/\n", b"", 11, "record code", "account_header_missing"),
        (b"02,CAIRN,042000314,1,260310,2359,USD,2/\n", b"", 2, "record code", "group_header_missing"),
        (b"16,698", b"17,698", 12, "record code", "unknown"),
        (b"99,100310000,1,17/\n", b"99,100310000,1,17/\n16,455,1,Z,,,/\n", 18, "record code", "after_trailer"),
        (b"PROVIDER PAYMENT", b"PROVIDER PAYMENT" + b"X" * 40, 4, "record", "record_length"),
    ],
)
def test_each_fault_is_named_first_with_record_field_and_reason(old, new, record, field, reason):
    assert SAMPLE.count(old) == 1
    file = read_bai2(SAMPLE.replace(old, new))
    assert not file.ok
    first = file.faults[0]
    assert (first.record, first.field, first.reason) == (record, field, reason)
    assert len(file.faults) <= 2


def summed(totals: bytes) -> bytes:
    """The sample with totals of its first account's transactions, its control totals right."""
    cents = sum(int(field) for field in totals.split(b",")[1::4])
    content = SAMPLE.replace(b"015,49387655,,/", b"015,49387655,,," + totals + b",/")
    for record in (b"49,100300000", b"98,100310000", b"99,100310000"):
        content = content.replace(record, record[:3] + b"%d" % (int(record[3:]) + cents))
    return content


@pytest.mark.parametrize(
    ("totals", "field"),
    [
        (b"100,150000,1,,400,762345,3", None),
        (b"100,150000,,,400,762345,", None),
        (b"100,150001,1,,400,762345,3", "total credits"),
        (b"100,150000,2,,400,762345,3", "total credits item count"),
        (b"100,150000,1,,400,762344,3", "total debits"),
        (b"100,150000,1,,400,762345,4", "total debits item count"),
    ],
)
def test_the_totals_of_an_accounts_transactions_are_compared(totals, field):
    assert [fault.field for fault in read_bai2(summed(totals)).faults] == ([field] if field else [])


def test_totals_without_their_transactions_prove_nothing():
    content = b"\n".join(line for line in SAMPLE.splitlines() if not line.startswith((b"16,", b"88,")))
    content = content.replace(b"015,49387655,,/", b"015,49387655,,,400,612345,3,/")
    content = content.replace(b"49,100300000,8", b"49,100000000,2").replace(b"49,10000,5", b"49,0,2")
    content = content.replace(b"98,100310000,2,15", b"98,100000000,2,6").replace(
        b"99,100310000,1,17", b"99,100000000,1,8"
    )
    assert read_bai2(content).ok


def test_a_byte_order_mark_is_no_part_of_the_first_record():
    assert read_statement(b"\xef\xbb\xbf" + SAMPLE) == read_statement(SAMPLE)


@pytest.mark.parametrize("spoiled", range(3))
def test_a_faulty_account_costs_no_other(spoiled):
    content = written(2, 2, 2)
    whole = read_bai2(content)
    file = read_bai2(content.replace(f"16,455,1000,Z,BR{spoiled}0".encode(), f"16,455,1009,Z,BR{spoiled}0".encode()))
    assert [fault.reason for fault in file.faults] == ["control_total"]
    assert file.accounts_left_out == 1
    assert file.accounts == tuple(account for at, account in enumerate(whole.accounts) if at != spoiled)


def test_a_faulty_group_costs_no_other():
    first, second = written(1, 1).splitlines(keepends=True), written(2).splitlines(keepends=True)
    first_total, second_total = (int(lines[-2].split(b",")[1]) for lines in (first, second))
    content = b"".join([*first[:-1], *second[1:-1]])
    records = len(content.splitlines()) + 1
    content += f"99,{first_total + second_total},2,{records}/\n".encode()
    assert read_bai2(content).ok
    faulty = read_bai2(content.replace(b"98,%d,2," % first_total, b"98,%d,3," % first_total))
    assert [fault.reason for fault in faulty.faults] == ["account_count"]
    assert (len(faulty.accounts), faulty.accounts_left_out) == (1, 2)


@given(st.lists(written_accounts, min_size=1, max_size=4))
@settings(max_examples=60)
def test_what_a_bank_writes_is_read(accounts):
    content = write_bai2("042000314", "CAIRN", DAY, accounts)
    file = read_bai2(content)
    assert file.faults == ()
    expected = [line for account in accounts for line in account.lines]
    assert [abs(line.amount_cents) for line in file.lines] == [line.amount_cents for line in expected]
    assert [(line.bank_reference, line.reference) for line in file.lines] == [
        (line.bank_reference, line.reference) for line in expected
    ]
    assert all(account.balances_agree for account in file.accounts)
    assert len({line.line_id for line in file.lines}) == len(expected)
    assert max(map(len, content.splitlines())) <= 80 or any(len(line.text) > 60 for line in expected)


@given(st.lists(written_accounts, min_size=1, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_ids_do_not_depend_on_the_order_in_the_file(accounts, chance):
    mixed = [
        WrittenAccount(account.number, tuple(chance.sample(account.lines, len(account.lines))), account.opening_cents)
        for account in chance.sample(accounts, len(accounts))
    ]
    one, other = (read_bai2(write_bai2("b", "c", DAY, these)) for these in (accounts, mixed))
    assert {line.line_id for line in one.lines} == {line.line_id for line in other.lines}


@given(st.integers(0, 2**32), st.sampled_from(["digit", "lost", "twice"]))
@settings(max_examples=150)
def test_a_changed_amount_or_a_lost_or_repeated_record_is_found(seed, fault):
    choose = random.Random(seed)
    lines = written(3, 1, 2).split(b"\n")[:-1]
    at = choose.choice(
        [n for n, line in enumerate(lines) if fault != "digit" or line[:2] in {b"16", b"49", b"98", b"99"}]
    )
    match fault:
        case "digit":
            fields = lines[at].split(b",")
            amount = 2 if lines[at].startswith(b"16") else 1
            fields[amount] = str(int(fields[amount]) + choose.choice([1, 10, 90, 900])).encode()
            lines[at] = b",".join(fields)
        case "lost":
            del lines[at]
        case _:
            lines.insert(at, lines[at])
    assert not read_bai2(b"\n".join(lines) + b"\n").ok


@given(st.binary(max_size=400))
def test_anything_at_all_is_answered_with_faults(content):
    assert not read_statement(content).ok
    assert not read_statement(b"01," + content).ok
    assert not read_statement(b"<" + content).ok


def test_bounds():
    assert read_bai2(b"0" * (FILE_BYTES_MAX + 1)).faults[0].reason == "too_large"
    assert read_bai2(b"16\n" * 1_000_001).faults[0].reason == "too_large"
    assert "nothing_to_continue" in {fault.reason for fault in read_bai2(SAMPLE + b"88,x/\n" * 1500).faults} | {
        fault.reason for fault in read_bai2(SAMPLE.replace(b"49,10000,5/", b"88,x/\n" * 1500 + b"49,10000,5/")).faults
    }
    many = read_bai2(b"16,x/\n" * 5000)
    assert len(many.faults) == 1000


def test_line_ends_and_padding_do_not_matter():
    padded = b"\r\n".join(line.ljust(80) for line in SAMPLE.splitlines()) + b"\r\n\x1a"
    assert read_bai2(padded) == read_bai2(SAMPLE)


def test_two_equal_debits_are_two_lines_and_the_same_file_brings_the_same_ids():
    line = WrittenLine("455", 100, "", "ref", "")
    content = write_bai2("b", "c", DAY, [WrittenAccount("123456789", (line, line))])
    ids = [one.line_id for one in read_bai2(content).lines]
    assert len(set(ids)) == 2
    assert ids == [one.line_id for one in read_bai2(content).lines]
