"""Deadline and report meet at the case's lock: one is first, and the other hears of it."""

import asyncio
from typing import Any

import pytest

from contracts.errors import NotFound
from contracts.ids import ApplicationId, ClaimId
from contracts.steps.applications import Awaited, CloseCase, LapseCase
from services.applications.usecases import conducting
from tests.services.applications.cast import NOW, Cast, Issuer
from tests.services.applications.journeys import complete, recorded

ACCEPTED = {"answer": "accepted", "price_cents": 250_000}
EVIDENCE = {"kind": "income", "evidence": {"income": {"tax_year": 2025, "ohio_agi_cents": 777_123, "family_size": 2}}}


async def lapses(cast: Cast, application_id: ApplicationId, awaited: Awaited, **more: Any) -> bool:
    ask = LapseCase(application_id=application_id, awaited=awaited, **more)
    return (await conducting.lapse_case(ask, db=cast.service_db, now=NOW)).lapsed


async def test_an_answer_that_was_acknowledged_keeps_the_case_open(cast: Cast) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.ask_college(application_id)
    await cast.college.post(f"/v1/enrollments/{enrollment_id}/answer", {"answer": "waitlisted"})
    assert not await lapses(cast, application_id, Awaited.COLLEGE_ANSWER)
    answer = await cast.college.post(f"/v1/enrollments/{enrollment_id}/answer", ACCEPTED)
    assert answer.status_code == 200
    assert not await lapses(cast, application_id, Awaited.SEAT)


async def test_after_the_lapse_every_door_is_shut(cast: Cast) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.ask_college(application_id)
    assert await lapses(cast, application_id, Awaited.COLLEGE_ANSWER)
    assert await lapses(cast, application_id, Awaited.COLLEGE_ANSWER)
    late = await cast.college.post(f"/v1/enrollments/{enrollment_id}/answer", ACCEPTED)
    document = await cast.partner.post(f"/v1/applications/{application_id}/documents", EVIDENCE)
    withdrawal = await cast.partner.post(f"/v1/applications/{application_id}/withdrawal", {})
    assert [(each.status_code, each.json()["code"]) for each in (late, document, withdrawal)] == [
        (409, "case_closed")
    ] * 3
    close = CloseCase(application_id=application_id, outcome="enrollment_lapsed", stage="enrollment")
    await conducting.close_case(close, db=cast.service_db, now=NOW)
    assert (await cast.college.get(f"/v1/enrollments/{enrollment_id}")).json()["state"] == "lapsed"


async def test_of_answer_and_lapse_at_the_same_moment_one_wins_and_both_say_so(cast: Cast) -> None:
    for _ in range(12):
        application_id = await cast.submit()
        enrollment_id = await cast.ask_college(application_id)
        lapsed, answer = await asyncio.gather(
            lapses(cast, application_id, Awaited.COLLEGE_ANSWER),
            cast.college.post(f"/v1/enrollments/{enrollment_id}/answer", ACCEPTED),
        )
        assert lapsed == (answer.status_code == 409), answer.text
        close = CloseCase(application_id=application_id, outcome="enrollment_lapsed", stage="enrollment")
        await conducting.close_case(close, db=cast.service_db, now=NOW)


async def test_a_document_the_journey_has_not_heard_of_counts(cast: Cast) -> None:
    application_id = await cast.submit()
    assert (await cast.partner.post(f"/v1/applications/{application_id}/documents", EVIDENCE)).status_code == 201
    assert not await lapses(cast, application_id, Awaited.EVIDENCE, documents_known=0)
    assert await lapses(cast, application_id, Awaited.EVIDENCE, documents_known=1)


@pytest.mark.parametrize("left", [True, False])
async def test_the_end_of_the_course_counts(cast: Cast, issuer: Issuer, left: bool) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.enroll(application_id)
    if left:
        await cast.college.post(f"/v1/enrollments/{enrollment_id}/withdrawal", {"reason": "moved_away"})
    else:
        await complete(cast, issuer, enrollment_id, "coding")
    assert not await lapses(cast, application_id, Awaited.COMPLETION)


async def test_nothing_heard_of_a_course_lapses(cast: Cast) -> None:
    application_id = await cast.submit()
    await cast.enroll(application_id)
    assert await lapses(cast, application_id, Awaited.COMPLETION)


async def test_an_exam_counts_once_registered_and_once_it_has_a_result(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit(credential_id="cybersecurity")
    enrollment_id = await cast.enroll(application_id)
    await complete(cast, issuer, enrollment_id, "cybersecurity")
    exam = {"exam_id": "sec-exam", "attempt_number": 1}
    base = f"/v1/applications/{application_id}"
    await cast.college.post(f"{base}/exam-registration", {**exam, "registration": "R1"})
    await cast.college.post(f"{base}/exam-result", {**exam, "result": "canceled"})
    await cast.college.post(f"{base}/exam-registration", {**exam, "registration": "R2"})
    assert not await lapses(cast, application_id, Awaited.EXAM_REGISTRATION, **exam)
    await cast.college.post(f"{base}/exam-result", {**exam, "result": "failed"})
    assert not await lapses(cast, application_id, Awaited.EXAM_RESULT, **exam)
    assert await lapses(cast, application_id, Awaited.EXAM_REGISTRATION, exam_id="sec-exam", attempt_number=2)


async def test_a_claim_counts_unless_the_journey_knows_it(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.enroll(application_id)
    await recorded(cast, issuer, application_id, enrollment_id)
    claim = {
        "invoice_number": "INV-1",
        "invoice_on": "2026-03-10",
        "amount_cents": 250_000,
        "participant_charged_cents": 0,
    }
    taken = await cast.college.post(f"/v1/enrollments/{enrollment_id}/claims", claim)
    assert taken.status_code == 201, taken.text
    assert not await lapses(cast, application_id, Awaited.CLAIM)
    assert await lapses(cast, application_id, Awaited.CLAIM, claims_known=[ClaimId(taken.json()["claim_id"])])


async def test_an_unknown_case_does_not_lapse(cast: Cast) -> None:
    with pytest.raises(NotFound):
        await lapses(cast, ApplicationId.new(), Awaited.CLAIM)
