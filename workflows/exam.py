"""The certification exam, stage 5 of the journey: an exam voucher, sittings with deadlines of their own, retakes.

A sitting that is canceled or moved is no attempt: the person registers again, in as much time as at first.
"""

from temporalio import workflow

from contracts.events.applications import ExamRegistered, ExamResult, ExamResulted
from contracts.journey import Decision, Outcome, Stage
from contracts.plan import CasePlan, ExamPolicy
from contracts.steps.applications import Awaited
from contracts.steps.payments import ISSUE_EXAM_VOUCHER, ExamVoucherStatus
from workflows import deadlines, questions, requests
from workflows.conduct import CaseEnds
from workflows.deadlines import Waited
from workflows.staff import StaffUpdates

VOUCHER_ROUNDS_MAX = 50
SITTINGS_MAX = 20
SITTINGS_APART = "sittings-apart"


class Examination(StaffUpdates):
    """A case whose course is completed, up to the passed exam."""

    plan: CasePlan
    earned_on: str

    async def pass_exam(self) -> None:
        """Where the credential has an exam: issue a voucher, wait for the result, let the policy decide on a retake."""
        policy = self.plan.exam
        if policy is None:
            return
        for attempt in range(1, policy.attempts_max + 1):
            if attempt > 1:
                due = await self.enter_until(Stage.EXAM, policy.retake_wait, "exam: wait before the retake")
                await self.wait(lambda: False, due)
            result = await self.exam_result(policy, attempt)
            if result.result is ExamResult.PASSED:
                self.earned_on = self.plan.day_of(result.resulted_at)
                return
        # The person did not pass in any of the attempts the policy allows.
        raise CaseEnds(Outcome.EXAM_NOT_PASSED, "attempts_used_up")

    async def exam_result(self, policy: ExamPolicy, attempt: int) -> ExamResulted:
        """One attempt: voucher, registration, result. A canceled sitting is no result; the voucher serves again."""
        await self.issue_exam_voucher(policy, attempt)
        for _ in range(SITTINGS_MAX):
            result = await self.sitting_result(policy, attempt)
            if result is not None:
                return result
        # Sitting after sitting was canceled or moved.
        raise CaseEnds(Outcome.EXAM_NOT_PASSED, "too_many_sittings")

    async def sitting_result(self, policy: ExamPolicy, attempt: int) -> ExamResulted | None:
        """One sitting, with a deadline each for registration and result; None where it was canceled or moved."""
        waits = self.plan.deadlines
        due = await self.enter_until(Stage.EXAM, waits.exam_registration, f"person: register for attempt {attempt}")

        def is_registered() -> bool:
            return self.known.exam(attempt) is not None and not self.is_canceled(attempt)

        waited = await self.wait(is_registered, due)
        # The person did not register in time.
        if waited is Waited.DUE and await self.has_lapsed(
            Awaited.EXAM_REGISTRATION, is_registered, exam_id=policy.exam_id, attempt=attempt
        ):
            raise CaseEnds(Outcome.EXAM_NOT_PASSED, "not_registered")
        sitting = self.known.exam(attempt)

        def is_over() -> bool:
            return self.final_result(attempt) is not None or self.is_other_than(sitting, attempt)

        if isinstance(sitting, ExamRegistered):
            due = await self.enter_until(Stage.EXAM, waits.exam_result, f"college: result of attempt {attempt}")
        if await self.wait(is_over, due) is Waited.DUE:
            await self.has_lapsed(Awaited.EXAM_RESULT, is_over, exam_id=policy.exam_id, attempt=attempt)
        # Nobody reported a result in time.
        if not is_over():
            raise CaseEnds(Outcome.EXAM_NOT_PASSED, "no_result")
        return self.final_result(attempt)

    def is_canceled(self, attempt: int) -> bool:
        """Whether the attempt's sitting was canceled, and none was registered since."""
        word = self.known.exam(attempt)
        is_canceled = isinstance(word, ExamResulted) and word.result is ExamResult.CANCELED
        # Cases that heard of it before every sitting had deadlines of its own keep those of the first.
        return is_canceled and workflow.patched(SITTINGS_APART)

    def is_other_than(self, sitting: ExamRegistered | ExamResulted | None, attempt: int) -> bool:
        """Whether the sitting that is waited for was canceled, or moved to another day."""
        return self.known.exam(attempt) is not sitting and workflow.patched(SITTINGS_APART)

    def final_result(self, attempt: int) -> ExamResulted | None:
        """The attempt's result, unless the sitting was canceled."""
        word = self.known.exam(attempt)
        return word if isinstance(word, ExamResulted) and word.result is not ExamResult.CANCELED else None

    async def issue_exam_voucher(self, policy: ExamPolicy, attempt: int) -> None:
        """Have one exam voucher allocated; where none is left, staff see to it."""
        request = requests.exam_voucher(self.submitted, policy, attempt=attempt, pack_version=self.plan.pack_version)
        await self.enter(Stage.EXAM)
        for _ in range(VOUCHER_ROUNDS_MAX):
            if (await self.do(ISSUE_EXAM_VOUCHER, request)).status is ExamVoucherStatus.ISSUED:
                return
            due = deadlines.after(workflow.now(), self.plan.deadlines.credential, "staff: no exam voucher available")
            if await self.ask(questions.NO_EXAM_VOUCHER, due) is not Decision.RETRY:
                break
        # There is no exam voucher to give, and staff see no other way.
        raise CaseEnds(Outcome.EXAM_NOT_PASSED, "no_exam_voucher")
