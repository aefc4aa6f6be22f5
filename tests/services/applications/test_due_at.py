"""By when: every stage in which somebody else must act shows its deadline, and what staff moved is moved."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts.envelope import CaseFact
from contracts.events import applications as app
from contracts.events import payments as pay
from contracts.events.applications import StaffAct, StaffActRecorded
from contracts.ids import ApplicationId, ExamVoucherId, StaffActId
from contracts.steps.applications import RecordStaffAct
from kit.inbox import Received
from services.applications.case import Lead, Moved, due_at
from services.applications.usecases import conducting
from tests.services.applications.cast import NOW, Cast, received
from tests.services.applications.test_following import WAITS, sequenced, to_the_award, to_the_credential, to_the_end

DAY = timedelta(days=1)


def ending_with(facts: list[CaseFact], last: type[CaseFact]) -> list[CaseFact]:
    return facts[: [type(one) for one in facts].index(last) + 1]


def a_day_apart(facts: list[CaseFact]) -> list[Received[Any]]:
    """Told at noon of one day after another, the first today; each source counts its own."""
    return [
        received(one.fact, sequence=one.envelope.sequence, at=NOW + position * DAY)
        for position, one in enumerate(sequenced(facts))
    ]


async def shown(cast: Cast, application_id: ApplicationId) -> tuple[str, datetime | None]:
    view = (await cast.partner.get(f"/v1/applications/{application_id}")).json()
    return view["stage"], None if view["due_at"] is None else datetime.fromisoformat(view["due_at"])


def whole(application_id: ApplicationId) -> list[CaseFact]:
    return [*to_the_award(application_id), *to_the_credential(application_id), *to_the_end(application_id)]


@pytest.mark.parametrize(
    ("last", "begins", "wait"),
    [
        (pay.HoldWaitlisted, pay.HoldWaitlisted, WAITS.waiting_list),
        (app.EnrollmentWaitlisted, app.EnrollmentWaitlisted, WAITS.enrollment_waitlist),
        (app.EnrollmentAccepted, app.EnrollmentAccepted, WAITS.completion),
        (app.MilestoneReached, app.EnrollmentAccepted, WAITS.completion),
        (app.ExamRegistered, app.ExamRegistered, WAITS.exam_result),
        (app.CredentialRecorded, app.CredentialRecorded, WAITS.claim),
        (pay.ClaimReturned, app.CredentialRecorded, WAITS.claim),
    ],
)
async def test_a_stage_that_waits_for_somebody_says_by_when(
    cast: Cast, last: type[CaseFact], begins: type[CaseFact], wait: timedelta
) -> None:
    application_id = await cast.submit(credential_id="cybersecurity")
    facts = a_day_apart(ending_with(whole(application_id), last))
    began = next(one.envelope.time for one in facts if type(one.fact) is begins)
    random.Random(7).shuffle(facts)
    await cast.follow(facts)
    assert (await shown(cast, application_id))[1] == began + wait


async def test_an_exam_voucher_is_used_before_it_expires_and_before_the_plans_deadline(cast: Cast) -> None:
    for number, expires_after in enumerate((10 * DAY, 300 * DAY)):
        application_id = await cast.submit(person_ssn=f"219-09-61{number:02}", credential_id="cybersecurity")
        facts = ending_with(whole(application_id), app.CompletionAttested)
        issued_at = NOW + len(facts) * DAY
        voucher = pay.ExamVoucherIssued(
            application_id=application_id,
            exam_id="sec-exam",
            exam_voucher_id=ExamVoucherId.new(),
            attempt_number=1,
            expires_at=issued_at + expires_after,
            issued_at=issued_at,
        )
        await cast.follow(a_day_apart([*facts, voucher]))
        assert await shown(cast, application_id) == ("exam", issued_at + min(expires_after, WAITS.exam_registration))


@pytest.mark.parametrize("order", [1, -1])
async def test_a_canceled_sitting_does_not_lengthen_the_wait_for_the_result(cast: Cast, order: int) -> None:
    application_id = await cast.submit(credential_id="cybersecurity")
    facts = a_day_apart(to_the_award(application_id) + to_the_credential(application_id))
    registrations = [one for one in facts if isinstance(one.fact, app.ExamRegistered) and one.fact.attempt_number == 1]
    assert len(registrations) == 2
    others = [one for one in facts[: facts.index(registrations[-1])] if one not in registrations]
    await cast.follow([*others, *registrations[::order]])
    assert await shown(cast, application_id) == ("exam", registrations[0].envelope.time + WAITS.exam_result)


def act(application_id: ApplicationId, kind: StaffAct, *, stage: str, acted_at: datetime, **more: Any) -> CaseFact:
    return StaffActRecorded(
        application_id=application_id,
        act_id=StaffActId.new(),
        act=kind,
        actor="jo",
        reason="other",
        acted_at=acted_at,
        stage=stage,
        **more,
    )


async def test_an_extended_deadline_is_shown_until_the_next_wait_begins(cast: Cast) -> None:
    application_id = await cast.submit(credential_id="cybersecurity")
    facts = a_day_apart(ending_with(whole(application_id), app.EnrollmentStarted))
    until, acted_at = NOW + 300 * DAY, NOW + 20 * DAY
    extended = act(application_id, StaffAct.EXTENDED, stage="learning", acted_at=acted_at, due_at=until)
    await cast.follow([received(extended, sequence=100), *facts])
    assert await shown(cast, application_id) == ("learning", until)
    rest = whole(application_id)[len(facts) :]
    recorded = received(ending_with(rest, app.CredentialRecorded)[-1], sequence=101, at=acted_at + 5 * DAY)
    await cast.follow([recorded])
    assert await shown(cast, application_id) == ("claim", acted_at + 5 * DAY + WAITS.claim)


async def test_what_was_extended_before_a_wait_of_the_same_stage_began_does_not_move_it(cast: Cast) -> None:
    application_id = await cast.submit(credential_id="cybersecurity")
    facts = a_day_apart(ending_with(whole(application_id), app.EnrollmentWaitlisted))
    waitlisted_at = facts[-1].envelope.time
    extended = act(
        application_id,
        StaffAct.EXTENDED,
        stage="enrollment",
        acted_at=waitlisted_at - DAY,
        due_at=waitlisted_at + 300 * DAY,
    )
    await cast.follow([*facts, received(extended, sequence=90)])
    assert await shown(cast, application_id) == ("enrollment", waitlisted_at + WAITS.enrollment_waitlist)


async def test_a_held_case_shows_no_deadline_and_a_resumed_one_the_moved_one(cast: Cast) -> None:
    application_id = await cast.submit()
    held_at, resumed_at = NOW + 30 * DAY, NOW + 50 * DAY
    facts = a_day_apart(ending_with(whole(application_id), app.EnrollmentAccepted))
    due = facts[-1].envelope.time + WAITS.completion
    await cast.follow(
        [*facts, received(act(application_id, StaffAct.HELD, stage="learning", acted_at=held_at), sequence=90)]
    )
    assert await shown(cast, application_id) == ("learning", None)
    resumed = act(
        application_id,
        StaffAct.RESUMED,
        stage="learning",
        acted_at=resumed_at,
        held_since=held_at,
        due_at=due + 20 * DAY,
    )
    await cast.follow([received(resumed, sequence=91)])
    assert await shown(cast, application_id) == ("learning", due + 20 * DAY)


async def test_a_wait_that_began_during_a_hold_runs_from_the_resumption(cast: Cast) -> None:
    application_id = await cast.submit()
    facts = a_day_apart(ending_with(whole(application_id), app.EnrollmentAccepted))
    accepted_at = facts[-1].envelope.time
    resumed = act(
        application_id,
        StaffAct.RESUMED,
        stage="enrollment",
        acted_at=accepted_at + 9 * DAY,
        held_since=accepted_at - DAY,
        due_at=accepted_at + 12 * DAY,
    )
    await cast.follow([received(resumed, sequence=90), *facts])
    assert await shown(cast, application_id) == ("learning", accepted_at + 9 * DAY + WAITS.completion)


def test_no_act_of_staff_moves_a_date_of_the_law() -> None:
    lead = Lead(not_after=NOW, told_at=NOW - DAY, next_party="program", next_text="The program pays the provider.")
    moved = Moved(stage="reimbursement", due_at=NOW + 90 * DAY, acted_at=NOW, held_since=None)
    assert due_at(lead, stage="reimbursement", waits=WAITS, began={}, moved=moved) == NOW


async def test_what_staff_moved_while_the_college_was_asked_is_the_colleges_deadline_too(cast: Cast) -> None:
    application_id = await cast.submit()
    enrollment_id = await cast.ask_college(application_id)

    async def extend(until: datetime) -> None:
        record = RecordStaffAct(
            application_id=application_id,
            act_id=StaffActId.new(),
            act=StaffAct.EXTENDED,
            actor="jo",
            reason="extended",
            note="Asked for by the college.",
            acted_at=NOW,
            stage="enrollment",
            due_at=until,
        )
        await conducting.record_staff_act(record, db=cast.service_db, now=cast.clock.now())

    async def respond_by() -> datetime:
        view = (await cast.college.get(f"/v1/enrollments/{enrollment_id}")).json()
        return datetime.fromisoformat(view["respond_by"])

    await extend(NOW + 40 * DAY)
    assert await respond_by() == NOW + 40 * DAY
    await cast.follow_own()
    assert await shown(cast, application_id) == ("enrollment", NOW + 40 * DAY)
    await cast.college.post(f"/v1/enrollments/{enrollment_id}/answer", {"answer": "accepted", "price_cents": 1})
    await extend(NOW + 90 * DAY)
    assert await respond_by() == NOW + 40 * DAY
