"""Programs of other states are packs, not code."""

import pytest

from contracts.events.eligibility import Eligibility
from contracts.personal import Declaration
from services.eligibility.instalments import HoursUnknown, Instalment, owed_on_failure, schedule
from tests.services.eligibility.cases import decided, inputs, pack


def _request(state: str) -> dict[str, object]:
    return {
        "round_id": "open",
        "provider_id": "north-college",
        "credential_id": "welding",
        "declaration": Declaration(state_of_residence=state),
    }


@pytest.mark.parametrize(
    ("name", "state", "refusal"),
    [("va-wcg", "VA", "not_a_virginia_resident"), ("in-hours", "IN", "not_an_indiana_resident")],
)
def test_the_same_rules_decide_for_another_state(name: str, state: str, refusal: str) -> None:
    assert decided(inputs(**_request(state)), name=name).outcome is Eligibility.ELIGIBLE
    refused = decided(inputs(**_request("OH")), name=name)
    assert refused.outcome is Eligibility.INELIGIBLE
    assert [one.reason for one in refused.findings if one.result == "not_met"] == [refusal]


def test_thirds_from_student_and_program_each_with_its_cap() -> None:
    program = pack("va-wcg").pack.program
    assert schedule(program, price_cents=3_600_00) == [
        Instalment("enrollment_accepted", "participant", "provider", 1_200_00),
        Instalment("completed", "program", "provider", 1_200_00),
        Instalment("credential_earned", "program", "provider", 1_200_00),
    ]
    assert [one.cents for one in schedule(program, price_cents=9_000_00)] == [1_500_00] * 3
    assert [one.cents for one in schedule(program, price_cents=1_000_00)] == [333_33, 333_33, 333_34]


def test_a_dropout_owes_the_second_third_and_in_ohio_nothing() -> None:
    owed = owed_on_failure(pack("va-wcg").pack.program, price_cents=3_600_00)
    assert owed == Instalment("completed", "participant", "provider", 1_200_00)
    assert owed_on_failure(pack().pack.program, price_cents=3_000_00) is None


@pytest.mark.parametrize(
    ("hours", "cents"), [(1, 250_00), (50, 250_00), (51, 500_00), (100, 500_00), (101, 750_00), (5000, 750_00)]
)
def test_a_price_by_hours(hours: int, cents: int) -> None:
    due = schedule(pack("in-hours").pack.program, price_cents=700_00, hours=hours)
    assert [one.cents for one in due] == [cents]


def test_a_price_by_hours_needs_the_hours() -> None:
    with pytest.raises(HoursUnknown):
        schedule(pack("in-hours").pack.program, price_cents=700_00)


def test_ohio_pays_the_provider_once_when_the_credential_is_earned() -> None:
    due = schedule(pack().pack.program, price_cents=3_400_00)
    assert due == [Instalment("credential_earned", "program", "provider", 3_000_00)]
