"""Facts come at least once, in any order, even before the journey runs."""

import random
import uuid

import pytest
from temporalio.testing import WorkflowEnvironment

from contracts.events.applications import EnrollmentRefused, EnrollmentWaitlisted, ExamResult
from contracts.journey import Outcome, SignaledFact, Stage
from contracts.steps.eligibility import DETERMINE
from tests.workflows.driver import LONG_AGO, Case, journey_workers
from tests.workflows.fakes import PLAN_WITH_EXAM, FakeSteps

ORDINARY = ["determine", "hold_funds", "request_enrollment", "encumber_funds", "issue_exam_voucher"]
ORDINARY += ["record_credential", "review_claim", "pay_claim", "close_case"]


async def test_every_fact_three_times_is_one_effect(case: Case, steps: FakeSteps) -> None:
    steps.plan = PLAN_WITH_EXAM
    await case.start()

    async def thrice(fact_type: str, word: SignaledFact) -> None:
        for _ in range(3):
            await case.handle.signal(fact_type, word)

    facts = [
        (Stage.ENROLLMENT, case.accepted()),
        (Stage.LEARNING, case.completed()),
        (Stage.EXAM, case.registered()),
        (Stage.EXAM, case.resulted(ExamResult.PASSED)),
        (Stage.CLAIM, case.claimed()),
        (Stage.REIMBURSEMENT, case.settled()),
    ]
    for stage, fact in facts:
        await case.reaches(stage)
        await thrice(fact.TYPE, case.word(fact))
    assert await case.outcome() is Outcome.REIMBURSED
    assert steps.verbs() == ORDINARY


@pytest.mark.parametrize("seed", [3, 11, 42])
async def test_facts_in_any_order_before_they_are_needed_give_the_same_result(
    case: Case, steps: FakeSteps, seed: int
) -> None:
    steps.plan = PLAN_WITH_EXAM
    gate = steps.block(DETERMINE)
    await case.start()
    words = [
        (fact.TYPE, case.word(fact))
        for fact in (
            case.accepted(),
            case.completed(),
            case.registered(),
            case.resulted(ExamResult.PASSED),
            case.claimed(),
            case.settled(),
        )
    ] * 2
    random.Random(seed).shuffle(words)
    for fact_type, word in words:
        await case.handle.signal(fact_type, word)
    gate.set()
    assert await case.outcome() is Outcome.REIMBURSED
    assert steps.verbs() == ORDINARY


async def test_an_older_answer_never_replaces_a_newer_one(case: Case) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(EnrollmentWaitlisted(**case.enrollment(), answered_at=LONG_AGO), sequence=7)
    refused = EnrollmentRefused(**case.enrollment(), reasons=["course_full"], answered_at=LONG_AGO)
    await case.tell(refused, sequence=6)
    await case.reaches(Stage.ENROLLMENT, noted="ignored enrollment refused: something newer is known")
    await case.tell(case.accepted(), sequence=8)
    await case.reaches(Stage.LEARNING)


async def test_signals_that_come_before_the_first_run_are_kept(env: WorkflowEnvironment, steps: FakeSteps) -> None:
    case = Case(env, steps)
    word = case.word(case.withdrawn())
    await case.start(start_signal=case.withdrawn().TYPE, start_signal_args=[word])
    async with journey_workers(env, steps):
        assert await case.outcome() is Outcome.WITHDRAWN


async def test_what_is_not_known_or_not_readable_is_noted_and_changes_nothing(case: Case, steps: FakeSteps) -> None:
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.handle.signal("cairn.applications.something.happened.v9", case.word(case.withdrawn()))
    await case.handle.signal(case.withdrawn().TYPE, "not a fact")
    await case.handle.signal(case.withdrawn().TYPE)
    invalid = case.word(case.withdrawn()).model_copy(update={"payload": {"application_id": case.id}})
    await case.handle.signal(case.withdrawn().TYPE, invalid)
    other = Case(case.env, steps, "another")
    await case.handle.signal(case.withdrawn().TYPE, other.word(other.withdrawn(), event_id=uuid.uuid4()))
    view = await case.reaches(Stage.ENROLLMENT, noted="about another case")
    ignored = [line for line in view.history if "ignored" in line]
    assert len(ignored) == 5
    await case.tell(case.accepted())
    await case.reaches(Stage.LEARNING)
