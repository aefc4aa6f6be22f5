"""Staff see every case and change none; a credential's page shows a name only by consent; nothing personal leaks."""

from contracts.steps.applications import CloseCase
from services.applications.usecases import conducting
from tests.services.applications.cast import CANARIES, NOW, Cast, Issuer, application
from tests.services.applications.journeys import recorded


async def test_staff_list_and_count_every_partners_cases(cast: Cast) -> None:
    first = await cast.submit()
    answer = await cast.other_partner.post("/v1/applications", application(person_ssn="219-09-7777"))
    closing = CloseCase(application_id=first, outcome="ineligible", stage="eligibility")
    await conducting.close_case(closing, db=cast.service_db, now=NOW)
    await cast.follow_own()
    listed = (await cast.staff.get("/v1/cases?limit=1")).json()
    rest = (await cast.staff.get(f"/v1/cases?limit=1&cursor={listed['next']}")).json()
    ids = {item["application_id"] for item in listed["items"] + rest["items"]}
    assert ids == {first, answer.json()["application_id"]}
    assert [i["application_id"] for i in (await cast.staff.get("/v1/cases?stage=closed")).json()["items"]] == [first]
    assert (await cast.staff.get("/v1/cases?provider_id=cleveland-state")).json()["items"] == []
    assert (await cast.staff.get("/v1/cases/counts")).json()["items"] == [
        {"stage": "closed", "outcome": "ineligible", "cases": 1, "awarded_cents": 0},
        {"stage": "eligibility", "outcome": None, "cases": 1, "awarded_cents": 0},
    ]
    assert (await cast.staff.get("/v1/cases?stage=nowhere")).status_code == 422
    for caller in (cast.partner, cast.college):
        assert (await caller.get("/v1/cases")).status_code == 403


async def test_a_credential_has_a_public_page_with_the_name_by_consent(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit()
    await recorded(cast, issuer, application_id, await cast.enroll(application_id))
    view = (await cast.partner.get(f"/v1/applications/{application_id}")).json()["credential"]
    page = await cast.anyone.get(view["verification_url"])
    assert page.json() == {
        "credential": "Coding",
        "credential_id": "coding",
        "provider": "Lorain County Community College",
        "provider_id": "lorain-ccc",
        "program_id": "oh-imap",
        "earned_on": "2026-03-10",
        "status": "valid",
        "name": "Zephyrine Quillfeather",
    }
    link = view["add_to_profile_url"]
    assert "startTask=CERTIFICATION_NAME&name=Coding&organizationName=Lorain%20County" in link
    assert "issueYear=2026&issueMonth=3&certUrl=https%3A%2F%2Fcairn.example%2Fv1%2Fcredentials%2F" in link
    assert f"certId={view['credential_award_id']}" in link
    assert (await cast.anyone.get(f"/v1/credentials/{'x' * 32}")).status_code == 404
    assert (await cast.anyone.get("/v1/credentials/short")).status_code == 422


async def test_without_consent_the_page_has_no_name_and_the_link_is_not_offered(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit(person_publish_name=False)
    await recorded(cast, issuer, application_id, await cast.enroll(application_id))
    view = (await cast.partner.get(f"/v1/applications/{application_id}")).json()["credential"]
    assert view["add_to_profile_url"] is None
    assert (await cast.anyone.get(view["verification_url"])).json()["name"] is None


async def test_a_forgotten_person_leaves_a_page_without_a_name(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit()
    await recorded(cast, issuer, application_id, await cast.enroll(application_id))
    url = (await cast.partner.get(f"/v1/applications/{application_id}")).json()["credential"]["verification_url"]
    person_id = await cast.owner.fetchval("SELECT person_id FROM applications.application")
    await cast.owner.execute("SELECT vault.shred($1)", person_id)
    page = await cast.anyone.get(url)
    assert (page.status_code, page.json()["name"]) == (200, None)


async def test_no_personal_value_is_anywhere_in_the_clear(cast: Cast, issuer: Issuer, capfd) -> None:
    application_id = await cast.submit()
    await cast.partner.post("/v1/applications", application())
    evidence = {
        "kind": "income",
        "evidence": {"income": {"tax_year": 2025, "ohio_agi_cents": 77_123_456, "family_size": 2}},
    }
    await cast.partner.post(f"/v1/applications/{application_id}/documents", evidence)
    await recorded(cast, issuer, application_id, await cast.enroll(application_id))
    await cast.follow_own()
    tables = await cast.owner.fetch(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_schema IN ('applications', 'vault', 'access') AND table_type = 'BASE TABLE'"
    )
    stored = ""
    for table in tables:
        name = f"{table['table_schema']}.{table['table_name']}"
        for row in await cast.owner.fetch(f"SELECT t::text AS text, to_jsonb(t)::text AS json FROM {name} AS t"):
            stored += row["text"] + row["json"]
    payloads = await cast.owner.fetch("SELECT payload, headers FROM applications.outbox")
    stored += "".join(row["payload"].decode() + row["headers"] for row in payloads)
    bodies = await cast.owner.fetch("SELECT body FROM applications.idempotency WHERE body IS NOT NULL")
    stored += "".join(bytes(row["body"]).decode() for row in bodies)
    output = capfd.readouterr()
    assert len(stored) > 10_000
    for canary in (*CANARIES, "77123456"):
        assert canary not in stored, canary
        assert canary not in output.out + output.err, canary
