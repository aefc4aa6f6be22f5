"""The published rounds and poverty guidelines as data, and past examples decided by them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.personal import Declaration, Income
from services.eligibility import rules
from services.eligibility.rules import CRITERIA, decide
from tests.services.eligibility.cases import changed, finding, inputs, matter, pack, week

OHIO = pack().pack
ROUNDS = {entry.id: entry for entry in OHIO.rounds}


@pytest.mark.parametrize(
    ("round_id", "appropriation_cents", "per_provider_cap_cents", "gated"),
    [
        ("r1", 2_500_000_00, 250_000_00, True),
        ("r2", None, 250_000_00, True),
        ("r3", 592_215_00, 250_000_00, True),
        ("r4", 6_200_000_00, None, False),
        ("r5", 7_100_000_00, None, False),
        ("r6", 5_000_000_00, 500_000_00, False),
    ],
)
def test_what_is_published_of_each_round(
    round_id: str, appropriation_cents: int | None, per_provider_cap_cents: int | None, gated: bool
) -> None:
    entry = ROUNDS[round_id]
    assert entry.appropriation_cents == appropriation_cents
    assert entry.per_provider_cap_cents == per_provider_cap_cents
    assert bool(entry.person_gate.any_of) is gated
    assert entry.per_credential_cap_cents == 3_000_00
    for name in ("appropriation_cents", "per_provider_cap_cents"):
        assert (getattr(entry, name) is None) is (name in entry.not_published)


def test_rounds_2_5_and_6_close_at_three_in_the_afternoon_in_ohio() -> None:
    closes = {name: ROUNDS[name].provider_window.closes for name in ("r2", "r5", "r6")}
    assert closes == {
        "r2": datetime(2021, 11, 30, 20, 0, tzinfo=UTC),
        "r5": datetime(2024, 8, 30, 19, 0, tzinfo=UTC),
        "r6": datetime(2026, 3, 31, 19, 0, tzinfo=UTC),
    }


LINES = [
    (2024, date(2024, 1, 11), (15_060, 20_440, 25_820, 31_200, 36_580, 41_960, 47_340, 52_720), 5_380),
    (2025, date(2025, 1, 15), (15_650, 21_150, 26_650, 32_150, 37_650, 43_150, 48_650, 54_150), 5_500),
    (2026, date(2026, 1, 13), (15_960, 21_640, 27_320, 33_000, 38_680, 44_360, 50_040, 55_720), 5_680),
]


@pytest.mark.parametrize(("year", "effective", "dollars", "more"), LINES)
def test_the_poverty_line_of_each_year(year: int, effective: date, dollars: tuple[int, ...], more: int) -> None:
    row = next(one for one in OHIO.poverty_guidelines if one.year == year)
    assert row.effective_from == effective
    assert tuple(row.line_cents(size) for size in range(1, 9)) == tuple(100 * line for line in dollars)
    assert row.line_cents(9) == 100 * (dollars[-1] + more)
    assert row.line_cents(12) == 100 * (dollars[-1] + 4 * more)


@pytest.mark.parametrize(("year", "effective", "dollars", "more"), LINES)
@pytest.mark.parametrize("size", [1, 4, 8, 11])
def test_exactly_at_the_line_is_not_low_income(
    year: int, effective: date, dollars: tuple[int, ...], more: int, size: int
) -> None:
    line_cents = 100 * (dollars[min(size, 8) - 1] + max(0, size - 8) * more)
    at = datetime(effective.year, effective.month, effective.day, 17, tzinfo=UTC)
    for cents, result in ((line_cents - 1, "met"), (line_cents, "not_met"), (line_cents + 1, "not_met")):
        told = Declaration(income=Income(tax_year=year - 1, ohio_agi_cents=cents, family_size=size))
        case = matter(inputs(round_id="r1", submitted_at=at, declaration=told))
        assert rules.has_low_income(case).result == result


def test_the_guideline_of_the_day_of_the_application_counts_where_the_program_is() -> None:
    eve = datetime(2026, 1, 13, 4, 59, tzinfo=UTC)
    assert matter(inputs(round_id="r1", submitted_at=eve)).guideline == OHIO.poverty_guidelines[1]
    midnight = eve + timedelta(minutes=1)
    assert matter(inputs(round_id="r1", submitted_at=midnight)).guideline == OHIO.poverty_guidelines[2]


def test_a_program_may_take_the_day_of_the_decision() -> None:
    by_decision = changed(OHIO, program__income_test__guideline_on="decided")
    given = inputs(submitted_at=datetime(2026, 1, 12, 17, tzinfo=UTC), decided_at=datetime(2026, 1, 14, 17, tzinfo=UTC))
    assert matter(given).guideline == OHIO.poverty_guidelines[1]
    assert matter(given, by_decision).guideline == OHIO.poverty_guidelines[2]


def test_the_guideline_of_2027_is_one_more_row_of_data() -> None:
    row = {
        "year": 2027,
        "notice": "92 FR 1000",
        "effective_from": date(2027, 1, 14),
        "by_family_size_cents": [n * 1_000_00 for n in range(17, 25)],
        "each_more_cents": 1_000_00,
    }
    with_2027 = changed(OHIO, poverty_guidelines=[*OHIO.model_dump()["poverty_guidelines"], row])
    told = Declaration(income=Income(tax_year=2026, ohio_agi_cents=16_500_00, family_size=1))
    given = inputs(round_id="r1", submitted_at=datetime(2027, 2, 1, tzinfo=UTC), declaration=told)
    assert rules.has_low_income(matter(given)).result == "not_met"
    assert rules.has_low_income(matter(given, with_2027)).result == "met"


LAID_OFF = {"services_performed": False, "pay_cents": 0, "separation_involuntary": True}
SHORT_TIME = {"pay_cents": 150_00, "separation_involuntary": True}
AT_WORK: dict[str, object] = {}

# Who could be funded in which round, apart from the window and the awards that are not published.
BACKTEST = [
    ("r1", date(2020, 9, 1), "OH", LAID_OFF, "eligible"),
    ("r1", date(2020, 9, 1), "OH", SHORT_TIME, "eligible"),
    ("r1", date(2020, 9, 1), "OH", AT_WORK, "more_information"),
    ("r1", date(2020, 9, 1), "KY", LAID_OFF, "ineligible"),
    ("r2", date(2022, 1, 15), "OH", LAID_OFF, "eligible"),
    ("r2", date(2022, 1, 15), "OH", None, "more_information"),
    ("r2", date(2022, 1, 15), "WV", None, "ineligible"),
    ("r3", date(2022, 8, 1), "OH", SHORT_TIME, "more_information"),
    ("r4", date(2024, 2, 1), "OH", None, "eligible"),
    ("r4", date(2024, 2, 1), "OH", AT_WORK, "eligible"),
    ("r4", date(2024, 2, 1), "IN", LAID_OFF, "ineligible"),
    ("r5", date(2024, 10, 1), "OH", AT_WORK, "eligible"),
    ("r5", date(2024, 10, 1), None, AT_WORK, "more_information"),
    ("r6", date(2026, 6, 1), "OH", None, "eligible"),
    ("r6", date(2026, 6, 1), "MI", None, "ineligible"),
]
UNPUBLISHED = {rules.round_is_accepting, rules.provider_holds_award}


@pytest.mark.parametrize(("round_id", "on", "state", "work", "outcome"), BACKTEST)
def test_past_rounds_decide_as_their_rules_say(
    round_id: str, on: date, state: str | None, work: dict[str, object] | None, outcome: str
) -> None:
    told = Declaration(
        state_of_residence=state, employment=None if work is None else week(on - timedelta(days=3), **work)
    )
    at = datetime(on.year, on.month, on.day, 16, tzinfo=UTC)
    case = matter(inputs(round_id=round_id, submitted_at=at, declaration=told))
    decision = decide(case, [rule for rule in CRITERIA if rule not in UNPUBLISHED])
    assert decision.outcome == outcome


def test_round_3_asks_when_the_course_starts() -> None:
    case = matter(inputs(round_id="r3", submitted_at=datetime(2022, 8, 1, tzinfo=UTC)))
    assert finding(decide(case), "course_run_fits").reason == "course_run_not_told"
