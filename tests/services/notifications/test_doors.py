"""The HTTP doors: endpoints are their provider's alone, secrets are shown once, hostile addresses are refused."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
import standardwebhooks

from contracts.ids import ApplicationId, WebhookEndpointId, WebhookMessageId
from kit.access import Access, Kind, issue_key
from kit.clock import FixedClock
from kit.http import create_app
from kit.paging import PageCursors
from kit.telemetry import TraceContext
from services.notifications.api import NotificationsDoors, router
from services.notifications.domain import ENDPOINTS_PER_PROVIDER_MAX, ROTATION_OVERLAP
from services.notifications.gateways.egress import Egress
from services.notifications.store import deliveries
from tests.services.notifications.conftest import Bench
from tests.services.notifications.receiver import Receiver, receiving
from tests.services.notifications.sample import PROVIDER, Case, publish, rows, take_in

ENDPOINTS = "/v1/webhook-endpoints"


class Caller:
    """An HTTP client with one API key; POSTs get a fresh Idempotency-Key unless one is given."""

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {key}"}
        self._count = 0

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self._client.get(path, params=params, headers=self._headers)

    async def delete(self, path: str) -> httpx.Response:
        return await self._client.delete(path, headers=self._headers)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        self._count += 1
        headers = {**self._headers, "idempotency-key": key or f"key-{self._count}"}
        return await self._client.post(path, json=body, headers=headers)


class House:
    """The doors over one database, and keys for whoever calls."""

    def __init__(self, bench: Bench, client: httpx.AsyncClient, owner: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.bench = bench
        self._client = client
        self._owner = owner

    async def caller(self, kind: Kind, name: str, *scopes: str) -> Caller:
        now = datetime.now(UTC)
        async with self._owner.transaction():
            key = await issue_key(
                self._owner, kind=kind, principal_id=name, scopes=scopes, now=now, expires_at=now + timedelta(days=1)
            )
        return Caller(self._client, key)

    async def college(self, name: str = PROVIDER) -> Caller:
        return await self.caller("provider", name, "webhooks:write", "webhooks:read")


@pytest.fixture
async def house(fresh_database: Any, database_for: Any, clock: FixedClock, egress: Egress) -> AsyncIterator[House]:
    fresh = await fresh_database()
    db = await database_for("notifications", on=fresh)
    await publish(db)
    bench = Bench(db, clock, egress)
    doors = NotificationsDoors(
        access=Access(db, cache_seconds=0), db=db, desk=bench.endpoints, cursors=PageCursors(bytes(range(32)))
    )
    transport = httpx.ASGITransport(app=create_app("t", "1", [router(doors)]))
    owner = await asyncpg.connect(fresh.owner_dsn)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.cairn.example") as client:
        yield House(bench, client, owner)
    await owner.close()


async def test_an_endpoint_from_registration_to_the_first_message(house: House, receiver: Receiver) -> None:
    college = await house.college()
    made = await college.post(ENDPOINTS, {"url": receiver.url})
    assert made.status_code == 201
    assert made.json()["status"] == "unverified"
    assert made.json()["secret"].startswith("whsec_")
    await house.bench.drain()
    shown = (await college.get(f"{ENDPOINTS}/{made.json()['id']}")).json()
    assert shown["status"] == "active"
    assert "secret" not in shown
    listed = (await college.get(ENDPOINTS)).json()
    assert [item["id"] for item in listed["items"]] == [made.json()["id"]]
    assert "whsec_" not in json.dumps(listed)


async def test_the_same_registration_twice_is_one_endpoint_and_one_answer(house: House, receiver: Receiver) -> None:
    college = await house.college()
    first = await college.post(ENDPOINTS, {"url": receiver.url}, key="once")
    again = await college.post(ENDPOINTS, {"url": receiver.url}, key="once")
    assert again.content == first.content
    other = await college.post(ENDPOINTS, {"url": receiver.url + "/other"}, key="once")
    assert other.status_code == 422
    assert len(await rows(house.bench.db, "SELECT 1 FROM webhook_endpoint")) == 1
    secret = first.json()["secret"].removeprefix("whsec_")
    kept = await rows(house.bench.db, "SELECT body FROM idempotency")
    assert secret.encode() not in b"".join(bytes(row["body"]) for row in kept)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook", "https://127.0.0.1:6379/", "https://[::1]/", "https://10.0.0.1/",
        "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/",
        "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://0.0.0.0/", "https://224.0.0.1/",
        "https://user:pass@93.184.215.14/", "https://93.184.215.14:22/", "https://2130706433/", "https://0x7f000001/",
        "ftp://93.184.215.14/", "https://93.184.215.14\\@10.0.0.1/", "https://[fe80::1%25eth0]/", "file:///etc/passwd",
    ],
)  # fmt: skip
async def test_a_hostile_address_is_refused_with_a_pointer(house: House, url: str) -> None:
    strict = Egress(allow_loopback=False)
    from services.notifications.gateways.colleges import HttpCollegeDoor

    object.__setattr__(house.bench.endpoints, "college", HttpCollegeDoor(strict))
    college = await house.college()
    refused = await college.post(ENDPOINTS, {"url": url})
    await strict.close()
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/url"
    assert url not in refused.text
    assert await rows(house.bench.db, "SELECT 1 FROM webhook_endpoint") == []


async def test_endpoints_are_bounded_and_distinct(house: House, receiver: Receiver) -> None:
    college = await house.college()
    for number in range(ENDPOINTS_PER_PROVIDER_MAX):
        assert (await college.post(ENDPOINTS, {"url": f"{receiver.url}/{number}"})).status_code == 201
    assert (await college.post(ENDPOINTS, {"url": f"{receiver.url}/0"})).status_code == 409
    assert (await college.post(ENDPOINTS, {"url": f"{receiver.url}/more"})).status_code == 422


async def test_one_college_cannot_touch_anothers_endpoint(house: House, receiver: Receiver) -> None:
    mine, other = await house.college(), await house.college("other-college")
    endpoint = (await mine.post(ENDPOINTS, {"url": receiver.url})).json()["id"]
    path = f"{ENDPOINTS}/{endpoint}"
    answers = [
        await other.get(path),
        await other.get(f"{path}/deliveries"),
        await other.post(f"{path}/ping"),
        await other.post(f"{path}/secret-rotation"),
        await other.post(f"{path}/replay", {"message_id": "msg_" + "0" * 26}),
        await other.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [404] * 6
    assert (await other.get(ENDPOINTS)).json()["items"] == []
    partner = await house.caller("partner", "harbor-portal", "webhooks:read")
    assert (await partner.get(path)).status_code == 403


async def test_a_ping_of_ones_own(house: House, receiver: Receiver) -> None:
    college = await house.college()
    endpoint = (await college.post(ENDPOINTS, {"url": receiver.url})).json()["id"]
    await house.bench.drain()
    sent = await college.post(f"{ENDPOINTS}/{endpoint}/ping")
    assert sent.status_code == 202
    await house.bench.drain()
    assert receiver.came[-1].id == sent.json()["message_id"]


async def test_while_a_secret_rotates_both_sign(house: House, receiver: Receiver) -> None:
    college = await house.college()
    made = (await college.post(ENDPOINTS, {"url": receiver.url})).json()
    await house.bench.drain()
    rotated = (await college.post(f"{ENDPOINTS}/{made['id']}/secret-rotation")).json()
    assert rotated["secret"] != made["secret"]
    assert (await college.post(f"{ENDPOINTS}/{made['id']}/secret-rotation")).status_code == 409
    await take_in(house.bench.db, Case().requested(), now=house.bench.clock.now())
    await house.bench.drain()
    came = receiver.messages[-1]
    assert len(came.headers["webhook-signature"].split(" ")) == 2
    for secret in (made["secret"], rotated["secret"]):
        standardwebhooks.Webhook(secret).verify(came.body, came.headers)
    house.bench.clock.advance(ROTATION_OVERLAP + timedelta(seconds=1))
    await take_in(house.bench.db, Case().requested(), now=house.bench.clock.now())
    await house.bench.drain()
    assert len(receiver.messages[-1].headers["webhook-signature"].split(" ")) == 1


async def test_the_delivery_log_by_pages_and_the_replay_from_it(house: House, receiver: Receiver) -> None:
    college = await house.college()
    endpoint = (await college.post(ENDPOINTS, {"url": receiver.url})).json()["id"]
    await house.bench.drain()
    case = Case()
    for fact in (case.requested(), case.reminded(1), case.reminded(2), case.approved()):
        await take_in(house.bench.db, fact, now=house.bench.clock.now())
    await house.bench.drain()
    first = (await college.get(f"{ENDPOINTS}/{endpoint}/deliveries", limit=3)).json()
    rest = (await college.get(f"{ENDPOINTS}/{endpoint}/deliveries", limit=3, cursor=first["next"])).json()
    log = [*first["items"], *rest["items"]]
    assert [item["type"] for item in log] == [
        "ping", "enrollment.requested", "enrollment.reminder", "enrollment.reminder", "claim.decided",
    ]  # fmt: skip
    assert all(item["attempts"][0]["status"] == 200 for item in log)
    before = [came.id for came in receiver.messages]
    replayed = await college.post(f"{ENDPOINTS}/{endpoint}/replay", {"cursor": first["next"]})
    assert (replayed.status_code, replayed.json()) == (202, {"messages": 2})
    await house.bench.drain()
    assert [came.id for came in receiver.messages][len(before) :] == before[2:]
    by_id = await college.post(f"{ENDPOINTS}/{endpoint}/replay", {"message_id": before[0]})
    assert by_id.json() == {"messages": 4}
    await house.bench.drain()
    assert [came.id for came in receiver.messages][-4:] == before


async def test_a_message_that_commits_late_comes_after_the_cursor(house: House, receiver: Receiver) -> None:
    """Two replicas write: the place at the insert says nothing about which commits first."""
    college = await house.college()
    endpoint = (await college.post(ENDPOINTS, {"url": receiver.url})).json()["id"]
    path, now = f"{ENDPOINTS}/{endpoint}", house.bench.clock.now()

    async def write(tx: Any) -> str:
        message_id = WebhookMessageId.new()
        await deliveries.write_message(
            tx, message_id, ApplicationId.new(), provider_id=PROVIDER, message_type="enrollment.requested",
            body=b"{}", trace=TraceContext(), now=now,
        )  # fmt: skip
        return message_id

    async with house.bench.db.transaction() as slow:
        late = await write(slow)
        async with house.bench.db.transaction() as quick:
            early = await write(quick)
        page = (await college.get(f"{path}/deliveries")).json()
    assert [item["message_id"] for item in page["items"]][1:] == [early]
    after = (await college.get(f"{path}/deliveries", cursor=page["next"])).json()
    assert [item["message_id"] for item in after["items"]] == [late]
    assert (await college.post(f"{path}/replay", {"cursor": page["next"]})).json() == {"messages": 1}
    assert (await college.post(f"{path}/replay", {"message_id": late})).json() == {"messages": 2}
    again = (await college.get(f"{path}/deliveries")).json()
    assert [item["message_id"] for item in again["items"]][1:] == [early, late]


@pytest.mark.parametrize("body", [{}, {"cursor": "forged"}, {"message_id": "msg_" + "0" * 26}, {"surplus": 1}])
async def test_a_replay_from_nowhere_is_refused(house: House, receiver: Receiver, body: dict[str, str]) -> None:
    college = await house.college()
    endpoint = (await college.post(ENDPOINTS, {"url": receiver.url})).json()["id"]
    assert (await college.post(f"{ENDPOINTS}/{endpoint}/replay", body)).status_code in {400, 422}


async def test_disabling_is_for_good_and_may_be_said_twice(house: House, receiver: Receiver) -> None:
    college = await house.college()
    endpoint = (await college.post(ENDPOINTS, {"url": receiver.url})).json()["id"]
    path = f"{ENDPOINTS}/{endpoint}"
    assert [(await college.delete(path)).status_code for _ in range(2)] == [204, 204]
    assert (await college.get(path)).json()["disabled_reason"] == "by_provider"
    assert (await college.post(f"{path}/ping")).status_code == 409
    assert (await college.delete(f"{ENDPOINTS}/{WebhookEndpointId.new()}")).status_code == 404
    async with receiving():
        assert (await college.post(ENDPOINTS, {"url": receiver.url})).status_code == 201


async def test_who_was_told_what(house: House) -> None:
    case = Case(language="es")
    await take_in(house.bench.db, case.submitted())
    await take_in(house.bench.db, case.held())
    path = f"/v1/applications/{case.id}/notices"
    partner = await house.caller("partner", "harbor-portal", "applications:read")
    told = (await partner.get(path)).json()["items"]
    assert [(item["template"], item["language"], item["state"]) for item in told] == [
        ("application_received", "es", "pending"),
        ("funds_held", "es", "pending"),
    ]
    staff = await house.caller("staff", "m.ortiz".replace(".", "-"), "applications:read")
    assert (await staff.get(path)).status_code == 200
    stranger = await house.caller("partner", "another-portal", "applications:read")
    assert (await stranger.get(path)).status_code == 404
    assert (await partner.get(f"/v1/applications/{ApplicationId.new()}/notices")).status_code == 404
    assert (await (await house.college()).get(path)).status_code == 403
