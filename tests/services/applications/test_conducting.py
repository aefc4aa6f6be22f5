"""The journey's steps: each has its effect once, however often it is asked."""

import asyncio
from datetime import timedelta

import pytest

from contracts.errors import NotFound
from contracts.events.applications import (
    ApplicationClosed,
    CredentialRecorded,
    EnrollmentReminded,
    EnrollmentRequested,
    StaffAct,
    StaffActRecorded,
)
from contracts.ids import ApplicationId, AttestationId, EnrollmentId, PersonId, StaffActId
from contracts.steps import Queue
from contracts.steps.applications import (
    STEPS,
    CloseCase,
    RecordCredential,
    RecordStaffAct,
    RemindCollege,
    RequestEnrollment,
)
from kit.settings import ProcessSettings
from kit.temporal import connect, service_worker
from services.applications.activities import ApplicationsSteps
from services.applications.usecases import conducting
from tests.services.applications.cast import NOW, Cast, Issuer
from tests.services.applications.journeys import recorded


def ask(application_id: ApplicationId) -> RequestEnrollment:
    return RequestEnrollment(
        application_id=application_id,
        person_id=PersonId.new(),
        provider_id="lorain-ccc",
        credential_id="coding",
        award_cents=280_000,
        respond_by=NOW + timedelta(days=14),
    )


async def test_the_college_is_asked_once_by_any_number_of_attempts(cast: Cast) -> None:
    application_id = await cast.submit()
    results = await asyncio.gather(
        *(conducting.request_enrollment(ask(application_id), db=cast.service_db, now=NOW) for _ in range(8))
    )
    assert len({r.enrollment_id for r in results}) == 1
    assert len(await cast.outbox(EnrollmentRequested)) == 1
    with pytest.raises(NotFound):
        await conducting.request_enrollment(ask(ApplicationId.new()), db=cast.service_db, now=NOW)


async def test_no_college_is_asked_for_a_person_who_has_withdrawn(cast: Cast) -> None:
    application_id = await cast.submit()
    await cast.partner.post(f"/v1/applications/{application_id}/withdrawal", {})
    result = await conducting.request_enrollment(ask(application_id), db=cast.service_db, now=NOW)
    assert await cast.outbox(EnrollmentRequested) == []
    assert (await cast.college.get(f"/v1/enrollments/{result.enrollment_id}")).json()["state"] == "withdrawn"


async def test_only_a_silent_college_is_reminded_and_each_reminder_once(cast: Cast) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.ask_college(application_id)

    async def remind(number: int, *, escalated: bool = False) -> None:
        due = NOW + timedelta(days=14 + number)
        reminder = RemindCollege(
            application_id=application_id,
            enrollment_id=enrollment_id,
            reminder_number=number,
            escalated=escalated,
            respond_by=due,
        )
        await conducting.remind_college(reminder, db=cast.service_db, now=NOW)

    for number in (1, 1, 2):
        await remind(number, escalated=number == 2)
    assert [(f.reminder_number, f.escalated) for f in await cast.outbox(EnrollmentReminded)] == [(1, False), (2, True)]
    await cast.college.post(f"/v1/enrollments/{enrollment_id}/answer", {"answer": "accepted", "price_cents": 1})
    await remind(3)
    assert len(await cast.outbox(EnrollmentReminded)) == 2


async def test_a_credential_is_recorded_on_an_attestation_alone(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.enroll(application_id)
    unproven = RecordCredential(
        application_id=application_id,
        person_id=PersonId.new(),
        provider_id="lorain-ccc",
        credential_id="coding",
        enrollment_id=enrollment_id,
        attestation_id=AttestationId.new(),
        earned_on="2026-03-10",
    )
    with pytest.raises(NotFound):
        await conducting.record_credential(unproven, db=cast.service_db, now=NOW)
    award_id = await recorded(cast, issuer, application_id, enrollment_id)
    assert [f.credential_award_id for f in await cast.outbox(CredentialRecorded)] == [award_id]


async def test_a_staff_act_is_kept_once_and_its_note_stays_inside(cast: Cast) -> None:
    application_id = await cast.submit()
    act = RecordStaffAct(
        application_id=application_id,
        act_id=StaffActId.new(),
        act=StaffAct.HELD,
        actor="jo.staff",
        reason="complaint",
        note="Called twice about this one.",
        acted_at=NOW,
    )
    for _ in range(3):
        await conducting.record_staff_act(act, db=cast.service_db, now=NOW)
    (fact,) = await cast.outbox(StaffActRecorded)
    assert "Called" not in fact.model_dump_json()
    await cast.follow_own()
    view = (await cast.partner.get(f"/v1/applications/{application_id}")).json()
    assert (view["on_hold"], view["next"]["party"]) == (True, "program")
    assert "jo.staff" not in (await cast.partner.get(f"/v1/applications/{application_id}/timeline")).text


@pytest.mark.parametrize(
    ("reached", "state"), [("requested", "lapsed"), ("started", "withdrawn"), ("completed", "completed")]
)
async def test_closing_ends_the_enrollment_and_is_told_once(
    cast: Cast, issuer: Issuer, reached: str, state: str
) -> None:
    application_id = await cast.submit()
    if reached == "requested":
        enrollment_id = await cast.ask_college(application_id)
    else:
        enrollment_id = await cast.enroll(application_id)
    if reached == "completed":
        await recorded(cast, issuer, application_id, enrollment_id)
    closing = CloseCase(application_id=application_id, outcome="withdrawn", stage="learning", reasons=["moved_away"])
    for _ in range(2):
        await conducting.close_case(closing, db=cast.service_db, now=NOW)
    assert [f.outcome for f in await cast.outbox(ApplicationClosed)] == ["withdrawn"]
    enrollment = (await cast.college.get(f"/v1/enrollments/{enrollment_id}")).json()
    assert (enrollment["state"], enrollment["case_open"]) == (state, False)
    assert enrollment_id == EnrollmentId.derive("enrollment", application_id)


async def test_the_worker_implements_exactly_the_declared_steps(cast: Cast, temporal_address, postgres_home) -> None:
    settings = ProcessSettings(
        secrets_dir=postgres_home.secrets, temporal_address=temporal_address, temporal_namespace="default"
    )
    steps = ApplicationsSteps(cast.service_db, cast.clock)
    service_worker(await connect(settings), queue=Queue.APPLICATIONS, steps=STEPS, activities=steps.all())
