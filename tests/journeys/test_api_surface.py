"""schemathesis against the whole OpenAPI document of the running stack: never a 5xx, and answers as documented."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.journeys.callers import admitted, known_ids
from tests.journeys.demo_run import DemoRun

CASES_MAX = 15
STRANGE_IDS_EVERY = 5
"""One case in so many keeps the ids that nothing has."""
AT_THE_DOOR = {
    "unauthenticated",
    "scope_missing",
    "rate_exceeded",
    "invalid_request",
    "malformed_request",
    "content_type_not_supported",
    "query_parameter_unknown",
    "idempotency_key_missing",
}
"""Codes of answers that no use case gave."""
NOT_THERE = {"refund_id", "recovery_id"}
"""No advance is paid back in the demo."""
NOTHING_TO_FIND = {
    "POST /v1/advance-refunds/{refund_id}/approval",
    "POST /v1/fiscal-years/{program_id}/{year}/approval",
    "POST /v1/fiscal-years/{program_id}/{year}/amendment",
    "GET /v1/waiting-list/{application_id}",
    "POST /v1/claim-requests",
}
"""Nothing of the kind is left at the demo's end: every case is over, no year is being closed."""

DOCUMENT = schemathesis.openapi.from_path(Path(__file__).parents[2] / "docs" / "api" / "openapi.json")
ADMITTED = admitted()


@pytest.fixture(scope="module")
def ids(finished_demo: DemoRun, api_keys: dict[str, str], demo_result: dict[str, Any]) -> dict[str, list[Any]]:
    """What may be named in a path; first the finance office begins what the demo has no example of."""
    payee = "/v1/payees/lorain-ccc"
    call_back = {"person": "Pat Doe", "number_on_file": "440-555-0100", "called_at": "2026-03-02T15:00:00Z"}
    funds = {"kind": "appropriation", "amount_cents": 100, "to_row": "line/oh-imap/2026"}
    begun = {
        f"{payee}/holds": {"reason": "A letter came back."},
        f"{payee}/changes": {"rail": "ach", "call_back": call_back},
        "/v1/budget-documents": {"program_id": "oh-imap", "reference": "BD-1", "reason": "A trial.", **funds},
    }
    for path, body in begun.items():
        answer = httpx.post(
            f"{demo_result['urls']['api']}{path}",
            json=body,
            headers={"Authorization": f"Bearer {api_keys['finance']}", "Idempotency-Key": path},
        )
        assert answer.status_code == 201, answer.text
    return known_ids(finished_demo)


def test_the_example_application_is_taken(demo_result: dict[str, Any], api_keys: dict[str, str]) -> None:
    [example] = DOCUMENT.raw_schema["components"]["schemas"]["SubmitApplication"]["examples"]
    answer = httpx.post(
        f"{demo_result['urls']['api']}/v1/applications",
        json=example,
        headers={"Authorization": f"Bearer {api_keys['partner']}", "Idempotency-Key": "the-example"},
    )
    assert answer.status_code == 201, answer.text


def test_every_id_of_a_path_is_known(ids: dict[str, list[Any]]) -> None:
    named = {name for operation in ADMITTED for name in re.findall(r"{(\w+)}", operation)}
    assert {name for name in named if not ids.get(name)} == NOT_THERE


@pytest.fixture
def answers() -> Iterator[dict[tuple[str, str], set[str]]]:
    """Operation and kind of key → the codes it answered, `done` where it was. Each must have come to its use case."""
    given: dict[tuple[str, str], set[str]] = defaultdict(set)
    yield given
    stopped = {
        place: codes
        for place, codes in given.items()
        if codes <= (AT_THE_DOOR if place[0] in NOTHING_TO_FIND else AT_THE_DOOR | {"not_found"})
    }
    assert given
    assert stopped == {}


@DOCUMENT.parametrize()
@settings(
    max_examples=CASES_MAX,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_documented(
    case: schemathesis.Case,
    api_keys: dict[str, str],
    demo_result: dict[str, Any],
    ids: dict[str, list[Any]],
    answers: dict[tuple[str, str], set[str]],
    turns: Iterator[int],
) -> None:
    if turn := next(turns) % STRANGE_IDS_EVERY:
        for given in (case.path_parameters, case.query):
            for name, value in (given or {}).items():
                # What was made to break the form of an id stays as it is.
                if ids.get(name) and re.fullmatch(_form(case, name), str(value)):
                    given[name] = ids[name][turn % len(ids[name])]
    operation = f"{case.operation.method.upper()} {case.operation.path}"
    admits = ADMITTED[operation]
    for kind in admits or ["nobody"]:
        answer = case.call_and_validate(
            base_url=demo_result["urls"]["api"],
            headers={"Authorization": f"Bearer {api_keys[kind]}"} if admits else {},
            # Well-formed input may still be refused: a Social Security number of zeros, a cursor nobody signed. And in
            # a query everything is text: what is meant as a wrong type there (`true`) is a right slug.
            excluded_checks=[positive_data_acceptance, *([negative_data_rejection] if case.method == "GET" else [])],
        )
        if case.method == case.operation.method.upper():
            answers[operation, kind].add("done" if answer.status_code < 400 else answer.json()["code"])


@pytest.fixture
def turns() -> Iterator[int]:
    """Counts the cases of one operation."""
    return itertools.count(1)


def _form(case: schemathesis.Case, name: str) -> str:
    """What an id of the path or query must look like."""
    parameters = (*case.operation.path_parameters, *case.operation.query)
    schema = next(each.definition["schema"] for each in parameters if each.name == name)
    schema = next(iter(schema.get("anyOf", [schema])))
    return schema.get("pattern", "[0-9]+" if schema["type"] == "integer" else ".+")
