"""`cairn case` names the same reasons and answers as the contracts."""

from cairn.commands import cases
from contracts.journey import CloseReason, Decision, HoldReason
from workflows.desk import ACTS


def test_the_help_names_every_reason_and_answer() -> None:
    assert cases.HOLD_REASONS.split(", ") == [each.value for each in HoldReason]
    assert cases.CLOSE_REASONS.split(", ") == [each.value for each in CloseReason]
    assert cases.DECISIONS.split(", ") == [each.value for each in Decision]


def test_there_is_a_command_for_every_act() -> None:
    commands = {each.callback.__name__ for each in cases.case.registered_commands if each.callback is not None}
    assert set(ACTS) <= commands
