"""What staff may do to a case, from the Temporal UI or `cairn case`: typed, validated, on record.

A validator names the reason why an act is not possible now. An accepted act takes effect at once, before it is
recorded, so that a hold stops the money even while the record cannot be reached; the acts are recorded in order.
"""

import asyncio
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts.events.applications import StaffAct
from contracts.ids import StaffActId
from contracts.journey import (
    UPDATE_ASSIGN,
    UPDATE_CLOSE,
    UPDATE_DECIDE,
    UPDATE_EXTEND,
    UPDATE_HOLD,
    UPDATE_RESUME,
    CaseView,
    Decision,
    StaffAssign,
    StaffClose,
    StaffDecide,
    StaffExtend,
    StaffHold,
    StaffResume,
    StartJourney,
)
from contracts.plan import WAIT_MAX
from contracts.steps.applications import RECORD_STAFF_ACT, RecordStaffAct
from workflows import calls, questions
from workflows.calls import StepFailed
from workflows.conduct import Conduct

ASSIGNMENTS_MAX = 50


def _reject(code: str, why: str) -> ApplicationError:
    return ApplicationError(why, type=code, non_retryable=True)


class StaffUpdates(Conduct):
    """A case on which staff may act."""

    def __init__(self, start: StartJourney) -> None:
        super().__init__(start)
        self.assignments = 0
        self._recording = asyncio.Lock()

    @workflow.update(name=UPDATE_HOLD, description="Stop the case where it stands, with a reason; its clock stops too.")
    async def stop_case(self, act: StaffHold) -> CaseView:
        """Stop the case: no step is begun, no deadline passes. Payments keeps back what was ordered but not sent."""
        self.stop(act.reason)
        self.show(f"held by {act.actor}: {act.reason}")
        return await self._record(StaffAct.HELD, act, act.reason)

    @stop_case.validator
    def may_stop(self, act: StaffHold) -> None:
        self._must_be_open()
        if self.stopped_for is not None:
            raise _reject("already_held", f"The case is already on hold ({self.stopped_for}).")

    @workflow.update(name=UPDATE_RESUME, description="Let a held case go on; its deadline moves by as long.")
    async def resume(self, act: StaffResume) -> CaseView:
        """Let the case go on. The deadline moves by the length of the hold."""
        since = self.stopped_since
        if since is not None:
            self.shift_deadlines(workflow.now() - since)
        self.end_stop()
        self.show(f"resumed by {act.actor}")
        return await self._record(StaffAct.RESUMED, act, "resumed", due_at=self.due_to_others(), held_since=since)

    @resume.validator
    def may_resume(self, act: StaffResume) -> None:
        self._must_be_open()
        if self.stopped_for is None:
            raise _reject("not_held", "The case is not on hold.")

    @workflow.update(name=UPDATE_EXTEND, description="Move the current deadline later.")
    async def extend(self, act: StaffExtend) -> CaseView:
        """Give the current wait more time."""
        if self.deadline is not None:
            self.deadline.extend(act.until)
        self.show(f"deadline moved by {act.actor} to {act.until:%Y-%m-%d %H:%M}")
        return await self._record(StaffAct.EXTENDED, act, "extended", due_at=self.due_to_others())

    @extend.validator
    def may_extend(self, act: StaffExtend) -> None:
        self._must_move("deadline")
        if self.deadline is None:
            raise _reject("no_deadline", "The case is not waiting for anything that has a deadline.")
        if act.until <= workflow.now():
            raise _reject("in_the_past", "The new deadline is not later than now.")
        if act.until <= self.deadline.due_at:
            raise _reject("not_later", "The new deadline is not later than the one there is.")
        if act.until > workflow.now() + WAIT_MAX:
            raise _reject("too_late", f"The new deadline is more than {WAIT_MAX.days} days away.")

    @workflow.update(name=UPDATE_DECIDE, description="Answer the question the case has put to staff.")
    async def decide(self, act: StaffDecide) -> CaseView:
        """Answer the open question."""
        self.answer = act
        self.note(f"{act.actor} decided {act.question}: {act.decision} ({act.reason})")
        return await self._record(StaffAct.DECIDED, act, act.reason)

    @decide.validator
    def may_decide(self, act: StaffDecide) -> None:
        self._must_move("answer")
        if self.question is None or self.answer is not None:
            raise _reject("no_question", "The case has no open question.")
        if act.question != self.question.code:
            raise _reject("other_question", f"The open question is {self.question.code}.")
        if act.decision not in self.question.offers:
            offers = ", ".join(self.question.offers)
            raise _reject("not_offered", f"{self.question.code} takes one of: {offers}.")
        if (
            self.question is questions.CLAIM_REVIEW
            and act.decision is Decision.APPROVE
            and act.actor in self.approved_by
        ):
            raise _reject("second_person_needed", "A second person has to approve: this one approved already.")
        if self.question is questions.CLAIM_REVIEW and act.decision is Decision.APPROVE and act.actor in self.barred:
            raise _reject("may_not_approve", "This person may not approve the claim: another one has to.")

    @workflow.update(name=UPDATE_ASSIGN, description="Say whose desk the case is on, or nobody's.")
    async def assign(self, act: StaffAssign) -> CaseView:
        """Put the case on somebody's desk. It goes on as it is, held or not."""
        self.assignee = act.assignee
        self.assignments += 1
        self.show(f"assigned by {act.actor} to {act.assignee or 'nobody'}")
        return await self._record(StaffAct.ASSIGNED, act, "assigned" if act.assignee else "unassigned")

    @assign.validator
    def may_assign(self, act: StaffAssign) -> None:
        self._must_be_open()
        if act.assignee == self.assignee:
            raise _reject("already_assigned", f"The case is on the desk of {self.assignee or 'nobody'} already.")
        if self.assignments >= ASSIGNMENTS_MAX:
            raise _reject("too_many_assignments", f"The case was assigned {ASSIGNMENTS_MAX} times already.")

    @workflow.update(name=UPDATE_CLOSE, description="End the case now; unused money is given back.")
    async def close_case(self, act: StaffClose) -> CaseView:
        """End the case. A hold ends with it."""
        self.closing = act
        self.end_stop()
        self.note(f"closed by {act.actor}: {act.reason}")
        return await self._record(StaffAct.CLOSED, act, act.reason)

    @close_case.validator
    def may_close(self, act: StaffClose) -> None:
        self._must_be_open()
        if self.paying:
            raise _reject("payment_on_its_way", "The claim is approved and the provider is owed the money.")
        if self.matching_claim and self.question is None:
            raise _reject("claim_in_review", "The claim is being matched just now; try again when that is done.")

    def _must_be_open(self) -> None:
        # A question asked while the case is being closed (a step that was refused) must still find its answer.
        if self.outcome is not None or self.ending or self.closing is not None:
            raise _reject("case_closed", "The case has ended, or is being closed.")

    def _must_move(self, what: str) -> None:
        if self.outcome is not None and self.question is None:
            raise _reject("case_closed", "The case has ended, or is being closed.")
        if self.stopped_for is not None:
            raise _reject("case_held", f"The case is on hold and its clock stands still: resume it before the {what}.")

    async def _record(
        self,
        kind: StaffAct,
        act: StaffHold | StaffResume | StaffExtend | StaffDecide | StaffClose | StaffAssign,
        reason: str,
        *,
        due_at: datetime | None = None,
        held_since: datetime | None = None,
    ) -> CaseView:
        update = workflow.current_update_info()
        request = RecordStaffAct(
            application_id=self.id,
            act_id=StaffActId.derive(self.id, update.id if update else kind),
            act=kind,
            actor=act.actor,
            reason=reason,
            note=act.note,
            acted_at=workflow.now(),
            stage=self.stage,
            due_at=due_at,
            held_since=held_since,
        )
        async with self._recording:
            try:
                await calls.do(RECORD_STAFF_ACT, request)
            except StepFailed as failure:
                self.note(f"the act of {act.actor} is not on record: {failure.code}")
                raise _reject("not_recorded", "The act took effect, but could not be put on record.") from failure
        return self.view()
