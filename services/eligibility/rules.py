"""The rules of a determination: one named pure function per criterion. All run; none stops the others."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar

from contracts.events.eligibility import Eligibility, Finding
from contracts.program import GateWay
from services.eligibility.domain import (
    Decided,
    Judged,
    Matter,
    Result,
    met,
    not_applicable,
    not_met,
    plan_for,
    unknown,
)

C = TypeVar("C", bound=Callable[[Matter], Judged])


class Criterion(Protocol):
    """A rule: its function's name is the criterion's code in findings, receipts and citations."""

    __name__: str

    def __call__(self, matter: Matter, /) -> Judged: ...


def is_state_resident(matter: Matter) -> Judged:
    """The person lives in the program's state."""
    program = matter.pack.program
    told = matter.told.declaration.state_of_residence
    if "state_of_residence" in matter.told.disputed:
        return unknown("documents_disagree", "The documents name different states of residence.", "state_of_residence")
    if told is None:
        return unknown("residence_not_told", "The state of residence was not told.", "state_of_residence")
    if told == program.residency.state:
        return met("state_resident", f"The person is a resident of {program.residency.state}.")
    return not_met(program.residency.refusal, f"The program serves residents of {program.residency.state} only.")


def round_is_accepting(matter: Matter) -> Judged:
    """The application came in while the round takes applications of people."""
    if matter.round is None:
        return not_met("round_unknown", "The program has no such round.")
    opens, closes = matter.round.people_window.opens, matter.round.people_window.closes
    at = matter.inputs.submitted_at
    if opens is None:
        return not_met("round_takes_no_people", "No window in which people may apply is published for this round.")
    if at < opens:
        return not_met("round_not_open_yet", f"The round takes applications from {matter.local_day(opens)} on.")
    if closes is not None and at >= closes:
        return not_met("round_closed", f"The round took applications until {matter.local_day(closes)}.")
    return met("round_open", "The round was taking applications.")


def provider_holds_award(matter: Matter) -> Judged:
    """The provider was awarded seats for this credential in this round."""
    if matter.provider is None:
        return not_met("provider_unknown", "The program has no such training provider.")
    if matter.award is None:
        return not_met("provider_without_award", "The training provider holds no award in this round.")
    if matter.award.seats.get(matter.inputs.credential_id, 0) == 0:
        return not_met("no_seats_for_credential", "The provider's award has no seats for this credential.")
    return met("provider_awarded", "The training provider was awarded seats for this credential in this round.")


def credential_is_funded(matter: Matter) -> Judged:
    """The credential is approved, offered by the provider and short enough."""
    credential, gate = matter.credential, matter.pack.program.credential_gate
    if credential is None:
        return not_met("credential_unknown", "The program funds no such credential.")
    if matter.inputs.provider_id not in credential.offered_by:
        return not_met("credential_not_offered", "The training provider does not offer this credential.")
    if gate.approver and (credential.approval is None or credential.approval.by != gate.approver):
        return not_met("credential_not_approved", f"The credential is not approved by the {gate.approver}.")
    if credential.days > gate.days_max:
        return not_met("credential_too_long", f"The credential takes more than {gate.days_max} days.")
    clock = gate.clock_hours_below and (credential.clock_hours or 0) >= gate.clock_hours_below
    credit = gate.credit_hours_below and (credential.credit_hours or 0) >= gate.credit_hours_below
    if credential.technology_focused and (clock or credit):
        return not_met("credential_too_many_hours", "A technology-focused credential has fewer hours than this one.")
    return met("credential_approved", "The credential is approved and within the program's limits of time.")


def course_run_fits(matter: Matter) -> Judged:
    """The course run belongs to provider and credential, and begins in time."""
    starts_by = matter.round.starts_by if matter.round else None
    if matter.inputs.course_run_id is None:
        if starts_by is None:
            return not_applicable("no_course_run_named", "No course run was named, and the round needs none.")
        return unknown("course_run_not_told", "This round funds only courses that start in time.", "course_run")
    run = matter.course_run
    if run is None:
        return not_met("course_run_unknown", "The program has no such course run.")
    if (run.provider_id, run.credential_id) != (matter.inputs.provider_id, matter.inputs.credential_id):
        return not_met("course_run_of_another", "The course run belongs to another provider or credential.")
    if run.ends_on < matter.local_day(matter.inputs.submitted_at):
        return not_met("course_run_over", "The course run ended before the application.")
    if starts_by is not None and run.starts_on > starts_by:
        return not_met("course_starts_too_late", f"The round funds courses that start by {starts_by}.")
    return met("course_run_fits", "The course run belongs to this credential and begins in time.")


def has_low_income(matter: Matter) -> Judged:
    """Income strictly below the line: at exactly the line the person is not of low income."""
    income, test, guideline = matter.told.declaration.income, matter.pack.program.income_test, matter.guideline
    if income is None:
        return unknown("income_not_told", "Income and family size were not told.", "income")
    if guideline is None:
        return unknown("no_guideline_in_effect", "No poverty guideline is in effect.", "poverty_guideline")
    years_back = matter.local_day(matter.inputs.submitted_at).year - income.tax_year
    if not 0 <= years_back <= test.tax_years_back_max:
        return unknown("income_of_another_year", "The income told is of a tax year that does not count.", "income")
    limit_cents = guideline.line_cents(income.family_size) * test.percent_of_line
    if income.ohio_agi_cents * 100 < limit_cents:
        return met("income_below_line", f"Income is below {test.percent_of_line} % of the line ({guideline.notice}).")
    return not_met(
        "income_not_below_line", f"Income is not below {test.percent_of_line} % of the line ({guideline.notice})."
    )


def _week_counts(matter: Matter) -> Judged | None:
    """Why the week told about cannot be judged; None when it can."""
    week = matter.told.declaration.employment
    if week is None:
        return unknown("employment_not_told", "Nothing was told about a week of work.", "employment")
    applied = matter.local_day(matter.inputs.submitted_at)
    decided = matter.local_day(matter.inputs.decided_at)
    oldest = applied - timedelta(weeks=matter.pack.program.work_test.weeks_back_max)
    if not oldest <= week.week_ending <= max(applied, decided) + timedelta(days=6):
        return unknown("week_does_not_count", "The week told about is too old, or has not begun.", "employment")
    return None


def is_totally_unemployed(matter: Matter) -> Judged:
    """A week with no services and no pay (ORC 4141.01)."""
    week = matter.told.declaration.employment
    if (doubt := _week_counts(matter)) is not None or week is None:
        return doubt or unknown("employment_not_told", "Nothing was told about a week of work.", "employment")
    if not week.services_performed and week.pay_cents == 0:
        return met("totally_unemployed", "The person did no work and had no pay in the week.")
    return not_met("worked_or_paid", "The person worked or was paid in the week.")


def is_partially_unemployed(matter: Matter) -> Judged:
    """An involuntary loss of work, and pay for the week below the weekly benefit amount (ORC 4141.01)."""
    week = matter.told.declaration.employment
    if (doubt := _week_counts(matter)) is not None or week is None:
        return doubt or unknown("employment_not_told", "Nothing was told about a week of work.", "employment")
    if week.separation_involuntary is False:
        return not_met("loss_of_work_voluntary", "The loss of work was not involuntary.")
    benefit = week.weekly_benefit_amount_cents
    if benefit is not None and week.pay_cents >= benefit:
        return not_met("pay_not_below_benefit", "Pay for the week was not below the weekly benefit amount.")
    if week.separation_involuntary is None or benefit is None:
        return unknown("loss_of_work_not_told", "Cause of the loss or benefit amount was not told.", "employment")
    return met("partially_unemployed", "Work was lost involuntarily and pay was below the weekly benefit amount.")


WAYS: dict[GateWay, Callable[[Matter], Judged]] = {
    GateWay.LOW_INCOME: has_low_income,
    GateWay.TOTALLY_UNEMPLOYED: is_totally_unemployed,
    GateWay.PARTIALLY_UNEMPLOYED: is_partially_unemployed,
}


def person_passes_gate(matter: Matter) -> Judged:
    """The person passes one of the round's ways; where one is unknown and none is met, more must be told."""
    if matter.round is None:
        return not_applicable("round_unknown", "Without a round there is no gate.")
    ways = matter.round.person_gate.any_of
    if not ways:
        return met("open_to_residents", "The round is open to every resident.")
    answers = [WAYS[way](matter) for way in ways]
    for answer in answers:
        if answer.result == Result.MET:
            return answer
    unsure = [answer for answer in answers if answer.result == Result.UNKNOWN]
    if unsure:
        missing = tuple(dict.fromkeys(code for answer in unsure for code in answer.missing))
        return unknown(unsure[0].reason, " ".join(dict.fromkeys(answer.text for answer in unsure)), *missing)
    return not_met("gate_not_passed", " ".join(answer.text for answer in answers))


def is_within_person_limits(matter: Matter) -> Judged:
    """With this case the person stays within what one person may get in the round."""
    if matter.round is None or matter.round.per_person.cents is matter.round.per_person.count is None:
        return not_applicable("no_person_limit", "The round sets no limit for one person.")
    limits = matter.round.per_person
    mine = [one for one in matter.inputs.commitments if one.round_id == matter.inputs.round_id]
    if limits.count is not None and len(mine) + 1 > limits.count:
        return not_met("over_person_count", f"The round funds at most {limits.count} credentials for one person.")
    cents = sum(one.award_cents for one in mine) + matter.award_cents()
    if limits.cents is not None and cents > limits.cents:
        return not_met("over_person_amount", "The award would go beyond what one person may get in the round.")
    return met("within_person_limits", "The award stays within what one person may get in the round.")


def credential_is_not_funded_twice(matter: Matter) -> Judged:
    """The program funds a credential once for one person."""
    if any(one.credential_id == matter.inputs.credential_id for one in matter.inputs.commitments):
        return not_met("credential_already_funded", "The program already funds this credential for this person.")
    return met("credential_not_funded_yet", "The program does not fund this credential for this person yet.")


def cost_remains_to_fund(matter: Matter) -> Judged:
    """Other money pays first, cost line by cost line; something must remain."""
    if matter.credential is None:
        return not_applicable("credential_unknown", "Without a credential there is no cost.")
    stacking, told = matter.pack.program.stacking, matter.told.declaration.other_funding
    if told is None and stacking.statement_required:
        return unknown("other_funding_not_told", "Whether other money pays was not told.", "other_funding")
    if any(funding.source in stacking.forbidden for funding in told or []):
        return not_met("other_funding_excludes", "Other money that was told may not be combined with this program.")
    if all(line.funded_elsewhere_cents == line.price_cents for line in matter.cost_lines()):
        return not_met("funded_elsewhere", "Other money already pays the whole cost.")
    return met("cost_remains", "A part of the cost is paid by no other money.")


CRITERIA: tuple[Criterion, ...] = (
    is_state_resident,
    round_is_accepting,
    provider_holds_award,
    credential_is_funded,
    course_run_fits,
    person_passes_gate,
    is_within_person_limits,
    credential_is_not_funded_twice,
    cost_remains_to_fund,
)

# A rule that comes to answer differently gets the next number, so that a receipt says which one judged.
RULE_VERSIONS: dict[str, int] = {criterion.__name__: 1 for criterion in CRITERIA}


def _outcome(results: set[str]) -> Eligibility:
    if Result.NOT_MET in results:
        return Eligibility.INELIGIBLE
    return Eligibility.MORE_INFORMATION if Result.UNKNOWN in results else Eligibility.ELIGIBLE


def _priority_group(matter: Matter) -> int | None:
    """Which of the program's priority groups the person belongs to: the first whose way through the gate is met."""
    groups = matter.pack.program.waiting_list.priority_groups
    return next((place for place, way in enumerate(groups) if WAYS[way](matter).result == Result.MET), None)


def decide(matter: Matter, criteria: Sequence[Criterion] = CRITERIA) -> Decided:
    """Judge every criterion. One not met makes the case ineligible, else one unknown asks for more information.

    An appeal that staff upheld makes the case eligible whatever the findings, as long as there is a cost to fund.
    """
    judged = [(criterion.__name__, criterion(matter)) for criterion in criteria]
    outcome = _outcome({one.result for _, one in judged})
    if matter.inputs.appeal_upheld_by is not None and matter.award_cents() > 0:
        outcome = Eligibility.ELIGIBLE
    asks = outcome is Eligibility.MORE_INFORMATION
    citations = matter.pack.program.citations
    return Decided(
        outcome=outcome,
        findings=[
            Finding(criterion=name, result=one.result, reason=one.reason, text=one.text, citation=citations[name])
            for name, one in judged
        ],
        missing=list(dict.fromkeys(code for _, one in judged for code in one.missing)) if asks else [],
        plan=plan_for(matter, eligible=outcome is Eligibility.ELIGIBLE, priority_group=_priority_group(matter)),
        effective_on=matter.effective_on,
        rule_versions={name: RULE_VERSIONS[name] for name, _ in judged},
    )
