"""The payment-voucher interface as data: any layout reads back what it wrote, and a wrong layout names its keys."""

import copy
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.remittance import STANDARD, interface_from, judge_vouchers, read_vouchers, write_vouchers
from services.payments.remittance import interface as layouts
from services.payments.remittance.interface import DAYS, MOMENTS, VALUES, Kind
from services.payments.remittance.payments import read_payments, sample_payments
from services.payments.remittance.vouchers import VoucherFile
from tests.services.payments.remittance.test_files import MADE_AT, files

GIVEN = tomllib.loads(Path(layouts.__file__).with_name("cairnpv1.toml").read_text())
WIDTHS = {"text": 70, "number": 10, "cents": 15, "dollars": 16, "day": 10, "moment": 20}


@st.composite
def columns(draw: st.DrawFn, record: str, fixed: bool) -> list[dict]:
    found = []
    for value in draw(st.permutations(sorted(VALUES[record]))):
        kind = draw(st.sampled_from(sorted(VALUES[record][value])))
        column = {"name": value, "value": value, "kind": kind.value}
        if fixed:
            column["width"] = WIDTHS[kind.value]
        if kind is Kind.DAY:
            column["format"] = draw(st.sampled_from(sorted(DAYS)))
        if kind is Kind.MOMENT:
            column["format"] = draw(st.sampled_from(sorted(MOMENTS)))
        found.append(column)
    mark = {"name": "mark", "fixed": record[0].upper()} | ({"width": 2} if fixed else {})
    return [mark, *found]


@st.composite
def interfaces(draw: st.DrawFn) -> dict:
    fixed = draw(st.booleans())
    return {
        "name": "ANY",
        "form": "fixed" if fixed else "delimited",
        "width": 1_000 if fixed else 0,
        "delimiter": draw(st.sampled_from(["|", ",", ";", "\t"])),
        "line_end": draw(st.sampled_from(["\n", "\r\n"])),
        "column_names": not fixed and draw(st.booleans()),
        "header": draw(columns("header", fixed)) if draw(st.booleans()) else [],
        "detail": draw(columns("detail", fixed)),
        "trailer": draw(columns("trailer", fixed)) if draw(st.booleans()) else [],
    }


@given(interfaces(), files)
def test_any_layout_reads_back_what_it_wrote(given_layout, file):
    interface, faults = interface_from(given_layout)
    assert faults == []
    content = write_vouchers(file, interface)
    read = read_vouchers(content, interface)
    assert read.payments == file.payments
    if any(column.value == "made_at" and column.kind is Kind.MOMENT for column in interface.header):
        assert write_vouchers(read, interface) == content


@given(files, st.data())
def test_a_changed_amount_is_found_by_record_and_field(file, data):
    content = write_vouchers(file)
    at = 321 * data.draw(st.integers(1, len(file.payments))) + data.draw(st.integers(94, 103))
    digit = ord("0") + (content[at] - ord("0") + data.draw(st.integers(1, 9))) % 10
    verdict = judge_vouchers(content[:at] + bytes([digit]) + content[at + 1 :])
    assert verdict.faults[0].field in {"total_cents", "amount_cents"}
    assert verdict.faults[0].record in {"trailer", "detail"}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"form": "xml"}, "form"),
        ({"width": 0}, "width"),
        ({"width": 200}, "detail"),
        ({"name": ""}, "name"),
        ({"line_end": "\r"}, "line_end"),
        ({"delimiter": "x"}, "delimiter"),
        ({"moon": 1}, "moon"),
        ({"detail": []}, "detail"),
        ({"header": "no"}, "header"),
        ({"header": [{"name": "x", "value": "moon", "width": 1}]}, "header[1]"),
        ({"header": [{"name": "x", "value": "made_at", "width": 8, "kind": "day"}]}, "header[1]"),
        ({"header": [{"name": "x", "value": "batch_id"}]}, "header[1]"),
        ({"header": [{"nom": "x"}]}, "header[1]"),
        ({"trailer": [{"name": "x", "value": "payments", "width": 4, "kind": "text"}]}, "trailer[1]"),
    ],
)
def test_a_wrong_layout_names_its_key(change, key):
    found, faults = interface_from(copy.deepcopy(GIVEN) | change)
    assert found is None
    assert key in {name for name, _ in faults}


def test_the_standard_layout_is_the_file():
    found, faults = interface_from(GIVEN)
    assert (found, faults) == (STANDARD, [])


def test_lines_of_payments_name_every_fault():
    head = "supplier_number,invoice_number,invoice_on,amount_cents,due_on\n"
    told = {"file": "p", "account": "", "message": "", "business_unit": "DEV01", "interface": STANDARD}
    lines = [head, "1,A,2026-03-10,5,2026-04-09\n", "x,,2026-13-10,0,soon\n", "1,A\n"]
    found, faults = read_payments(lines, **told)
    assert [one.supplier_number for one in found] == ["0000000001"]
    assert [(fault.line, fault.column) for fault in faults] == [
        (3, "supplier_number"), (3, "amount_cents"), (3, "invoice_on"), (3, "due_on"), (3, "invoice_number"), (4, ""),
    ]  # fmt: skip
    assert read_payments([head.replace("due_on", "moon")], **told)[1]
    assert read_payments(["\n"], **told)[1]
    _, [fault] = read_payments([head, f"1,{'A' * 140_000},2026-03-10,5,2026-04-09\n"], **told)
    assert (fault.line, fault.column, fault.reason) == (2, "invoice_number", "a cell of more than 131072 characters")


def test_a_sample_is_always_the_same():
    one, other = (sample_payments(40, account="A", message="M") for _ in "ab")
    assert one == other
    assert judge_vouchers(write_vouchers(VoucherFile("bat_1", MADE_AT, "DEV01", tuple(one)))).is_valid
