"""Each criterion met, not met and unknown."""

from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.events.eligibility import Eligibility
from contracts.ids import ApplicationId
from contracts.personal import Declaration, Income, OtherFunding
from services.eligibility import rules
from services.eligibility.domain import Commitment
from tests.services.eligibility.cases import (
    OHIO,
    POOR,
    RICH,
    SUBMITTED,
    changed,
    decided,
    finding,
    inputs,
    low_income_inputs,
    matter,
    pack,
    week,
)

OHIO_PACK = pack().pack
APPLIED_ON = SUBMITTED.date()


def test_a_plain_request_in_round_6_is_eligible_and_every_criterion_is_on_record() -> None:
    decision = decided()
    assert decision.outcome is Eligibility.ELIGIBLE
    assert [one.criterion for one in decision.findings] == [rule.__name__ for rule in rules.CRITERIA]
    assert {one.result for one in decision.findings} == {"met", "not_applicable"}
    assert decision.missing == []
    assert decision.plan.award_cents == 2_100_00
    assert set(decision.rule_versions) == {rule.__name__ for rule in rules.CRITERIA}


@pytest.mark.parametrize(
    ("told", "result", "reason", "missing"),
    [
        ("OH", "met", "state_resident", ()),
        ("PA", "not_met", "not_an_ohio_resident", ()),
        (None, "unknown", "residence_not_told", ("state_of_residence",)),
    ],
)
def test_is_state_resident(told: str | None, result: str, reason: str, missing: tuple[str, ...]) -> None:
    judged = rules.is_state_resident(matter(inputs(declaration=Declaration(state_of_residence=told))))
    assert (judged.result, judged.reason, judged.missing) == (result, reason, missing)


def test_two_documents_that_name_different_states_leave_the_residence_unknown() -> None:
    evidence = [OHIO, Declaration(state_of_residence="PA")]
    judged = rules.is_state_resident(matter(inputs(evidence=evidence)))
    assert (judged.result, judged.reason) == ("unknown", "documents_disagree")


@pytest.mark.parametrize(
    ("round_id", "at", "reason"),
    [
        ("r6", datetime(2026, 5, 1, 4, 0, tzinfo=UTC), "round_open"),
        ("r6", datetime(2026, 5, 1, 3, 59, 59, tzinfo=UTC), "round_not_open_yet"),
        ("r6", datetime(2030, 1, 1, tzinfo=UTC), "round_open"),
        ("r5", datetime(2024, 10, 1, tzinfo=UTC), "round_takes_no_people"),
        ("r9", SUBMITTED, "round_unknown"),
    ],
)
def test_round_is_accepting(round_id: str, at: datetime, reason: str) -> None:
    judged = rules.round_is_accepting(matter(inputs(round_id=round_id, submitted_at=at)))
    assert judged.reason == reason
    assert judged.result == ("met" if reason == "round_open" else "not_met")


def test_a_round_closes_at_the_very_moment_it_names() -> None:
    closes = datetime(2026, 6, 30, 19, 0, tzinfo=UTC)
    closing = changed(OHIO_PACK, rounds__5__people_window={"opens": SUBMITTED, "closes": closes})
    before = rules.round_is_accepting(matter(inputs(submitted_at=closes - timedelta(microseconds=1)), closing))
    at = rules.round_is_accepting(matter(inputs(submitted_at=closes), closing))
    assert (before.reason, at.reason) == ("round_open", "round_closed")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "provider_awarded"),
        ({"provider_id": "nobody"}, "provider_unknown"),
        ({"round_id": "r5"}, "provider_without_award"),
        ({"credential_id": "csu-smart-operations"}, "no_seats_for_credential"),
    ],
)
def test_provider_holds_award(given: dict[str, str], reason: str) -> None:
    judged = rules.provider_holds_award(matter(inputs(**given)))
    assert judged.reason == reason
    assert judged.result == ("met" if reason == "provider_awarded" else "not_met")


CODING = next(n for n, one in enumerate(OHIO_PACK.credentials) if one.id == "lorain-coding")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("title", "Coding", "credential_approved"),
        ("offered_by", ["cleveland-state"], "credential_not_offered"),
        ("approval", None, "credential_not_approved"),
        ("approval", {"by": "dean", "reference": "memo"}, "credential_not_approved"),
        ("days", 365, "credential_approved"),
        ("days", 366, "credential_too_long"),
        ("clock_hours", 899, "credential_approved"),
        ("clock_hours", 900, "credential_too_many_hours"),
        ("credit_hours", 29, "credential_approved"),
        ("credit_hours", 30, "credential_too_many_hours"),
    ],
)
def test_credential_is_funded(field: str, value: object, reason: str) -> None:
    judged = rules.credential_is_funded(matter(of=changed(OHIO_PACK, **{f"credentials__{CODING}__{field}": value})))
    assert judged.reason == reason
    assert judged.result == ("met" if reason == "credential_approved" else "not_met")


def test_hours_bind_only_technology_focused_credentials_and_an_unknown_credential_is_not_funded() -> None:
    raw = OHIO_PACK.credentials[CODING].model_dump() | {"technology_focused": False, "clock_hours": 2000}
    long = changed(OHIO_PACK, **{f"credentials__{CODING}": raw})
    assert rules.credential_is_funded(matter(of=long)).result == "met"
    assert rules.credential_is_funded(matter(inputs(credential_id="juggling"))).reason == "credential_unknown"


@pytest.mark.parametrize(
    ("given", "result", "reason"),
    [
        ({}, "not_applicable", "no_course_run_named"),
        ({"course_run_id": "lorain-coding-2027"}, "met", "course_run_fits"),
        ({"course_run_id": "nothing"}, "not_met", "course_run_unknown"),
        ({"course_run_id": "lorain-soldering-2027"}, "not_met", "course_run_of_another"),
        (
            {"course_run_id": "lorain-coding-2027", "submitted_at": datetime(2028, 1, 1, tzinfo=UTC)},
            "not_met",
            "course_run_over",
        ),
        ({"round_id": "r3"}, "unknown", "course_run_not_told"),
        ({"round_id": "r3", "course_run_id": "lorain-coding-2027"}, "not_met", "course_starts_too_late"),
    ],
)
def test_course_run_fits(given: dict[str, object], result: str, reason: str) -> None:
    judged = rules.course_run_fits(matter(inputs(**given)))
    assert (judged.result, judged.reason) == (result, reason)


@pytest.mark.parametrize(
    ("income", "result", "reason"),
    [
        (None, "unknown", "income_not_told"),
        (Income(tax_year=2025, ohio_agi_cents=15_959_99, family_size=1), "met", "income_below_line"),
        (Income(tax_year=2025, ohio_agi_cents=15_960_00, family_size=1), "not_met", "income_not_below_line"),
        (Income(tax_year=2025, ohio_agi_cents=15_960_01, family_size=1), "not_met", "income_not_below_line"),
        (Income(tax_year=2025, ohio_agi_cents=-5_000_00, family_size=1), "met", "income_below_line"),
        (Income(tax_year=2025, ohio_agi_cents=55_719_99, family_size=8), "met", "income_below_line"),
        (Income(tax_year=2025, ohio_agi_cents=67_080_00, family_size=10), "not_met", "income_not_below_line"),
        (Income(tax_year=2025, ohio_agi_cents=67_079_99, family_size=10), "met", "income_below_line"),
        (Income(tax_year=2023, ohio_agi_cents=1, family_size=1), "unknown", "income_of_another_year"),
        (Income(tax_year=2027, ohio_agi_cents=1, family_size=1), "unknown", "income_of_another_year"),
    ],
)
def test_has_low_income_only_strictly_below_the_line(income: Income | None, result: str, reason: str) -> None:
    given = low_income_inputs(Declaration(state_of_residence="OH", income=income))
    judged = rules.has_low_income(matter(given, name="oh-imap-brisk"))
    assert (judged.result, judged.reason) == (result, reason)


def test_without_a_guideline_in_effect_income_says_nothing() -> None:
    at = datetime(2020, 8, 1, tzinfo=UTC)
    told = Declaration(income=Income(tax_year=2019, ohio_agi_cents=1, family_size=1))
    judged = rules.has_low_income(matter(inputs(round_id="r1", submitted_at=at, declaration=told)))
    assert (judged.result, judged.reason) == ("unknown", "no_guideline_in_effect")


@pytest.mark.parametrize(
    ("change", "total", "partial"),
    [
        ({}, "not_met", "not_met"),
        ({"services_performed": False, "pay_cents": 0}, "met", "not_met"),
        ({"services_performed": False, "pay_cents": 1}, "not_met", "not_met"),
        ({"pay_cents": 0}, "not_met", "not_met"),
        ({"separation_involuntary": True, "pay_cents": 399_99}, "not_met", "met"),
        ({"separation_involuntary": True, "pay_cents": 400_00}, "not_met", "not_met"),
        ({"separation_involuntary": True, "weekly_benefit_amount_cents": None}, "not_met", "unknown"),
        ({"separation_involuntary": None, "pay_cents": 399_99}, "not_met", "unknown"),
        ({"separation_involuntary": None, "pay_cents": 400_00}, "not_met", "not_met"),
        ({"week_ending": APPLIED_ON - timedelta(weeks=8)}, "not_met", "not_met"),
        ({"week_ending": APPLIED_ON - timedelta(weeks=8, days=1)}, "unknown", "unknown"),
        ({"week_ending": APPLIED_ON + timedelta(days=7)}, "unknown", "unknown"),
    ],
)
def test_unemployment_by_the_week(change: dict[str, object], total: str, partial: str) -> None:
    given = low_income_inputs(Declaration(employment=week(APPLIED_ON).model_copy(update=change)))
    case = matter(given, name="oh-imap-brisk")
    assert rules.is_totally_unemployed(case).result == total
    assert rules.is_partially_unemployed(case).result == partial


AT_WORK = week(APPLIED_ON)
LAID_OFF = week(APPLIED_ON, services_performed=False, pay_cents=0, separation_involuntary=True)


@pytest.mark.parametrize(
    ("told", "result", "missing"),
    [
        (Declaration(income=POOR), "met", ()),
        (Declaration(employment=LAID_OFF), "met", ()),
        (Declaration(income=RICH, employment=LAID_OFF), "met", ()),
        (Declaration(income=RICH, employment=AT_WORK), "not_met", ()),
        (Declaration(income=RICH), "unknown", ("employment",)),
        (Declaration(employment=AT_WORK), "unknown", ("income",)),
        (Declaration(), "unknown", ("income", "employment")),
    ],
)
def test_person_passes_gate_by_any_one_way(told: Declaration, result: str, missing: tuple[str, ...]) -> None:
    judged = rules.person_passes_gate(matter(low_income_inputs(told), name="oh-imap-brisk"))
    assert (judged.result, judged.missing) == (result, missing)


def test_a_round_without_a_gate_is_open_to_every_resident() -> None:
    assert rules.person_passes_gate(matter()).reason == "open_to_residents"
    assert rules.person_passes_gate(matter(inputs(round_id="r9"))).result == "not_applicable"


def _earlier(round_id: str = "r6", credential_id: str = "lorain-soldering", cents: int = 1_500_00) -> Commitment:
    return Commitment(
        application_id=ApplicationId.derive(credential_id),
        round_id=round_id,
        credential_id=credential_id,
        award_cents=cents,
    )


@pytest.mark.parametrize(
    ("limits", "earlier", "reason"),
    [
        ({}, [_earlier()], "no_person_limit"),
        ({"count": 2}, [_earlier()], "within_person_limits"),
        ({"count": 1}, [_earlier()], "over_person_count"),
        ({"count": 1}, [_earlier(round_id="r5")], "within_person_limits"),
        ({"cents": 3_600_00}, [_earlier()], "within_person_limits"),
        ({"cents": 3_599_99}, [_earlier()], "over_person_amount"),
    ],
)
def test_is_within_person_limits(limits: dict[str, int], earlier: list[Commitment], reason: str) -> None:
    limited = changed(OHIO_PACK, rounds__5__per_person=limits)
    judged = rules.is_within_person_limits(matter(inputs(commitments=earlier), limited))
    assert judged.reason == reason


def test_credential_is_not_funded_twice() -> None:
    other = rules.credential_is_not_funded_twice(matter(inputs(commitments=[_earlier()])))
    same = rules.credential_is_not_funded_twice(matter(inputs(commitments=[_earlier("r5", "lorain-coding")])))
    assert (other.result, same.reason) == ("met", "credential_already_funded")


def _funding(**cents: int) -> list[OtherFunding]:
    return [OtherFunding(cost_kind=kind, source="Pell grant", amount_cents=amount) for kind, amount in cents.items()]


@pytest.mark.parametrize(
    ("funding", "result", "award_cents"),
    [
        (None, "met", 2_100_00),
        ([], "met", 2_100_00),
        (_funding(tuition=950_00), "met", 1_150_00),
        (_funding(tuition=9_999_00), "met", 150_00),
        (_funding(books=500_00), "met", 2_100_00),
        (_funding(tuition=1_950_00, exam_fee=150_00), "not_met", 0),
    ],
)
def test_other_money_pays_first_line_by_line(funding: list[OtherFunding] | None, result: str, award_cents: int) -> None:
    decision = decided(inputs(declaration=Declaration(state_of_residence="OH", other_funding=funding)))
    assert finding(decision, "cost_remains_to_fund").result == result
    assert decision.plan.award_cents == award_cents


def test_a_program_may_ask_for_a_statement_of_other_money_and_may_forbid_some() -> None:
    asking = changed(OHIO_PACK, program__stacking__statement_required=True)
    assert decided(of=asking).missing == ["other_funding"]
    forbidding = changed(OHIO_PACK, program__stacking__forbidden=["twin_program"])
    told = Declaration(other_funding=[OtherFunding(cost_kind="tuition", source="twin_program", amount_cents=1)])
    judged = rules.cost_remains_to_fund(matter(inputs(declaration=told), forbidding))
    assert judged.reason == "other_funding_excludes"


def test_the_award_is_capped_per_credential() -> None:
    capped = changed(OHIO_PACK, rounds__5__per_credential_cap_cents=1_000_00)
    assert decided(of=capped).plan.award_cents == 1_000_00


def test_every_reason_is_told_at_once_and_nothing_more_is_asked() -> None:
    decision = decided(
        inputs(
            round_id="r5",
            provider_id="baldwin-wallace",
            credential_id="juggling",
            declaration=Declaration(state_of_residence="PA"),
        )
    )
    assert decision.outcome is Eligibility.INELIGIBLE
    refused = {one.criterion: one.reason for one in decision.findings if one.result == "not_met"}
    assert refused == {
        "is_state_resident": "not_an_ohio_resident",
        "round_is_accepting": "round_takes_no_people",
        "provider_holds_award": "provider_without_award",
        "credential_is_funded": "credential_unknown",
    }
    assert decision.missing == []
    assert (decision.plan.award_cents, decision.plan.cost_lines) == (0, [])
    assert decision.plan.deadlines.appeal == timedelta(days=30)


def test_unknown_income_under_a_gate_asks_for_it_and_evidence_completes_it() -> None:
    at_work = Declaration(state_of_residence="OH", employment=AT_WORK)
    asked = decided(low_income_inputs(at_work), name="oh-imap-brisk")
    assert (asked.outcome, asked.missing) == (Eligibility.MORE_INFORMATION, ["income"])
    answered = decided(low_income_inputs(at_work, evidence=[Declaration(income=POOR)]), name="oh-imap-brisk")
    assert answered.outcome is Eligibility.ELIGIBLE


def test_the_week_of_a_late_document_may_lie_after_the_application() -> None:
    later = SUBMITTED + timedelta(days=30)
    paper = Declaration(employment=week(date(2026, 6, 27), services_performed=False, pay_cents=0))
    given = low_income_inputs(decided_at=later, evidence=[paper])
    assert decided(given, name="oh-imap-brisk").outcome is Eligibility.ELIGIBLE
