"""`cairn case` names the same reasons and answers as the contracts."""

from pathlib import Path

import pytest

from cairn.commands import cases
from cairn.exits import Exit
from contracts.journey import CloseReason, Decision, HoldReason
from tests.cairn.commands.calling import cairn
from workflows.desk import ACTS


def test_the_help_names_every_reason_and_answer() -> None:
    assert cases.HOLD_REASONS.split(", ") == [each.value for each in HoldReason]
    assert cases.CLOSE_REASONS.split(", ") == [each.value for each in CloseReason]
    assert cases.DECISIONS.split(", ") == [each.value for each in Decision]


def test_there_is_a_command_for_every_act() -> None:
    commands = {each.callback.__name__ for each in cases.case.registered_commands if each.callback is not None}
    assert set(ACTS) <= commands


@pytest.mark.parametrize("arguments", [["late"], ["redeliver", "019a0000-0000-7000-8000-000000000000"]])
def test_late_facts_take_json_and_say_what_is_missing(tmp_path: Path, arguments: list[str]) -> None:
    called = cairn(tmp_path, "case", *arguments, "--json")
    assert called.code == Exit.NOT_RUNNING
    assert called.facts["ok"] is False
