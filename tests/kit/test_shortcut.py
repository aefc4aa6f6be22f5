"""A shortcut answers what the route would answer, and leaves to the route what is not well-formed."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Response

from contracts.errors import Refused
from kit.access import Principal, Unauthenticated
from kit.http import RequestBody, create_app, respond
from kit.idempotency import Answer, Once
from kit.shortcut import Shortcut, shorten

KEY = {"Authorization": "Bearer known", "Idempotency-Key": "k1"}


class Wish(RequestBody):
    name: str


class NotToday(Refused):
    """Not today."""

    code = "not_today"


@pytest.fixture
def acts() -> list[str]:
    return []


@pytest.fixture
async def http(acts: list[str]) -> Any:
    async def let_in(request: Any, authorization: str | None) -> Principal:
        if authorization != "Bearer known":
            raise Unauthenticated
        return Principal(kind="partner", id="harbor", scopes=frozenset())

    async def act(command: Wish, principal: Principal, once: Once) -> Answer:
        acts.append(f"{principal.name} {once.key} {command.name}")
        if command.name == "moon":
            raise NotToday
        return Answer(201, b'{"by":"shortcut"}')

    async def by_header() -> str:
        return "route"

    routes = APIRouter()

    @routes.post("/wishes", status_code=201)
    async def wish(command: Wish, by: Annotated[str, Depends(by_header)]) -> Response:
        return Response(f'{{"by":"{by}"}}', 201, media_type="application/json")

    app = create_app("t", "1", [shorten(routes, Shortcut("/wishes", Wish, let_in, act, respond))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        yield client


async def test_a_well_formed_request_is_answered_by_the_shortcut(http: httpx.AsyncClient, acts: list[str]) -> None:
    answer = await http.post("/wishes", json={"name": "sun"}, headers=KEY)
    assert (answer.status_code, answer.json()) == (201, {"by": "shortcut"})
    assert answer.headers["X-Request-Id"]
    assert acts == ["partner/harbor k1 sun"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Idempotency-Key": "k1", "Authorization": "Bearer known"}, b'{"name":"sun","more":1}', 422),
        ({"Idempotency-Key": "k1", "Authorization": "Bearer known"}, b"{", 400),
        ({"Authorization": "Bearer known"}, b'{"name":"sun"}', 201),
    ],
)
async def test_what_is_not_well_formed_takes_the_route(
    http: httpx.AsyncClient, acts: list[str], headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = await http.post("/wishes", content=body, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == status
    assert acts == []


async def test_a_refusal_is_a_problem_document(http: httpx.AsyncClient) -> None:
    answer = await http.post("/wishes", json={"name": "moon"}, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_today")
    answer = await http.post("/wishes", json={"name": "sun"}, headers=KEY | {"Authorization": "Bearer other"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"]
