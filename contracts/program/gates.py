"""The ways through a round's person gate, which rounds, rules and the waiting list name."""

from enum import StrEnum


class GateWay(StrEnum):
    """One way through a person gate."""

    LOW_INCOME = "low_income"
    TOTALLY_UNEMPLOYED = "totally_unemployed"
    PARTIALLY_UNEMPLOYED = "partially_unemployed"
