"""Every update by which a second person agrees, with every pair: the same person never does it twice.

And no update is left out: each place where a workflow asks who acted before has its row.
"""

import ast
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

import workflows
from contracts.fiscal_year import CloseStage
from contracts.journey import UPDATE_DECIDE, Decision, Stage
from contracts.steps.payments import REVIEW_CLAIM, ClaimStatus
from tests.workflows.books_of_year import REPORT, FakeBooks, YearClose, year_workers
from tests.workflows.driver import Case, journey_workers, until_asked
from tests.workflows.fakes import FakeSteps, reviewed
from tests.workflows.test_eligibility_stage import decide

PAIRS = (("anna", "anna"), ("anna", "ben"), ("ben", "anna"))
Walk = Callable[[WorkflowEnvironment, str, str], Awaitable[None]]


@dataclass(frozen=True)
class TwoPeople:
    """One update: `first` agrees, then `second`; where they are one, `guard` refuses as `refusal`."""

    walk: Walk
    guard: str
    refusal: str


async def claim_in_its_case(env: WorkflowEnvironment, first: str, second: str) -> None:
    counted = await _approved_by(env, first, second, barred=[])
    assert counted == [first, second]


async def claim_by_one_who_may_not(env: WorkflowEnvironment, first: str, second: str) -> None:
    """Payments has said that the approval of the first does not count."""
    counted = await _approved_by(env, first, second, barred=[first])
    assert counted == [second]


async def _approved_by(env: WorkflowEnvironment, first: str, second: str, *, barred: list[str]) -> list[str]:
    """Both approve a claim in its case; whose approvals payments hears at last."""
    steps = FakeSteps()
    steps.script(REVIEW_CLAIM, reviewed(ClaimStatus.REFERRED), reviewed(ClaimStatus.REFERRED, barred=barred))
    async with journey_workers(env, steps):
        case = Case(env, steps)
        await case.start()
        await case.to_claim()
        await case.tell(case.claimed())
        for asked, name in enumerate((first, second), start=2):
            await case.reaches(Stage.CLAIM, question="claim_review")
            await case.act(UPDATE_DECIDE, decide("claim_review", Decision.APPROVE, name))
            await until_asked(steps, REVIEW_CLAIM, asked)
        await case.reaches(Stage.REIMBURSEMENT)
    return steps.of(REVIEW_CLAIM)[-1].approved_by


async def list_of_the_year_end(env: WorkflowEnvironment, first: str, second: str) -> None:
    books = FakeBooks()
    async with year_workers(env, books):
        close = YearClose(env)
        await close.start()
        await close.reaches(CloseStage.AWAITING_APPROVAL)
        await close.approve(first)
        await close.approve(second)
        assert await close.result() == REPORT
    [agreed] = [one for one in books.requests if type(one).__name__ == "ApproveYearEnd"]
    assert (agreed.made_by, agreed.checked_by) == (first, second)


PATHS = (
    TwoPeople(claim_in_its_case, "staff.may_decide approved_by", "second_person_needed"),
    TwoPeople(claim_by_one_who_may_not, "staff.may_decide barred", "may_not_approve"),
    TwoPeople(list_of_the_year_end, "fiscal_year.may_approve approved_by", "maker_is_checker"),
)


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=" ".join)
@pytest.mark.parametrize("row", PATHS, ids=lambda row: row.walk.__name__)
async def test_two_people(env: WorkflowEnvironment, row: TwoPeople, first: str, second: str) -> None:
    if first != second:
        await row.walk(env, first, second)
        return
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await row.walk(env, first, second)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == row.refusal


def guards(folder: Path) -> Iterator[str]:
    """Every place that asks whether whoever acts is among those who acted: `module.function list`."""
    for path in sorted(folder.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and _ends(node.left) == "actor":
                    yield f"{path.stem}.{function.name} {_ends(node.comparators[0])}"


def _ends(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ""


def test_every_guard_has_its_row(tmp_path: Path) -> None:
    assert set(guards(Path(workflows.__file__).parent)) == {row.guard for row in PATHS}
    (tmp_path / "new_acts.py").write_text("def may_sign(self, act):\n    return act.actor in self.signed_by\n")
    assert set(guards(tmp_path)) == {"new_acts.may_sign signed_by"}
