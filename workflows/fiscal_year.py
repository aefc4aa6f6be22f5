"""The close of a fiscal year: one workflow per program and year, read from top to bottom.

It waits for the year's end on the database's clock, has nothing new held, has every open encumbrance listed by its
service date, waits for two people who agree to that list, has it posted batch by batch and the books shut. Every step
may be asked again, so the close may be started again at any time: what is done stays done. A close that grows long goes
on as a new run of the same id, before its history reaches Temporal's bound (51,200 events).
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from contracts.fiscal_year import (
    CLOSE_TYPE,
    STATUS_QUERY,
    TURN_TYPE,
    UPDATE_AMEND,
    UPDATE_APPROVE,
    AmendClose,
    ApproveClose,
    CloseStage,
    CloseView,
    StartClose,
    StartTurn,
    close_id,
)
from contracts.steps.base import I, O, Step
from contracts.steps.fiscal_year import (
    AMEND_YEAR_END,
    APPROVE_YEAR_END,
    HARD_CLOSE_YEAR,
    LIST_ENDED_YEARS,
    POST_YEAR_END,
    PROPOSE_YEAR_END,
    SOFT_CLOSE_YEAR,
    AmendYearEnd,
    ApprovalStatus,
    ApproveYearEnd,
    EndedYears,
    HardCloseYear,
    ListEndedYears,
    PostYearEnd,
    ProposeYearEnd,
    SoftCloseStatus,
    SoftCloseYear,
    YearEndProposal,
    YearEndReport,
)
from workflows import calls
from workflows.attributes import NEEDS_STAFF
from workflows.calls import StepFailed

APPROVAL_WAIT = timedelta(days=180)
"""How long two people have; then the close ends unposted, and is started again when they are ready."""
YEAR_WAITS_MAX = 400
"""How often the clock is asked whether the year is over; each wait is as long as the database says is left."""
LISTS_MAX = 50
BATCHES_MAX = 2_000
TRY_AGAIN = timedelta(hours=1)
TRIES_MAX = 500
HISTORY_LINES_MAX = 200
APPROVERS = 2
RUN_EVENTS_MAX = 10_000
"""So long a run's history may become; some 1,600 batches."""
RUNS_MAX = 100
TURN_TRIES_MAX = 24
"""How often a turn asks which years are over, an hour or more apart; then it has failed, for staff to see."""


class CloseEnds(Exception):
    """The close ends without having posted anything."""


@workflow.defn(name=CLOSE_TYPE)
class FiscalYearClose:
    """The close of one fiscal year of one program."""

    @workflow.init
    def __init__(self, start: StartClose) -> None:
        self.program_id = start.program_id
        self.fiscal_year = start.fiscal_year
        self.stage = CloseStage.WAITING
        self.ends_at: datetime | None = None
        self.proposal: YearEndProposal | None = None
        self.approved_by: list[str] = []
        self.amending = 0
        self.report: YearEndReport | None = None
        self.runs_before = start.runs_before
        self.story: deque[str] = deque(start.history, maxlen=HISTORY_LINES_MAX)

    @workflow.run
    async def run(self, start: StartClose) -> YearEndReport | None:
        """Close the year; the report, or None where nothing was closed."""
        try:
            # The books may have been shut by an earlier close: then its report is all there is to ask for.
            if not await self.is_shut_before():
                for _ in range(LISTS_MAX):
                    await self.agree_on_list()
                    if await self.post_what_is_approved():
                        break
            self.report = await self.do(HARD_CLOSE_YEAR, HardCloseYear(**self.year))
        except CloseEnds as ending:
            self.enter(CloseStage.NOT_CLOSED, str(ending))
            return None
        self.enter(CloseStage.CLOSED, f"carried {self.report.carried_cents}, lapsed {self.report.lapsed_cents} cents")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.report

    async def is_shut_before(self) -> bool:
        """Wait until the database's clock is past the year's last moment; from then on nothing new is held."""
        for _ in range(YEAR_WAITS_MAX):
            answer = await self.do(SOFT_CLOSE_YEAR, SoftCloseYear(**self.year))
            self.ends_at = answer.ends_at
            # The program never had money in that year.
            if answer.status is SoftCloseStatus.UNKNOWN:
                raise CloseEnds("there is no such budget line")
            if answer.status is not SoftCloseStatus.NOT_OVER:
                self.enter(CloseStage.PROPOSING, f"the line is {answer.status}")
                return answer.status is SoftCloseStatus.HARD_CLOSED
            left = timedelta(seconds=max(1, answer.seconds_left))
            self.enter(CloseStage.WAITING, f"the year is over in {left}")
            await workflow.sleep(left, summary="the fiscal year's last moment")
        raise CloseEnds("the year does not come to its end")

    async def agree_on_list(self) -> None:
        """List what is open and wait until two people agree to that list, and not to an earlier one."""
        self.proposal = await self.do(PROPOSE_YEAR_END, ProposeYearEnd(**self.year))
        for _ in range(LISTS_MAX):
            # Two people agreed to all of it in an earlier run of this close.
            if self.proposal.approvals and not self.proposal.unapproved:
                return
            self.approved_by.clear()
            self.enter(CloseStage.AWAITING_APPROVAL, f"{self.proposal.unapproved} encumbrances to agree to")
            if not await self.two_people_agree():
                raise CloseEnds("nobody agreed in time")
            made_by, checked_by = self.approved_by[:APPROVERS]
            request = ApproveYearEnd(**self.year, digest=self.proposal.digest, made_by=made_by, checked_by=checked_by)
            if (await self.do(APPROVE_YEAR_END, request)).status is ApprovalStatus.APPROVED:
                return
            # Something was amended or paid while they looked at it: they see the new list.
            self.proposal = await self.do(PROPOSE_YEAR_END, ProposeYearEnd(**self.year))
        raise CloseEnds("the list changes faster than people can agree to it")

    async def two_people_agree(self) -> bool:
        """Wait for two different people; False where the time is up."""

        def is_amended_too_often() -> bool:
            return not self.approved_by and self.is_long()

        try:
            await workflow.wait_condition(
                lambda: not self.amending and (len(self.approved_by) >= APPROVERS or is_amended_too_often()),
                timeout=APPROVAL_WAIT,
                timeout_summary="finance: two people agree to the year end's list",
            )
        except TimeoutError:
            return False
        if is_amended_too_often():
            await self.go_on_anew()
        return True

    async def post_what_is_approved(self) -> bool:
        """Post batch by batch. False where something was encumbered meanwhile that nobody has agreed to yet."""
        self.enter(CloseStage.POSTING, f"agreed by {' and '.join(self.approved_by) or 'two people before'}")
        for _ in range(BATCHES_MAX):
            posted = await self.do(POST_YEAR_END, PostYearEnd(**self.year))
            if posted.left == 0:
                self.proposal = await self.do(PROPOSE_YEAR_END, ProposeYearEnd(**self.year))
                return self.proposal.unapproved == 0
        raise CloseEnds("the postings do not come to an end")

    @workflow.update(name=UPDATE_APPROVE)
    async def approve(self, act: ApproveClose) -> CloseView:
        """One of two people agrees."""
        self.approved_by.append(act.actor)
        self.note(f"agreed: {act.actor}")
        return self.view()

    @approve.validator
    def may_approve(self, act: ApproveClose) -> None:
        """Two different people agree, each to the list that stands."""
        if self.stage is not CloseStage.AWAITING_APPROVAL or self.proposal is None or self.amending:
            raise ApplicationError("nothing waits for approval now", type="nothing_to_approve")
        if act.actor in self.approved_by:
            raise ApplicationError("the person who agreed may not also be the second", type="maker_is_checker")
        if len(self.approved_by) >= APPROVERS:
            raise ApplicationError("two people have agreed already", type="nothing_to_approve")
        if act.digest != self.proposal.digest:
            raise ApplicationError("the list has changed since: look at it again", type="list_changed")

    @workflow.update(name=UPDATE_AMEND)
    async def amend(self, act: AmendClose) -> CloseView:
        """Change what becomes of one encumbrance; whoever agreed before has to agree again."""
        self.amending += 1
        try:
            request = AmendYearEnd(
                **self.year,
                encumbrance=act.encumbrance,
                disposition=act.disposition,
                reason=act.reason,
                actor=act.actor,
            )
            self.proposal = await calls.do(AMEND_YEAR_END, request)
        except StepFailed as failure:
            raise ApplicationError(f"{failure.step} failed: {failure.code}", type=failure.code) from failure
        finally:
            self.amending -= 1
        self.approved_by.clear()
        self.note(f"amended by {act.actor}: {act.encumbrance} {act.disposition}")
        return self.view()

    @amend.validator
    def may_amend(self, act: AmendClose) -> None:
        """Only what nobody has agreed to for good can be changed."""
        if self.stage is not CloseStage.AWAITING_APPROVAL or len(self.approved_by) >= APPROVERS:
            raise ApplicationError("nothing waits for approval now", type="nothing_to_approve")

    @workflow.query(name=STATUS_QUERY, description="Where the close stands: stage, list in sums, who agreed, report.")
    def view(self) -> CloseView:
        return CloseView(
            program_id=self.program_id,
            fiscal_year=self.fiscal_year,
            stage=self.stage,
            ends_at=self.ends_at,
            proposal=self.proposal,
            approved_by=list(self.approved_by),
            report=self.report,
            history=list(self.story),
        )

    @property
    def year(self) -> dict[str, Any]:
        return {"program_id": self.program_id, "fiscal_year": self.fiscal_year}

    async def do(self, step: Step[I, O], request: I) -> O:
        """Have a step done; one that fails for good is tried again every hour, and says why meanwhile."""
        for _ in range(TRIES_MAX):
            # Two people's word is not in the books before this step: a new run would have to ask them again.
            if step is not APPROVE_YEAR_END and self.is_long():
                await self.go_on_anew()
            try:
                return await calls.do(step, request)
            except StepFailed as failure:
                self.note(f"{failure.step} failed: {failure.code}; tried again in an hour")
                await workflow.sleep(TRY_AGAIN, summary=f"finance: mend {step.name}")
        raise CloseEnds(f"{step.name} never succeeded")

    def is_long(self) -> bool:
        """Whether this run's history has become as long as one may."""
        return workflow.info().get_current_history_length() >= RUN_EVENTS_MAX

    async def go_on_anew(self) -> None:
        """Go on as a new run, which finds in the books what was done. Never returns."""
        runs = self.runs_before + 1
        if runs >= RUNS_MAX:
            raise CloseEnds("the close does not come to an end")
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(StartClose(**self.year, runs_before=runs, history=list(self.story)))

    def enter(self, stage: CloseStage, line: str) -> None:
        self.stage = stage
        self.note(f"{stage}: {line}")

    def note(self, line: str) -> None:
        self.story.append(f"{workflow.now():%Y-%m-%d %H:%M} {line}")
        _show(self.story)


@workflow.defn(name=TURN_TYPE)
class FiscalYearTurn:
    """What the schedule starts on the first day of a fiscal year: a close for each year that is over."""

    def __init__(self) -> None:
        self.story: deque[str] = deque(maxlen=HISTORY_LINES_MAX)

    @workflow.run
    async def run(self, start: StartTurn) -> list[str]:
        """The ids of the closes that run now; one that runs already goes on as it is."""
        ended = await self.years_that_are_over(start.program_id)
        names = [close_id(start.program_id, year) for year in ended.fiscal_years]
        for name, year in zip(names, ended.fiscal_years, strict=True):
            try:
                await workflow.start_child_workflow(
                    CLOSE_TYPE,
                    StartClose(program_id=start.program_id, fiscal_year=year),
                    id=name,
                    parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                )
            except WorkflowAlreadyStartedError:
                continue
        return names

    async def years_that_are_over(self, program_id: str) -> EndedYears:
        """Ask until it is answered, on the staff's list meanwhile; a turn that never is answered fails, still on it."""
        code = "failed"
        for attempt in range(TURN_TRIES_MAX):
            if attempt:
                await workflow.sleep(TRY_AGAIN, summary=f"finance: mend {LIST_ENDED_YEARS.name}")
            try:
                ended = await calls.do(LIST_ENDED_YEARS, ListEndedYears(program_id=program_id))
            except StepFailed as failure:
                code = failure.code
                self.story.append(f"{workflow.now():%Y-%m-%d %H:%M} {failure.step} failed: {code}; tried again")
                _show(self.story)
                if attempt == 0:
                    _on_staffs_list(True)
                continue
            if attempt:
                _on_staffs_list(False)
            return ended
        # Any other exception would fail the workflow task for ever, and mending the cause would not help.
        raise ApplicationError(f"{LIST_ENDED_YEARS.name} failed: {code}", type=code, non_retryable=True)


def _show(story: deque[str]) -> None:
    workflow.set_current_details("\n".join(f"- {each}" for each in list(story)[-20:]))


def _on_staffs_list(needed: bool) -> None:
    workflow.upsert_search_attributes([NEEDS_STAFF.value_set(needed)])  # pyright: ignore[reportUnknownMemberType]
