"""`cairn demo`: bring the stack up, run every scenario, show where each case and each cent ended."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.demo.scenarios import SCENARIOS, Scenario
from cairn.exits import Exit
from cairn.output import JsonFlag
from cairn.stack.layout import ROOT, Home

if TYPE_CHECKING:
    from cairn.stack.supervisor import Supervisor

DEMO_SECONDS_MAX = 600.0


def demo(
    stay: Annotated[
        bool | None,
        typer.Option("--stay/--leave", help="Keep the stack up at the end, until Ctrl-C; by default on a terminal."),
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Data folder; .cairn/demo of the checkout otherwise.")] = None,
    seconds: Annotated[float, typer.Option(min=30, max=3600, help="Longest time for all cases.")] = DEMO_SECONDS_MAX,
    only: Annotated[list[str] | None, typer.Option(help="Run this scenario alone (repeatable).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the whole path on real engines: eighteen cases, and what became of them."""
    chosen = [s for s in SCENARIOS if not only or s.name in only]
    if only and len(chosen) != len(set(only)):
        raise typer.BadParameter(f"scenarios are: {', '.join(s.name for s in SCENARIOS)}")
    stays = sys.stdout.isatty() and not as_json if stay is None else stay
    place = Home((home or ROOT / ".cairn" / "demo").absolute())
    if not asyncio.run(_run(place, chosen, seconds, stays=stays, as_json=as_json)):
        raise typer.Exit(Exit.FAILED)


async def _run(home: Home, scenarios: Sequence[Scenario], seconds: float, *, stays: bool, as_json: bool) -> bool:
    from rich.console import Console
    from rich.live import Live

    from cairn.demo.production import produce
    from cairn.demo.view import live_panel, show_end
    from cairn.stack.parent import end_with_parent
    from cairn.stack.supervisor import stop_signals

    console = Console(stderr=as_json)
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def tell_stack(stack: "Supervisor") -> None:
            ready = sum(unit.state == "ready" for unit in stack.units)
            live.update(f"Starting PostgreSQL, Kafka, Temporal and Cairn: {ready} ready")

        def tell_cases(cases: list[dict[str, Any]], status: str) -> None:
            live.update(live_panel(cases, status, console.width))

        with stop_signals() as asked:
            end_with_parent()
            async with produce(home, scenarios, seconds, on_stack=tell_stack, on_cases=tell_cases, asked=asked) as end:
                live.stop()
                show_end(console, end, end.pop("looks"))
                if as_json:
                    print(json.dumps(end), flush=True)
                if stays and not asked.is_set():
                    console.print("\nThe stack stays up until Ctrl-C.", style="bold")
                    await asked.wait()
    return end["ok"]
