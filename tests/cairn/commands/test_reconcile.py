"""`cairn statement read` and `cairn reconcile` on files, without a stack."""

from pathlib import Path

import pytest

from cairn.exits import Exit
from tests.cairn.commands.calling import cairn

SAMPLES = Path(__file__).parents[2] / "services" / "payments" / "statements" / "samples"
BAI2 = SAMPLES / "two_accounts.bai2"
TRANSIT = "disbursement_id,amount_cents,sent_on,state\n"
ENTRIES = "trace,disbursement_id,company_id,effective_on,amount_cents\n"
PAYMENTS = (
    ("042000310000001", "dsb_00000000000000000000000001", 300_000, "in_transit"),
    ("042000310000002", "dsb_00000000000000000000000002", 312_345, "in_transit"),
    ("042000310000003", "dsb_00000000000000000000000003", 150_000, "settled"),
    ("042000310000004", "dsb_00000000000000000000000004", 149_000, "in_transit"),
    ("042000310000005", "dsb_00000000000000000000000005", 1_000, "in_transit"),
)


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    transit, entries = tmp_path / "transit.csv", tmp_path / "entries.csv"
    transit.write_text(TRANSIT + "".join(f"{d},{cents},2026-03-09,{state}\n" for _, d, cents, state in PAYMENTS))
    entries.write_text(ENTRIES + "".join(f"{t},{d},1316402047,2026-03-10,{c}\n" for t, d, c, _ in PAYMENTS))
    return ["--transit", str(transit), "--entries", str(entries)]


@pytest.mark.parametrize(
    ("name", "form", "lines"), [("two_accounts.bai2", "bai2", 6), ("version_08.xml", "camt053", 5)]
)
def test_a_statement_is_read(tmp_path: Path, name: str, form: str, lines: int) -> None:
    called = cairn(tmp_path, "statement", "read", str(SAMPLES / name), "--json")
    assert called.code == Exit.OK
    facts = called.facts
    assert (facts["ok"], facts["format"], facts["lines"], facts["first_fault"]) == (True, form, lines, None)
    assert "they agree with the lines" in cairn(tmp_path, "statement", "read", str(SAMPLES / name)).out


def test_the_first_fault_is_named_and_the_other_account_read(tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled.bai2"
    spoiled.write_bytes(BAI2.read_bytes().replace(b"16,455,300000", b"16,455,300009"))
    called = cairn(tmp_path, "statement", "read", str(spoiled), "--json")
    assert called.code == Exit.FAILED
    fault = called.facts["first_fault"]
    assert (fault["record"], fault["field"], fault["reason"]) == (10, "account control total", "control_total")
    assert [one["account"] for one in called.facts["by_account"]] == ["*1111"]
    text = cairn(tmp_path, "statement", "read", str(spoiled))
    assert "First fault: record 10, account control total: control_total" in text.out


def test_everything_is_matched_or_explained_and_nothing_is_open(tmp_path: Path, tables: list[str]) -> None:
    called = cairn(tmp_path, "reconcile", "--statement", str(BAI2), *tables, "--json")
    assert called.code == Exit.OK, called
    assert {one["disbursement_id"][-1]: one["reason"] for one in called.facts["payments"]} == {
        "1": "settled",
        "2": "settled",
        "3": "late_return",
        "4": "settled_in_batch",
        "5": "settled_in_batch",
    }
    assert called.facts["as_of"] == "2026-03-10"


def test_what_is_open_is_shown_with_its_age(tmp_path: Path, tables: list[str]) -> None:
    Path(tables[3]).write_text(Path(tables[3]).read_text().replace("10,1000\n", "10,1001\n"))
    called = cairn(tmp_path, "reconcile", "--statement", str(BAI2), *tables, "--as-of", "2026-03-20")
    assert called.code == Exit.FAILED
    for words in ("the debit is not the batch's total", "-$0.01", "8 d", "6-10 days", "Something is open."):
        assert words in called.out


def test_wrong_files_are_named(tmp_path: Path, tables: list[str]) -> None:
    Path(tables[1]).write_text("disbursement_id,amount_cents\n")
    called = cairn(tmp_path, "reconcile", "--statement", str(BAI2), *tables)
    assert called.code == Exit.USAGE
    assert "row 1, sent_on: the column is missing" in " ".join(called.err.split())
    assert cairn(tmp_path, "statement", "read", str(tmp_path / "none")).code == Exit.USAGE
