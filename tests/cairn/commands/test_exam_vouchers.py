"""`cairn exam-vouchers` on a real database: a lot comes in, is shown, is reported on; no code is ever printed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from cairn.exits import Exit
from cairn.stack.engines import environment
from cairn.stack.layout import Home
from contracts.ids import ApplicationId
from examples import exam_vendor
from tests.cairn.commands.calling import Called, cairn
from tests.support.engines import FreshDatabase

CODES = exam_vendor.new_codes(3, seed=5)
AT = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)
ANN, BEA = ApplicationId.derive("ann"), ApplicationId.derive("bea")


@pytest.fixture
async def fresh(fresh_database) -> FreshDatabase:
    return await fresh_database("payments")


@pytest.fixture
async def call(fresh: FreshDatabase, postgres_home: Home, tmp_path: Path) -> Callable[..., Called]:
    variables = dict(environment(postgres_home, postgres_home.read_state()["ports"]))
    variables["CAIRN_DATABASE_URL"] = fresh.url

    def run(*arguments: str) -> Called:
        called = cairn(tmp_path, "exam-vouchers", *arguments, **variables)
        assert not any(code in called.out + called.err for code in CODES)
        return called

    return run


def bought(folder: Path) -> list[str]:
    """The arguments of an import of all codes."""
    lot = folder / "lot.csv"
    lot.write_bytes(exam_vendor.lot_file(CODES))
    last = f"{datetime.now(UTC) + timedelta(days=100):%Y-%m-%d}"
    order = ["--exam", "coding-exam", "--vendor", "harbor-testing", "--order", "1", "--unit-cost-cents", "15000"]
    return [str(lot), *order, "--expires", last, "--zone", "America/New_York"]


def test_a_lot_from_import_to_report(call: Callable[..., Called], tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    assert call("import", *bought(tmp_path), "--json").facts["imported"] == 3
    assert call("import", *bought(tmp_path)).code != Exit.OK
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


async def test_who_asked_to_see_a_code(call: Callable[..., Called], fresh: FreshDatabase, tmp_path: Path) -> None:
    assert call("import", *bought(tmp_path)).code == Exit.OK
    owner = await asyncpg.connect(fresh.owner_dsn)
    voucher = await owner.fetchval("SELECT min(exam_voucher_id) FROM payments.exam_voucher")
    await owner.executemany(
        "INSERT INTO payments.exam_voucher_reveal_attempt"
        " (exam_voucher_id, application_id, attempt_number, principal, outcome, attempted_at)"
        " VALUES ($1, $2, 1, $3, $4, $5)",
        [
            (voucher, str(ANN), "partner/portal", "shown", AT),
            (voucher, str(BEA), "partner/other", "not_found", AT + timedelta(minutes=1)),
        ],
    )
    await owner.close()
    asked = call("reveals", "--json").facts["requests"]
    assert [(one["application_id"], one["outcome"]) for one in asked] == [(BEA, "not_found"), (ANN, "shown")]
    assert [one["principal"] for one in call("reveals", "--case", ANN, "--json").facts["requests"]] == [
        "partner/portal"
    ]
    assert "partner/other" in call("reveals", "--voucher", voucher, "--refused").out
    assert call("reveals", "--case", ANN, "--refused", "--json").facts["requests"] == []
