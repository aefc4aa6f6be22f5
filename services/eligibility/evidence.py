"""What the person told: the declaration, and the evidence that stands before it."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.personal import Declaration, Employment, Income, OtherFunding

OTHER_FUNDING_MAX = 16


@dataclass(frozen=True, slots=True)
class Told:
    """What counts of all that was told; `disputed` names what two documents say differently."""

    declaration: Declaration
    disputed: frozenset[str] = frozenset()


def weigh(declaration: Declaration, evidence: Sequence[Declaration]) -> Told:
    """Evidence stands before what was declared. The order in which documents came makes no difference.

    Of several incomes the latest tax year counts, of several weeks the latest; where two documents about the same year
    or week differ, the less favorable one. Two states of residence dispute each other: then none is told.
    """
    states = {document.state_of_residence for document in evidence if document.state_of_residence}
    incomes = [document.income for document in evidence if document.income]
    weeks = [document.employment for document in evidence if document.employment]
    fundings = [document.other_funding for document in evidence if document.other_funding is not None]
    disputed = frozenset({"state_of_residence"}) if len(states) > 1 else frozenset[str]()
    state = declaration.state_of_residence
    if states:
        state = None if disputed else states.pop()
    told = Declaration(
        state_of_residence=state,
        income=max(incomes, key=_against_low_income) if incomes else declaration.income,
        employment=max(weeks, key=_against_unemployment) if weeks else declaration.employment,
        other_funding=_each_source_once(fundings) if fundings else declaration.other_funding,
    )
    return Told(told, disputed)


def _against_low_income(income: Income) -> tuple[int, int, int]:
    return (income.tax_year, income.ohio_agi_cents, -income.family_size)


def _against_unemployment(week: Employment) -> tuple[int, bool, int, int, int]:
    return (
        week.week_ending.toordinal(),
        week.services_performed,
        week.pay_cents,
        {False: 2, None: 1, True: 0}[week.separation_involuntary],
        1 if week.weekly_benefit_amount_cents is None else -week.weekly_benefit_amount_cents,
    )


def _each_source_once(fundings: Sequence[Sequence[OtherFunding]]) -> list[OtherFunding]:
    """Each source once per cost line, at the most that any document says."""
    most: dict[tuple[str, str], OtherFunding] = {}
    for funding in (one for some in fundings for one in some):
        key = (funding.cost_kind, funding.source)
        if key not in most or most[key].amount_cents < funding.amount_cents:
            most[key] = funding
    return sorted(most.values(), key=lambda one: (-one.amount_cents, one.cost_kind, one.source))[:OTHER_FUNDING_MAX]
