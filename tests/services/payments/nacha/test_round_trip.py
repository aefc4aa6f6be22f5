"""Any valid file reads back to the byte; the files written by hand agree with both directions."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.nacha import FileWriter, file_bytes
from tests.services.payments.nacha.builders import files, judged, regrouped
from tests.services.payments.nacha.golden import FILES, FOLDER


@settings(max_examples=40, deadline=None)
@given(files(), st.sampled_from(["\n", "\r\n", ""]), st.integers(1, 4000))
def test_a_file_reads_back_to_the_byte(file, line_end, size):
    header, batches = file
    content = file_bytes(header, batches, line_end=line_end)
    found, verdict = judged(content, size)
    assert verdict.valid, verdict.first_fault
    assert verdict.header == header
    assert verdict.line_end == line_end
    assert [(h, [replace(e, trace="") for e in es]) for h, es in regrouped(found)] == batches
    assert file_bytes(verdict.header, regrouped(found), line_end=verdict.line_end) == content


@given(files())
@settings(max_examples=12, deadline=None)
def test_every_file_is_whole_blocks_of_ten_records_of_94(file):
    header, batches = file
    writer = FileWriter(header)
    records = b"".join(writer.write(batches)).decode("ascii").splitlines()
    assert {len(record) for record in records} == {94}
    assert len(records) == 10 * writer.blocks
    traces = [record[79:94] for record in records if record[0] == "6"]
    assert [trace[8:] for trace in traces] == [f"{n:07d}" for n in range(1, len(traces) + 1)]
    rdfi = sum(int(record[3:11]) for record in records if record[0] == "6")
    control = next(record for record in records if record[0] == "9")
    assert int(control[21:31]) == rdfi % 10**10
    assert int(control[13:21]) == sum(record[0] in "67" for record in records)


@pytest.mark.parametrize("name", FILES)
def test_a_file_written_by_hand_is_what_is_written_and_read(name):
    content = (FOLDER / f"{name}.ach").read_bytes()
    header, batches = FILES[name]
    found, verdict = judged(content)
    assert verdict.valid, verdict.first_fault
    assert verdict.header == header
    assert regrouped(found) == batches
    assert file_bytes(header, batches) == content


def test_the_entry_hash_keeps_its_last_ten_digits():
    header, [(batch, [entry, _])] = FILES["ccd"]
    many = [replace(entry, routing_number="999999992", trace="") for _ in range(101)]
    content = file_bytes(header, [(batch, many)])
    found, verdict = judged(content)
    assert verdict.valid, verdict.first_fault
    assert 101 * 99999999 > 10**10
    assert f"{101 * 99999999 % 10**10:010d}".encode() in content
    assert len(found) == 101


def test_ctx_carries_9999_addenda_and_no_more():
    header, [(batch, [entry, _])] = FILES["ctx"]
    full = replace(entry, addenda=tuple(f"{n}" for n in range(9999)))
    _, verdict = judged(file_bytes(header, [(batch, [full])]))
    assert verdict.valid, verdict.first_fault
    assert verdict.sums.records == 10_000
    with pytest.raises(ValueError, match="Number of Addenda Records: '10000' does not fit"):
        file_bytes(header, [(batch, [replace(entry, addenda=("x",) * 10_000)])])


def test_nothing_crashes_the_reader():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    choose = random.Random(seed)
    pages = [(FOLDER / f"{name}.ach").read_bytes() for name in FILES]
    for _ in range(150):
        content = bytearray(choose.choice(pages))
        for _ in range(choose.randint(1, 12)):
            at = choose.randrange(len(content))
            content[at : at + choose.randint(0, 3)] = choose.randbytes(choose.randint(0, 3))
        judged(bytes(content), choose.randint(1, 1000))
