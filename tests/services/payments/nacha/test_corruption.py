"""Every check field of a file, changed by one digit, is found and named as the first fault."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.nacha import file_bytes
from services.payments.nacha.fields import Layout
from services.payments.nacha.records import (
    BATCH_CONTROL,
    BATCH_HEADER,
    ENTRIES,
    FILE_CONTROL,
    FILE_HEADER,
    addenda_layout,
)
from tests.services.payments.nacha.builders import files, judged

CHECKED = {
    "8": {
        "Service Class Code", "Entry/Addenda Count", "Entry Hash", "Total Debit Entry Dollar Amount",
        "Total Credit Entry Dollar Amount", "Company Identification", "Originating DFI Identification", "Batch Number",
    },
    "9": {
        "Batch Count", "Block Count", "Entry/Addenda Count", "Entry Hash", "Total Debit Entry Dollar Amount in File",
        "Total Credit Entry Dollar Amount in File",
    },
    "6": {"Check Digit", "Addenda Record Indicator", "Number of Addenda Records"},
    "7": {"Addenda Type Code", "Addenda Sequence Number", "Entry Detail Sequence Number", "Trace Number"},
    "1": {"Priority Code", "Record Size", "Blocking Factor", "Format Code"},
}  # fmt: skip


def layouts(records: list[str]) -> list[Layout | None]:
    """The layout of each record; nothing for filler."""
    found: list[Layout | None] = []
    entry_class = ""
    for number, record in enumerate(records):
        match record[0]:
            case "5":
                entry_class = record[50:53]
                found.append(BATCH_HEADER)
            case "6":
                found.append(ENTRIES[entry_class])
            case "7":
                found.append(addenda_layout(record[1:3], record[3:6]))
            case "9":
                found.append(FILE_CONTROL if records[number - 1][0] == "8" else None)
            case other:
                found.append({"1": FILE_HEADER, "8": BATCH_CONTROL}[other])
    return found


def changed(records: list[str], number: int, column: int, by: int) -> bytes:
    """The file with one digit of it increased; columns from 1."""
    record = records[number]
    digit = str((int(record[column - 1]) + by) % 10)
    spoiled = [*records]
    spoiled[number] = record[: column - 1] + digit + record[column:]
    return ("\n".join(spoiled) + "\n").encode("ascii")


@settings(max_examples=80, deadline=None)
@given(files(), st.data())
def test_a_corrupted_check_field_is_found_and_named(file, data):
    records = file_bytes(*file).decode("ascii").splitlines()
    places = [
        (number, name)
        for number, layout in enumerate(layouts(records))
        if layout is not None
        for name in layout.columns
        if name in CHECKED.get(layout.code, set())
    ]
    number, name = data.draw(st.sampled_from(places))
    layout = layouts(records)[number]
    assert layout is not None
    first, last = layout.columns[name]
    column = data.draw(st.integers(first, last))
    by = 1 if name == "Addenda Record Indicator" and records[number][78] == "0" else data.draw(st.integers(1, 9))
    _, verdict = judged(changed(records, number, column, by))
    assert not verdict.valid
    fault = verdict.first_fault
    assert fault is not None
    assert (fault.record, fault.record_type, fault.field) == (number + 1, layout.code, name)
    assert (fault.first_column, fault.last_column) == (first, last)


LETTERED = (
    "Addenda Type Code", "Change Code", "Return Reason Code", "Original Entry Trace Number",
    "Original Receiving DFI Identification", "Trace Number",
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(files().filter(lambda file: b"\n798" in file_bytes(*file) or b"\n799" in file_bytes(*file)), st.data())
def test_a_letter_in_a_return_or_a_change_is_named_where_it_stands(file, data):
    records = file_bytes(*file).decode("ascii").splitlines()
    number = data.draw(st.sampled_from([n for n, record in enumerate(records) if record[:3] in {"798", "799"}]))
    layout = layouts(records)[number]
    assert layout is not None
    name = data.draw(st.sampled_from([name for name in LETTERED if name in layout.columns]))
    first, last = layout.columns[name]
    column = data.draw(st.integers(first, last))
    record = records[number]
    records[number] = record[: column - 1] + "x" + record[column:]
    _, verdict = judged(("\n".join(records) + "\n").encode("ascii"))
    fault = verdict.first_fault
    assert fault is not None
    assert (fault.record, fault.record_type, fault.field) == (number + 1, "7", name)


@settings(max_examples=25, deadline=None)
@given(files(), st.data())
def test_a_changed_amount_or_bank_is_found(file, data):
    records = file_bytes(*file).decode("ascii").splitlines()
    number = data.draw(st.sampled_from([n for n, record in enumerate(records) if record[0] == "6"]))
    column = data.draw(st.integers(4, 12) | st.integers(30, 39))
    _, verdict = judged(changed(records, number, column, data.draw(st.integers(1, 9))))
    assert verdict.first_fault is not None
    control = next(n for n in range(number, len(records)) if records[n][0] == "8")
    if column <= 12:
        assert (verdict.first_fault.record, verdict.first_fault.field) == (number + 1, "Check Digit")
    else:
        assert verdict.first_fault.record in {number + 1, control + 1}
        assert "Amount" in verdict.first_fault.field


@settings(max_examples=25, deadline=None)
@given(files(), st.data())
def test_a_changed_bank_batch_number_trace_or_filler_is_found(file, data):
    records = file_bytes(*file).decode("ascii").splitlines()
    columns = {"5": (80, 87, 88, 94), "9": (2, 50, 94), "6": (80, 87)}
    places = [
        (number, column)
        for number, record in enumerate(records)
        for column in columns.get(record[0], ())
        # A returned entry carries the trace of the bank that returns it.
        if (record[0] != "6" or record[2] not in "16") and (record[0] != "9" or record == "9" * 94)
    ]
    number, column = data.draw(st.sampled_from(places))
    _, verdict = judged(changed(records, number, column, data.draw(st.integers(1, 9))))
    assert not verdict.valid
    if records[number] == "9" * 94:
        assert (verdict.first_fault.record, verdict.first_fault.field) == (number + 1, "Filler")
    if records[number][0] == "6":
        assert (verdict.first_fault.record, verdict.first_fault.field) == (number + 1, "Trace Number")
