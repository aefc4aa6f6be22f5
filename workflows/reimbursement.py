"""The provider's money, stages 7 and 8 of the journey: the claim is matched and approved, then paid until it settles.

From the approved claim on the provider is owed the money: a withdrawal or a close by staff no longer stops it, and a
deadline that passes calls staff but does not end the case.
"""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

from contracts.events.applications import ClaimSubmitted
from contracts.events.payments import DisbursementRepaired, DisbursementSettled
from contracts.journey import Decision, Outcome, Stage
from contracts.steps.applications import Awaited
from contracts.steps.payments import PAY_CLAIM, REVIEW_CLAIM, ClaimReviewed, ClaimStatus, PayClaim, PaymentOrdered
from workflows import deadlines, questions, requests
from workflows.conduct import CaseEnds
from workflows.deadlines import Deadline, Waited
from workflows.exam import Examination

CLAIMS_MAX = 20
APPROVERS_MAX = 4
REVIEWS_MAX = 40
"""How often staff are asked about one claim: whose approval does not count makes room for another's."""
PAYMENT_ATTEMPTS_MAX = 10
BARRED_MAKE_ROOM = "barred-approvals-make-room"
DEADLINE_EACH = "deadline-for-each-payment"


class Reimbursement(Examination):
    """A case whose credential is earned, up to the settled payment."""

    claim: ClaimSubmitted

    # 7 Claim ---------------------------------------------------------------------------------------------------------

    async def settle_claim(self) -> None:
        """Wait for the provider's claim and have it matched, until one is approved or refused."""
        due = await self.enter_until(Stage.CLAIM, self.plan.deadlines.claim, "provider: claim reimbursement")
        for _ in range(CLAIMS_MAX):
            waited = await self.wait(self.has_claim, due)
            if waited is Waited.DUE and not self.has_claim():
                await self.has_lapsed(Awaited.CLAIM, self.has_claim)
            claim = self.known.claim_beside(self.claims_reviewed)
            # The provider did not claim in time.
            if claim is None:
                raise CaseEnds(Outcome.CLAIM_LAPSED, "not_claimed_in_time")
            self.claim = claim
            self.claims_reviewed.add(claim.claim_id)
            reviewed = await self.review_claim(due)
            self.note(f"claim {claim.claim_id}: {reviewed.status}")
            if reviewed.status is ClaimStatus.APPROVED:
                return
            # The claim is refused for reasons the provider cannot mend, or by staff.
            if reviewed.status is ClaimStatus.REFUSED:
                raise CaseEnds(Outcome.CLAIM_REFUSED, *(check.reason for check in reviewed.checks if not check.passed))
        # Every claim came back with defects.
        raise CaseEnds(Outcome.CLAIM_LAPSED, "too_many_claims")

    def has_claim(self) -> bool:
        """Whether a claim came that was not reviewed."""
        return self.known.claim_beside(self.claims_reviewed) is not None

    async def review_claim(self, due: Deadline) -> ClaimReviewed:
        """Match the claim; what rules alone may not approve goes to staff, to as many of them as the amount takes."""
        self.approved_by.clear()
        self.barred.clear()
        self.review_number = 1
        reviewed = await self.match_claim(due)
        for _ in range(REVIEWS_MAX):
            self.begin_review(reviewed)
            if reviewed.status is not ClaimStatus.REFERRED or not self.makes_room(reviewed):
                return reviewed
            decision = await self.decision_on_claim()
            # Nobody decided for more than two years.
            if decision is None or self.answer is None:
                raise CaseEnds(Outcome.CLAIM_REFUSED, "never_reviewed")
            if decision is Decision.REFUSE:
                return await self.match_claim(due, refused_by=self.answer.actor)
            self.approved_by.append(self.answer.actor)
            reviewed = await self.match_claim(due)
        if reviewed.status is not ClaimStatus.REFERRED:
            return reviewed
        # Nobody who may approve it was found, however often staff were asked.
        raise CaseEnds(Outcome.CLAIM_REFUSED, "never_reviewed")

    async def decision_on_claim(self) -> Decision | None:
        """Ask staff about the claim, and once more for two years where they were late."""
        last = deadlines.after(workflow.now(), self.plan.deadlines.claim_review, "staff: decide the claim")
        decision = await self.ask(questions.CLAIM_REVIEW, last)
        if decision is None:
            # The provider has earned the money: a claim does not lapse because staff were late.
            self.note("the claim's review is overdue")
            last = deadlines.after(workflow.now(), deadlines.OVERDUE, "staff: decide the claim (overdue)")
            decision = await self.ask(questions.CLAIM_REVIEW, last)
        return decision

    def begin_review(self, reviewed: ClaimReviewed) -> None:
        """Where another doubt came up, forget the approvals: the same people may give them again, knowing of it."""
        if reviewed.review_number == self.review_number:
            return
        self.review_number = reviewed.review_number
        if self.approved_by:
            self.note(f"another doubt came up: the approval of {', '.join(self.approved_by)} does not answer it")
            self.approved_by = []

    def makes_room(self, reviewed: ClaimReviewed) -> bool:
        """Whether staff are to be asked: there is room for another approval, once what does not count is left out."""
        barred = [name for name in reviewed.approvals_barred if name in self.approved_by]
        is_full = len(self.approved_by) >= APPROVERS_MAX
        if not barred and not is_full:
            return True
        # Cases that gave such a claim up for want of room go on as they did then.
        if not workflow.patched(BARRED_MAKE_ROOM):
            return not is_full
        for name in barred:
            self.note(f"the approval of {name} does not count: another person has to approve")
        self.barred.update(barred)
        # More approvals than any amount takes, and still not enough: those who did not count are not known by name.
        self.approved_by = [] if is_full and not barred else [one for one in self.approved_by if one not in barred]
        return True

    async def match_claim(self, due: Deadline, *, refused_by: str | None = None) -> ClaimReviewed:
        """Match the claim against award, enrollment, credential, price and window, once."""
        request = requests.review(
            self.submitted,
            self.plan,
            self.claim,
            earned_on=self.earned_on,
            due_at=due.due_at,
            approved_by=self.approved_by,
            review_number=self.review_number,
            refused_by=refused_by,
        )
        # A close by staff arriving while the claim is matched would give back money that is about to be owed.
        self.matching_claim = True
        reviewed = await self.do(REVIEW_CLAIM, request)
        self.matching_claim = False
        if reviewed.status is ClaimStatus.APPROVED:
            self.paying = True
            self.amount_cents = reviewed.approved_cents
            # What the claim did not need went back with its approval.
            self.may_hold_money = False
            if self.known.withdrawn is not None:
                self.note("the withdrawal came while the claim was approved: the payment goes on")
        return reviewed

    # 8 Reimbursement -------------------------------------------------------------------------------------------------

    async def reimburse_provider(self) -> None:
        """Pay the claim until a payment settles; one that came back is repaired and paid again."""
        due = await self.enter_until(Stage.REIMBURSEMENT, self.plan.deadlines.payment, "finance: payment settled")
        for attempt in range(1, PAYMENT_ATTEMPTS_MAX + 1):
            if attempt > 1:
                due = self.next_deadline(due, self.plan.deadlines.payment, "finance: payment settled")
                self.show()
            request = PayClaim(application_id=self.id, claim_id=self.claim.claim_id, attempt_number=attempt)
            ordered = await self.do(PAY_CLAIM, request)
            if await self.is_settled(ordered, due):
                return
        last = deadlines.after(workflow.now(), deadlines.OVERDUE, "staff: the payment keeps coming back")
        await self.ask(questions.PAYMENT_RETURNED, last)
        # The payment came back as often as it may be tried, and staff gave it up.
        raise CaseEnds(Outcome.CLOSED_BY_STAFF, "payment_returned")

    async def is_settled(self, ordered: PaymentOrdered, due: Deadline) -> bool:
        """Wait for the bank's word on one payment: True once settled, False once it may be paid again."""
        payment = ordered.disbursement_id
        await self.wait_for_money(
            lambda: self.known.payment(payment) is not None or self.known.revoked is not None, due
        )
        # The person said that the provider charged, and people refused the claim: its money is encumbered again.
        if self.known.payment(payment) is None and self.known.revoked is not None:
            self.may_hold_money = True
            raise CaseEnds(Outcome.CLAIM_REFUSED, self.known.revoked.reason)
        if not isinstance(self.known.payment(payment), DisbursementSettled | DisbursementRepaired):
            due = self.next_deadline(due, self.plan.deadlines.payment, "finance: mend what made the payment come back")
            self.call_staff("the payment came back: what made it come back has to be mended")
            await self.wait_for_money(
                lambda: isinstance(self.known.payment(payment), DisbursementSettled | DisbursementRepaired), due
            )
        self.needs_staff = False
        self.show()
        return isinstance(self.known.payment(payment), DisbursementSettled)

    async def wait_for_money(self, met: Callable[[], bool], due: Deadline) -> None:
        """Wait past the deadline too: the money is on its way, so the case stays open and staff are told."""
        if await self.wait(met, due) is not Waited.DUE:
            return
        last = self.next_deadline(due, deadlines.OVERDUE, "finance: the payment is overdue")
        self.call_staff("the payment is overdue")
        if last is due:
            due.extend(workflow.now() + deadlines.OVERDUE)
        # Two years after it was due there is nothing left to wait for.
        if await self.wait(met, last) is Waited.DUE:
            raise CaseEnds(Outcome.CLOSED_BY_STAFF, "payment_never_settled")

    def next_deadline(self, before: Deadline, wait: timedelta, summary: str) -> Deadline:
        """A deadline of its own for the next wait: one that was moved for a wait before says nothing of this one."""
        # Cases whose payments shared one deadline go on with it.
        if not workflow.patched(DEADLINE_EACH):
            return before
        self.deadline = deadlines.after(workflow.now(), wait, summary)
        return self.deadline
