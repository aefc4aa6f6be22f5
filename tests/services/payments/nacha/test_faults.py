"""Each kind of fault is named where it is: record, field, columns. What breaks a rule is not written either."""

from dataclasses import replace
from datetime import date

import pytest

from services.payments.nacha import (
    Entry,
    FileReader,
    NotWritten,
    RecordMisfit,
    ReturnAddendum,
    ServiceClass,
    file_bytes,
)
from tests.services.payments.nacha.builders import judged
from tests.services.payments.nacha.golden import FILES, FOLDER

FILLER = "9" * 94


def lines(name: str = "ccd") -> list[str]:
    return (FOLDER / f"{name}.ach").read_text().splitlines()


def put(number: int, first: int, text: str, name: str = "ccd") -> bytes:
    """The golden file with text put into columns of one record, both from 1."""
    spoiled = lines(name)
    record = spoiled[number - 1]
    spoiled[number - 1] = record[: first - 1] + text + record[first - 1 + len(text) :]
    return joined(spoiled)


def joined(records: list[str]) -> bytes:
    return "".join(f"{record}\n" for record in records).encode("latin-1")


def without(*numbers: int, name: str = "ccd") -> bytes:
    return joined([record for number, record in enumerate(lines(name), 1) if number not in numbers])


@pytest.mark.parametrize(
    ("content", "record", "kind", "field", "columns"),
    [
        (put(1, 2, "02"), 1, "1", "Priority Code", (2, 3)),
        (put(1, 13, "2"), 1, "1", "Immediate Destination", (4, 13)),
        (put(1, 4, "-"), 1, "1", "Immediate Destination", (4, 13)),
        (put(1, 14, " " * 10), 1, "1", "Immediate Origin", (14, 23)),
        (put(1, 24, "261301"), 1, "1", "File Creation Date", (24, 29)),
        (put(1, 30, "2460"), 1, "1", "File Creation Time", (30, 33)),
        (put(1, 34, "a"), 1, "1", "File ID Modifier", (34, 34)),
        (put(1, 35, "095"), 1, "1", "Record Size", (35, 37)),
        (put(1, 38, "20"), 1, "1", "Blocking Factor", (38, 39)),
        (put(2, 2, "221"), 2, "5", "Service Class Code", (2, 4)),
        (put(2, 5, " " * 16), 2, "5", "Company Name", (5, 20)),
        (put(2, 41, " " * 10), 2, "5", "Company Identification", (41, 50)),
        (put(2, 41, "2"), 6, "8", "Company Identification", (45, 54)),
        (put(2, 51, "ccd"), 2, "5", "Standard Entry Class Code", (51, 53)),
        (put(2, 51, "WEB"), 2, "5", "Standard Entry Class Code", (51, 53)),
        (put(2, 54, "Reversal  "), 2, "5", "Company Entry Description", (54, 63)),
        (put(2, 70, "260230"), 2, "5", "Effective Entry Date", (70, 75)),
        (put(2, 70, "      "), 2, "5", "Effective Entry Date", (70, 75)),
        (put(2, 76, "367"), 2, "5", "Settlement Date", (76, 78)),
        (put(2, 79, "3"), 2, "5", "Originator Status Code", (79, 79)),
        (put(2, 80, "1"), 3, "6", "Trace Number", (80, 94)),
        (put(2, 88, "0000002"), 6, "8", "Batch Number", (88, 94)),
        (put(2, 2, "200"), 6, "8", "Service Class Code", (2, 4)),
        (put(2, 2, "225"), 3, "6", "Transaction Code", (2, 3)),
        (put(3, 2, "27"), 3, "6", "Transaction Code", (2, 3)),
        (put(3, 2, "25"), 3, "6", "Transaction Code", (2, 3)),
        (put(3, 2, "21"), 3, "6", "Transaction Code", (2, 3)),
        (put(3, 12, "8"), 3, "6", "Check Digit", (12, 12)),
        (put(3, 13, " " * 17), 3, "6", "DFI Account Number", (13, 29)),
        (put(3, 30, "00001234 6"), 3, "6", "Amount", (30, 39)),
        (put(3, 30, "0000000000"), 3, "6", "Amount", (30, 39)),
        (put(5, 30, "0000000001"), 5, "6", "Amount", (30, 39)),
        (put(3, 55, " " * 22), 3, "6", "Receiving Company Name", (55, 76)),
        (put(3, 56, "\xd6"), 3, "6", "Receiving Company Name", (55, 76)),
        (put(3, 79, "0"), 3, "6", "Addenda Record Indicator", (79, 79)),
        (put(5, 79, "1"), 5, "6", "Addenda Record Indicator", (79, 79)),
        (put(5, 94, "1"), 5, "6", "Trace Number", (80, 94)),
        (put(4, 2, "06"), 4, "7", "Addenda Type Code", (2, 3)),
        (put(4, 87, "2"), 4, "7", "Addenda Sequence Number", (84, 87)),
        (put(4, 94, "2"), 4, "7", "Entry Detail Sequence Number", (88, 94)),
        (put(6, 74, "X"), 6, "8", "Reserved", (74, 79)),
        (put(7, 60, "X"), 7, "9", "Reserved", (56, 94)),
        (put(7, 2, "000002"), 7, "9", "Batch Count", (2, 7)),
        (put(7, 8, "000002"), 7, "9", "Block Count", (8, 13)),
        (put(8, 40, "8"), 8, "9", "Filler", (1, 94)),
        (put(5, 1, "4"), 5, "4", "Record Type Code", (1, 1)),
        (without(1), 1, "1", "Record Type Code", (1, 1)),
        (without(2), 2, "6", "Record Type Code", (1, 1)),
        (without(3), 3, "7", "Record Type Code", (1, 1)),
        (without(6), 6, "9", "Record Type Code", (1, 1)),
        (without(7), 7, "9", "Record Type Code", (1, 1)),
        (without(7, 8, 9, 10), 7, "9", "Record Type Code", (1, 1)),
        (without(10), 10, "9", "Filler", (1, 94)),
        (without(3, 4, 5), 3, "8", "Entry/Addenda Count", (5, 10)),
        (joined([*lines(), *[FILLER] * 10]), 7, "9", "Block Count", (8, 13)),
        (joined([*lines()[:7], *lines()[1:3], FILLER]), 8, "5", "Record Type Code", (1, 1)),
        (joined([lines()[0], *lines()]), 2, "1", "Record Type Code", (1, 1)),
        (joined([*lines()[:2], lines()[2][:93], *lines()[3:]]), 3, "6", "Record", (1, 94)),
        (b"", 1, "1", "Record Type Code", (1, 1)),
        (b"hello", 1, "h", "Record", (1, 94)),
        (put(3, 55, "0003", "ctx"), 3, "6", "Number of Addenda Records", (55, 58)),
        (put(3, 30, "0000000000", "ctx"), 3, "6", "Total Amount", (30, 39)),
        (put(3, 75, "X", "ctx"), 3, "6", "Reserved", (75, 76)),
        (put(5, 87, "3", "ctx"), 5, "7", "Addenda Sequence Number", (84, 87)),
        (put(7, 88, "0000001", "ppd_and_reversal"), 7, "5", "Batch Number", (88, 94)),
        (put(4, 4, "R99", "returns"), 4, "7", "Return Reason Code", (4, 6)),
        (put(4, 22, "260310", "returns"), 4, "7", "Date of Death", (22, 27)),
        (put(4, 94, "2", "returns"), 4, "7", "Trace Number", (80, 94)),
        (put(3, 2, "22", "returns"), 3, "6", "Transaction Code", (2, 3)),
        (put(4, 4, "C00", "changes"), 4, "7", "Change Code", (4, 6)),
        (put(4, 36, " " * 29, "changes"), 4, "7", "Corrected Data", (36, 64)),
        (put(6, 36, "99", "changes"), 6, "7", "Corrected Data", (36, 64)),
        (put(8, 44, "8", "changes"), 8, "7", "Corrected Data", (36, 64)),
        (put(3, 30, "0000000001", "changes"), 3, "6", "Amount", (30, 39)),
        (put(3, 2, "22", "acknowledgments"), 3, "6", "Transaction Code", (2, 3)),
    ],
)
def test_a_fault_is_named_where_it_is(content, record, kind, field, columns):
    _, verdict = judged(content)
    fault = verdict.first_fault
    assert fault is not None
    assert not verdict.valid
    assert (fault.record, fault.record_type, fault.field) == (record, kind, field), fault
    assert (fault.first_column, fault.last_column) == columns
    assert verdict.fault_count >= len(verdict.faults) >= 1
    assert verdict.faults[0] == fault
    assert f"record {record} " in str(fault)


def test_all_faults_are_reported_not_only_the_first():
    spoiled = lines()
    spoiled[0] = spoiled[0][:33] + "a" + spoiled[0][34:]
    spoiled[2] = spoiled[2][:11] + "8" + spoiled[2][12:]
    spoiled[5] = spoiled[5][:4] + "000009" + spoiled[5][10:]
    _, verdict = judged(joined(spoiled))
    assert [fault.field for fault in verdict.faults] == ["File ID Modifier", "Check Digit", "Entry/Addenda Count"]


def test_a_verdict_before_the_end_is_no_verdict():
    reader = FileReader([(FOLDER / "ccd.ach").read_bytes()])
    next(iter(reader))
    with pytest.raises(RuntimeError, match="not read to its end"):
        _ = reader.verdict


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n\n", b"\x1a", b"\x1a\n", b"   \n"])
@pytest.mark.parametrize("feed", [b"\n", b"\r\n", b""], ids=["lf", "crlf", "none"])
def test_blank_lines_and_an_end_of_file_mark_behind_the_file_are_no_fault(end, feed):
    content = (FOLDER / "ccd.ach").read_bytes().replace(b"\n", feed)
    found, verdict = judged(content + (b"\x1a" if not feed else end))
    assert verdict.valid, verdict.first_fault
    assert (len(found), verdict.records) == (2, 10)


@pytest.mark.parametrize(
    ("name", "column", "text", "field"),
    [
        ("changes", 4, "XXX", "Change Code"),
        ("changes", 2, "99", "Addenda Type Code"),
        ("returns", 4, "XXX", "Return Reason Code"),
        ("returns", 2, "98", "Addenda Type Code"),
        ("ccd", 2, "99", "Addenda Type Code"),
        ("ccd", 2, "98", "Addenda Type Code"),
    ],
)
def test_an_addenda_record_that_cannot_be_read_is_blamed_itself_and_alone(name, column, text, field):
    number = next(n for n, record in enumerate(lines(name), 1) if record[0] == "7")
    _, verdict = judged(put(number, column, text, name))
    assert [(fault.record, fault.field) for fault in verdict.faults if fault.record_type in "67"] == [(number, field)]


def test_a_file_to_the_originators_own_number_is_read_and_never_written():
    _, verdict = judged(put(1, 4, "1999999999", "returns"))
    assert verdict.valid, verdict.first_fault
    assert verdict.header.destination == "1999999999"
    with pytest.raises(RecordMisfit, match="Immediate Destination"):
        file_bytes(replace(HEADER, destination="1999999999"), [(BATCH, [LIVE])])


def test_what_is_wrong_with_one_entry_is_told_from_what_is_wrong_with_the_file():
    number = next(n for n, record in enumerate(lines("returns"), 1) if record[0] == "7")
    _, verdict = judged(put(number, 4, "R99", "returns"))
    assert (verdict.valid, verdict.first_of_file) == (False, None)
    assert {entry: fault.field for entry, fault in verdict.of_entries.items()} == {number - 1: "Return Reason Code"}
    # No sum depends on an addenda record, whatever stands in it.
    _, verdict = judged(put(number, 4, "XXX", "returns"))
    assert (verdict.valid, verdict.first_of_file) == (False, None)
    _, verdict = judged(put(number, 2, "98", "returns"))
    assert verdict.first_of_file is not None


def test_returns_of_several_banks_need_no_ascending_batch_numbers_and_no_effective_date():
    header, batches = FILES["returns"]
    back = file_bytes(header, batches).replace(b"\n", b"").decode()
    records = [back[at : at + 94] for at in range(0, len(back), 94)]
    number = next(n for n, record in enumerate(records) if record[0] == "5")
    records[number] = records[number][:69] + " " * 6 + records[number][75:]
    _, verdict = judged(joined(records))
    assert verdict.valid, verdict.first_fault
    end = next(n for n, record in enumerate(records) if record[0] == "8")
    batch = records[number : end + 1]
    entries = [record for record in batch if record[0] in "67"]
    sums = [int(records[end][at:to]) for at, to in ((10, 20), (20, 32), (32, 44))]
    body = [records[0], *batch, *batch]
    blocks = -(-(len(body) + 1) // 10)
    control = (
        f"9{2:06d}{blocks:06d}{2 * len(entries):08d}{2 * sums[0] % 10**10:010d}{2 * sums[1]:012d}{2 * sums[2]:012d}"
    )
    body.append(control.ljust(94))
    _, verdict = judged(joined([*body, *[FILLER] * (blocks * 10 - len(body))]))
    assert verdict.valid, verdict.first_fault


HEADER, [(BATCH, [LIVE, PRENOTE])] = FILES["ccd"]
LIVE, PRENOTE = replace(LIVE, trace=""), replace(PRENOTE, trace="")


@pytest.mark.parametrize(
    ("batch", "entry", "field"),
    [
        ({}, {"amount_cents": 0}, "Amount"),
        ({}, {"amount_cents": 10_000_000_000}, "Amount"),
        ({}, {"amount_cents": -1}, "Amount"),
        ({}, {"transaction_code": 27}, "Transaction Code"),
        ({}, {"transaction_code": 99}, "Transaction Code"),
        ({}, {"transaction_code": 23}, "Amount"),
        ({}, {"transaction_code": 24, "amount_cents": 0, "addenda": ()}, "Addenda Record Indicator"),
        ({"entry_class": "PPD"}, {"transaction_code": 24, "amount_cents": 0}, "Transaction Code"),
        ({}, {"routing_number": "041099990"}, "Check Digit"),
        ({}, {"routing_number": "000000000"}, "Check Digit"),
        ({}, {"account_number": "x" * 18}, "DFI Account Number"),
        ({}, {"account_number": ""}, "DFI Account Number"),
        ({}, {"name": "Größe"}, "Receiving Company Name"),
        ({}, {"name": "x" * 23}, "Receiving Company Name"),
        ({}, {"addenda": ("one", "two")}, "Addenda Record Indicator"),
        ({}, {"addenda": ("x" * 81,)}, "Payment Related Information"),
        ({}, {"addenda": (ReturnAddendum("R02", "1" * 15, "04109999"),)}, "Transaction Code"),
        ({}, {"trace": "999999990000001"}, "Trace Number"),
        ({"service_class": ServiceClass.DEBITS}, {}, "Transaction Code"),
        ({"description": "reversal"}, {}, "Company Entry Description"),
        ({"effective": ""}, {}, "Effective Entry Date"),
        ({"effective": "260230"}, {}, "Effective Entry Date"),
        ({"entry_class": "WEB"}, {}, "Standard Entry Class Code"),
        ({"company_id": ""}, {}, "Company Identification"),
        ({"company_name": "x" * 17}, {}, "Company Name"),
    ],
)
def test_what_breaks_a_rule_is_not_written(batch, entry, field):
    with pytest.raises((NotWritten, RecordMisfit, ValueError)) as refused:
        file_bytes(HEADER, [(replace(BATCH, **batch), [replace(LIVE, **entry)])])
    assert field in str(refused.value)


@pytest.mark.parametrize(
    ("header", "batches", "field"),
    [
        ({}, [], "Batch Count"),
        ({}, [(BATCH, [])], "Entry/Addenda Count"),
        ({}, [(BATCH, [LIVE]), (BATCH, [LIVE])], "Batch Number"),
        ({}, [(BATCH, [replace(LIVE, trace="076401250000009"), PRENOTE])], "Trace Number"),
        ({"id_modifier": "ab"}, [(BATCH, [LIVE])], "File ID Modifier"),
        ({"created_on": date(2101, 1, 1)}, [(BATCH, [LIVE])], "YYMMDD"),
    ],
)
def test_what_makes_no_file_is_not_written(header, batches, field):
    with pytest.raises((NotWritten, RecordMisfit, ValueError)) as refused:
        file_bytes(replace(HEADER, **header), batches)
    assert field in str(refused.value)


def test_an_account_is_masked():
    assert Entry(22, "041099999", "00123456789", 1, "A").masked_account == "****6789"
    assert Entry(22, "041099999", "123", 1, "A").masked_account == "****"
