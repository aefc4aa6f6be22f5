"""What the demo shows: each case moving through its stages, then where every cent is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from contracts.journey import Stage
from contracts.money import dollars

PATH = (
    Stage.ELIGIBILITY,
    Stage.AWARD,
    Stage.ENROLLMENT,
    Stage.LEARNING,
    Stage.EXAM,
    Stage.CREDENTIAL,
    Stage.CLAIM,
    Stage.REIMBURSEMENT,
    Stage.CLOSED,
)
BESIDE = {Stage.INFORMATION: Stage.ELIGIBILITY, Stage.APPEAL: Stage.ELIGIBILITY, Stage.WAITING_LIST: Stage.AWARD}
TITLE_CHARS_MIN, TITLE_CHARS_MAX = 8, 36
GAPS_AND_MARK = 4 + 3 * 2 + 1
"""The frame, three gaps between four columns, and the mark at the end."""
MONEY_STAGES = ("available", "held", "encumbered", "payable", "in_transit", "disbursed", "lapsed")


def path_of(stage: str, outcome: str | None) -> Text:
    """`━━━●──────` with the stage's name; a closed case shows its outcome."""
    if stage not in set(Stage):
        return Text("·" * len(PATH) + " applying", style="dim")
    here = PATH.index(BESIDE.get(Stage(stage), Stage(stage)))
    text = Text("━" * here, style="green").append("●", style="bold").append("─" * (len(PATH) - 1 - here), style="dim")
    return text.append(f" {(outcome or stage).replace('_', ' ')}")


def cases_table(cases: Sequence[dict[str, Any]], width: int) -> Table:
    """One row a case: title, path, the money paid (or awarded, dimmed), and whether it ended as it had to.

    Where `width` columns are too few, titles and stages are shortened, never an amount: `$2,325.…` reads like another.
    """
    moneys = [_money_of(case) for case in cases]
    paths = [path_of(case["stage"], case["outcome"]) for case in cases]
    room = width - GAPS_AND_MARK - max([len("money"), *map(len, moneys)])
    path_max = min(max([len("path"), *map(len, paths)]), max(len(PATH), room - TITLE_CHARS_MIN))
    title_max = min(TITLE_CHARS_MAX, max(TITLE_CHARS_MIN, room - path_max))
    table = Table(box=None, pad_edge=False, expand=False)
    table.add_column("case", no_wrap=True)
    table.add_column("path", no_wrap=True)
    table.add_column("money", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for case, path, money in zip(cases, paths, moneys, strict=True):
        title = Text(case["title"])
        title.truncate(title_max, overflow="ellipsis")
        path.truncate(path_max, overflow="ellipsis")
        table.add_row(title, path, money, _mark_of(case))
    return table


def _money_of(case: dict[str, Any]) -> Text:
    if case["paid_cents"]:
        return Text(dollars(case["paid_cents"]))
    return Text(dollars(case["awarded_cents"]) if case["awarded_cents"] else "", style="dim")


def _mark_of(case: dict[str, Any]) -> Text:
    if case["outcome"] is None:
        return Text("…", style="dim")
    return Text("✓", style="green") if case["ok"] else Text("✗", style="red")


def money_table(money: dict[str, int], appropriation_cents: int) -> Table:
    """Where each cent is; the stages add up to the appropriation."""
    table = Table(title="Where the money is", title_justify="left", box=None, pad_edge=False)
    table.add_column("stage")
    table.add_column("amount", justify="right", no_wrap=True)
    for stage in MONEY_STAGES:
        table.add_row(stage.replace("_", " "), dollars(money.get(stage, 0)))
    total = sum(money.values())
    table.add_section()
    verdict = "= appropriation" if total == appropriation_cents else f"≠ appropriation {dollars(appropriation_cents)}"
    table.add_row("total", f"{dollars(total)}", style="bold")
    table.caption = verdict
    table.caption_justify = "left"
    return table


def paid_for_line(paid_for: Mapping[str, int]) -> str:
    """What was paid, by the line of the cost that it was for."""
    told = (f"{line.replace('_', ' ')} {dollars(cents)}" for line, cents in paid_for.items() if cents)
    return f"paid for: {', '.join(told) or 'nothing'}"


def bank_table(found: dict[str, Any]) -> Table:
    """What the bank and the finance system did, what became of it, and whether the sums agree."""
    table = Table(title="The bank and the books", title_justify="left", box=None, pad_edge=False)
    table.add_column("what happened")
    table.add_column("", justify="right")
    table.add_column("what became of it")
    for story in found["stories"]:
        if story["times"]:
            table.add_row(story["happened"], f"{story['times']} ×", story["became"])
    open_ = found["lines_open"] + found["payments_open"] + found["statements_held"]
    sums = [dollars(found[name]) for name in ("bank_cents", "statements_cents", "ledger_cents")]
    agree = len(set(sums)) == 1
    told = f"left the bank {sums[0]} = on its statements {sums[1]} = disbursed in the ledger {sums[2]}"
    told = told if agree else told.replace("=", "|") + "  ≠"
    table.caption = f"{told}\n{found['lines']} lines, {open_ or 'nothing'} open"
    table.caption_justify = "left"
    return table


def redemption_line(found: dict[str, Any]) -> str:
    """What the exam vendor's report came to, and what the lots cost and became."""
    cost = sum(lot["cost_cents"] for lot in found["lots"])
    codes = sum(lot["codes"] for lot in found["lots"])
    used = sum(lot["states"].get("delivered", 0) for lot in found["lots"])
    return (
        f"The exam vendor's report: {found['lines']} lines, {found['applied']} applied, {found['repeated']} repeated,"
        f" {found['unknown_code']} unknown and {found['contradiction']} contradictory for a person."
        f" {used} of {codes} codes used, {dollars(cost)} in all."
    )


def live_panel(cases: Sequence[dict[str, Any]], status: str, width: int) -> Panel:
    """The live view."""
    closed = sum(case["outcome"] is not None for case in cases)
    return Panel(
        cases_table(cases, width), title="Cairn", subtitle=f"{status} · {closed} of {len(cases)} closed", expand=False
    )


def show_end(console: Console, result: dict[str, Any], looks: Sequence[str]) -> None:
    """The last screen: cases, money, refusals with reasons, and five things to look at."""
    console.print(Panel(cases_table(result["cases"], console.width), title="Cairn", expand=False))
    for case in result["cases"]:
        if case["reasons"]:
            console.print(f"  {case['title']}: " + ", ".join(case["reasons"]), style="dim", highlight=False)
    console.print()
    console.print(money_table(result["money"], result["appropriation_cents"]))
    console.print(paid_for_line(result["paid_for"]))
    console.print()
    if "reconciliation" in result:
        console.print(bank_table(result["reconciliation"]))
        console.print()
    console.print(redemption_line(result["exam_vouchers"]))
    console.print()
    lines = [Text(f"  {number}. {look}") for number, look in enumerate(looks, 1)]
    # An address broken over two lines could not be clicked.
    console.print(Text("\n").join([Text("Five things to look at", style="bold"), *lines]), soft_wrap=True)
    if not result["ok"]:
        console.print("\nNot every case ended as its scenario says.", style="bold red")
