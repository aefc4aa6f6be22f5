import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated

import asyncpg
import httpx
import opentelemetry.trace
import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI, Response
from openapi_spec_validator import validate
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import Field

from contracts.errors import Conflict, Unavailable
from contracts.ids import ApplicationId
from kit.access import Principal, Unauthenticated
from kit.http import RequestBody, answer_of, create_app, once_from, require, respond, serve
from kit.idempotency import Once
from kit.rates import RateLimit

SSN = "123-45-6789"


class Parcel(RequestBody):
    label: Annotated[str, Field(min_length=1, max_length=20)]
    weights: list[Annotated[int, Field(strict=True, ge=0, le=10**6)]] = []
    owner: ApplicationId | None = None


class SomethingTaken(Conflict):
    """The {thing} is taken."""

    code = "taken"


class KeysInMemory:
    async def principal_for(self, authorization: str | None, *, before_asking: Callable[[], None]) -> Principal:
        match authorization:
            case "Bearer writer":
                return Principal(kind="partner", id="harbor", scopes=frozenset({"parcels:write"}))
            case "Bearer reader":
                return Principal(kind="partner", id="lookout", scopes=frozenset({"parcels:read"}))
            case "Bearer provider":
                return Principal(kind="provider", id="lorain", scopes=frozenset({"parcels:write"}))
            case _:
                raise Unauthenticated


writer = require(KeysInMemory(), "partner", "parcels:write")  # type: ignore[arg-type]


def parcels() -> APIRouter:
    router = APIRouter()

    @router.post("/parcels", status_code=201, response_model=Parcel)
    async def create(parcel: Parcel, once: Annotated[Once, Depends(once_from(writer))]) -> Response:
        return respond(answer_of(parcel))

    @router.get("/parcels/{parcel_id}")
    async def read(parcel_id: Annotated[int, Field(ge=1)], limit: Annotated[int, Field(le=10)] = 5) -> dict[str, int]:
        match parcel_id:
            case 1:
                raise SomethingTaken(thing="parcel", pointer="/label")
            case 2:
                raise Unavailable
            case 3:
                raise RuntimeError(f"secret {SSN}")
            case 4:
                raise asyncpg.CharacterNotInRepertoireError(f"invalid byte sequence {SSN}")
            case _:
                return {"limit": limit}

    return router


@pytest.fixture
def app() -> FastAPI:
    return create_app("Parcels", "1", [parcels()], body_bytes_max=2000)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://cairn", headers={"Authorization": "Bearer writer"}
    ) as one:
        yield one


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code
    assert body["type"] == f"urn:cairn:problem:{code}"
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert SSN not in answer.text
    return body


async def post(client: httpx.AsyncClient, content: object, **headers: str) -> httpx.Response:
    sent = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(
        "/parcels", content=sent, headers={"Content-Type": "application/json", "Idempotency-Key": "k1", **named}
    )


async def test_a_good_request_is_answered_with_request_id_limits_and_security_headers(
    client: httpx.AsyncClient,
) -> None:
    answer = await post(client, {"label": "a"}, X_Request_Id="my-request-0001")
    assert answer.status_code == 201
    assert answer.headers["x-request-id"] == "my-request-0001"
    assert answer.headers["ratelimit"].startswith('"default";r=')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("given", ["x", "a" * 101, f"ref-{SSN}", "no spaces here", "drop\ttable"])
async def test_an_unfit_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/parcels/9", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"].startswith("req_")


async def test_every_fault_of_a_body_is_named_and_no_value_comes_back(client: httpx.AsyncClient) -> None:
    sent = {"label": "", "weights": [1, SSN, 2.5], "owner": SSN, SSN: SSN, "surplus": SSN}
    body = problem(await post(client, sent), 422, "invalid_request")
    assert {(item["pointer"], item["code"]) for item in body["errors"]} == {  # type: ignore[attr-defined, index]
        ("/label", "string_too_short"),
        ("/weights/1", "int_type"),
        ("/weights/2", "int_type"),
        ("/owner", "string_pattern_mismatch"),
        ("/_", "extra_forbidden"),
        ("/surplus", "extra_forbidden"),
    }


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"label": ', 400, "malformed_request"),
        (b"\xff\xfe{}", 400, "malformed_request"),
        (b'{"label": ' + b"9" * 1500 + b"}", 422, "invalid_request"),
        (b"[" * 1900, 400, "malformed_request"),
        (b'{"label": "a\\u0000b"}', 422, "invalid_request"),
        (b'{"label": "\\ud800"}', 422, "invalid_request"),
        (b'{"label": "a", "weights": [1e400]}', 422, "invalid_request"),
        (b'{"label": "a", "weights": [99999999999999999999999]}', 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b"", 422, "invalid_request"),
        (b'"' + SSN.encode() + b'"', 422, "invalid_request"),
    ],
)
async def test_no_body_makes_a_server_error(client: httpx.AsyncClient, content: bytes, status: int, code: str) -> None:
    problem(await post(client, content), status, code)


async def test_bodies_over_the_limit_are_refused_also_when_chunked(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    problem(await post(client, b" " * 2001), 413, "body_too_large")
    answer = await client.post("/parcels", content=chunks(), headers={"Content-Type": "application/json"})
    problem(answer, 413, "body_too_large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_other_content_types_are_refused(client: httpx.AsyncClient, kind: str) -> None:
    problem(await post(client, {"label": "a"}, Content_Type=kind), 415, "content_type_not_supported")


async def test_json_with_a_charset_is_json(client: httpx.AsyncClient) -> None:
    assert (await post(client, {"label": "a"}, Content_Type="application/json; charset=utf-8")).status_code == 201


async def test_every_kind_of_refusal_is_a_problem(client: httpx.AsyncClient) -> None:
    problem(await client.get("/nowhere"), 404, "not_found")
    problem(await client.get("/parcels/"), 404, "not_found")
    problem(await client.get("/parcels/%00"), 400, "malformed_request")
    problem(await client.get("/parcels/9?limit=1%00"), 400, "malformed_request")
    wrong = await client.delete("/parcels/9")
    problem(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET"
    taken = problem(await client.get("/parcels/1"), 409, "taken")
    assert taken["errors"] == [{"pointer": "/label", "code": "taken", "text": "The parcel is taken."}]
    away = await client.get("/parcels/2")
    problem(away, 503, "unavailable")
    assert int(away.headers["retry-after"]) > 0
    query = problem(await client.get("/parcels/9?limit=eleven"), 422, "invalid_request")
    assert query["errors"][0]["pointer"] == "/query/limit"  # type: ignore[index]
    problem(await client.get(f"/parcels/{'9' * 5000}"), 422, "invalid_request")
    problem(await client.get("/parcels/4"), 422, "invalid_request")


async def test_a_fault_of_ours_says_nothing_outside(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logs:
        problem(await client.get("/parcels/3"), 500, "internal_error")
    assert [entry["event"] for entry in logs] == ["http.failed", "http.answered"]
    assert logs[1]["route"] == "/parcels/{parcel_id}"


async def test_routers_in_routers_make_one_route_with_its_whole_path() -> None:
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/v1")
    inner.include_router(parcels(), tags=["deep"])
    outer.include_router(inner)
    app = create_app("Parcels", "1", [outer])
    assert app.openapi()["paths"]["/v1/inner/parcels"]["post"]["tags"] == ["deep"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cairn") as client:
        with structlog.testing.capture_logs() as logs:
            answer = await client.get("/v1/inner/parcels/9?limit=3")
            problem(await client.get("/v1/inner/parcels/9?limits=3"), 422, "query_parameter_unknown")
            problem(await client.delete("/v1/inner/parcels"), 405, "method_not_allowed")
            problem(await client.get("/parcels/9"), 404, "not_found")
    assert answer.json() == {"limit": 3}
    routes = ["/v1/inner/parcels/{parcel_id}", "/v1/inner/parcels/{parcel_id}", "/v1/inner/parcels", "unmatched"]
    assert [entry["route"] for entry in logs] == routes


async def test_whoever_is_asked_for_twice_in_a_request_is_let_in_once() -> None:
    routes, asked = APIRouter(), 0

    class Counted(KeysInMemory):
        async def principal_for(self, authorization: str | None, *, before_asking: Callable[[], None]) -> Principal:
            nonlocal asked
            asked += 1
            return await super().principal_for(authorization, before_asking=before_asking)

    counted = require(Counted(), "partner", "parcels:write")  # type: ignore[arg-type]
    other = require(Counted(), "partner", "parcels:read")  # type: ignore[arg-type]

    @routes.post("/both")
    async def both(
        by: Annotated[Principal, Depends(counted)], once: Annotated[Once, Depends(once_from(counted))]
    ) -> list[str]:
        return [by.name, once.principal]

    @routes.post("/either")
    async def either(
        by: Annotated[Principal, Depends(counted)], once: Annotated[Once, Depends(once_from(other))]
    ) -> None: ...

    app = create_app("Parcels", "1", [routes], rate_limit=RateLimit(per_second=0.001, burst=5))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://cairn", headers={"Authorization": "Bearer writer"}
    ) as client:
        answer = await client.post("/both", headers={"Idempotency-Key": "k"})
        assert (answer.json(), asked) == (["partner/harbor"] * 2, 1)
        assert answer.headers["ratelimit"].startswith('"default";r=4')
        problem(await client.post("/either", headers={"Idempotency-Key": "k"}), 403, "scope_missing")
        assert asked == 3


async def test_a_request_has_one_span_without_anything_that_was_sent(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", provider)
    trace = "0af7651916cd43dd8448eb211c80319c"
    await client.get(f"/parcels/9?note={SSN}", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    await client.get(f"/{SSN}")
    continued, begun = exporter.get_finished_spans()
    assert continued.name == "GET /parcels/{parcel_id}"
    assert f"{continued.context.trace_id:032x}" == trace
    assert begun.name == "GET unmatched"
    assert f"{begun.context.trace_id:032x}" != trace
    assert SSN not in continued.to_json() + begun.to_json()


async def test_callers_are_told_apart(client: httpx.AsyncClient) -> None:
    refused = await post(client, {"label": "a"}, Authorization="Bearer nobody")
    problem(refused, 401, "unauthenticated")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    problem(await post(client, {"label": "a"}, Authorization="Basic writer"), 401, "unauthenticated")
    problem(await post(client, {"label": "a"}, Authorization="Bearer reader"), 403, "scope_missing")
    problem(await post(client, {"label": "a"}, Authorization="Bearer provider"), 403, "scope_missing")


@pytest.mark.parametrize("key", ["", "with space", "é", "k" * 129])
async def test_a_post_needs_a_fit_idempotency_key(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post("/parcels", json={"label": "a"}, headers={"Idempotency-Key": key.encode()})  # type: ignore[dict-item]
    problem(answer, 400, "idempotency_key_missing")


async def test_a_post_without_idempotency_key_is_refused(client: httpx.AsyncClient) -> None:
    problem(await client.post("/parcels", json={"label": "a"}), 400, "idempotency_key_missing")


async def test_a_caller_over_its_rate_waits_and_others_do_not() -> None:
    app = create_app("Parcels", "1", [parcels()], rate_limit=RateLimit(per_second=0.01, burst=3))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cairn") as client:
        for left in (2, 1, 0):
            answer = await post(client, {"label": "a"}, Authorization="Bearer writer")
            assert f"r={left};" in answer.headers["ratelimit"]
        answer = await post(client, {"label": "a"}, Authorization="Bearer writer")
        problem(answer, 429, "rate_exceeded")
        assert 90 <= int(answer.headers["retry-after"]) <= 101
        assert (await post(client, {"label": "a"}, Authorization="Bearer reader")).status_code == 403
        for _ in range(3):
            await post(client, {"label": "a"}, Authorization="Bearer nobody")
        problem(await post(client, {"label": "a"}, Authorization="Bearer nobody"), 429, "rate_exceeded")


async def test_an_address_that_guesses_keys_has_the_database_asked_no_more_and_who_is_known_goes_on() -> None:
    asked: list[str] = []

    class Keys(KeysInMemory):
        async def principal_for(self, authorization: str | None, *, before_asking: Callable[[], None]) -> Principal:
            if authorization == "Bearer guess":
                before_asking()
                asked.append(authorization)
            return await super().principal_for(authorization, before_asking=before_asking)

    reader = require(Keys(), "partner", "parcels:read")  # type: ignore[arg-type]
    router = APIRouter()

    @router.get("/parcels")
    async def parcels_of(who: Principal = Depends(reader)) -> Parcel:
        return Parcel(label=who.id)

    app = create_app("Parcels", "1", [router], rate_limit=RateLimit(per_second=0.01, burst=3))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cairn") as client:
        for status in (401, 401, 401, 429, 429):
            answer = await client.get("/parcels", headers={"Authorization": "Bearer guess"})
            assert answer.status_code == status
        assert len(asked) == 3
        assert (await client.get("/parcels", headers={"Authorization": "Bearer reader"})).status_code == 200


def test_the_description_is_valid_openapi_and_names_problems_and_keys(app: FastAPI) -> None:
    schema = app.openapi()
    validate(schema)  # type: ignore[arg-type]
    assert schema["openapi"].startswith("3.1")
    operation = schema["paths"]["/parcels"]["post"]
    assert operation["security"] == [{"ApiKey": []}]
    assert {"400", "401", "403", "409", "413", "415", "422", "429", "503"} <= set(operation["responses"])
    assert [p["name"] for p in operation["parameters"]] == ["Idempotency-Key"]
    assert "HTTPValidationError" not in json.dumps(schema)
    assert schema["components"]["schemas"]["Parcel"]["additionalProperties"] is False


@pytest.fixture
def quiet_server_logs() -> Iterator[None]:
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    yield
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)


@pytest.mark.usefixtures("quiet_server_logs")
async def test_a_stop_lets_the_open_request_finish() -> None:
    arrived, go = asyncio.Event(), asyncio.Event()
    router = APIRouter()

    @router.get("/slow")
    async def slow() -> str:
        arrived.set()
        await go.wait()
        return "done"

    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(create_app("Slow", "1", [router]), host="127.0.0.1", port=0, bound=port.set_result)
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await port}") as client:
        asked = asyncio.create_task(client.get("/slow"))
        await asyncio.wait_for(arrived.wait(), 5)
        serving.cancel()
        go.set()
        assert (await asyncio.wait_for(asked, 5)).json() == "done"
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 5)
