"""The exam vendor of the examples as its own program: a lot, a report of it with the vendor's faults."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from examples import exam_vendor
from services.payments.exam_vouchers.codes import read_lot
from services.payments.exam_vouchers.formats import Word, load_format
from services.payments.exam_vouchers.reports import LineFault, read_report

ROOT = Path(__file__).parents[4]
VENDORS = ROOT / "programs" / "exam-vendors"


def vendor(*arguments: str) -> dict[str, object]:
    argv = [sys.executable, "-m", "examples.exam_vendor", *arguments]
    return json.loads(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout)


def test_a_lot_and_a_report_of_it(tmp_path):
    lot, story, report = tmp_path / "lot.csv", tmp_path / "story.json", tmp_path / "report.csv"
    vendor("lot", "--out", str(lot), "--codes", "5", "--seed", "3")
    codes = read_lot(lot.read_bytes())
    assert codes == exam_vendor.new_codes(5, seed=3)
    told = [{"code": n, "status": "delivered", "at": f"2026-03-09T0{n}:30"} for n in (1, 2)]
    story.write_text(json.dumps([*told, {"code": "FOREIGN-1", "status": "no_show", "at": "2026-03-09T09:30"}]))
    written = vendor(
        "report", "--lot", str(lot), "--story", str(story), "--out", str(report),
        "--repeat", "1", "--wrong-total", "--columns", "reversed",
    )  # fmt: skip
    found = read_report(report.read_bytes(), load_format(VENDORS, "harbor-testing"))
    assert [(line.code, line.word) for line in found.lines] == [
        (codes[0], Word.DELIVERED),
        (codes[1], Word.DELIVERED),
        ("FOREIGN-1", Word.NO_SHOW),
        (codes[0], Word.DELIVERED),
    ]
    # Half past one in New York, on the day after the clocks went forward.
    assert found.lines[0].event_at == datetime(2026, 3, 9, 5, 30, tzinfo=UTC)
    assert [fault.fault for fault in found.faults] == [LineFault.TOTALS]
    assert written["lines"] == 5
    assert report.stat().st_mode & 0o077 == 0


def test_every_word_of_each_vendor_is_in_its_format():
    for name, style in (("harbor-testing", exam_vendor.HARBOR), ("keystone-certification", exam_vendor.KEYSTONE)):
        form = load_format(VENDORS, name)
        assert {form.words[word.casefold()] for word in style.words.values()} == set(Word)
        assert form.zone == style.zone
        assert {form.columns.code, form.columns.status, form.columns.event_at} <= set(style.columns)


def test_a_retirement_is_announced_in_words():
    notice = exam_vendor.retirement_notice("HT-101 Coding", datetime(2026, 6, 30, tzinfo=UTC))
    assert "2026-06-30" in notice
