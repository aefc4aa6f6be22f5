"""The whole path on real engines: what the demo says, and what it left behind in the real stores."""

import email
import email.policy
import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cairn.demo.scenarios import SCENARIOS, Scenario, application_of
from contracts.journey import Outcome
from tests.journeys.canaries import OF_A_PERSON, found_in
from tests.journeys.demo_run import DemoRun

ZEROS = bytes(4096)
READY_SECONDS_MAX = 60.0


def test_every_case_ends_as_its_scenario_says(demo_result: dict[str, Any]) -> None:
    assert [(c["scenario"], c["outcome"]) for c in demo_result["cases"]] == [(s.name, s.expected) for s in SCENARIOS]
    assert demo_result["ok"] is True


def test_the_money_adds_up_to_the_appropriation(demo_result: dict[str, Any]) -> None:
    assert sum(demo_result["money"].values()) == demo_result["appropriation_cents"] > 0
    assert demo_result["money"]["disbursed"] == sum(case["paid_cents"] for case in demo_result["cases"]) > 0
    assert demo_result["money"]["held"] == demo_result["money"]["payable"] == demo_result["money"]["in_transit"] == 0


def test_what_was_paid_stands_under_the_lines_of_its_cost(demo_result: dict[str, Any]) -> None:
    assert sum(demo_result["paid_for"].values()) == demo_result["money"]["disbursed"]
    assert demo_result["paid_for"]["tuition"] > demo_result["paid_for"]["books"] > 0


def test_the_exam_vendor_s_report_ends_line_by_line_and_its_lots_add_up(demo_result: dict[str, Any]) -> None:
    found = demo_result["exam_vouchers"]
    taken = sum(len(scenario.play.get("exams", ["passed"])) for scenario in SCENARIOS if _has_exam(scenario))
    assert found["applied"] == taken
    assert (found["repeated"], found["unknown_code"], found["contradiction"], found["unreadable"]) == (1, 1, 1, 0)
    assert sum(lot["states"].get("delivered", 0) for lot in found["lots"]) == taken
    for lot in found["lots"]:
        assert sum(lot["states"].values()) == lot["codes"]


def _has_exam(scenario: Scenario) -> bool:
    return scenario.expected == Outcome.REIMBURSED and scenario.credential_id in {
        "lorain-cybersecurity",
        "lorain-coding",
    }


def test_every_no_comes_with_its_reasons(demo_result: dict[str, Any]) -> None:
    refused = [
        c for c in demo_result["cases"] if c["outcome"] in {"ineligible", "enrollment_refused", "enrollment_lapsed"}
    ]
    assert len(refused) == 3
    assert all(case["reasons"] for case in refused)


def test_the_books_prove_themselves(finished_demo: DemoRun) -> None:
    assert finished_demo.cairn("ledger", "prove")["differences"] == []


def test_no_record_was_put_aside(finished_demo: DemoRun) -> None:
    for service in ("applications", "eligibility", "payments", "notifications", "workflows"):
        assert finished_demo.cairn("dlq", "list", "--service", service)["dead_letters"] == []


def stored_bytes(run: DemoRun) -> Iterator[tuple[str, bytes]]:
    """What the engines and processes keep, file by file; the mail sink and the colleges' own papers are theirs."""
    home = run.home.path
    for path in sorted(home.rglob("*")):
        inside = path.relative_to(home).parts
        if path.is_file() and inside[0] not in {"mail", "parties", "secrets"}:
            # Kafka lays its files out in advance: most of their bytes are zeros.
            yield str(path.relative_to(home)), path.read_bytes().replace(ZEROS, b"")
    yield "webhooks", json.dumps(run.journal("college")).encode()


def test_every_value_of_every_person_is_a_canary() -> None:
    """As the portal sends it: a person whose name or birth date no pattern finds would be looked for by nobody."""
    for scenario in SCENARIOS:
        for value in _personal_values(scenario):
            assert found_in(value) & OF_A_PERSON, value
        assert found_in(json.dumps(application_of(scenario, SCENARIOS)).encode()) == OF_A_PERSON


def _personal_values(scenario: Scenario) -> list[bytes]:
    person = application_of(scenario, SCENARIOS)["person"]
    return [person[name].encode() for name in ("given_name", "family_name", "email", "ssn", "birth_date")]


def test_canaries_are_found_where_they_may_be(finished_demo: DemoRun) -> None:
    """The vault opened with its key, the letters, the vendor's own papers: there, a blind search finds nothing."""
    people = {scenario.email: set(_personal_values(scenario)) for scenario in SCENARIOS}
    stored = {values["email"]: values for values in finished_demo.open_vault() if values["email"] in people}
    assert {mail: {value.encode() for value in values.values()} for mail, values in stored.items()} == people
    assert [found_in(json.dumps(values).encode()) for values in stored.values()] == [OF_A_PERSON] * len(people)
    letters = dict(_letters(finished_demo))
    assert people.keys() <= letters.keys()
    assert [found_in(letters[mail]) for mail in people] == [{"given name", "e-mail"}] * len(people)
    assert found_in((finished_demo.home.path / "parties" / "exam_vendor_report.csv").read_bytes()) == {"exam code"}


def _letters(run: DemoRun) -> Iterator[tuple[str, bytes]]:
    """Addresses and the last letter to each, as its reader sees it: the way mail writes text could hide a name."""
    for path in sorted((run.home.path / "mail").rglob("*.sink")):
        letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        texts = [part.get_content() for part in letter.walk() if part.get_content_maintype() == "text"]
        yield str(letter["To"]), "\n".join([str(letter["To"]), *texts]).encode()


def test_no_personal_value_is_in_any_store(finished_demo: DemoRun, demo_result: dict[str, Any]) -> None:
    found: dict[str, set[str]] = {}
    ids = {case["application_id"].encode() for case in demo_result["cases"]}
    seen: dict[str, set[bytes]] = defaultdict(set)
    for name, content in stored_bytes(finished_demo):
        seen[Path(name).parts[0]] |= {each for each in ids if each in content}
        if kinds := found_in(content):
            found[name] = kinds
    # What may be there is seen there: the files are read as what they are, not compressed, not of another run.
    assert [place for place in ("kafka", "temporal") if seen[place] != ids] == []
    assert [place for place in ("logs", "traces", "webhooks") if not seen[place]] == []
    assert found == {}


def test_no_personal_value_is_in_the_database(finished_demo: DemoRun, demo_result: dict[str, Any]) -> None:
    """A logical dump of every table, as a backup would hold it."""
    dump = finished_demo.dump_database()
    for case in demo_result["cases"]:
        # In text and in columns of bytes alike: an answer kept for its idempotency key is such a column.
        assert f'{{"application_id":"{case["application_id"]}"'.encode() in dump
    assert found_in(dump) == set()


def test_no_personal_value_is_in_metrics(finished_demo: DemoRun) -> None:
    for name, port in finished_demo.home.read_state()["ports"].items():
        if name.startswith("health_"):
            text = httpx.get(f"http://127.0.0.1:{port}/metrics").content
            assert b"cairn_" in text
            assert found_in(text) == set()


def test_one_trace_runs_from_the_call_to_the_last_step(finished_demo: DemoRun) -> None:
    spans_of: dict[str, set[str]] = defaultdict(set)
    names_of: dict[str, set[str]] = defaultdict(set)
    for path in (finished_demo.home.path / "traces").glob("*.jsonl"):
        # The stack goes on: the last line may still be on its way into the file.
        for line in path.read_text().rpartition("\n")[0].splitlines():
            span = json.loads(line)
            spans_of[span["trace_id"]].add(path.stem)
            names_of[span["trace_id"]].add(span["name"])
    whole = [
        trace
        for trace, processes in spans_of.items()
        if {"api", "applications", "eligibility", "payments", "workflows"} <= processes
        and any("close_case" in name for name in names_of[trace])
    ]
    reimbursed = sum(scenario.expected == "reimbursed" for scenario in SCENARIOS)
    assert len(whole) >= reimbursed


def test_every_process_answers_livez_and_readyz(finished_demo: DemoRun) -> None:
    for name, port in finished_demo.home.read_state()["ports"].items():
        if name.startswith("health_"):
            assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
            # An engine that another test keeps busy may take longer than a check waits: then it is not ready just now.
            finished_demo.wait_until(lambda port=port: _is_ready(port), READY_SECONDS_MAX, f"readiness of {name}")


def _is_ready(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=READY_SECONDS_MAX).status_code == 200


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("exam-retake", ("exam.resulted", "failed", "passed")),
        ("not-resident", ("not_an_ohio_resident", "ORC")),
        ("income-unknown", ("income", "document.received")),
        ("payment-returned", ("disbursement.returned", "R03", "disbursement.settled")),
    ],
)
def test_the_portal_learns_the_whole_story_from_the_api(
    demo_result: dict[str, Any], api_keys: dict[str, str], scenario: str, words: tuple[str, ...]
) -> None:
    case = next(c for c in demo_result["cases"] if c["scenario"] == scenario)
    answer = httpx.get(
        f"{demo_result['urls']['api']}/v1/applications/{case['application_id']}/timeline",
        headers={"Authorization": f"Bearer {api_keys['partner']}"},
    )
    told = json.dumps(answer.json())
    assert [word for word in words if word not in told] == [], told


def test_the_ui_lists_cases_by_search_attribute(finished_demo: DemoRun) -> None:
    address = finished_demo.environment()["CAIRN_TEMPORAL_ADDRESS"]
    done = subprocess.run(
        [
            Path(__file__).parents[2] / ".venv" / "bin" / "temporal", "workflow", "count", "--address", address,
            "--namespace", "cairn", "--query", 'CaseOutcome = "reimbursed" AND ProviderId = "cleveland-state"',
        ],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "3" in done.stdout
