"""Recorded histories replay: a change to the journey that would break a running case fails here."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.workflows.scenarios import SCENARIOS
from workflows.fiscal_year import FiscalYearClose
from workflows.journey import FundingJourney
from workflows.sandbox import journey_runner

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def replayer() -> Replayer:
    return Replayer(
        workflows=[FundingJourney, FiscalYearClose],
        workflow_runner=journey_runner(),
        data_converter=pydantic_data_converter,
    )


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_case_replays(path: Path) -> None:
    await replayer().replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))


def test_every_scenario_is_recorded() -> None:
    assert {scenario.__name__ for scenario in SCENARIOS} <= {path.stem for path in HISTORIES}
    assert len(HISTORIES) >= 8


async def test_a_journey_that_goes_another_way_does_not_replay() -> None:
    path = next(path for path in HISTORIES if path.stem == "sixteen_weeks_with_a_retake")
    other = path.read_text().replace("payments.encumber_funds.v1", "payments.encumber_funds.v2")
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json(path.stem, other))


def test_no_history_names_the_machine_it_was_recorded_on() -> None:
    for path in HISTORIES:
        assert '"identity":"recorded"' in path.read_text()
        assert "@" not in path.read_text()
