import json

import pytest

from contracts.errors import CairnError, Conflict, Forbidden, NotFound, Refused, Unavailable
from kit.problems import Problem, body_of, describe_problems, plain_problem, status_of


class BoxTooSmall(Refused):
    """The box holds {holds_cents} cents, not {asked_cents}."""

    code = "box_too_small"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BoxTooSmall(holds_cents=1, asked_cents=2), 422),
        (NotFound(kind="box"), 404),
        (Forbidden(), 403),
        (Conflict(), 409),
        (Unavailable(), 503),
        (CairnError(), 500),
    ],
)
def test_each_family_has_its_status(error: CairnError, status: int) -> None:
    assert status_of(error) == status
    assert Problem.model_validate_json(body_of(error, request_id="req_1")).status == status


def test_a_named_error_states_its_facts_and_where_the_fault_is() -> None:
    error = BoxTooSmall(pointer="/amount_cents", holds_cents=1, asked_cents=2)
    assert json.loads(body_of(error, request_id="req_1")) == {
        "type": "urn:cairn:problem:box_too_small",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "box_too_small",
        "detail": "The box holds 1 cents, not 2.",
        "errors": [
            {"pointer": "/amount_cents", "code": "box_too_small", "text": "The box holds 1 cents, not 2."},
        ],
        "request_id": "req_1",
    }


@pytest.mark.parametrize("status", [400, 404, 405, 408, 413, 415, 418, 500])
def test_every_status_can_be_a_problem(status: int) -> None:
    answer = plain_problem(status, request_id="req_1", headers={"Allow": "GET"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"] == "GET"
    assert Problem.model_validate_json(bytes(answer.body)).status == status


def test_an_operation_s_own_description_of_a_status_stays() -> None:
    own = {"description": "Gone for good"}
    schema = describe_problems({"paths": {"/x": {"get": {"responses": {"404": own, "200": {}}}, "summary": "x"}}})
    responses = schema["paths"]["/x"]["get"]["responses"]
    assert responses["404"] == own
    assert responses["503"] == {"$ref": "#/components/responses/Problem503"}
    assert "401" not in responses
