"""Kill any one process in the middle of the demo: every case still ends right, and nothing happens twice."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from cairn.demo.reconciling import BANK
from cairn.demo.scenarios import SCENARIOS
from cairn.stack.process import PROCESSES
from tests.journeys.demo_run import DemoRun

ENGINES = ("postgres", "kafka", "temporal")
WEBHOOKS_BEFORE_KILL = (4, 18)
MIDDLE_SECONDS_MAX = 240.0
ABOUT = ("type", "application_id", "reminder_number", "attempt_number", "status", "disbursement_id", "claim_id")
"""What makes two webhooks the same message."""
CAME_BACK_LATE = tuple(start for start, how in BANK["behaviors"].items() if how == "late_return")
EXAMS_TOLD = """
SELECT application_id, split_part(type, '.', 4) AS what, (details ->> 'attempt_number')::int AS attempt,
       details ->> 'exam_voucher_id' AS exam_voucher_id, details ->> 'result' AS result
FROM applications.case_entry
WHERE type IN ('cairn.payments.exam_voucher.issued.v1', 'cairn.applications.exam.resulted.v1')
"""
ALLOCATED = "SELECT application_id, attempt_number AS attempt, exam_voucher_id FROM payments.exam_voucher_allocation"
USED = "SELECT exam_voucher_id FROM payments.exam_voucher WHERE state = 'used'"


@pytest.mark.parametrize("victim", [*PROCESSES, *ENGINES])
def test_a_killed_process_changes_no_outcome(tmp_path: Path, victim: str) -> None:
    with DemoRun(tmp_path) as run:
        for webhooks in WEBHOOKS_BEFORE_KILL:
            run.wait_until(
                lambda seen=webhooks: len(run.journal("college")) >= seen, MIDDLE_SECONDS_MAX, f"{webhooks} webhooks"
            )
            os.kill(run.pid_of(victim), signal.SIGKILL)
        result = run.result()
        wrong = [(c["scenario"], c["outcome"], c["stage"]) for c in result["cases"] if not c["ok"]]
        assert wrong == [], run.words()
        assert result["ok"], result
        assert_nothing_twice(run, result)


def assert_nothing_twice(run: DemoRun, result: dict) -> None:
    """Against the outside parties' own journals and the books."""
    payments = [line for line in run.journal("finance") if "disbursement_id" in line]
    paid = Counter(line["invoice_number"] for line in payments if line["status"] == "PAID" and not line["again"])
    reimbursed = sum(scenario.expected == "reimbursed" for scenario in SCENARIOS)
    # What came back after it had settled was paid once more, and only that.
    assert paid == {invoice: 1 + invoice.startswith(CAME_BACK_LATE) for invoice in paid}
    assert len(paid) == reimbursed
    assert all(count == 1 for count in Counter(line["disbursement_id"] for line in payments).values())
    webhooks: dict[tuple[str, ...], set[str]] = {}
    for line in run.journal("college"):
        if "webhook_id" in line:
            webhooks.setdefault(tuple(str(line.get(name)) for name in ABOUT), set()).add(line["webhook_id"])
    assert {about: ids for about, ids in webhooks.items() if len(ids) > 1} == {}
    assert_one_exam_voucher_an_attempt(run, result)
    proof = run.cairn("ledger", "prove")
    assert proof["differences"] == []
    assert sum(result["money"].values()) == result["appropriation_cents"]


def assert_one_exam_voucher_an_attempt(run: DemoRun, result: dict) -> None:
    """Every attempt that a college reported had one exam voucher of its own, and no other code left the stock."""
    scenarios = {case["application_id"]: case["scenario"] for case in result["cases"]}
    results_of = {scenario.name: scenario.play.get("exams", ["passed"]) for scenario in SCENARIOS}
    told = run.rows(EXAMS_TOLD)
    resulted = {(row["application_id"], row["attempt"]): row["result"] for row in told if row["what"] == "resulted"}
    cases = {application_id for application_id, _ in resulted}
    assert resulted == {
        (case, attempt): word for case in cases for attempt, word in enumerate(results_of[scenarios[case]], 1)
    }
    issued = [row for row in told if row["what"] == "issued"]
    assert Counter((row["application_id"], row["attempt"]) for row in issued) == dict.fromkeys(resulted, 1)
    codes = {(row["application_id"], row["attempt"]): row["exam_voucher_id"] for row in issued}
    assert len(set(codes.values())) == len(codes) > len(cases) > 0
    allocated = sorted((row["application_id"], row["attempt"], row["exam_voucher_id"]) for row in run.rows(ALLOCATED))
    assert allocated == sorted((*attempt, code) for attempt, code in codes.items())
    assert sorted(row["exam_voucher_id"] for row in run.rows(USED)) == sorted(codes.values())
