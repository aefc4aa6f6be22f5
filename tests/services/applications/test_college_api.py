"""The college's doors: its own enrollments alone, in order, the same word twice is one word."""

import asyncio
from datetime import timedelta

from contracts.events.applications import (
    ClaimSubmitted,
    EnrollmentAccepted,
    EnrollmentRefused,
    EnrollmentStarted,
    EnrollmentWaitlisted,
    EnrollmentWithdrawn,
    ExamRegistered,
    ExamResulted,
    MilestoneReached,
)
from contracts.ids import EnrollmentId
from contracts.steps.applications import CloseCase
from services.applications.usecases import conducting
from tests.services.applications.cast import NOW, Cast, Issuer
from tests.services.applications.journeys import complete, recorded

ACCEPTED = {"answer": "accepted", "price_cents": 250_000, "starts_on": "2026-04-01"}


async def test_the_course_from_request_to_milestones(cast: Cast) -> None:
    enrollment_id = await cast.ask_college(await cast.submit())
    base = f"/v1/enrollments/{enrollment_id}"
    person = await cast.college.get(f"{base}/person")
    assert person.json() == {
        "enrollment_id": enrollment_id,
        "given_name": "Zephyrine",
        "family_name": "Quillfeather",
        "email": "zephyrine@quillfeather.example",
        "language": "es",
    }
    answered = (await cast.college.post(f"{base}/answer", ACCEPTED)).json()
    assert (answered["state"], answered["price_cents"], answered["starts_on"]) == ("accepted", 250_000, "2026-04-01")
    assert (await cast.college.post(f"{base}/start", {})).json()["state"] == "started"
    for milestone in ("week_1", "midpoint", "week_1"):
        reached = await cast.college.post(f"{base}/milestones", {"milestone": milestone})
        assert reached.status_code == 200
    assert reached.json()["milestones"] == ["week_1", "midpoint"]
    assert [f.price_cents for f in await cast.outbox(EnrollmentAccepted)] == [250_000]
    assert len(await cast.outbox(EnrollmentStarted)) == 1
    assert [f.milestone for f in await cast.outbox(MilestoneReached)] == ["week_1", "midpoint"]
    left = await cast.college.post(f"{base}/withdrawal", {"reason": "moved_away"})
    assert left.json()["state"] == "withdrawn"
    assert [f.reason for f in await cast.outbox(EnrollmentWithdrawn)] == ["moved_away"]


async def test_reading_the_person_is_audited_and_ends_with_the_enrollment(cast: Cast) -> None:
    enrollment_id = await cast.ask_college(await cast.submit())
    path = f"/v1/enrollments/{enrollment_id}/person"
    await cast.college.get(path, **{"X-Request-Id": "audit-me-please"})
    row = await cast.owner.fetchrow("SELECT * FROM vault.key_read WHERE request_id = 'audit-me-please'")
    assert row is not None
    assert "lorain-ccc" in str(dict(row))
    await cast.college.post(f"/v1/enrollments/{enrollment_id}/answer", {"answer": "refused", "reasons": ["no_seats"]})
    denied = await cast.college.get(path)
    assert (denied.status_code, denied.json()["code"]) == (403, "person_not_visible")


async def test_an_answer_twice_is_one_and_another_is_a_conflict(cast: Cast) -> None:
    enrollment_id = await cast.ask_college(await cast.submit())
    path = f"/v1/enrollments/{enrollment_id}/answer"
    waiting = await cast.college.post(path, {"answer": "waitlisted"})
    assert waiting.json()["state"] == "waitlisted"
    first = await cast.college.post(path, ACCEPTED)
    again = await cast.college.post(path, ACCEPTED)
    assert (first.status_code, again.content) == (200, first.content)
    other = await cast.college.post(path, {"answer": "refused", "reasons": ["no_seats"]})
    assert (other.status_code, other.json()["code"]) == (409, "already_answered")
    cheaper = await cast.college.post(path, {**ACCEPTED, "price_cents": 1})
    assert cheaper.status_code == 409
    assert len(await cast.outbox(EnrollmentAccepted)) == len(await cast.outbox(EnrollmentWaitlisted)) == 1


async def test_racing_answers_leave_one(cast: Cast) -> None:
    enrollment_id = await cast.ask_college(await cast.submit())
    path = f"/v1/enrollments/{enrollment_id}/answer"
    refusal = {"answer": "refused", "reasons": ["no_seats"]}
    answers = await asyncio.gather(
        *(cast.college.post(path, body) for body in [ACCEPTED, refusal] * 10), return_exceptions=False
    )
    assert sorted(a.status_code for a in answers) == [200] * 10 + [409] * 10
    assert len(await cast.outbox(EnrollmentAccepted)) + len(await cast.outbox(EnrollmentRefused)) == 1


async def test_incomplete_and_excessive_answers_are_refused(cast: Cast) -> None:
    enrollment_id = await cast.ask_college(await cast.submit())
    path = f"/v1/enrollments/{enrollment_id}/answer"
    for body, pointer in [
        ({"answer": "accepted"}, "/price_cents"),
        ({"answer": "accepted", "price_cents": 280_001}, "/price_cents"),
        ({"answer": "accepted", "price_cents": "250000"}, "/price_cents"),
        ({"answer": "refused"}, "/reasons"),
        ({"answer": "maybe"}, "/answer"),
        ({**ACCEPTED, "starts_on": "next week"}, "/starts_on"),
        ({**ACCEPTED, "note": "x"}, "/note"),
    ]:
        answer = await cast.college.post(path, body)
        assert answer.status_code == 422, body
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_what_comes_out_of_order_is_a_conflict(cast: Cast) -> None:
    enrollment_id = await cast.ask_college(await cast.submit())
    base = f"/v1/enrollments/{enrollment_id}"
    for door, body in [("start", {}), ("milestones", {"milestone": "week_1"}), ("withdrawal", {"reason": "moved"})]:
        answer = await cast.college.post(f"{base}/{door}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "out_of_order"), door
    unlisted = await cast.college.post(f"{base}/milestones", {"milestone": "graduation"})
    assert (unlisted.status_code, unlisted.json()["errors"][0]["pointer"]) == (422, "/milestone")


async def test_a_late_answer_finds_the_case_closed(cast: Cast) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.ask_college(application_id)
    closing = CloseCase(application_id=application_id, outcome="enrollment_lapsed", stage="enrollment")
    await conducting.close_case(closing, db=cast.service_db, now=NOW)
    late = await cast.college.post(f"/v1/enrollments/{enrollment_id}/answer", ACCEPTED)
    assert (late.status_code, late.json()["code"]) == (409, "case_closed")
    assert (await cast.college.get(f"/v1/enrollments/{enrollment_id}")).json()["state"] == "lapsed"


async def test_a_foreign_college_finds_nothing(cast: Cast) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.ask_college(application_id)
    base = f"/v1/enrollments/{enrollment_id}"
    for door in ("", "/person"):
        assert (await cast.other_college.get(f"{base}{door}")).status_code == 404
    bodies = {
        "answer": ACCEPTED,
        "start": {},
        "milestones": {"milestone": "week_1"},
        "withdrawal": {"reason": "moved"},
        "attestation": {"attestation": Issuer("lorain-ccc").sign(enrollment_id, "coding")},
        "claims": {
            "invoice_number": "1",
            "invoice_on": "2026-03-01",
            "amount_cents": 1,
            "participant_charged_cents": 0,
        },
    }
    for door, body in bodies.items():
        assert (await cast.other_college.post(f"{base}/{door}", body)).status_code == 404, door
    exam = {"exam_id": "sec-exam", "attempt_number": 1}
    for door, more in [("exam-registration", {"registration": "R1"}), ("exam-result", {"result": "passed"})]:
        answer = await cast.other_college.post(f"/v1/applications/{application_id}/{door}", {**exam, **more})
        assert answer.status_code == 404
    assert (await cast.other_college.get("/v1/enrollments")).json() == {"items": [], "next": None}
    assert (await cast.college.get(f"/v1/enrollments/{EnrollmentId.new()}")).status_code == 404
    assert (await cast.partner.get("/v1/enrollments")).status_code == 403


async def test_the_provider_walks_its_enrollments(cast: Cast) -> None:
    for number in range(3):
        await cast.ask_college(await cast.submit(person_ssn=f"219-09-{2000 + number}"))
    first = (await cast.college.get("/v1/enrollments?limit=2&state=requested")).json()
    rest = (await cast.college.get(f"/v1/enrollments?limit=2&state=requested&cursor={first['next']}")).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert (await cast.college.get("/v1/enrollments?state=started")).json()["items"] == []


async def test_an_exam_failed_and_passed_on_the_retake(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit(credential_id="cybersecurity")
    enrollment_id = await cast.enroll(application_id)
    base = f"/v1/applications/{application_id}"

    async def exam(door: str, attempt: int, **more: str) -> tuple[int, str]:
        body = {"exam_id": "sec-exam", "attempt_number": attempt, **more}
        answer = await cast.college.post(f"{base}/{door}", body)
        return answer.status_code, answer.json().get("code", "")

    assert await exam("exam-registration", 1, registration="R1") == (409, "out_of_order")
    await complete(cast, issuer, enrollment_id, "cybersecurity")
    assert await exam("exam-result", 1, result="passed") == (409, "exam_attempt_out_of_order")
    assert await exam("exam-registration", 2, registration="R2") == (409, "exam_attempt_out_of_order")
    assert await exam("exam-registration", 1, registration="R1") == (200, "")
    assert await exam("exam-registration", 1, registration="R1") == (200, "")
    assert await exam("exam-registration", 1, registration="R9") == (409, "already_reported")
    assert await exam("exam-result", 1, result="failed") == (200, "")
    assert await exam("exam-result", 1, result="failed") == (200, "")
    assert await exam("exam-result", 1, result="passed") == (409, "already_reported")
    assert await exam("exam-registration", 2, registration="R2") == (200, "")
    assert await exam("exam-result", 2, result="canceled") == (200, "")
    assert await exam("exam-registration", 3, registration="R3") == (409, "exam_attempt_out_of_order")
    assert await exam("exam-registration", 2, registration="R2b") == (200, "")
    assert await exam("exam-result", 2, result="passed") == (200, "")
    wrong = await cast.college.post(
        f"{base}/exam-registration", {"exam_id": "other-exam", "attempt_number": 1, "registration": "R"}
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/exam_id")
    assert [f.registration for f in await cast.outbox(ExamRegistered)] == ["R1", "R2", "R2b"]
    assert [f.result.value for f in await cast.outbox(ExamResulted)] == ["failed", "canceled", "passed"]


async def test_a_claim_needs_the_credential_and_the_same_document_is_one_claim(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.enroll(application_id)
    path = f"/v1/enrollments/{enrollment_id}/claims"
    claim = {
        "invoice_number": "INV-1",
        "invoice_on": "2026-03-09",
        "amount_cents": 250_000,
        "participant_charged_cents": 0,
    }
    early = await cast.college.post(path, claim)
    assert (early.status_code, early.json()["code"]) == (409, "credential_not_recorded")
    await recorded(cast, issuer, application_id, enrollment_id)
    first = await cast.college.post(path, claim)
    cast.clock.advance(timedelta(minutes=5))
    again = await cast.college.post(path, claim)
    assert (first.status_code, again.content) == (201, first.content)
    mended = await cast.college.post(path, {**claim, "amount_cents": 240_000})
    assert mended.json()["claim_id"] != first.json()["claim_id"]
    papers = {
        "lines": [{"kind": "tuition", "amount_cents": 250_000}],
        "documents": [{"kind": "proof_of_payment", "reference": "REC-1"}],
    }
    # Mended by nothing but the missing document, it is another claim; handed in again, the same one.
    documented = await cast.college.post(path, {**claim, **papers})
    assert documented.json()["claim_id"] not in {first.json()["claim_id"], mended.json()["claim_id"]}
    assert (await cast.college.post(path, {**claim, **papers})).content == documented.content
    told = await cast.outbox(ClaimSubmitted)
    assert [f.amount_cents for f in told] == [250_000, 240_000, 250_000]
    assert told[2].model_dump(mode="json", include={"lines", "documents"}) == papers
    for change, pointer in [
        ({"invoice_on": "2027-01-01"}, "/invoice_on"),
        ({"amount_cents": 0}, "/amount_cents"),
        ({"amount_cents": 10**10}, "/amount_cents"),
        ({"invoice_number": "naïve"}, "/invoice_number"),
        ({"participant_charged_cents": -1}, "/participant_charged_cents"),
    ]:
        refused = await cast.college.post(path, {**claim, **change})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
