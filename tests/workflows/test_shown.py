"""What the Temporal UI shows of a case: a line beside every timer and step, and the current details."""

import asyncio

from temporalio.api.enums.v1 import EventType
from temporalio.converter import PayloadConverter

from contracts.events.eligibility import Eligibility
from contracts.journey import UPDATE_HOLD, Outcome, Stage
from contracts.steps.eligibility import DETERMINE
from contracts.steps.payments import REVIEW_CLAIM, ClaimStatus
from tests.workflows.driver import PATIENCE_SECONDS, Case, current_details
from tests.workflows.fakes import FakeSteps, determined, reviewed
from tests.workflows.test_staff import HOLD
from workflows.deadlines import LOOK_AGAIN


async def summaries(case: Case, kind: "EventType.ValueType") -> list[str]:
    """The line beside each event of this kind, in order; an event without one gives an empty line."""
    history = await case.handle.fetch_history()
    read = PayloadConverter.default.from_payload
    return [
        read(each.user_metadata.summary, str) if each.user_metadata.HasField("summary") else ""
        for each in history.events
        if each.event_type == kind
    ]


async def waits_for(case: Case, line: str) -> list[str]:
    """The lines beside the case's timers, once one of them is this: a stage is shown before its timer is started."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while line not in (timers := await summaries(case, EventType.EVENT_TYPE_TIMER_STARTED)):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return timers


async def test_every_timer_and_step_says_what_it_is_for(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, determined(Eligibility.MORE_INFORMATION, missing=["income_proof"]))
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.REFERRED))
    await case.start()
    await waits_for(case, "person: income_proof")
    await case.tell(case.document())
    await waits_for(case, "college: answer the enrollment request")
    await case.tell(case.accepted())
    await waits_for(case, "college: completion attested")
    await case.tell(case.completed())
    await waits_for(case, "provider: claim reimbursement")
    await case.tell(case.claimed())
    await waits_for(case, "staff: decide the claim")
    await case.act(UPDATE_HOLD, HOLD)
    await case.passes(LOOK_AGAIN * 2)
    timers = await waits_for(case, "staff: resume or close the case")
    assert "" not in timers
    asked = await summaries(case, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    assert asked[:3] == ["determine", "determine", "hold funds"]
    assert "" not in asked


async def test_the_current_details_follow_the_case(case: Case) -> None:
    await case.start()
    due_at = (await case.reaches(Stage.ENROLLMENT)).due_at
    assert due_at is not None
    details = await current_details(case)
    assert "**Stage** enrollment" in details
    assert f"**Due** {due_at:%Y-%m-%d %H:%M} UTC: college: answer the enrollment request" in details
    assert "determination 1: eligible" in details
    await case.act(UPDATE_HOLD, HOLD)
    assert "**On hold** possible_duplicate" in await current_details(case)


async def test_an_open_question_is_shown_with_its_answers(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, determined(Eligibility.INELIGIBLE))
    await case.start()
    await case.reaches(Stage.APPEAL, question="appeal")
    assert "**Question** `appeal` (approve, refuse, retry)" in await current_details(case)
    assert await case.outcome() is Outcome.INELIGIBLE
    assert "**Stage** closed → **ineligible**" in await current_details(case)
