"""`cairn exam-vouchers` on a real database: a lot comes in, is shown, is reported on; no code is ever printed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cairn.exits import Exit
from cairn.stack.engines import environment
from cairn.stack.layout import Home
from examples import exam_vendor
from tests.cairn.commands.calling import Called, cairn

CODES = exam_vendor.new_codes(3, seed=5)
AT = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)


@pytest.fixture
async def call(fresh_database, postgres_home: Home, tmp_path: Path) -> Callable[..., Called]:
    fresh = await fresh_database("payments")
    variables = dict(environment(postgres_home, postgres_home.read_state()["ports"]))
    variables["CAIRN_DATABASE_URL"] = fresh.url

    def run(*arguments: str) -> Called:
        called = cairn(tmp_path, "exam-vouchers", *arguments, **variables)
        assert not any(code in called.out + called.err for code in CODES)
        return called

    return run


def test_a_lot_from_import_to_report(call: Callable[..., Called], tmp_path: Path) -> None:
    lot, report = tmp_path / "lot.csv", tmp_path / "report.csv"
    lot.write_bytes(exam_vendor.lot_file(CODES))
    last = f"{datetime.now(UTC) + timedelta(days=100):%Y-%m-%d}"
    order = ["--exam", "coding-exam", "--vendor", "harbor-testing", "--order", "1", "--unit-cost-cents", "15000"]
    order += ["--expires", last, "--zone", "America/New_York"]
    assert call("import", str(lot), *order, "--json").facts["imported"] == 3
    assert call("import", str(lot), *order).code != Exit.OK
    stock = call("stock", "--json").facts
    assert [(one["available"], one["at_risk_cents"]) for one in stock["exams"]] == [(3, 45_000)]
    assert "coding-exam" in call("stock").out
    assert "not these books" in call("lots").out
    [shown] = call("lots", "--exam", "coding-exam", "--json").facts["lots"]
    assert (shown["states"], shown["cost_cents"]) == ({"available": 3}, 45_000)

    report.write_bytes(exam_vendor.report_file([exam_vendor.Event(CODES[0], "unused", AT)]))
    done = call("reconcile", str(report), "--vendor", "harbor-testing", "--json")
    assert (done.code, done.facts["repeated"]) == (Exit.OK, 1)
    bad = exam_vendor.Faults(foreign=[f"HT-101 Coding,{CODES[2]} {CODES[1]},Delivered,2026-03-10 09:00,,"])
    report.write_bytes(exam_vendor.report_file([exam_vendor.Event(CODES[1], "delivered", AT)], faults=bad))
    done = call("reconcile", str(report), "--vendor", "harbor-testing")
    assert done.code == Exit.FAILED
    assert "never_allocated" in done.out
    assert "was read before" in call("reconcile", str(report), "--vendor", "harbor-testing").out
    waiting = call("open-lines", "--vendor", "harbor-testing", "--json").facts["lines"]
    assert [line["ending"] for line in waiting] == ["contradiction", "unreadable"]

    retired = call("retire", "--exam", "coding-exam", "--vendor", "harbor-testing", "--on", "2026-12-01", "--json")
    assert retired.facts["changed"] == 3
    assert call("alerts", "--json").facts["alerts"] == []
    assert call("reconcile", str(report), "--vendor", "nobody").code != Exit.OK
