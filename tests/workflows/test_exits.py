"""Every exit of the journey is taken by a test: a reason that no test names was never seen to end a case."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

from contracts.journey import Outcome, Stage
from contracts.steps.applications import CLOSE_CASE
from contracts.steps.payments import (
    ENCUMBER_FUNDS,
    HOLD_FUNDS,
    RELEASE_FUNDS,
    REVIEW_CLAIM,
    ClaimStatus,
    EncumbranceStatus,
    FundsEncumberedResult,
    FundsHeld,
    HoldStatus,
)
from tests.workflows.driver import PATIENCE_SECONDS, Case
from tests.workflows.fakes import FakeSteps, reviewed
from tests.workflows.test_failing_steps import refused
from workflows.deadlines import STEP_ROUNDS_MAX
from workflows.journey import HOLDS_MAX
from workflows.reimbursement import CLAIMS_MAX

ROOT = Path(__file__).parents[2]
NO_HOLD = FundsEncumberedResult(status=EncumbranceStatus.NO_HOLD)


def texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def reasons_in_code() -> set[str]:
    """Every reason that is written out in a `CaseEnds(outcome, reason, …)`."""
    found: set[str] = set()
    for path in (ROOT / "workflows").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "CaseEnds":
                found |= {text for argument in node.args[1:] for text in texts(argument)}
    return found


def reasons_asserted() -> set[str]:
    """What stands in an `assert` of the tests."""
    found: set[str] = set()
    for path in (ROOT / "tests" / "workflows").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assert):
                found |= set(texts(node))
    return found


def test_every_reason_to_end_a_case_is_asserted_by_a_test() -> None:
    reasons = reasons_in_code()
    assert len(reasons) > 15
    assert reasons - reasons_asserted() == set()


async def test_a_hold_that_expires_again_and_again_ends_the_case(case: Case, steps: FakeSteps) -> None:
    steps.script(ENCUMBER_FUNDS, *[NO_HOLD] * HOLDS_MAX)
    await case.start()
    await case.reaches(Stage.ENROLLMENT)
    await case.tell(case.accepted())
    assert await case.outcome() is Outcome.NO_FUNDS
    assert steps.of(CLOSE_CASE)[0].reasons == ["hold_expired"]
    assert [each.hold_number for each in steps.of(HOLD_FUNDS)] == list(range(1, HOLDS_MAX + 1))
    assert len(steps.of(RELEASE_FUNDS)) == 1


async def test_claim_after_claim_with_defects_ends_the_case(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, *[reviewed(ClaimStatus.RETURNED)] * CLAIMS_MAX)
    await case.start()
    await case.to_claim()
    for number in range(1, CLAIMS_MAX):
        await case.tell(case.claimed(number))
        await case.reaches(Stage.CLAIM, noted=f"claim {case.claimed(number).claim_id}: returned")
    await case.tell(case.claimed(CLAIMS_MAX))
    assert await case.outcome() is Outcome.CLAIM_LAPSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["too_many_claims"]
    assert len({each.claim_id for each in steps.of(REVIEW_CLAIM)}) == CLAIMS_MAX


async def test_a_claim_that_nobody_reviews_for_two_years_ends_the_case(case: Case, steps: FakeSteps) -> None:
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.REFERRED))
    await case.start()
    await case.to_claim()
    await case.tell(case.claimed())
    assert await case.outcome() is Outcome.CLAIM_REFUSED
    assert steps.of(CLOSE_CASE)[0].reasons == ["never_reviewed"]
    assert len(steps.of(REVIEW_CLAIM)) == 1


async def test_a_step_that_nobody_mends_in_two_years_ends_the_case(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, *[refused()] * STEP_ROUNDS_MAX)
    await case.start()
    # A hundred rounds of a question each: more than an ordinary test's patience.
    assert await asyncio.wait_for(case.handle.result(), 6 * PATIENCE_SECONDS) is Outcome.CLOSED_BY_STAFF
    assert steps.of(CLOSE_CASE)[0].reasons == ["step_refused"]
    assert len(steps.of(HOLD_FUNDS)) == STEP_ROUNDS_MAX


async def test_a_limit_without_a_name_ends_the_case(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, FundsHeld(status=HoldStatus.REFUSED))
    await case.start()
    assert await case.outcome() is Outcome.NO_FUNDS
    assert steps.of(CLOSE_CASE)[0].reasons == ["refused"]


async def test_a_place_on_the_waiting_list_without_a_reason_runs_out(case: Case, steps: FakeSteps) -> None:
    steps.script(HOLD_FUNDS, *[FundsHeld(status=HoldStatus.WAITING)] * 2)
    await case.start()
    assert await case.outcome() is Outcome.NO_FUNDS
    assert steps.of(CLOSE_CASE)[0].reasons == ["waiting_list_expired"]
