"""How commands answer: one JSON object with `--json`, lines for people otherwise; faults on standard error."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def answer(as_json: bool, facts: Mapping[str, Any], text: str) -> None:
    """Print the outcome of a command that succeeded."""
    print(json.dumps({"ok": True, **facts}, default=str) if as_json else text, flush=True)


def complain(as_json: bool, code: str, message: str) -> None:
    """Print why a command failed: as JSON on standard output, as text on standard error."""
    if as_json:
        print(json.dumps({"ok": False, "code": code, "message": message}), flush=True)
    else:
        print(f"cairn: {message}", file=sys.stderr, flush=True)


def columns(rows: list[tuple[str, ...]]) -> str:
    """Rows of text in aligned columns."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))] if rows else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
