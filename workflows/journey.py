"""The funding journey: one application from determination to reimbursement, read from top to bottom.

One workflow per application. Facts reach it as signals and staff as updates; what it asks of services are steps; what
it waits for has a deadline from the case's plan. Stage 5, the exam, is in `exam.py`; stages 7 and 8, the provider's
claim and payment, in `reimbursement.py`. Money given back is a fact of its own, never a deletion.
"""

import asyncio
from contextlib import suppress

from temporalio import workflow

from contracts.events.applications import (
    CompletionAttested,
    EnrollmentAccepted,
    EnrollmentRefused,
    EnrollmentWaitlisted,
)
from contracts.events.eligibility import Eligibility
from contracts.ids import EnrollmentId
from contracts.journey import WORKFLOW_TYPE, Decision, Outcome, Stage, StartJourney
from contracts.steps.applications import (
    CLOSE_CASE,
    RECORD_CREDENTIAL,
    REMIND_COLLEGE,
    REQUEST_ENROLLMENT,
    Awaited,
    CloseCase,
)
from contracts.steps.eligibility import DETERMINE, Determination
from contracts.steps.payments import (
    ENCUMBER_FUNDS,
    HOLD_FUNDS,
    RELEASE_FUNDS,
    EncumbranceStatus,
    HoldStatus,
    ReleaseFunds,
)
from workflows import deadlines, questions, requests
from workflows.conduct import DEADLINE_ON_RECORD, CaseEnds
from workflows.deadlines import Deadline, Waited
from workflows.reimbursement import Reimbursement

DETERMINATIONS_MAX = 20
ENROLLMENT_REQUESTS_MAX = 3
HOLDS_MAX = 10
ENCUMBRANCES_MAX = 20


@workflow.defn(name=WORKFLOW_TYPE)
class FundingJourney(Reimbursement):
    """The long path of one application."""

    accepted: EnrollmentAccepted
    completion: CompletionAttested
    enrollment_id: EnrollmentId

    @workflow.init
    def __init__(self, start: StartJourney) -> None:
        super().__init__(start)
        self.determinations = 0
        self.evidence_seen = 0
        self.pack_version: str | None = None
        self.holds = 0
        self.reminders = 0

    @workflow.run
    async def run(self, start: StartJourney) -> Outcome:
        """Take the case through every stage, and close it with its outcome."""
        try:
            await self.establish_eligibility()
            await self.award_funds()
            await self.enroll_with_college()
            await self.follow_learning()
            await self.pass_exam()
            await self.record_credential()
            await self.settle_claim()
            await self.reimburse_provider()
            ending = CaseEnds(Outcome.REIMBURSED)
        except CaseEnds as early:
            ending = early
        except asyncio.CancelledError:
            ending = await self.canceled()
        return await self.close(ending)

    async def canceled(self) -> CaseEnds:
        """Canceled in the Temporal UI, not closed: money goes back all the same, and who is owed money is paid."""
        try:
            if self.matching_claim:
                self.claims_reviewed.discard(self.claim.claim_id)
                await self.settle_claim()
            if self.paying:
                await self.reimburse_provider()
                return CaseEnds(Outcome.REIMBURSED)
        except CaseEnds as early:
            return early
        return CaseEnds(Outcome.CLOSED_BY_STAFF, "canceled")

    # 1 Eligibility ---------------------------------------------------------------------------------------------------

    async def establish_eligibility(self) -> None:
        """Determine, ask for what is missing, hear an appeal, until the person is eligible."""
        self.show("stage eligibility")
        upheld_by: str | None = None
        while self.determinations < DETERMINATIONS_MAX:
            found = await self.determine(upheld_by)
            self.plan = found.plan
            # The person is eligible, by the rules or because staff upheld the appeal.
            if found.outcome is Eligibility.ELIGIBLE:
                return
            upheld_by = None
            if found.outcome is Eligibility.MORE_INFORMATION:
                await self.await_information(found)
            else:
                upheld_by = await self.await_appeal(found)
        # The person sent documents again and again and none of them settled the matter.
        raise CaseEnds(Outcome.INCOMPLETE, "too_many_determinations")

    async def determine(self, upheld_by: str | None) -> Determination:
        """Have eligibility decided on everything the person declared and sent in so far."""
        self.determinations += 1
        request = requests.determination(
            self.submitted,
            number=self.determinations,
            pack_version=self.pack_version,
            evidence=self.known.evidence,
            upheld_by=upheld_by,
        )
        self.evidence_seen = len(request.sealed_evidence)
        found = await self.do(DETERMINE, request)
        self.pack_version = found.plan.pack_version
        self.note(f"determination {self.determinations}: {found.outcome}")
        return found

    async def await_information(self, found: Determination) -> None:
        """Wait for a document that the determination has not seen."""
        due = await self.enter_until(
            Stage.INFORMATION, found.plan.deadlines.more_information, f"person: {', '.join(found.missing)}"
        )
        waited = await self.wait(self.has_new_evidence, due)
        # The person did not send what was missing in time.
        if waited is Waited.DUE and await self.has_lapsed(Awaited.EVIDENCE, self.has_new_evidence):
            raise CaseEnds(Outcome.INCOMPLETE, *found.missing)

    async def await_appeal(self, found: Determination) -> str | None:
        """Keep the appeal window open: the name of whoever upheld an appeal, None to determine once more."""
        reasons = [finding.reason for finding in found.findings if finding.result == "not_met"]
        due = await self.enter_until(Stage.APPEAL, found.plan.deadlines.appeal, "person: appeal; then it is final")
        decision = await self.ask(questions.APPEAL_WINDOW, due, unless=self.has_new_evidence)
        is_over = decision is None and not self.has_new_evidence()
        if is_over and not await self.has_lapsed(Awaited.EVIDENCE, self.has_new_evidence):
            due = deadlines.after(workflow.now(), found.plan.deadlines.appeal, "staff: hear the appeal")
        if decision is None and self.has_new_evidence():
            decision = await self.ask(questions.APPEAL, due)
        if decision is Decision.APPROVE and self.answer is not None:
            return self.answer.actor
        # Not eligible: nobody appealed in time, or staff refused the appeal.
        if decision is not Decision.RETRY:
            raise CaseEnds(Outcome.INELIGIBLE, *reasons)
        return None

    def has_new_evidence(self) -> bool:
        """Whether a document came that the last determination has not seen."""
        return len(self.known.evidence) > self.evidence_seen

    # 2 Award ---------------------------------------------------------------------------------------------------------

    async def award_funds(self) -> None:
        """Hold the award in program, round, provider award and person before anything is promised."""
        self.amount_cents = self.plan.award_cents
        await self.enter(Stage.AWARD)
        await self.hold_money()

    async def hold_money(self) -> None:
        """Set the award aside, from the waiting list if need be."""
        # The hold expired again and again before the college's answer could be encumbered.
        if self.holds >= HOLDS_MAX:
            raise CaseEnds(Outcome.NO_FUNDS, "hold_expired")
        self.holds += 1
        self.known.forget_hold()
        self.may_hold_money = True
        request = requests.hold(self.submitted, self.plan, number=self.holds)
        held = await self.do(HOLD_FUNDS, request)
        # A limit that waiting cannot lift stands in the way.
        if held.status is HoldStatus.REFUSED:
            raise CaseEnds(Outcome.NO_FUNDS, held.reason or "refused")
        if held.status is HoldStatus.WAITING:
            due = await self.enter_until(
                Stage.WAITING_LIST, self.plan.deadlines.waiting_list, f"money: {held.reason or 'waiting list'}"
            )
            waited = await self.wait(lambda: self.known.hold_placed is not None, due)
            if waited is Waited.DUE and workflow.patched(DEADLINE_ON_RECORD):
                # The money may have come while its fact has not: the same request gives the newest answer.
                held = await self.do(HOLD_FUNDS, request)
            # No money came back in time.
            if waited is Waited.DUE and held.status is not HoldStatus.HELD:
                raise CaseEnds(Outcome.NO_FUNDS, held.reason or "waiting_list_expired")

    # 3 Enrollment ----------------------------------------------------------------------------------------------------

    async def enroll_with_college(self) -> None:
        """Ask the college for a seat until it answers, then commit the money at its price."""
        for number in range(1, ENROLLMENT_REQUESTS_MAX + 1):
            if await self.college_answered(number):
                break
        else:
            # The college was asked again and again, on the word of staff, and never answered.
            raise CaseEnds(Outcome.ENROLLMENT_LAPSED, "college_silent")
        if isinstance(self.known.answer, EnrollmentWaitlisted):
            due = await self.enter_until(
                Stage.ENROLLMENT, self.plan.deadlines.enrollment_waitlist, "college: a seat from its own waiting list"
            )
            if await self.wait(self.has_seat_answer, due) is Waited.DUE:
                await self.has_lapsed(Awaited.SEAT, self.has_seat_answer)
        answer = self.known.answer
        # The college did not take the person.
        if isinstance(answer, EnrollmentRefused):
            raise CaseEnds(Outcome.ENROLLMENT_REFUSED, *answer.reasons)
        # No seat became free on the college's waiting list in time.
        if not isinstance(answer, EnrollmentAccepted):
            raise CaseEnds(Outcome.ENROLLMENT_LAPSED, "college_waiting_list_expired")
        self.accepted = answer
        await self.encumber_price()

    async def college_answered(self, request_number: int) -> bool:
        """Ask the college once: remind it, ask staff, let the request lapse. False: staff want it asked again."""
        waits = self.plan.deadlines
        due = await self.enter_until(
            Stage.ENROLLMENT,
            waits.enrollment_answer,
            "college: answer the enrollment request",
            remind_after=waits.enrollment_reminder,
        )
        if request_number == 1:
            request = requests.enrollment(self.submitted, self.plan, respond_by=due.due_at)
            self.enrollment_id = (await self.do(REQUEST_ENROLLMENT, request)).enrollment_id
        else:
            await self.remind_college(due)
        waited = await self.wait(self.has_answer, due)
        if waited is Waited.REMIND:
            await self.remind_college(due)
            waited = await self.wait(self.has_answer, due)
        if waited is Waited.MET:
            return True
        last = deadlines.after(workflow.now(), waits.enrollment_escalation, "staff and college: silent college")
        await self.remind_college(last, escalated=True)
        decision = await self.ask(questions.SILENT_COLLEGE, last, unless=self.has_answer)
        if self.has_answer():
            return True
        if decision is Decision.RETRY:
            return False
        # The college stayed silent, and staff did not want it asked again.
        if await self.has_lapsed(Awaited.COLLEGE_ANSWER, self.has_answer):
            raise CaseEnds(Outcome.ENROLLMENT_LAPSED, "college_silent")
        return True

    def has_answer(self) -> bool:
        """Whether the college has answered."""
        return self.known.answer is not None

    def has_seat_answer(self) -> bool:
        """Whether the college has said more than that it has a waiting list."""
        return not isinstance(self.known.answer, EnrollmentWaitlisted)

    async def remind_college(self, due: Deadline, *, escalated: bool = False) -> None:
        """Remind the silent college; the request's new deadline travels along."""
        self.reminders += 1
        request = requests.reminder(
            self.id, self.enrollment_id, number=self.reminders, escalated=escalated, respond_by=due.due_at
        )
        await self.do(REMIND_COLLEGE, request)

    async def encumber_price(self) -> None:
        """Turn the hold into an encumbrance at the college's price; what is not needed goes back."""
        price_cents = self.accepted.price_cents
        for _ in range(ENCUMBRANCES_MAX):
            request = requests.encumbrance(self.accepted, price_cents=price_cents, hold_number=self.holds)
            result = await self.do(ENCUMBER_FUNDS, request)
            if result.status is EncumbranceStatus.ENCUMBERED:
                self.amount_cents = result.encumbered_cents
                return
            if result.status is EncumbranceStatus.NO_HOLD:
                # The hold expired before the college answered: money must be held again before it is committed.
                await self.hold_money()
                continue
            due = deadlines.after(
                workflow.now(), self.plan.deadlines.enrollment_escalation, "staff: the price exceeds the hold"
            )
            decision = await self.ask(questions.PRICE_EXCEEDS_HOLD, due)
            if decision not in {Decision.APPROVE, Decision.RETRY}:
                break
            if isinstance(self.known.answer, EnrollmentAccepted):
                self.accepted = self.known.answer
            price_cents = self.accepted.price_cents
            if decision is Decision.APPROVE:
                price_cents = min(price_cents, self.plan.award_cents)
        # More than was held may not be committed, and nobody found a way.
        raise CaseEnds(Outcome.ENROLLMENT_REFUSED, "price_exceeds_hold")

    # 4 Learning ------------------------------------------------------------------------------------------------------

    async def follow_learning(self) -> None:
        """Wait for a registered issuer's word that the person completed."""
        due = await self.enter_until(Stage.LEARNING, self.plan.deadlines.completion, "college: completion attested")
        if await self.wait(self.has_left_learning, due) is Waited.DUE:
            await self.has_lapsed(Awaited.COMPLETION, self.has_left_learning)
        # The college reports that the person left the course.
        if self.known.completion is None and self.known.left_course is not None:
            raise CaseEnds(Outcome.NOT_COMPLETED, "left_course", self.known.left_course.reason)
        # Nobody attested completion in time.
        if self.known.completion is None:
            raise CaseEnds(Outcome.NOT_COMPLETED, "completion_not_attested")
        self.completion = self.known.completion
        self.earned_on = self.completion.completed_on

    def has_left_learning(self) -> bool:
        """Whether the course is behind the person, completed or not."""
        return self.known.completion is not None or self.known.left_course is not None

    # 6 Credential ----------------------------------------------------------------------------------------------------

    async def record_credential(self) -> None:
        """Put the earned credential on record, on the strength of the attestation."""
        await self.enter(Stage.CREDENTIAL)
        request = requests.credential(
            self.submitted,
            enrollment_id=self.accepted.enrollment_id,
            completion=self.completion,
            earned_on=self.earned_on,
        )
        await self.do(RECORD_CREDENTIAL, request)

    # 9 Closed --------------------------------------------------------------------------------------------------------

    async def close(self, ending: CaseEnds) -> Outcome:
        """Give back unused money and end the case on the record."""
        ended_in = self.stage
        self.ending, self.paying, self.needs_staff = True, False, False
        # Canceled during a hold: what is asked while the case is being closed must still find its answer.
        self.end_stop()
        self.stage, self.outcome, self.deadline = Stage.CLOSED, ending.outcome, None
        self.show(f"closed: {ending.outcome} {' '.join(ending.reasons)}")
        # A step that staff gave up is left out: the case closes, and the ledger's prover shows what was not given back.
        if self.may_hold_money:
            with suppress(CaseEnds):
                await self.do(RELEASE_FUNDS, ReleaseFunds(application_id=self.id, reason=ending.outcome))
        with suppress(CaseEnds):
            request = CloseCase(application_id=self.id, outcome=ending.outcome, stage=ended_in, reasons=ending.reasons)
            await self.do(CLOSE_CASE, request)
        with suppress(asyncio.CancelledError):
            await workflow.wait_condition(workflow.all_handlers_finished)
        return ending.outcome
