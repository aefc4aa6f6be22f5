"""Staff updates: each accepted, each reason to reject one."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from contracts.events.applications import StaffAct
from contracts.events.eligibility import Eligibility
from contracts.journey import (
    UPDATE_ASSIGN,
    UPDATE_CLOSE,
    UPDATE_DECIDE,
    UPDATE_EXTEND,
    UPDATE_HOLD,
    UPDATE_RESUME,
    CloseReason,
    Decision,
    HoldReason,
    Outcome,
    StaffAssign,
    StaffClose,
    StaffExtend,
    StaffHold,
    StaffResume,
    Stage,
)
from contracts.steps.applications import CLOSE_CASE, RECORD_STAFF_ACT
from contracts.steps.eligibility import DETERMINE
from contracts.steps.payments import PAY_CLAIM, RELEASE_FUNDS, REVIEW_CLAIM, ClaimStatus
from tests.workflows.driver import Case, current_details
from tests.workflows.fakes import FakeSteps, determined, reviewed
from tests.workflows.test_eligibility_stage import decide
from workflows.deadlines import HOLD_REMINDERS_MAX, LOOK_AGAIN
from workflows.staff import ASSIGNMENTS_MAX

HOLD = StaffHold(actor="m.ortiz", reason=HoldReason.POSSIBLE_DUPLICATE, note="Same address as another case.")
RESUME = StaffResume(actor="m.ortiz", note="Two people, one house.")
CLOSE = StaffClose(actor="m.ortiz", reason=CloseReason.DUPLICATE, note="The other case goes on.")

NEEDS_STAFF = SearchAttributeKey.for_bool("NeedsStaff")
DUE_AT = SearchAttributeKey.for_datetime("DueAt")
ASSIGNEE = SearchAttributeKey.for_keyword("Assignee")


def assign(assignee: str | None) -> StaffAssign:
    return StaffAssign(actor="m.ortiz", assignee=assignee, note="By county.")


def extend(until: datetime) -> StaffExtend:
    return StaffExtend(actor="m.ortiz", until=until, note="Asked for by the college.")


async def rejected(case: Case, update: str, act: Any) -> str:
    """The type of the rejection; an accepted act fails the test."""
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await case.act(update, act)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type is not None
    return failed.value.cause.type


async def test_a_hold_freezes_the_case_and_its_deadline(case: Case, steps: FakeSteps) -> None:
    await case.start()
    due_at = (await case.reaches(Stage.ENROLLMENT)).due_at
    assert due_at is not None
    await case.passes(timedelta(days=2))
    assert (await case.act(UPDATE_HOLD, HOLD)).held is HoldReason.POSSIBLE_DUPLICATE
    await case.tell(case.accepted())
    await case.passes(timedelta(days=100))
    assert (await case.view()).stage is Stage.ENROLLMENT
    assert steps.verbs() == ["determine", "hold_funds", "request_enrollment", "record_staff_act"]
    view = await case.act(UPDATE_RESUME, RESUME)
    assert view.held is None
    await case.reaches(Stage.LEARNING)
    assert [each.act for each in steps.of(RECORD_STAFF_ACT)] == [StaffAct.HELD, StaffAct.RESUMED]
    assert [each.reason for each in steps.of(RECORD_STAFF_ACT)] == ["possible_duplicate", "resumed"]


async def test_the_clock_stands_still_during_a_hold(case: Case, steps: FakeSteps) -> None:
    await case.start()
    due_at = (await case.reaches(Stage.ENROLLMENT)).due_at
    assert due_at is not None
    await case.act(UPDATE_HOLD, HOLD)
    await case.passes(timedelta(days=100))
    later = (await case.act(UPDATE_RESUME, RESUME)).due_at
    assert later is not None
    held, resumed = steps.of(RECORD_STAFF_ACT)
    assert (held.due_at, held.held_since) == (None, None)
    assert (resumed.stage, resumed.due_at, resumed.held_since) == (Stage.ENROLLMENT, later, held.acted_at)
    assert timedelta(days=100) <= later - due_at < timedelta(days=100, minutes=5)


async def test_staff_are_reminded_of_a_hold_that_only_they_can_end(case: Case) -> None:
    """In the list of who needs staff while it lasts, due a month from now, again and again within bounds."""

    async def shown() -> tuple[bool | None, datetime | None]:
        attributes = (await case.handle.describe()).typed_search_attributes
        return attributes.get(NEEDS_STAFF), attributes.get(DUE_AT)

    async def reminders() -> int:
        return sum("still on hold (possible_duplicate)" in line for line in (await case.view()).history)

    await case.start()
    deadline = (await case.reaches(Stage.ENROLLMENT)).due_at
    await case.act(UPDATE_HOLD, HOLD)
    now = await case.env.get_current_time()
    needs_staff, look_again_at = await shown()
    assert needs_staff is True
    assert look_again_at is not None
    assert abs(look_again_at - now - LOOK_AGAIN) < timedelta(minutes=5)
    await case.passes(LOOK_AGAIN - timedelta(days=1))
    assert await reminders() == 0
    await case.passes(timedelta(days=2))
    assert await reminders() == 1
    await case.passes(LOOK_AGAIN * 3 * HOLD_REMINDERS_MAX)
    assert await reminders() == HOLD_REMINDERS_MAX
    view = await case.act(UPDATE_RESUME, RESUME)
    assert deadline is not None
    assert view.due_at is not None
    assert view.due_at > deadline
    assert await shown() == (False, view.due_at)


async def test_no_money_moves_while_a_case_is_held(case: Case, steps: FakeSteps) -> None:
    gate = steps.block(REVIEW_CLAIM)
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await case.reaches(Stage.CLAIM, noted="claim submitted")
    await case.act(UPDATE_HOLD, HOLD)
    gate.set()
    await case.reaches(Stage.CLAIM, noted="approved")
    await case.passes(timedelta(days=10))
    assert steps.of(PAY_CLAIM) == []
    await case.act(UPDATE_RESUME, RESUME)
    await case.reaches(Stage.REIMBURSEMENT)
    await case.tell(case.settled())
    assert await case.outcome() is Outcome.REIMBURSED


async def test_an_extended_deadline_gives_more_time(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, determined(Eligibility.MORE_INFORMATION, missing=["income_proof"]))
    await case.start()
    due_at = (await case.reaches(Stage.INFORMATION)).due_at
    assert due_at is not None
    view = await case.act(UPDATE_EXTEND, extend(due_at + timedelta(days=30)))
    assert view.due_at == due_at + timedelta(days=30)
    (extended,) = steps.of(RECORD_STAFF_ACT)
    assert (extended.stage, extended.due_at) == (Stage.INFORMATION, due_at + timedelta(days=30))
    await case.passes(timedelta(days=40))
    await case.tell(case.document())
    await case.reaches(Stage.ENROLLMENT)


async def test_more_time_for_a_question_to_staff_is_no_more_time_for_others(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.REFERRED))
    await case.start()
    await case.to_claim()
    claim_due = (await case.view()).due_at
    await case.tell(case.claimed())
    question_due = (await case.reaches(Stage.CLAIM, noted="asked staff: claim_review")).due_at
    assert claim_due is not None
    assert question_due is not None
    await case.act(UPDATE_EXTEND, extend(question_due + timedelta(days=3)))
    assert [each.due_at for each in steps.of(RECORD_STAFF_ACT)] == [claim_due]


async def test_a_close_gives_the_money_back_and_ends_a_hold(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.to_learning()
    await case.act(UPDATE_HOLD, HOLD)
    await case.act(UPDATE_CLOSE, CLOSE)
    assert await case.outcome() is Outcome.CLOSED_BY_STAFF
    assert len(steps.of(RELEASE_FUNDS)) == 1
    assert steps.of(CLOSE_CASE)[0].reasons == ["duplicate"]
    assert steps.of(CLOSE_CASE)[0].stage == Stage.LEARNING
    assert [each.act for each in steps.of(RECORD_STAFF_ACT)] == [StaffAct.HELD, StaffAct.CLOSED]
    assert len({each.act_id for each in steps.of(RECORD_STAFF_ACT)}) == 2


async def test_a_case_is_put_on_somebodys_desk_and_taken_off_it(case: Case, steps: FakeSteps) -> None:
    async def shown() -> str | None:
        return (await case.handle.describe()).typed_search_attributes.get(ASSIGNEE)

    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.act(UPDATE_HOLD, HOLD)
    assert (await case.act(UPDATE_ASSIGN, assign("j.lee"))).assignee == "j.lee"
    assert await shown() == "j.lee"
    assert "**Assigned to** j.lee" in await current_details(case)
    assert await rejected(case, UPDATE_ASSIGN, assign("j.lee")) == "already_assigned"
    await case.act(UPDATE_ASSIGN, assign(None))
    assert await shown() is None
    acts = [(each.act, each.actor, each.reason) for each in steps.of(RECORD_STAFF_ACT)]
    assert acts[1:] == [(StaffAct.ASSIGNED, "m.ortiz", "assigned"), (StaffAct.ASSIGNED, "m.ortiz", "unassigned")]


async def test_a_case_is_not_handed_around_without_end(case: Case) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    for number in range(ASSIGNMENTS_MAX):
        await case.act(UPDATE_ASSIGN, assign(f"person-{number}"))
    assert await rejected(case, UPDATE_ASSIGN, assign("one-more")) == "too_many_assignments"


async def test_what_may_not_be_held_or_resumed(case: Case) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    assert await rejected(case, UPDATE_RESUME, RESUME) == "not_held"
    await case.act(UPDATE_HOLD, HOLD)
    assert await rejected(case, UPDATE_HOLD, HOLD) == "already_held"


async def test_what_may_not_be_extended(case: Case, steps: FakeSteps) -> None:
    gate = steps.block(DETERMINE)
    await case.start()
    now = await case.env.get_current_time()
    assert await rejected(case, UPDATE_EXTEND, extend(now + timedelta(days=1))) == "no_deadline"
    gate.set()
    due_at = (await case.reaches(Stage.ENROLLMENT)).due_at
    assert due_at is not None
    assert await rejected(case, UPDATE_EXTEND, extend(now - timedelta(days=1))) == "in_the_past"
    assert await rejected(case, UPDATE_EXTEND, extend(due_at)) == "not_later"
    assert await rejected(case, UPDATE_EXTEND, extend(now + timedelta(days=800))) == "too_late"
    await case.act(UPDATE_HOLD, HOLD)
    assert await rejected(case, UPDATE_EXTEND, extend(due_at + timedelta(days=1))) == "case_held"


async def test_what_may_not_be_decided(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, determined(Eligibility.INELIGIBLE))
    await case.start()
    await case.reaches(Stage.APPEAL, question="appeal")
    assert await rejected(case, UPDATE_DECIDE, decide("claim_review", Decision.APPROVE)) == "other_question"
    await case.act(UPDATE_HOLD, HOLD)
    assert await rejected(case, UPDATE_DECIDE, decide("appeal", Decision.APPROVE)) == "case_held"
    await case.act(UPDATE_RESUME, RESUME)
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.APPROVE))
    await case.reaches(Stage.ENROLLMENT)
    assert await rejected(case, UPDATE_DECIDE, decide("appeal", Decision.APPROVE)) == "no_question"
    await case.passes(timedelta(days=11))
    await case.reaches(Stage.ENROLLMENT, question="silent_college")
    assert await rejected(case, UPDATE_DECIDE, decide("silent_college", Decision.APPROVE)) == "not_offered"


async def test_a_case_whose_payment_is_on_its_way_may_not_be_closed(case: Case, steps: FakeSteps) -> None:
    gate = steps.block(REVIEW_CLAIM)
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    await case.reaches(Stage.CLAIM, noted="claim submitted")
    assert await rejected(case, UPDATE_CLOSE, CLOSE) == "claim_in_review"
    gate.set()
    await case.reaches(Stage.REIMBURSEMENT)
    assert await rejected(case, UPDATE_CLOSE, CLOSE) == "payment_on_its_way"


async def test_a_case_that_is_being_closed_takes_no_more_acts(case: Case, steps: FakeSteps) -> None:
    gate = steps.block(CLOSE_CASE)
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.act(UPDATE_CLOSE, CLOSE)
    await case.reaches(Stage.CLOSED)
    now = await case.env.get_current_time()
    assert await rejected(case, UPDATE_HOLD, HOLD) == "case_closed"
    assert await rejected(case, UPDATE_RESUME, RESUME) == "case_closed"
    assert await rejected(case, UPDATE_CLOSE, CLOSE) == "case_closed"
    assert await rejected(case, UPDATE_ASSIGN, assign("j.lee")) == "case_closed"
    assert await rejected(case, UPDATE_EXTEND, extend(now + timedelta(days=1))) == "case_closed"
    assert await rejected(case, UPDATE_DECIDE, decide("appeal", Decision.RETRY)) == "case_closed"
    gate.set()
    assert await case.outcome() is Outcome.CLOSED_BY_STAFF


async def test_an_act_that_cannot_be_recorded_took_effect_all_the_same(case: Case, steps: FakeSteps) -> None:
    steps.script(RECORD_STAFF_ACT, ApplicationError("no", type="not_found", non_retryable=True))
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    assert await rejected(case, UPDATE_HOLD, HOLD) == "not_recorded"
    view = await case.reaches(Stage.ENROLLMENT, noted="is not on record")
    assert view.held is HoldReason.POSSIBLE_DUPLICATE
