"""The HTTP doors: the catalog, and determinations for the partner who asked and for staff."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from contracts.events.applications import ApplicationSubmitted
from contracts.ids import ApplicationId, DeterminationId
from contracts.personal import Declaration
from contracts.steps.eligibility import Determine
from kit.access import Access, issue_key
from kit.http import create_app
from services.eligibility import usecases
from services.eligibility.api import EligibilityDoors, router
from tests.services.eligibility.cases import SUBMITTED, pack
from tests.services.eligibility.conftest import Desk


class Portal:
    """A caller with a key, by name."""

    def __init__(self, desk: Desk, http: httpx.AsyncClient) -> None:
        self._desk = desk
        self._http = http

    async def key(self, kind: str, name: str, *scopes: str) -> str:
        owner = await asyncpg.connect(self._desk.owner_dsn)
        try:
            now = datetime.now(UTC)
            async with owner.transaction():
                return await issue_key(
                    owner, kind=kind, principal_id=name, scopes=scopes, now=now, expires_at=now + timedelta(days=1)
                )
        finally:
            await owner.close()

    async def get(self, path: str, key: str | None = None) -> httpx.Response:
        return await self._http.get(path, headers={"authorization": f"Bearer {key}"} if key else {})


@pytest.fixture
async def portal(desk: Desk) -> AsyncIterator[Portal]:
    doors = EligibilityDoors(access=Access(desk.db), db=desk.db, vault=desk.vault, shelf=desk.shelf)
    app = create_app("test", "1", [router(doors)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as http:
        yield Portal(desk, http)


async def _submitted(desk: Desk, ask: Determine, partner_id: str = "harbor-portal") -> None:
    fact = ApplicationSubmitted(
        application_id=ask.application_id,
        person_id=ask.person_id,
        partner_id=partner_id,
        program_id=ask.program_id,
        round_id=ask.round_id,
        provider_id=ask.provider_id,
        credential_id=ask.credential_id,
        submitted_at=ask.submitted_at,
        sealed_declaration=ask.sealed_declaration,
        sealed_contact=ask.sealed_declaration,
    )
    async with desk.db.transaction() as tx:
        await usecases.record_application(fact, tx=tx)


async def test_the_catalog_tells_what_is_funded_and_what_is_unknown(portal: Portal) -> None:
    key = await portal.key("partner", "harbor-portal", "applications:read")
    listed = (await portal.get("/v1/programs", key)).json()["programs"]
    assert [one["program_id"] for one in listed] == ["oh-imap", "oh-imap-brisk"]
    assert listed[0]["pack_version"] == pack().version
    shown = (await portal.get("/v1/programs/oh-imap", key)).json()
    rounds = {one["round_id"]: one for one in shown["rounds"]}
    assert rounds["r2"]["not_published"] == ["appropriation_cents", "people_window"]
    assert rounds["r6"]["offers"][0]["provider_name"] == "Lorain County Community College"
    assert {one["id"] for one in shown["stacks"]} == {"csu-smart-manufacturing", "bw-specialized-mba"}


async def test_an_unknown_program_is_a_problem_and_so_is_no_key(portal: Portal) -> None:
    key = await portal.key("partner", "harbor-portal", "applications:read")
    missing = await portal.get("/v1/programs/nowhere", key)
    assert (missing.status_code, missing.json()["code"]) == (404, "program_unknown")
    assert (await portal.get("/v1/programs")).status_code == 401
    assert (await portal.get("/v1/programs/%20", key)).status_code == 422


async def test_the_partner_who_submitted_and_staff_read_every_finding(desk: Desk, portal: Portal) -> None:
    ask = await desk.ask(await desk.admit(), Declaration(state_of_residence="PA"))
    await _submitted(desk, ask)
    answer = await desk.determine(ask)
    path = f"/v1/applications/{ask.application_id}/determinations"
    for kind, name in (("partner", "harbor-portal"), ("staff", "alex")):
        response = await portal.get(path, await portal.key(kind, name, "applications:read"))
        [shown] = response.json()["determinations"]
        assert shown["outcome"] == "ineligible"
        assert shown["determination_id"] == answer.determination_id
        assert [one["criterion"] for one in shown["findings"]] == [one.criterion for one in answer.findings]
        assert datetime.fromisoformat(shown["respond_by"]) > SUBMITTED
        assert "PA" not in response.text
        assert len(shown["inputs_sha256"]) == 64


async def test_another_partner_sees_what_an_unknown_application_shows(desk: Desk, portal: Portal) -> None:
    ask = await desk.ask(await desk.admit())
    await _submitted(desk, ask)
    await desk.determine(ask)
    key = await portal.key("partner", "other-portal", "applications:read")
    foreign = await portal.get(f"/v1/applications/{ask.application_id}/determinations", key)
    unknown = await portal.get(f"/v1/applications/{ApplicationId.new()}/determinations", key)
    for response in (foreign, unknown):
        assert response.status_code == 404
    ours = {name: value for name, value in foreign.json().items() if name != "request_id"}
    assert ours.items() <= unknown.json().items()


async def test_before_the_first_determination_the_list_is_empty(desk: Desk, portal: Portal) -> None:
    ask = await desk.ask(await desk.admit())
    await _submitted(desk, ask)
    key = await portal.key("partner", "harbor-portal", "applications:read")
    shown = await portal.get(f"/v1/applications/{ask.application_id}/determinations", key)
    assert shown.json()["determinations"] == []


async def test_only_staff_with_the_scope_replay_a_receipt(desk: Desk, portal: Portal) -> None:
    answer = await desk.determine(await desk.ask(await desk.admit()))
    path = f"/v1/determinations/{answer.determination_id}/replay"
    staff = await portal.key("staff", "alex", "determinations:replay")
    assert (await portal.get(path, staff)).json()["agrees"] is True
    assert (await portal.get(f"/v1/determinations/{DeterminationId.new()}/replay", staff)).status_code == 404
    for kind, scope in (("partner", "determinations:replay"), ("staff", "applications:read")):
        assert (await portal.get(path, await portal.key(kind, "other", scope))).status_code == 403
