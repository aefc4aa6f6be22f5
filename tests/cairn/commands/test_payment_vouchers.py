"""`cairn payment-vouchers write|read`: files of either layout, the first fault by record and field, nothing half."""

import pytest

from tests.cairn.commands.calling import cairn

LAYOUT = """
name = "LEDGER-CSV"
form = "delimited"
delimiter = ","
line_end = "\\r\\n"
column_names = true
detail = [
  { name = "UNIT", value = "business_unit" },
  { name = "VENDOR", value = "supplier_number", kind = "text" },
  { name = "INVOICE", value = "invoice_number" },
  { name = "DATE", value = "invoice_on", kind = "day", format = "MM/DD/YYYY" },
  { name = "AMOUNT", value = "amount_cents", kind = "dollars" },
  { name = "TERMS", fixed = "NET30" },
  { name = "REF", value = "disbursement_id" },
]
"""
CSV = 'supplier_number,invoice_number,invoice_on,amount_cents,due_on\n7,"A, B",2026-03-10,123456,2026-04-09\n'


def test_a_sample_is_written_and_judged_valid(tmp_path):
    out = tmp_path / "a.pvf"
    written = cairn(tmp_path, "payment-vouchers", "write", "--sample", "25", "--out", str(out), "--json").facts
    judged = cairn(tmp_path, "payment-vouchers", "read", str(out), "--json").facts
    assert judged["verdict"] == "valid"
    assert judged["first_fault"] is None
    assert (judged["entries"], judged["totals"]["total_cents"]) == (25, written["total_cents"])


def test_another_layout_is_data(tmp_path):
    layout, payments, out = tmp_path / "l.toml", tmp_path / "p.csv", tmp_path / "o.csv"
    layout.write_text(LAYOUT)
    payments.write_text(CSV)
    cairn(
        tmp_path, "payment-vouchers", "write", "--payments", str(payments), "--layout", str(layout), "--out", str(out)
    )
    head, line = out.read_bytes().decode().split("\r\n")[:2]
    assert head == "UNIT,VENDOR,INVOICE,DATE,AMOUNT,TERMS,REF"
    assert line.startswith('DEV01,0000000007,"A, B",03/10/2026,1234.56,NET30,dsb_')
    judged = cairn(tmp_path, "payment-vouchers", "read", str(out), "--layout", str(layout), "--json").facts
    assert (judged["verdict"], judged["totals"]["total_cents"]) == ("valid", 123_456)


@pytest.mark.parametrize(
    ("spoil", "record", "field"),
    [
        (lambda c: c.replace(b"D000002", b"D000009"), 3, "number"),
        (lambda c: c.replace(b"CAIRNPV1", b"CAIRNPV9"), 1, "layout"),
        (lambda c: c.replace(b"T000003", b"T000004"), 5, "payments"),
    ],
)
def test_the_first_fault_is_named_by_record_and_field(tmp_path, spoil, record, field):
    out = tmp_path / "a.pvf"
    cairn(tmp_path, "payment-vouchers", "write", "--sample", "3", "--out", str(out))
    out.write_bytes(spoil(out.read_bytes()))
    answer = cairn(tmp_path, "payment-vouchers", "read", str(out), "--json")
    assert answer.code == 1
    judged = answer.facts
    assert (judged["verdict"], judged["first_fault"]["record"], judged["first_fault"]["field"]) == (
        "invalid", record, field,
    )  # fmt: skip


def test_a_faulty_line_or_layout_leaves_no_file(tmp_path):
    payments, out, layout = tmp_path / "p.csv", tmp_path / "o.pvf", tmp_path / "l.toml"
    payments.write_text(CSV.replace("123456", "0"))
    answer = cairn(tmp_path, "payment-vouchers", "write", "--payments", str(payments), "--out", str(out), "--json")
    assert answer.facts["faults"][0]["column"] == "amount_cents"
    layout.write_text(LAYOUT.replace("dollars", "day"))
    answer = cairn(
        tmp_path, "payment-vouchers", "write", "--sample", "1", "--layout", str(layout), "--out", str(out), "--json"
    )
    assert answer.facts["code"] == "layout_faulty"
    assert not out.exists()


def test_a_line_that_orders_what_another_has_ordered_is_named_when_written_and_when_read(tmp_path):
    payments, out = tmp_path / "p.csv", tmp_path / "o.pvf"
    head, line = CSV.splitlines()
    payments.write_text(f"{head}\n{line}\n{line.replace('123456', '5')}\n{line}\n")
    answer = cairn(tmp_path, "payment-vouchers", "write", "--payments", str(payments), "--out", str(out), "--json")
    assert [(fault["line"], fault["column"], fault["reason"]) for fault in answer.facts["faults"]] == [
        (4, "invoice_number", "stands on line 2 as well")
    ]
    assert not out.exists()
    cairn(tmp_path, "payment-vouchers", "write", "--sample", "3", "--out", str(out))
    first, second, third, *rest = out.read_bytes().splitlines(keepends=True)
    twice = second.replace(b"D000001", b"D000002")
    out.write_bytes(b"".join([first, second, twice, *rest]))
    judged = cairn(tmp_path, "payment-vouchers", "read", str(out), "--json").facts
    assert [(fault["record"], fault["field"]) for fault in judged["faults"][:2]] == [
        (3, "invoice_number"),
        (3, "disbursement_id"),
    ]
    assert third != twice


@pytest.mark.parametrize("text", ["x" * 500, "Größe"])
def test_text_that_the_columns_cannot_carry_is_named_by_its_line(tmp_path, text):
    payments, out = tmp_path / "p.csv", tmp_path / "o.pvf"
    payments.write_text(CSV + CSV.splitlines()[1].replace("A, B", text) + "\n", encoding="utf-8")
    answer = cairn(tmp_path, "payment-vouchers", "write", "--payments", str(payments), "--out", str(out), "--json")
    assert [(fault["line"], fault["column"]) for fault in answer.facts["faults"]] == [(3, "invoice_number")]
    assert not out.exists()
