"""The partner's doors: one application per key and person, nothing of anybody else's, every fault named."""

import asyncio
from datetime import timedelta

import pytest

from contracts.events.applications import (
    ApplicationSubmitted,
    ApplicationWithdrawn,
    ChargeAnswered,
    DocumentReceived,
)
from contracts.ids import ApplicationId
from contracts.personal import Contact, Declaration
from contracts.steps.applications import CloseCase
from kit.vault import Vault
from services.applications.usecases import conducting
from tests.services.applications.cast import CANARIES, Cast, Issuer, application
from tests.services.applications.journeys import recorded

VAULT = Vault(kek=bytes(range(32)), reader="test")


async def test_an_application_is_accepted_with_links_and_one_fact(cast: Cast) -> None:
    answer = await cast.partner.post("/v1/applications", application(course_run_id="coding-fall"))
    assert answer.status_code == 201
    body = answer.json()
    assert body["stage"] == "eligibility"
    assert body["links"]["timeline"] == f"https://cairn.example/v1/applications/{body['application_id']}/timeline"
    (fact,) = await cast.outbox(ApplicationSubmitted)
    assert fact.application_id == body["application_id"]
    assert (fact.partner_id, fact.county, fact.language) == ("harbor", "lorain", "es")
    async with cast.service_db.transaction() as tx:
        contact = await VAULT.open(
            tx, fact.person_id, fact.sealed_contact, label="contact", purpose="test", request_id="test"
        )
        declared = await VAULT.open(
            tx, fact.person_id, fact.sealed_declaration, label="declaration", purpose="test", request_id="test"
        )
    assert Contact.model_validate_json(contact).email == "zephyrine@quillfeather.example"
    assert Declaration.model_validate_json(declared) == Declaration(state_of_residence="OH")


async def test_fifty_calls_with_one_key_make_one_application_and_equal_answers(cast: Cast) -> None:
    answers = await asyncio.gather(
        *(cast.partner.post("/v1/applications", application(), once="the-same") for _ in range(50))
    )
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert await cast.owner.fetchval("SELECT count(*) FROM applications.application") == 1
    assert len(await cast.outbox()) == 1
    other = await cast.partner.post("/v1/applications", application(credential_id="cybersecurity"), once="the-same")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_an_idempotency_key_is_needed_and_belongs_to_its_partner(cast: Cast) -> None:
    answer = await cast.anyone.post(
        "/v1/applications", json=application(), headers={"Authorization": f"Bearer {cast.partner.key}"}
    )
    assert answer.status_code == 400
    mine = await cast.partner.post("/v1/applications", application(), once="k")
    theirs = await cast.other_partner.post("/v1/applications", application(person_ssn="219-09-9124"), once="k")
    assert mine.json()["application_id"] != theirs.json()["application_id"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"program_id": "no-such"}, "/program_id"),
        ({"round_id": "r99"}, "/round_id"),
        ({"provider_id": "nowhere"}, "/provider_id"),
        ({"credential_id": "juggling"}, "/credential_id"),
        ({"course_run_id": "no-run"}, "/course_run_id"),
        ({"course_run_id": "coding-fall", "credential_id": "cybersecurity"}, "/course_run_id"),
        ({"person_ssn": "000-12-3456"}, "/person/ssn"),
        ({"person_ssn": "21909912x"}, "/person/ssn"),
        ({"person_ssn": "123-00-4567"}, "/person/ssn"),
        ({"person_birth_date": "1799-01-01"}, "/person/birth_date"),
        ({"person_birth_date": "2027-01-01"}, "/person/birth_date"),
        ({"person_email": "zephyrine at quillfeather"}, "/person/email"),
        ({"person_given_name": "Zeph\x07yrine"}, "/person/given_name"),
        ({"person_given_name": "  "}, "/person/given_name"),
        ({"person_consent": False}, "/person/consent"),
        ({"person_nickname": "Zeph"}, "/person/nickname"),
        ({"declaration": {"income": {"tax_year": 2025, "ohio_agi_cents": 1.5, "family_size": 1}}}, "/declaration/"),
    ],
)
async def test_bad_input_is_refused_by_pointer_and_never_repeated(cast: Cast, change, pointer: str) -> None:
    answer = await cast.partner.post("/v1/applications", application(**change))
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"][0]["pointer"].startswith(pointer)
    assert not [value for value in (*CANARIES, "000-12-3456", "1799") if value in answer.text]
    assert await cast.outbox() == []


async def test_nul_bytes_surrogates_and_garbage_are_refused(cast: Cast) -> None:
    headers = {"Authorization": f"Bearer {cast.partner.key}", "Content-Type": "application/json"}
    for number, (body, status) in enumerate(
        [
            (b'{"person": {"given_name": "a\\u0000b"}}', 422),
            (b'{"person": {"given_name": "\\ud800"}}', 422),
            (b"\xff\xfe", 400),
            (b"[" * 20_000, 400),
            (b"null", 422),
        ]
    ):
        answer = await cast.anyone.post(
            "/v1/applications", content=body, headers={**headers, "Idempotency-Key": f"bad-{number}"}
        )
        assert answer.status_code == status, body[:40]


async def test_one_person_has_one_open_application_for_a_credential(cast: Cast) -> None:
    first = await cast.submit()
    again = await cast.partner.post("/v1/applications", application(person_ssn="219099123", person_email="z@q.example"))
    assert (again.status_code, again.json()["code"]) == (409, "application_already_open")
    assert first in again.json()["detail"]
    elsewhere = await cast.other_partner.post("/v1/applications", application())
    assert elsewhere.status_code == 409
    assert first not in elsewhere.text
    other = await cast.submit(credential_id="cybersecurity")
    people = await cast.owner.fetch("SELECT DISTINCT person_id FROM applications.application")
    assert (first != other, len(people)) == (True, 1)


async def test_a_refusal_stays_a_refusal_for_its_key_and_a_new_key_may_pass(cast: Cast) -> None:
    first = await cast.submit()
    refused = await cast.partner.post("/v1/applications", application(), once="second")
    await conducting.close_case(
        CloseCase(application_id=first, outcome="ineligible", stage="eligibility"),
        db=cast.service_db,
        now=cast.clock.now(),
    )
    again = await cast.partner.post("/v1/applications", application(), once="second")
    assert (refused.status_code, again.status_code) == (409, 409)
    assert refused.content == again.content
    assert (await cast.partner.post("/v1/applications", application(), once="third")).status_code == 201


async def test_racing_applications_of_one_person_leave_one(cast: Cast) -> None:
    answers = await asyncio.gather(*(cast.partner.post("/v1/applications", application()) for _ in range(20)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 19
    assert await cast.owner.fetchval("SELECT count(*) FROM applications.person") == 1


async def test_a_foreign_partner_finds_nothing(cast: Cast) -> None:
    application_id = await cast.submit()
    base = f"/v1/applications/{application_id}"
    assert (await cast.other_partner.get(base)).status_code == 404
    assert (await cast.other_partner.get(f"{base}/timeline")).status_code == 404
    assert (await cast.other_partner.post(f"{base}/withdrawal", {})).status_code == 404
    evidence = {"kind": "income", "evidence": {"state_of_residence": "OH"}}
    assert (await cast.other_partner.post(f"{base}/documents", evidence)).status_code == 404
    assert (await cast.other_partner.get("/v1/applications")).json() == {"items": [], "next": None}
    assert (await cast.partner.get(f"/v1/applications/{ApplicationId.new()}")).status_code == 404
    assert (await cast.partner.get("/v1/applications/app_x")).status_code == 422


async def test_keys_of_other_kinds_are_refused(cast: Cast) -> None:
    for caller in (cast.college, cast.staff):
        assert (await caller.get("/v1/applications")).status_code == 403
        assert (await caller.post("/v1/applications", application())).status_code == 403
    assert (await cast.anyone.get("/v1/applications")).status_code == 401


async def test_reading_has_an_etag_that_follows_the_case(cast: Cast) -> None:
    application_id = await cast.submit()
    base = f"/v1/applications/{application_id}"
    first = await cast.partner.get(base)
    assert first.status_code == 200
    tag = first.headers["ETag"]
    assert (await cast.partner.get(base, **{"If-None-Match": tag})).status_code == 304
    await cast.follow_own()
    second = await cast.partner.get(base, **{"If-None-Match": tag})
    assert second.status_code == 200
    assert second.json()["next"] == {"party": "program", "text": "The program decides eligibility."}
    stale = await cast.partner.post(f"{base}/withdrawal", {}, **{"If-Match": tag})
    assert stale.status_code == 412
    fresh = await cast.partner.post(f"{base}/withdrawal", {}, **{"If-Match": second.headers["ETag"]})
    assert fresh.status_code == 200


async def test_pages_are_walked_by_an_opaque_cursor_that_fits_no_other_list(cast: Cast) -> None:
    for number in range(5):
        await cast.submit(person_ssn=f"219-09-{1000 + number}")
    first = (await cast.partner.get("/v1/applications?limit=2")).json()
    second = (await cast.partner.get(f"/v1/applications?limit=2&cursor={first['next']}")).json()
    third = (await cast.partner.get(f"/v1/applications?limit=2&cursor={second['next']}")).json()
    ids = [item["application_id"] for page in (first, second, third) for item in page["items"]]
    assert (len(set(ids)), ids, third["next"]) == (5, sorted(ids), None)
    stolen = await cast.other_partner.get(f"/v1/applications?limit=2&cursor={first['next']}")
    assert stolen.status_code == 400
    assert (await cast.partner.get(f"/v1/applications?stage=award&cursor={first['next']}")).status_code == 400
    assert (await cast.partner.get("/v1/applications?cursor=abc")).status_code == 400
    assert (await cast.partner.get("/v1/applications?stage=award")).json()["items"] == []
    assert len((await cast.partner.get("/v1/applications?stage=eligibility")).json()["items"]) == 5


async def test_documents_are_sealed_and_told(cast: Cast) -> None:
    application_id = await cast.submit()
    evidence = {
        "kind": "income",
        "evidence": {"income": {"tax_year": 2025, "ohio_agi_cents": 777_123, "family_size": 2}},
    }
    answer = await cast.partner.post(f"/v1/applications/{application_id}/documents", evidence, once="doc")
    again = await cast.partner.post(f"/v1/applications/{application_id}/documents", evidence, once="doc")
    assert (answer.status_code, answer.content) == (201, again.content)
    (fact,) = await cast.outbox(DocumentReceived)
    assert fact.document_id == answer.json()["document_id"]
    assert "777123" not in fact.model_dump_json()
    empty = await cast.partner.post(f"/v1/applications/{application_id}/documents", {"kind": "income", "evidence": {}})
    assert (empty.status_code, empty.json()["code"]) == (422, "evidence_empty")


async def test_a_withdrawal_is_told_once_and_refused_after_the_end(cast: Cast) -> None:
    application_id = await cast.submit()
    path = f"/v1/applications/{application_id}/withdrawal"
    first = await cast.partner.post(path, {"reason": "found_a_job"})
    cast.clock.advance(timedelta(hours=1))
    again = await cast.partner.post(path, {"reason": "other_reason"})
    assert (first.status_code, again.content) == (200, first.content)
    assert [fact.reason for fact in await cast.outbox(ApplicationWithdrawn)] == ["found_a_job"]

    ended = await cast.submit(credential_id="cybersecurity")
    closing = CloseCase(application_id=ended, outcome="ineligible", stage="eligibility")
    await conducting.close_case(closing, db=cast.service_db, now=cast.clock.now())
    late = await cast.partner.post(f"/v1/applications/{ended}/withdrawal", {})
    assert (late.status_code, late.json()["code"]) == (409, "case_closed")
    evidence = {"kind": "income", "evidence": {"state_of_residence": "OH"}}
    assert (await cast.partner.post(f"/v1/applications/{ended}/documents", evidence)).status_code == 409


async def test_the_person_says_once_whether_the_provider_charged(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit()
    path = f"/v1/applications/{application_id}/charge-answer"
    early = await cast.partner.post(path, {"charged": False})
    assert (early.status_code, early.json()["code"]) == (409, "credential_not_recorded")
    await recorded(cast, issuer, application_id, await cast.enroll(application_id))
    assert (await cast.other_partner.post(path, {"charged": True})).status_code == 404
    first = await cast.partner.post(path, {"charged": True, "amount_cents": 4_000})
    assert (first.status_code, first.json()["charged"]) == (200, True)
    assert (await cast.partner.post(path, {"charged": True, "amount_cents": 4_000})).content == first.content
    other = await cast.partner.post(path, {"charged": False})
    assert (other.status_code, other.json()["code"]) == (409, "charge_answered_before")
    assert [(f.charged, f.amount_cents) for f in await cast.outbox(ChargeAnswered)] == [(True, 4_000)]
