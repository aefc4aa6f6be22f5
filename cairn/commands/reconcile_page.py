"""The page of `cairn reconcile`: as tables for a person, as one object for a program."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from contracts.money import dollars

if TYPE_CHECKING:
    from services.payments.usecases.reconciliation_page import Page

ROWS_MAX = 100
WIDTH_WITHOUT_TERMINAL = 140
STATE_STYLES = {"matched": "green", "explained": "cyan", "open": "bold yellow"}


def show(page: "Page", to: TextIO) -> None:
    """Print the page; in a file it is as wide as a wide terminal."""
    console = Console(file=to, highlight=False, width=None if to.isatty() else WIDTH_WITHOUT_TERMINAL)
    console.print(Group(*_parts(page)))


def _parts(page: "Page") -> list[RenderableType]:
    sections: list[tuple[str, RenderableType, int]] = [
        ("Accounts", _accounts(page), len(page.accounts)),
        ("How the lines of the statements ended", _endings(page), len(page.endings)),
        ("Ages of what is open, in banking days", _aging(page), len(page.lines) + len(page.payments)),
        ("Open lines", _lines(page), len(page.lines)),
        ("Open payments", _payments(page), len(page.payments)),
        ("Statements held", _held(page), len(page.held)),
        ("Lines of ACH and confirmation files that were not applied", _rejected(page), len(page.rejected)),
        ("Decisions that wait for a second person", _waiting(page), len(page.waiting)),
    ]
    parts: list[RenderableType] = [Text(f"Reconciliation, {page.as_of}", style="bold"), _in_transit(page)]
    for title, table, rows in sections:
        if rows:
            parts += [Text(""), Text(title, style="bold"), table]
    return [*parts, Text(""), _verdict(page)]


def _in_transit(page: "Page") -> Panel:
    money = page.in_transit
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column()
    table.add_column(justify="right")
    sign = Text("=", style="green") if money.adds_up else Text("≠", style="bold red")
    table.add_row("", "ledger in transit", dollars(money.ledger_cents))
    table.add_row(sign, "file entries outstanding", dollars(money.entries_cents))
    table.add_row(sign, "expected on a statement", dollars(money.expected_cents))
    told = f"{_count(money.payments, 'payment')} in transit"
    if money.confirmed_payments:
        confirmed = f"{_count(money.confirmed_payments, 'payment')} of {dollars(money.confirmed_cents)}"
        told += f"; {confirmed} settled on the finance system's word, the bank's line still to come"
    return Panel(Group(table, Text(told, style="dim")), expand=False)


def _accounts(page: "Page") -> Table:
    table = _table("account", "bank", "format", "stands at", ">balance")
    for one in page.accounts:
        table.add_row(one.account, one.bank, one.form, str(one.day), dollars(one.closing_cents))
    return table


def _endings(page: "Page") -> Table:
    from services.payments.reconciling import MEANINGS

    table = _table("ending", ">lines", ">amount", "why")
    for one in page.endings:
        state = Text(one.state, style=STATE_STYLES[one.state])
        table.add_row(state, str(one.lines), dollars(one.cents), MEANINGS[one.reason])
    total = sum(one.lines for one in page.endings)
    table.add_section()
    table.add_row("all", str(total), dollars(sum(one.cents for one in page.endings)), "", style="bold")
    return table


def _aging(page: "Page") -> Table:
    table = _table("age", ">lines", ">amount", ">payments", ">amount")
    for one in page.aging:
        empty = not (one.lines or one.payments)
        row = (str(one.lines), dollars(one.lines_cents), str(one.payments), dollars(one.payments_cents))
        table.add_row(one.name, *row, style="dim" if empty else "")
    return table


def _lines(page: "Page") -> Table:
    from services.payments.reconciling import MEANINGS

    table = _table("day", ">amount", ">age", "why it is open, and what to look at")
    for one, days in page.lines[:ROWS_MAX]:
        line = one.line
        why = Text(MEANINGS[one.reason])
        if one.difference_cents:
            why.append(f" ({one.difference_cents / 100:+,.2f})")
        why.append(f"\n{line.line_id}")
        for told in dict.fromkeys((line.reference or line.trace, line.description)):
            if told and told not in one.disbursement_ids:
                why.append(f"\n{told}", style="dim")
        for found in one.disbursement_ids[:3]:
            why.append(f"\n→ {found}", style="cyan")
        for candidate in one.candidates:
            why.append(f"\n? {candidate['id']}", style="cyan").append(f" {_why(candidate)}", style="dim")
        table.add_row(str(line.day), dollars(line.amount_cents), _age(days), why)
    return _cut(table, len(page.lines))


def _why(candidate: dict[str, Any]) -> str:
    reasons = {
        "amount": "the same amount",
        "digits_transposed": "two digits the other way round",
        "batch_total": "the total of a batch",
    }
    return f"{reasons[candidate['reason']]}, {_count(candidate['days'], 'day')} apart"


def _payments(page: "Page") -> Table:
    from services.payments.reconciling import MEANINGS

    table = _table("sent", ">amount", ">age", "why it is open")
    for one in page.payments[:ROWS_MAX]:
        item = one.item
        why = Text(MEANINGS[one.reason]).append(f"\n{item.disbursement_id}")
        table.add_row(str(item.sent_on), dollars(item.amount_cents), _age(one.age_days), why)
    return _cut(table, len(page.payments))


def _held(page: "Page") -> Table:
    table = _table("account", "day", "why it is held")
    for one in page.held:
        why = Text(one.reason.replace("_", " ")).append(f"\n{one.statement_id}")
        why.append(f"\n{one.explanation}", style="dim")
        table.add_row(one.account or "whole file", str(one.day), why)
    return table


def _rejected(page: "Page") -> Table:
    table = _table("file", ">line", ">age", "why, and the alert whose closing ends it")
    for one, days in page.rejected[:ROWS_MAX]:
        why = Text(one.reason.replace("_", " ")).append(f"\n{one.alert_id}")
        why.append(f"\n{one.explanation}", style="dim")
        table.add_row(one.file_name, str(one.line_number), _age(days), why)
    return _cut(table, len(page.rejected))


def _waiting(page: "Page") -> Table:
    table = _table("what", "made by", "decision, and what it is about")
    for one in page.waiting:
        about = Text(one.act_id)
        for told in filter(None, (one.line_id or one.statement_id, one.disbursement_id, one.reason)):
            about.append(f"\n{told}", style="dim")
        table.add_row(one.kind, one.made_by, about)
    return table


def _verdict(page: "Page") -> Text:
    if page.nothing_is_open:
        return Text("Nothing is open.", style="bold green")
    open_ = (
        (len(page.lines), "line"),
        (len(page.payments), "payment"),
        (len(page.held), "held statement"),
        (len(page.waiting), "decision"),
        (len(page.rejected), "rejected line"),
    )
    told = ", ".join(_count(count, what) for count, what in open_ if count)
    if not page.in_transit.adds_up:
        return Text("The three totals differ: " + (told or "nothing else is open") + ".", style="bold red")
    return Text(f"Open: {told}.", style="bold yellow")


def _table(*names: str) -> Table:
    """A table of columns; `>` before a name puts it to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        right = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if right else "left", no_wrap=name != names[-1])
    return table


def _cut(table: Table, count: int) -> Table:
    if count > ROWS_MAX:
        table.add_row("", "", "", Text(f"and {count - ROWS_MAX} more", style="dim"))
    return table


def _age(days: int) -> Text:
    return Text(f"{days} d", style="red" if days > 5 else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def facts_of(page: "Page") -> dict[str, Any]:
    """The page for a program: money in cents, ages in banking days."""
    money = page.in_transit
    return {
        "ok": page.nothing_is_open,
        "as_of": page.as_of,
        "in_transit": {**asdict(money), "adds_up": money.adds_up},
        "accounts": [asdict(one) for one in page.accounts],
        "endings": [asdict(one) for one in page.endings],
        "aging": [asdict(one) for one in page.aging],
        "lines": [
            {
                "line_id": one.line.line_id,
                "account": one.line.account,
                "day": one.line.day,
                "amount_cents": one.line.amount_cents,
                "reference": one.line.reference or one.line.trace,
                "description": one.line.description,
                "reason": one.reason,
                "difference_cents": one.difference_cents,
                "age_days": days,
                "disbursement_ids": list(one.disbursement_ids),
                "candidates": list(one.candidates),
            }
            for one, days in page.lines
        ],
        "payments": [
            {
                "disbursement_id": one.item.disbursement_id,
                "sent_on": one.item.sent_on,
                "amount_cents": one.item.amount_cents,
                "state": one.state,
                "reason": one.reason,
                "age_days": one.age_days,
            }
            for one in page.payments
        ],
        "held": [
            {
                "statement_id": one.statement_id,
                "account": one.account,
                "day": one.day,
                "reason": one.reason,
                "explanation": one.explanation,
                "faults": list(one.faults),
            }
            for one in page.held
        ],
        "waiting": [asdict(one) for one in page.waiting],
        "rejected": [{**asdict(one), "age_days": days} for one, days in page.rejected],
    }
