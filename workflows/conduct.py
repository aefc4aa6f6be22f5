"""How a case is conducted: it waits with deadlines, asks services and staff, and shows where it stands.

The stages in `journey.py` are written in these few verbs: `enter`, `wait`, `do`, `ask`, `note`. A withdrawal or a staff
close leaves any of them by `CaseEnds`; a staff hold stops all of them. Facts that come during a hold are kept and count
on resume, the person's withdrawal included: what a hold protects may be the very money a withdrawal would give back.

The history stays far below Temporal's limits (some 120 events in the ordinary case): every loop is bounded, every wait
is one timer, and the services bound how often an outside party may report. So the journey never continues as new.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue

from contracts.events.applications import ApplicationWithdrawn
from contracts.ids import ClaimId
from contracts.journey import (
    CaseView,
    Decision,
    HoldReason,
    Outcome,
    SignaledFact,
    StaffClose,
    StaffDecide,
    Stage,
    StartJourney,
)
from contracts.steps.applications import LAPSE_CASE, Awaited
from contracts.steps.base import I, O, Step
from workflows import calls, deadlines, questions, requests
from workflows.attributes import Attributes
from workflows.calls import StepFailed
from workflows.deadlines import Deadline, Waited
from workflows.facts import KnownFacts
from workflows.questions import Question

STORY_LINES_MAX = 200
REVOKED_ENDS = "revoked-claim-ends"
DEADLINE_ON_RECORD = "deadline-on-record"
HOLD_REMINDED = "hold-reminded"


class CaseEnds(Exception):
    """The case ends with this outcome, for these reasons."""

    def __init__(self, outcome: Outcome, *reasons: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.reasons = list(dict.fromkeys(reasons))[:32]


def _never() -> bool:
    return False


class Conduct:
    """The state of one case and the verbs its stages are written in."""

    def __init__(self, start: StartJourney) -> None:
        self.submitted = start.submitted
        self.id = start.submitted.application_id
        self.known = KnownFacts(self.id)
        self.stage = Stage.ELIGIBILITY
        self.outcome: Outcome | None = None
        self.ending = False
        """The case is being closed: nothing interrupts that any more."""
        self.amount_cents = 0
        self.deadline: Deadline | None = None
        self._outer_deadlines: list[Deadline | None] = []
        self.stopped_for: HoldReason | None = None
        self.stopped_since: datetime | None = None
        self.look_again_at: datetime | None = None
        """When staff are to look again at the case that they stopped."""
        self.assignee: str | None = None
        self.closing: StaffClose | None = None
        self.question: Question | None = None
        self.answer: StaffDecide | None = None
        self.approved_by: list[str] = []
        self.review_number = 1
        """The review of the claim that these approvals answer."""
        self.claims_reviewed: set[ClaimId] = set()
        self.barred: set[str] = set()
        """Who approved the claim under review and may not."""
        self.needs_staff = False
        self.matching_claim = False
        """The claim may be approved at any moment."""
        self.paying = False
        """The claim is approved: the provider is owed the money, whatever the person does now."""
        self.may_hold_money = False
        self.revoked_ends = False
        """People refused the claim after its approval, before its payment was on its way."""
        self.story: deque[str] = deque(maxlen=STORY_LINES_MAX)
        self._shown = Attributes(stage=Stage.ELIGIBILITY)

    @workflow.signal(dynamic=True)
    def hear(self, name: str, args: Sequence[RawValue]) -> None:
        """A fact, under the name of its type. What cannot be read is noted and changes nothing."""
        try:
            told: SignaledFact = workflow.payload_converter().from_payload(args[0].payload, SignaledFact)
        except Exception:
            # Any exception here would fail the workflow task again and again and hold up the case for ever.
            self.note("ignored a message that cannot be read")
            return
        line = self.known.hear(name, told)
        if line:
            self.note(line)
        # Cases that heard of it before it ended them everywhere go on as they did then.
        if self.known.revoked is not None and not self.revoked_ends and workflow.patched(REVOKED_ENDS):
            self.revoked_ends = True
        if line and name == ApplicationWithdrawn.TYPE and self.paying:
            self.note("the withdrawal does not stop the payment: the claim is approved")

    @workflow.query(name="case", description="Where the case stands: stage, deadline, open question, history.")
    def view(self) -> CaseView:
        """The case as staff and the UI see it."""
        return CaseView(
            application_id=self.id,
            stage=self.stage,
            outcome=self.outcome,
            program_id=self.submitted.program_id,
            due_at=None if self.deadline is None else self.deadline.due_at,
            held=self.stopped_for,
            assignee=self.assignee,
            question=None if self.question is None else self.question.code,
            history=list(self.story),
        )

    def note(self, line: str) -> None:
        """Add a line to the case's history: codes and ids, never a person's data, never staff's free text."""
        self.story.append(f"{workflow.now():%Y-%m-%d %H:%M} {line}")
        workflow.set_current_details(self._details())

    async def enter(self, stage: Stage) -> None:
        """Begin a stage, shown before anything is asked or waited for in it."""
        await self.clear_to_go()
        self.stage = stage
        self.deadline = None
        self.show(f"stage {stage}")

    async def enter_until(
        self, stage: Stage, wait: timedelta, summary: str, *, remind_after: timedelta | None = None
    ) -> Deadline:
        """Begin a stage that waits for somebody, and its deadline."""
        await self.clear_to_go()
        self.stage = stage
        self.deadline = deadline = deadlines.after(workflow.now(), wait, summary, remind_after=remind_after)
        self.show(f"stage {stage}, due {deadline.due_at:%Y-%m-%d %H:%M}")
        return deadline

    def show(self, line: str | None = None) -> None:
        """Bring the search attributes up to date: one upsert with whatever differs from what was shown last."""
        now = Attributes(
            stage=self.stage,
            outcome=self.outcome,
            hold_reason=self.stopped_for,
            assignee=self.assignee,
            due_at=self.look_again_at or (None if self.deadline is None else self.deadline.due_at),
            amount_cents=self.amount_cents or None,
            needs_staff=self.needs_staff or self.stopped_for is not None,
        )
        updates = now.changes_since(self._shown)
        if updates:
            workflow.upsert_search_attributes(updates)  # pyright: ignore[reportUnknownMemberType]
            self._shown = now
        if line is not None:
            self.note(line)

    async def clear_to_go(self) -> None:
        """Stand still while staff hold the case; leave if staff closed it or the person withdrew."""
        if self.ending:
            return
        if self.stopped_for is not None:
            await self._stand_still()
        # Staff closed the case, for a typed reason; the update's validator saw that no payment is on its way.
        if self.closing is not None:
            raise CaseEnds(Outcome.CLOSED_BY_STAFF, self.closing.reason)
        # The person gave the application up. Once the claim is approved the provider has earned the money and is paid.
        if self.known.withdrawn is not None and not self.paying:
            raise CaseEnds(Outcome.WITHDRAWN, self.known.withdrawn.reason)
        # The fiscal year closed over the case: its money lapsed, and nothing can be paid from it any more.
        if self.known.lapsed is not None and not self.paying:
            raise CaseEnds(Outcome.NO_FUNDS, self.known.lapsed.reason)
        # The claim was refused after all: its money is encumbered again, and no payment of it can be ordered any more.
        if self.paying and self.revoked_ends and self.known.revoked is not None:
            self.may_hold_money = True
            raise CaseEnds(Outcome.CLAIM_REFUSED, self.known.revoked.reason)

    async def _stand_still(self) -> None:
        """Wait until staff let the case go on or close it, and remind them; nothing else ends a hold."""
        # Cases that were stopped before staff were reminded stand still as they did then.
        for _ in range(deadlines.HOLD_REMINDERS_MAX if workflow.patched(HOLD_REMINDED) else 0):
            if self.stopped_for is None:
                return
            await self._until_resumed(self.look_again_at or workflow.now() + deadlines.LOOK_AGAIN)
        await workflow.wait_condition(lambda: self.stopped_for is None)

    async def _until_resumed(self, look_again_at: datetime) -> None:
        def is_settled() -> bool:
            return self.stopped_for is None or self.look_again_at != look_again_at

        left = max(timedelta(seconds=1), look_again_at - workflow.now())
        try:
            await workflow.wait_condition(is_settled, timeout=left, timeout_summary="staff: resume or close the case")
        except TimeoutError:
            self.look_again_at = workflow.now() + deadlines.LOOK_AGAIN
            self.show(f"still on hold ({self.stopped_for}): staff resume the case or close it")

    def stop(self, reason: HoldReason) -> None:
        """Stand still from here on, on the staff's list until somebody resumes or closes the case."""
        self.stopped_for, self.stopped_since = reason, workflow.now()
        self.look_again_at = workflow.now() + deadlines.LOOK_AGAIN

    def end_stop(self) -> None:
        """The case stands still no more."""
        self.stopped_for = self.stopped_since = self.look_again_at = None

    async def wait(self, met: Callable[[], bool], deadline: Deadline) -> Waited:
        """Wait until `met` or the deadline. What came in the same moment as the deadline came in time."""
        self.deadline = deadline
        while True:
            await self.clear_to_go()
            if met():
                return Waited.MET
            now = workflow.now()
            passed = deadline.passed(now)
            if passed is not None:
                return passed
            await self._pause(met, deadline, deadline.next_at - now)

    async def _pause(self, met: Callable[[], bool], deadline: Deadline, timeout: timedelta) -> None:
        next_at = deadline.next_at

        def something_happened() -> bool:
            return met() or deadline.next_at != next_at or self._interrupted()

        try:
            await workflow.wait_condition(something_happened, timeout=timeout, timeout_summary=deadline.summary)
        except TimeoutError:
            return

    def _interrupted(self) -> bool:
        if self.ending:
            return False
        gone = (self.known.withdrawn is not None or self.known.lapsed is not None) and not self.paying
        revoked = self.paying and self.revoked_ends
        return gone or revoked or self.stopped_for is not None or self.closing is not None

    async def do(self, step: Step[I, O], request: I) -> O:
        """Have a step done. One that is refused or fails for good is put to staff; it never fails the case."""
        for _ in range(deadlines.STEP_ROUNDS_MAX):
            await self.clear_to_go()
            try:
                try:
                    return await calls.do(step, request)
                except StepFailed as failure:
                    self.note(f"{failure.step} failed: {failure.code}")
                question = questions.STEP_REFUSED_WHILE_PAYING if self.paying else questions.STEP_REFUSED
                again = deadlines.after(
                    workflow.now(), deadlines.STEP_TRY_AGAIN, f"staff: mend {step.name}, or it is retried"
                )
                if await self.ask(question, again) is Decision.REFUSE:
                    break
            except asyncio.CancelledError:
                # Canceled in the Temporal UI while the case is being closed already: that must still come to its end.
                if not self.ending:
                    raise
        # Staff gave the step up, or nobody mended it in two years.
        raise CaseEnds(Outcome.CLOSED_BY_STAFF, "step_refused")

    async def ask(
        self, question: Question, deadline: Deadline, *, unless: Callable[[], bool] = _never
    ) -> Decision | None:
        """Put a question to staff: their decision, or None where the deadline or `unless` came first."""
        self._outer_deadlines.append(self.deadline)
        self.question, self.answer = question, None
        self.needs_staff = question.needs_staff
        self.deadline = deadline
        self.show(f"asked staff: {question.code}")
        try:
            await self.wait(lambda: self.answer is not None or unless(), deadline)
        finally:
            self.question = None
            self.needs_staff = False
            self.deadline = self._outer_deadlines.pop()
        self.show()
        return None if self.answer is None else self.answer.decision

    async def has_lapsed(
        self, awaited: Awaited, met: Callable[[], bool], *, exam_id: str | None = None, attempt: int | None = None
    ) -> bool:
        """Whether the deadline ends the wait. What was acknowledged in time counts, however late its fact arrives."""
        # Cases that were under way before the deadline was put on the record end as they did then.
        if not workflow.patched(DEADLINE_ON_RECORD):
            return True
        request = requests.lapse(
            self.id,
            awaited,
            documents_known=len(self.known.evidence),
            claims_known=self.claims_reviewed,
            exam_id=exam_id,
            attempt=attempt,
        )
        if (await self.do(LAPSE_CASE, request)).lapsed:
            return True
        self.note(f"{awaited} was reported in time; its fact is on the way")
        last = deadlines.after(workflow.now(), deadlines.OVERDUE, f"the fact of the {awaited}, reported in time")
        return await self.wait(met, last) is Waited.DUE

    def shift_deadlines(self, by: timedelta) -> None:
        """Move the current deadline, and those of the waits that a question to staff interrupted."""
        for deadline in (self.deadline, *self._outer_deadlines):
            if deadline is not None:
                deadline.shift(by)

    def due_to_others(self) -> datetime | None:
        """By when those outside must act. A question only staff can answer leaves the wait it interrupted as it was."""
        is_theirs_too = self.question in (None, questions.APPEAL_WINDOW, questions.SILENT_COLLEGE)
        deadline = self.deadline if is_theirs_too or not self._outer_deadlines else self._outer_deadlines[-1]
        return None if deadline is None else deadline.due_at

    def call_staff(self, why: str) -> None:
        """Put the case on the staff's list without a question: something outside has to be mended."""
        self.needs_staff = True
        self.show(why)

    def _details(self) -> str:
        """What the Temporal UI shows for a running case, as Markdown."""
        lines = [f"**Stage** {self.stage}" + (f" → **{self.outcome}**" if self.outcome else "")]
        if self.stopped_for is not None:
            lines.append(f"**On hold** {self.stopped_for}: nothing moves until it is resumed")
        if self.assignee is not None:
            lines.append(f"**Assigned to** {self.assignee}")
        if self.deadline is not None:
            lines.append(f"**Due** {self.deadline.due_at:%Y-%m-%d %H:%M} UTC: {self.deadline.summary}")
        if self.question is not None:
            offers = ", ".join(self.question.offers)
            lines.append(f"**Question** `{self.question.code}` ({offers}): {self.question.text}")
        return "\n\n".join(lines) + "\n\n" + "\n".join(f"- {line}" for line in list(self.story)[-20:])
