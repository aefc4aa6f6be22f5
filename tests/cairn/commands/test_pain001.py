"""`cairn ach pain001`: the message is valid by the schema, says what the list says, and refuses what it cannot say."""

import xml.etree.ElementTree as ET

import pytest

from tests.cairn.commands.calling import cairn

NS = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}
HEAD = "payee_name,routing_number,account_number,account_type,amount_cents,invoices,kind"
GOOD = "Lorain & Sons <C>,041099999,00998877,checking,120050,INV-1,"


def written(tmp_path, *rows: str):
    payments, out = tmp_path / "p.csv", tmp_path / "o.xml"
    payments.write_text("\n".join([HEAD, *rows, ""]))
    called = cairn(
        tmp_path, "ach", "pain001", "--payments", str(payments), "--out", str(out), "--debtor-account", "77", "--json"
    )
    return called, out


def test_a_message_says_what_the_list_says(tmp_path):
    called, out = written(tmp_path, GOOD, GOOD.replace("120050", "1"))
    assert (called.code, called.facts["entries"], called.facts["total_cents"]) == (0, 2, 120_051)
    root = ET.fromstring(out.read_bytes())
    assert [one.text for one in root.findall(".//p:CtrlSum", NS)] == ["1200.51", "1200.51"]
    assert [one.text for one in root.findall(".//p:InstdAmt", NS)] == ["1200.50", "0.01"]
    assert {one.text for one in root.findall(".//p:CdtrAgt//p:MmbId", NS)} == {"041099999"}
    assert {one.text for one in root.findall(".//p:CdtrAcct//p:Othr/p:Id", NS)} == {"00998877"}
    assert {one.text for one in root.findall(".//p:Cdtr/p:Nm", NS)} == {"Lorain & Sons <C>"}
    ends = [one.text for one in root.findall(".//p:EndToEndId", NS)]
    assert len(set(ends)) == 2
    assert max(map(len, ends)) <= 35


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (GOOD.replace("checking", "savings"), "not_written"),
        ("A,041099999,1,checking,0,,prenote", "not_written"),
        ("A,041099998,1,checking,5,,", "payments_faulty"),
    ],
)
def test_what_the_message_cannot_say_leaves_no_file(tmp_path, row, code):
    called, out = written(tmp_path, GOOD, row)
    assert (called.code, called.facts["code"]) == (1, code)
    assert not out.exists()


def test_a_sample_is_valid(tmp_path):
    out = tmp_path / "o.xml"
    called = cairn(tmp_path, "ach", "pain001", "--sample", "40", "--out", str(out), "--debtor-account", "77", "--json")
    assert called.facts["entries"] == 40
