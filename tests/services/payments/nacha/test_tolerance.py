"""What is against the rules and yet plain is told and keeps nothing back; what is not ours to read costs no other."""

from dataclasses import replace

import pytest

from services.payments.nacha import BatchHeader, Dispute, Entry, NotWritten, ReturnAddendum, ServiceClass, file_bytes
from tests.services.payments.nacha.builders import judged
from tests.services.payments.nacha.golden import FILES, FOLDER

HEADER, BACK = FILES["returns"]
OURS = [entry for _, entries in BACK for entry in entries]


def with_batches(*others: list[str], content: bytes) -> bytes:
    """The file with other batches before its own, its control right."""
    head, *rest = [record for record in content.decode().splitlines() if not record.startswith("99")]
    records = [head, *(record for other in others for record in other), *rest]
    controls = [record for record in records if record[0] == "8"]
    sums = [sum(int(one[at:to]) for one in controls) for at, to in ((4, 10), (10, 20), (20, 32), (32, 44))]
    blocks = -(-len(records) // 10)
    records[-1] = (
        f"9{len(controls):06d}{blocks:06d}{sums[0]:08d}{sums[1] % 10**10:010d}{sums[2]:012d}{sums[3]:012d}"
    ).ljust(94)
    return "".join(f"{record}\n" for record in [*records, *["9" * 94] * (blocks * 10 - len(records))]).encode()


def web_batch(name: str = "SOMEBODY") -> list[str]:
    return [
        f"5225{'A SHOP':16}{'':20}{'1888888888':10}WEB{'ORDER':10}{'':6}2603120701041099990000001",
        f"627{'041099999'}{'445566':17}{4200:010d}{'ID':15}{name:22}  0041099990000001",
        f"8225{1:06d}{4109999:010d}{4200:012d}{0:012d}{'1888888888':10}{'':19}{'':6}041099990000001",
    ]


def iat_batch() -> list[str]:
    control = f"{'':19}{'':6}041099990000002"
    return [
        f"5220{'':16}FF3{'':15}US{'1777777777':10}IAT{'TRADE':10}USDUSD2603120701041099990000002",
        f"6220410999990007{'':13}{5000:010d}{'123456789':35}{'':2}  1041099990000002",
        *(f"7{10 + number}{'':84}0000002" for number in range(7)),
        f"8220{8:06d}{4109999:010d}{0:012d}{5000:012d}{'1777777777':10}{control}",
    ]


def test_a_batch_of_a_class_that_is_not_read_is_told_with_its_sums_and_the_others_are_read():
    mixed = with_batches(web_batch(), iat_batch(), content=(FOLDER / "returns.ach").read_bytes())
    found, verdict = judged(mixed)
    assert [one.entry for one in found] == OURS
    assert (verdict.valid, verdict.first_of_file) == (False, None)
    assert {record: (fault.field, fault.reason.split(": ")[1]) for record, fault in verdict.of_entries.items()} == {
        2: ("Standard Entry Class Code", "1 entries, 4200 cents"),
        5: ("Standard Entry Class Code", "1 entries, 5000 cents"),
    }


def test_the_sums_of_a_class_that_is_not_read_are_proven_all_the_same():
    other = web_batch()
    other[1] = other[1].replace(f"{4200:010d}", f"{4201:010d}")
    _, verdict = judged(with_batches(other, content=(FOLDER / "returns.ach").read_bytes()))
    assert verdict.first_of_file is not None
    assert verdict.first_of_file.field == "Total Debit Entry Dollar Amount"


def test_blanks_stripped_from_header_and_control_are_told_and_put_back():
    content = b"".join(line.rstrip() + b"\n" for line in (FOLDER / "returns.ach").read_bytes().splitlines())
    found, verdict = judged(content)
    assert [one.entry for one in found] == OURS
    assert (verdict.valid, verdict.first_of_file, verdict.of_entries) == (False, None, {})
    assert {fault.field for fault in verdict.faults} == {"Record"}
    assert all("read as if blanks followed" in fault.reason for fault in verdict.faults)


@pytest.mark.parametrize(("kept", "whole"), [(40, False), (54, False), (55, True)])
def test_a_control_that_lost_more_than_blanks_is_a_fault_of_the_file(kept, whole):
    lines = (FOLDER / "returns.ach").read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line[0] == "9" and line != "9" * 94)
    lines[at] = lines[at][:kept]
    _, verdict = judged("".join(f"{line}\n" for line in lines).encode())
    assert (verdict.first_of_file is None) is whole


def test_a_return_without_its_receivers_name_is_told_and_read():
    lines = (FOLDER / "returns.ach").read_text().splitlines()
    lines[2] = lines[2][:54] + " " * 22 + lines[2][76:]
    found, verdict = judged("".join(f"{line}\n" for line in lines).encode())
    assert [one.entry for one in found] == [replace(OURS[0], name=""), *OURS[1:]]
    assert (verdict.valid, verdict.first_of_file, verdict.of_entries) == (False, None, {})
    assert verdict.first_fault is not None
    assert verdict.first_fault.field == "Receiving Company Name"


BATCH = BatchHeader(ServiceClass.CREDITS, "CAIRN", "1999999999", "CCD", "EDU PAYMT", "260312", "04109999", 1)
ABOUT = Dispute("041099990000003", "02")


@pytest.mark.parametrize(
    ("addendum", "field"),
    [
        (ReturnAddendum("R68", "1" * 15, "04109999"), "Return Trace Number"),
        (ReturnAddendum("R02", "1" * 15, "04109999", dispute=ABOUT), "Return Trace Number"),
        (ReturnAddendum("R68", "1" * 15, "04109999", dispute=replace(ABOUT, return_code="99")), "Return Reason Code"),
    ],
)
def test_a_dispute_belongs_to_a_dishonored_or_contested_return(addendum, field):
    entry = Entry(21, "041099999", "1234", 100, "A COLLEGE", addenda=(addendum,), trace="041099990000001")
    with pytest.raises(NotWritten, match=field):
        file_bytes(HEADER, [(BATCH, [entry])])


def test_the_columns_of_a_contested_return_stand_where_the_rules_have_them():
    about = Dispute("041099990000003", "02", "071", "260313", "070", "076401250000009", "68", "075")
    addendum = ReturnAddendum("R73", "076401250000001", "04109999", dispute=about)
    entry = Entry(21, "041099999", "1234", 100, "A COLLEGE", addenda=(addendum,), trace="041099990000001")
    record = next(
        line for line in file_bytes(HEADER, [(BATCH, [entry])]).decode().splitlines() if line.startswith("799")
    )
    assert record == (
        "799R73" "076401250000001" "260313" "04109999" "070" "041099990000003" "071" "02" "076401250000009" "075" "68"
        " " "041099990000001"
    )  # fmt: skip
