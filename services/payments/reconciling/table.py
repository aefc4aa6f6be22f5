"""A reconciliation as text for the person who does it: what is open first, then ages, then what agreed."""

from collections import Counter
from collections.abc import Sequence

from contracts.money import dollars
from services.payments.reconciling.items import MEANINGS, Ending, ItemVerdict, LineVerdict, Reconciliation

ROWS_MAX = 200


def render(result: Reconciliation) -> str:
    """The whole page; at most 200 rows a table, and how many more there are."""
    parts = [f"Reconciliation as of {result.as_of}", ""]
    open_lines = [one for one in result.lines if one.ending is Ending.OPEN]
    open_items = [one for one in result.items if one.ending is Ending.OPEN]
    entries = [finding for finding in result.findings if finding.subject == "entry"]
    if open_lines:
        parts += _titled("Open lines of the statement", _lines(open_lines))
    if open_items:
        parts += _titled("Open payments", _items(open_items))
    if entries:
        rows = [("trace", "amount", "why"), *((f.id, dollars(f.cents), MEANINGS[f.reason]) for f in entries)]
        parts += _titled("Entries of the files that do not fit the ledger", rows)
    back = [one for one in result.items if one.reason in {"returned", "late_return"}]
    if back:
        rows = [("payment", "amount", "what follows")]
        rows += [(one.item.disbursement_id, dollars(one.item.amount_cents), MEANINGS[one.reason]) for one in back]
        parts += _titled("Payments that came back", rows)
    if open_lines or open_items:
        rows = [("age", "lines", "amount", "payments", "amount")]
        rows += [
            (name, str(lines), dollars(cents), str(items), dollars(item_cents))
            for name, (lines, cents, items, item_cents) in result.aging.items()
        ]
        parts += _titled("Ages of what is open", rows)
    parts += _titled("How the lines ended", _summary(result))
    if result.repeated:
        parts += [f"{result.repeated} lines came more than once and count once.", ""]
    parts.append("Something is open." if result.open else "Nothing is open.")
    return "\n".join(parts)


def _lines(verdicts: Sequence[LineVerdict]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("line", "day", "amount", "age", "reference", "why", "difference", "look at")]
    for one in verdicts:
        line = one.line
        look = [*one.disbursement_ids, *(f"{c.id} ({c.days} days)" for c in one.candidates)]
        difference = dollars(one.difference_cents) if one.difference_cents else ""
        row = (line.line_id, str(line.day), dollars(line.amount_cents), f"{one.age_days} d")
        told = look[:2] + [f"and {len(look) - 2} more"] * (len(look) > 2)
        rows.append((*row, line.reference or line.trace, MEANINGS[one.reason], difference, ", ".join(told)))
    return rows


def _items(verdicts: Sequence[ItemVerdict]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("payment", "sent", "amount", "age", "why")]
    for one in verdicts:
        item = one.item
        row = (item.disbursement_id, str(item.sent_on), dollars(item.amount_cents), f"{one.age_days} d")
        rows.append((*row, MEANINGS[one.reason]))
    return rows


def _summary(result: Reconciliation) -> list[tuple[str, ...]]:
    counts = Counter((one.ending, one.reason) for one in result.lines)
    cents: Counter[tuple[Ending, str]] = Counter()
    for one in result.lines:
        cents[one.ending, one.reason] += one.line.amount_cents
    rows: list[tuple[str, ...]] = [("ending", "why", "lines", "amount")]
    rows += [
        (ending, MEANINGS[reason], str(count), dollars(cents[ending, reason]))
        for (ending, reason), count in sorted(counts.items())
    ]
    return rows


def _titled(title: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    shown = rows[: ROWS_MAX + 1]
    widths = [max(len(row[at]) for row in shown) for at in range(len(rows[0]))]
    body = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    more = [f"and {len(rows) - len(shown)} more"] if len(rows) > len(shown) else []
    rule = "  ".join("-" * width for width in widths)
    return [title, body[0], rule, *body[1:], *more, ""]
