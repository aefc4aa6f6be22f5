"""What holds for every case, whatever was told."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events.eligibility import Eligibility
from contracts.personal import Declaration, Employment, Income, OtherFunding
from services.eligibility.domain import Inputs
from services.eligibility.evidence import weigh
from tests.services.eligibility.cases import SUBMITTED, decided, inputs, low_income_inputs, pack

DAY = SUBMITTED.date()

incomes = st.builds(
    Income,
    tax_year=st.integers(2022, 2027),
    ohio_agi_cents=st.integers(-1_000_00, 80_000_00),
    family_size=st.integers(1, 12),
)
weeks = st.builds(
    Employment,
    week_ending=st.dates(DAY - timedelta(days=90), DAY + timedelta(days=10)),
    services_performed=st.booleans(),
    pay_cents=st.sampled_from([0, 1, 399_99, 400_00, 900_00]),
    separation_involuntary=st.none() | st.booleans(),
    weekly_benefit_amount_cents=st.none() | st.just(400_00),
)
fundings = st.builds(
    OtherFunding,
    cost_kind=st.sampled_from(["tuition", "exam_fee", "books"]),
    source=st.sampled_from(["Pell grant", "employer"]),
    amount_cents=st.integers(0, 3_000_00),
)
declarations = st.builds(
    Declaration,
    state_of_residence=st.none() | st.sampled_from(["OH", "PA"]),
    income=st.none() | incomes,
    employment=st.none() | weeks,
    other_funding=st.none() | st.lists(fundings, max_size=4),
)
requests = st.builds(
    lambda told, papers, credential, provider: low_income_inputs(
        told, evidence=papers, credential_id=credential, provider_id=provider
    ),
    declarations,
    st.lists(declarations, max_size=4),
    st.sampled_from(["lorain-coding", "lorain-soldering", "csu-smart-operations", "juggling"]),
    st.sampled_from(["lorain-ccc", "cleveland-state", "nobody"]),
)


def _with_fault(case: Inputs, fault: str) -> Inputs:
    elsewhere = case.declaration.model_copy(update={"state_of_residence": "PA"})
    changes: dict[str, dict[str, object]] = {
        "state": {"declaration": elsewhere, "evidence": [elsewhere]},
        "provider": {"provider_id": "nobody"},
        "credential": {"credential_id": "juggling"},
        "course_run": {"course_run_id": "nothing"},
        "round": {"round_id": "r9"},
    }
    return case.model_copy(update=changes[fault])


@given(requests, st.sampled_from(["state", "provider", "credential", "course_run", "round"]))
@settings(max_examples=300)
def test_one_more_fault_never_makes_a_case_eligible(case: Inputs, fault: str) -> None:
    worse = decided(_with_fault(case, fault), name="oh-imap-brisk")
    assert worse.outcome is Eligibility.INELIGIBLE


@given(requests, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_the_order_of_documents_makes_no_difference(case: Inputs, order: random.Random) -> None:
    shuffled = list(case.evidence)
    order.shuffle(shuffled)
    first = decided(case, name="oh-imap-brisk")
    again = decided(case.model_copy(update={"evidence": shuffled}), name="oh-imap-brisk")
    assert first == again


@given(requests)
@settings(max_examples=300)
def test_the_outcome_follows_from_the_findings(case: Inputs) -> None:
    decision = decided(case, name="oh-imap-brisk")
    results = [one.result for one in decision.findings]
    if decision.outcome is Eligibility.INELIGIBLE:
        assert "not_met" in results
    elif decision.outcome is Eligibility.MORE_INFORMATION:
        assert "unknown" in results
        assert "not_met" not in results
        assert decision.missing
    else:
        assert set(results) <= {"met", "not_applicable"}
    assert bool(decision.missing) is (decision.outcome is Eligibility.MORE_INFORMATION)
    assert (decision.plan.award_cents > 0) is (decision.outcome is Eligibility.ELIGIBLE)


@given(st.lists(fundings, max_size=16))
@settings(max_examples=200)
def test_award_and_other_money_never_exceed_the_price(told: list[OtherFunding]) -> None:
    plan = decided(inputs(declaration=Declaration(state_of_residence="OH", other_funding=told))).plan
    for line in plan.cost_lines:
        assert 0 <= line.funded_elsewhere_cents <= line.price_cents
    price = next(one.price_cents for one in pack().pack.credentials if one.id == "lorain-coding")
    assert plan.award_cents + sum(line.funded_elsewhere_cents for line in plan.cost_lines) in (0, price)


@given(incomes, st.integers(1, 5_000_00))
def test_more_income_never_helps(income: Income, more: int) -> None:
    richer = income.model_copy(update={"ohio_agi_cents": income.ohio_agi_cents + more})
    outcomes = [
        decided(low_income_inputs(Declaration(state_of_residence="OH", income=one)), name="oh-imap-brisk").outcome
        for one in (income, richer)
    ]
    assert outcomes != [Eligibility.MORE_INFORMATION, Eligibility.ELIGIBLE]


@given(declarations, st.lists(declarations, max_size=5))
def test_documents_say_nothing_about_what_they_leave_out(told: Declaration, papers: list[Declaration]) -> None:
    counted = weigh(told, papers).declaration
    if not any(paper.income for paper in papers):
        assert counted.income == told.income
    if not any(paper.employment for paper in papers):
        assert counted.employment == told.employment
    assert weigh(told, []).declaration == told
