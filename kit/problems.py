"""Problem details (RFC 9457): one shape for every refusal, which never repeats what was sent."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from contracts.errors import CairnError, Conflict, Refused, Unavailable
from kit.telemetry import logger, redact

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
ERRORS_MAX = 50
_log = logger(__name__)

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_CODES = {
    400: ("malformed_request", "The request cannot be read."),
    401: ("unauthenticated", "The call needs a valid API key."),
    403: ("forbidden", "This caller may not do that."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer to this method."),
    406: ("not_acceptable", "The answer cannot be given in the form asked for."),
    408: ("request_timeout", "The request did not arrive in time."),
    413: ("body_too_large", "The body is larger than this address takes."),
    415: ("content_type_not_supported", "The body is not of a content type that this address takes."),
    422: ("invalid_request", "The request does not have the form it must have."),
    500: ("internal_error", "Something is wrong on our side."),
}
# Messages of these kinds quote a part of the input.
_OWN_TEXTS = {
    "union_tag_invalid": "Input should have one of the tags that are described",
    "uuid_parsing": "Input should be a valid UUID",
    "value_error": "Value is not allowed here",
    "assertion_error": "Value is not allowed here",
    "extra_forbidden": "There is no such field",
    "missing": "Field required",
}


class ProblemItem(BaseModel):
    """One fault: where it is (a JSON Pointer into the body, or into query, path or header), which, and in words."""

    pointer: Annotated[str, Field(description="JSON Pointer (RFC 6901)")]
    code: str
    text: str


class Problem(BaseModel):
    """Why a request was not carried out."""

    type: Annotated[str, Field(description="Stable URI of the kind of problem")]
    title: str
    status: int
    code: Annotated[str, Field(description="The last part of `type`")]
    detail: str
    errors: list[ProblemItem] = []
    request_id: Annotated[str, Field(description="Quote it when asking for help")]


def problem_body(*, status: int, code: str, detail: str, request_id: str, errors: Sequence[ProblemItem] = ()) -> bytes:
    """A problem document."""
    problem = Problem(
        type=f"urn:cairn:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        errors=list(errors)[:ERRORS_MAX],
        request_id=request_id,
    )
    return problem.model_dump_json().encode()


def status_of(error: CairnError) -> int:
    """The HTTP status of an error, by its family."""
    if isinstance(error, Refused | Conflict | Unavailable):
        return error.status
    return 500


def body_of(error: CairnError, *, request_id: str) -> bytes:
    """The problem document of a named error."""
    detail = str(error)
    items = [] if error.pointer is None else [ProblemItem(pointer=error.pointer, code=error.code, text=detail)]
    return problem_body(status=status_of(error), code=error.code, detail=detail, request_id=request_id, errors=items)


def plain_problem(status: int, *, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """The problem of a status that says all there is to say."""
    code, detail = _CODES.get(status, ("refused", HTTPStatus(status).phrase))
    body = problem_body(status=status, code=code, detail=detail, request_id=request_id)
    return Response(body, status, headers, MEDIA_TYPE)


def request_id_of(request: Request) -> str:
    """The id of this request, as every answer and log line carries it."""
    return request.scope.get("state", {}).get("request_id", "none")


def handle_problems(app: FastAPI) -> None:
    """Answer every refusal and fault of `app` with a problem document."""
    app.add_exception_handler(CairnError, _of_cairn_error)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http_exception)
    app.add_exception_handler(asyncpg.DataError, _of_data_error)


async def _of_cairn_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CairnError)
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="cairn"'
    wait = error.facts.get("retry_after_seconds", RETRY_AFTER_SECONDS if isinstance(error, Unavailable) else None)
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("http.unavailable", exc_info=error)
    return Response(body_of(error, request_id=request_id_of(request)), status, headers, MEDIA_TYPE)


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found: Sequence[Mapping[str, Any]] = error.errors()
    request_id = request_id_of(request)
    if any(item["type"] == "json_invalid" for item in found):
        return plain_problem(400, request_id=request_id)
    items = [
        ProblemItem(pointer=_pointer(item["loc"]), code=item["type"], text=_text(item)) for item in found[:ERRORS_MAX]
    ]
    status, code = 422, "invalid_request"
    if any(item.pointer == "/header/idempotency-key" for item in items):
        status, code = 400, "idempotency_key_missing"
    detail = "; ".join(f"{item.pointer}: {item.text}" for item in items[:3])
    body = problem_body(status=status, code=code, detail=detail, request_id=request_id, errors=items)
    return Response(body, status, media_type=MEDIA_TYPE)


async def _of_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The router names the methods of the first route of this address only; several routers may share one.
        headers["Allow"] = ", ".join(_methods_of(request)) or headers.get("allow", "")
        headers.pop("allow", None)
    return plain_problem(error.status_code, request_id=request_id_of(request), headers=headers)


def _methods_of(request: Request) -> list[str]:
    """The methods that the OpenAPI document gives this address (RFC 9110 §10.2.1)."""
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    found = {
        method.upper()
        for template, operations in paths.items()
        if re.fullmatch(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template)), request.url.path)
        for method in operations
        if method in {"get", "post", "put", "patch", "delete"}
    }
    return sorted(found)


async def _of_data_error(request: Request, error: Exception) -> Response:
    # A value that no check of ours refused and that the database cannot hold: the caller's to change, ours to see.
    _log.warning("http.value_refused_by_database", exc_info=error)
    return plain_problem(422, request_id=request_id_of(request))


def _pointer(location: Sequence[str | int]) -> str:
    """`("body", "income", 0)` → `/income/0`; elsewhere the place comes first: `/query/limit`.

    A member's name is the caller's own word: it is repeated only where it looks like one.
    """
    parts = list(location)
    if parts and parts[0] == "body":
        parts = parts[1:]
    elif len(parts) > 1:
        parts = [parts[0], str(parts[1]).lower() if parts[0] == "header" else parts[1], *parts[2:]]
    return "".join(f"/{_name(part)}" for part in parts)


def _name(part: str | int) -> str:
    if isinstance(part, int):
        return str(part)
    return part if _FIELD.fullmatch(part) and redact(part) == part else "_"


def _text(item: Mapping[str, Any]) -> str:
    return _OWN_TEXTS.get(item["type"]) or str(item["msg"])


def describe_problems(schema: dict[str, Any]) -> dict[str, Any]:
    """Add to an OpenAPI document the problems that each operation can answer with."""
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    definition = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(definition.pop("$defs", {}))
    schemas["Problem"] = definition
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    components["headers"] = {
        "RequestId": {"description": "The id of this request", "schema": {"type": "string"}},
        "RetryAfter": {"description": "Seconds to wait", "schema": {"type": "integer"}},
    }
    components["responses"] = {f"Problem{status}": _described(status, content) for status in _STATUSES}
    for operations in schema.get("paths", {}).values():
        for method, operation in operations.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                _describe_operation(method, operation)
    # Whoever receives a webhook answers as it likes: what FastAPI would answer is nobody's promise.
    for receiver in schema.get("webhooks", {}).values():
        for operation in receiver.values():
            operation["responses"].pop("422", None)
    return schema


_STATUSES = (400, 401, 403, 404, 409, 410, 412, 413, 415, 422, 428, 429, 500, 503)


def _described(status: int, content: dict[str, Any]) -> dict[str, Any]:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if status in {429, 503}:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}


def _describe_operation(method: str, operation: dict[str, Any]) -> None:
    statuses = {400, 404, 410, 422, 500, 503}
    if operation.get("security"):
        statuses |= {401, 403, 429}
    if "requestBody" in operation:
        statuses |= {413, 415}
    if method != "get":
        statuses |= {409, 412, 413, 415, 428}
    responses = operation.setdefault("responses", {})
    # FastAPI's own 422 shows another shape.
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    for status in sorted(statuses):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
