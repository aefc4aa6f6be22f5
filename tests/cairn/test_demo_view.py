"""What the demo shows fits its terminal without cutting an amount."""

import io

import pytest
from rich.console import Console

from cairn.demo.scenarios import SCENARIOS
from cairn.demo.view import cases_table, live_panel, money_table, paid_for_line
from contracts.journey import Outcome
from contracts.money import dollars

LONGEST = max(Outcome, key=len)
CASES = [
    {
        "title": scenario.title,
        "stage": "closed",
        "outcome": LONGEST if number % 2 else "reimbursed",
        "ok": number % 3 > 0,
        "paid_cents": 300_000 - number,
        "awarded_cents": 0,
        "reasons": [],
    }
    for number, scenario in enumerate(SCENARIOS)
]


def shown(width: int, what: object) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(what)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_amounts_and_marks_are_whole_on_every_terminal(width: int) -> None:
    lines = shown(width, live_panel(CASES, "running", width))
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if "$" in line]
    assert len(rows) == len(CASES)
    for row, case in zip(rows, CASES, strict=True):
        assert dollars(case["paid_cents"]) in row
        assert row.rstrip("│ ").endswith("✓" if case["ok"] else "✗")


def test_a_wide_terminal_shows_every_title_and_outcome_whole() -> None:
    text = "\n".join(shown(120, cases_table(CASES, 120)))
    for case in CASES:
        assert case["title"][:35] in text
    assert LONGEST.replace("_", " ") in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_money_is_whole(width: int) -> None:
    money = {"available": 2_647_346_500, "disbursed": 2_175_000}
    text = "\n".join(shown(width, money_table(money, sum(money.values()))))
    for cents in (*money.values(), sum(money.values())):
        assert dollars(cents) in text


def test_what_was_paid_is_told_by_cost_line():
    paid_for = {"tuition": 220_000, "exam_fee": 0, "books": 12_500}
    assert paid_for_line(paid_for) == "paid for: tuition $2,200.00, books $125.00"
    assert paid_for_line({"tuition": 0}) == "paid for: nothing"
