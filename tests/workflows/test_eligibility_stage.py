"""Stage 1: determination, more information, appeal."""

from datetime import timedelta

from contracts.events.eligibility import Eligibility
from contracts.journey import UPDATE_DECIDE, Decision, Outcome, StaffDecide, Stage
from contracts.steps.applications import CLOSE_CASE
from contracts.steps.eligibility import DETERMINE
from contracts.steps.payments import RELEASE_FUNDS
from tests.workflows.driver import Case
from tests.workflows.fakes import FakeSteps, determined
from workflows.journey import DETERMINATIONS_MAX

MORE = determined(Eligibility.MORE_INFORMATION, missing=["income_proof"])
NO = determined(Eligibility.INELIGIBLE)


def decide(question: str, decision: Decision, actor: str = "m.ortiz") -> StaffDecide:
    return StaffDecide(actor=actor, question=question, decision=decision, reason="looked_at", note="Looked at it.")


async def test_the_person_sends_what_is_missing_and_is_eligible(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, MORE)
    await case.start()
    view = await case.reaches(Stage.INFORMATION)
    assert view.due_at is not None
    await case.passes(timedelta(days=13))
    await case.tell(case.document())
    await case.reaches(Stage.ENROLLMENT)

    first, second = steps.of(DETERMINE)
    assert (first.determination_number, first.pack_version, first.sealed_evidence) == (1, None, [])
    assert second.determination_number == 2
    assert second.pack_version == "0123456789abcdef"
    assert second.sealed_evidence == ["evidenceevidence1"]


async def test_nothing_came_in_time_and_the_case_closes_as_incomplete(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, MORE)
    await case.start()
    assert await case.outcome() is Outcome.INCOMPLETE
    assert steps.of(CLOSE_CASE)[0].reasons == ["income_proof"]
    assert steps.of(CLOSE_CASE)[0].stage == Stage.INFORMATION
    assert steps.of(RELEASE_FUNDS) == []


async def test_documents_that_settle_nothing_end_after_a_bound(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, *[MORE] * DETERMINATIONS_MAX)
    await case.start()
    for number in range(1, DETERMINATIONS_MAX + 1):
        await case.reaches(Stage.INFORMATION, noted=f"determination {number}: more_information")
        await case.tell(case.document(number))
    assert await case.outcome() is Outcome.INCOMPLETE
    assert steps.of(CLOSE_CASE)[0].reasons == ["too_many_determinations"]
    assert len(steps.of(DETERMINE)) == DETERMINATIONS_MAX


async def test_ineligible_stays_in_appeal_until_the_window_closes(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, NO)
    await case.start()
    view = await case.reaches(Stage.APPEAL, question="appeal")
    assert view.due_at is not None
    await case.passes(timedelta(days=29))
    assert (await case.view()).stage is Stage.APPEAL
    assert await case.outcome() is Outcome.INELIGIBLE
    assert steps.of(CLOSE_CASE)[0].reasons == ["not_an_ohio_resident"]


async def test_an_upheld_appeal_is_determined_with_the_name_of_who_upheld_it(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, NO)
    await case.start()
    await case.reaches(Stage.APPEAL, question="appeal")
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.APPROVE))
    await case.reaches(Stage.ENROLLMENT)
    assert steps.of(DETERMINE)[1].appeal_upheld_by == "m.ortiz"
    assert steps.of(DETERMINE)[1].determination_number == 2


async def test_an_upheld_appeal_without_a_cost_to_fund_stays_ineligible(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, NO, NO, NO)
    await case.start()
    await case.reaches(Stage.APPEAL, question="appeal")
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.APPROVE))
    await case.reaches(Stage.APPEAL, question="appeal", noted="determination 2: ineligible")
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.RETRY))
    await case.reaches(Stage.APPEAL, question="appeal", noted="determination 3: ineligible")
    assert [each.appeal_upheld_by for each in steps.of(DETERMINE)] == [None, "m.ortiz", None]
    assert await case.outcome() is Outcome.INELIGIBLE


async def test_staff_may_have_it_determined_again(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, NO, NO)
    await case.start()
    await case.reaches(Stage.APPEAL, question="appeal")
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.RETRY))
    await case.reaches(Stage.APPEAL, noted="determination 2: ineligible")
    assert steps.of(DETERMINE)[1].appeal_upheld_by is None
    assert await case.outcome() is Outcome.INELIGIBLE


async def test_evidence_in_the_appeal_window_calls_staff(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, NO)
    await case.start()
    await case.reaches(Stage.APPEAL, question="appeal")
    await case.tell(case.document())
    await case.reaches(Stage.APPEAL, noted="document received")
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.RETRY))
    await case.reaches(Stage.ENROLLMENT)
    assert steps.of(DETERMINE)[1].sealed_evidence == ["evidenceevidence1"]


async def test_staff_refuse_an_appeal_and_the_case_closes_at_once(case: Case, steps: FakeSteps) -> None:
    steps.script(DETERMINE, NO)
    await case.start()
    await case.reaches(Stage.APPEAL, question="appeal")
    await case.act(UPDATE_DECIDE, decide("appeal", Decision.REFUSE))
    assert await case.outcome() is Outcome.INELIGIBLE
