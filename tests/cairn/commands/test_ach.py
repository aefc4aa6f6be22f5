"""`cairn ach` without a running stack: files written and judged, faults by line and by record, exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cairn.cli import app
from cairn.exits import Exit

HEAD = "payee_name,routing_number,account_number,account_type,amount_cents,invoices,kind\n"


GOLDEN = Path(__file__).parents[2] / "services" / "payments" / "nacha" / "golden"


def ach(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["ach", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("entry_class", ["CCD", "CTX", "PPD"])
def test_a_sample_is_written_and_found_valid(tmp_path: Path, entry_class: str) -> None:
    out = tmp_path / "out.ach"
    code, text = ach("write", "--sample", 30, "--class", entry_class, "--out", out, "--json")
    assert code == Exit.OK, text
    written = json.loads(text)
    code, text = ach("read", out, "--json", "--entries", 2)
    assert code == Exit.OK, text
    read = json.loads(text)
    assert (read["ok"], read["verdict"], read["first_fault"]) == (True, "valid", None)
    assert read["entries"] == written["entries"] == 30
    assert read["totals"]["credit_cents"] == written["credit_cents"]
    assert read["totals"]["entry_hash"] == written["entry_hash"]
    assert len(read["shown"]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"out.ach"}


def test_an_invalid_file_is_told_with_record_and_field(tmp_path: Path) -> None:
    out = tmp_path / "out.ach"
    ach("write", "--sample", 2, "--class", "PPD", "--out", out)
    content = out.read_text().splitlines()
    content[2] = content[2][:11] + str((int(content[2][11]) + 1) % 10) + content[2][12:]
    out.write_text("\n".join(content) + "\n")
    code, text = ach("read", out)
    assert code == Exit.FAILED
    assert "First fault: record 3 (entry detail), Check Digit, columns 12-12" in text
    code, text = ach("read", out, "--json")
    assert code == Exit.FAILED
    facts = json.loads(text)
    assert facts["ok"] is False
    assert (facts["first_fault"]["record"], facts["first_fault"]["field"]) == (3, "Check Digit")


def test_payments_with_faults_leave_no_file(tmp_path: Path) -> None:
    payments, out = tmp_path / "pay.csv", tmp_path / "out.ach"
    payments.write_text(HEAD + "A,041099999,1,checking,100,INV-1,\nB,041099998,2,checking,x,,\n")
    code, text = ach("write", "--payments", payments, "--class", "CCD", "--out", out)
    assert code == Exit.FAILED
    assert "pay.csv, line 3, routing_number: " in text
    assert "pay.csv, line 3, amount_cents: " in text
    code, text = ach("write", "--payments", payments, "--class", "CCD", "--out", out, "--json")
    assert [(fault["line"], fault["column"]) for fault in json.loads(text)["faults"]] == [
        (3, "routing_number"),
        (3, "amount_cents"),
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"pay.csv"}


def test_payments_of_a_named_originator(tmp_path: Path) -> None:
    payments, sender, out = tmp_path / "pay.csv", tmp_path / "sender.toml", tmp_path / "out.ach"
    payments.write_text(HEAD + "A,041099999,1234567,checking,100,INV-1,\nB,041099999,2,savings,0,,prenote\n")
    sender.write_text(
        'company_name = "STATE OF EXAMPLE"\nein = "311234567"\nodfi_routing = "076401251"\nodfi_name = "BANK"\n'
        'origin = "076401251"\norigin_name = "STATE OF EXAMPLE"\n'
    )
    arguments = ("write", "--payments", payments, "--class", "CCD", "--out", out, "--originator", sender)
    code, text = ach(*arguments, "--effective", "2099-03-11", "--modifier", "7")
    assert code == Exit.OK, text
    header, batch, *_ = out.read_text().splitlines()
    assert header.startswith("101 076401251 076401251")
    assert header[33] == "7"
    assert batch[40:50] == "1311234567"
    assert batch[69:75] == "990311"
    assert out.stat().st_mode & 0o077 == 0
    code, text = ach("read", out)
    assert code == Exit.OK
    assert "payments 1, prenotes 1" in text
    assert "1234567" not in text
    sender.write_text("company_name = 7\n")
    code, text = ach(*arguments)
    assert code == Exit.FAILED
    assert "sender.toml, company_name: is not text" in text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["write", "--class", "CCD", "--out", "x.ach"], Exit.USAGE),
        (["write", "--class", "WEB", "--sample", "1", "--out", "x.ach"], Exit.USAGE),
        (["write", "--class", "CCD", "--sample", "1", "--out", "x.ach", "--effective", "2001-01-01"], Exit.USAGE),
        (["write", "--class", "CCD", "--sample", "1", "--out", "x.ach", "--effective", "2100-01-04"], Exit.USAGE),
        (["write", "--class", "CCD", "--sample", "1", "--out", "nowhere/x.ach"], Exit.FAILED),
        (["write", "--class", "CCD", "--sample", "1", "--out", "x.ach", "--modifier", "a"], Exit.FAILED),
        (["read", "nothing.ach"], Exit.USAGE),
    ],
)
def test_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: Exit) -> None:
    monkeypatch.chdir(tmp_path)
    found, text = ach(*arguments)
    assert found == code, text
    assert "Traceback" not in text
    assert list(tmp_path.iterdir()) == []


def test_a_correction_is_shown_with_its_account_masked(tmp_path: Path) -> None:
    code, said = ach("read", GOLDEN / "changes.ach", "--json")
    assert code == Exit.OK
    corrections = [one["correction"] for one in json.loads(said)["shown"] if "change_code" in one]
    assert corrections
    assert all(corrections)
    shown = [one["account_number"] for one in corrections if "account_number" in one]
    assert shown
    assert all(len(number) <= 8 and number.startswith("****") for number in shown)


def test_what_a_contested_return_says_of_the_return_is_shown(tmp_path: Path) -> None:
    lines = (GOLDEN / "returns.ach").read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.startswith("799"))
    record = lines[number]
    about = "070" + "041099990000003" + "071" + "02" + "076401250000009" + "075" + "68" + " "
    lines[number] = record[:3] + "R73" + record[6:21] + "260309" + record[27:35] + about + record[79:]
    file = tmp_path / "contested.ach"
    file.write_text("".join(f"{line}\n" for line in lines))
    _, said = ach("read", file, "--json")
    [contested] = [one for one in json.loads(said)["shown"] if one.get("return_code") == "R73"]
    assert contested["died_on"] is None
    assert contested["dispute"] == {
        "return_trace": "041099990000003",
        "return_code": "02",
        "return_settled": "071",
        "original_returned": "260309",
        "original_settled": "070",
        "dishonored_trace": "076401250000009",
        "dishonored_code": "68",
        "dishonored_settled": "075",
    }
