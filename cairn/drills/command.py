"""`cairn drill list | NAME`: try a promise out on throw-away engines; with --plant, on a build that breaks it."""

import json
import secrets
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cairn.exits import Exit
from cairn.output import JsonFlag, columns

if TYPE_CHECKING:
    from cairn.drills.drill import Outcome

LIST = "list"
SEED_MAX = 2**32


def drill(
    name: Annotated[str, typer.Argument(help="A drill's name, or `list`.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat a run; a new seed is made up and shown.")] = None,
    plant: Annotated[str | None, typer.Option(help="Break this guard of the build first: the drill must fail.")] = None,
    scale: Annotated[float, typer.Option(min=0.001, max=10, help="Share of the promised size.")] = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """Try a promise out on throw-away engines on loopback; exit code 0 only where every check holds."""
    if name == LIST:
        _list(as_json)
        return
    import structlog

    from cairn.drills.drill import run_drill
    from cairn.drills.registry import drill_of, fault_of
    from cairn.stack.parent import run_until_ended

    chosen = drill_of(name)
    fault = fault_of(plant, name) if plant else None
    used = secrets.randbelow(SEED_MAX) if seed is None else seed
    # What the services log is not the drill's answer.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    outcome = run_until_ended(run_drill(chosen, seed=used, fault=fault, scale=scale))
    if as_json:
        print(json.dumps(_described(outcome)), flush=True)
    else:
        print(_report(outcome, chosen.promise, fault.says if fault else ""), flush=True)
    if not outcome.ok:
        raise typer.Exit(Exit.FAILED)


def _list(as_json: bool) -> None:
    from cairn.drills.registry import drills, faults

    planted = sorted(faults().values(), key=lambda fault: (fault.drill, fault.name))
    if as_json:
        facts = {
            "ok": True,
            "drills": [{"name": one.name, "promise": one.promise} for one in drills().values()],
            "faults": [{"name": one.name, "drill": one.drill, "says": one.says} for one in planted],
        }
        print(json.dumps(facts), flush=True)
        return
    print(columns([(one.name, one.promise) for one in drills().values()]))
    print(f"\n{len(planted)} planted faults (--plant), each with the drill that must notice it:")
    print(columns([(one.drill, one.name, one.says) for one in planted]), flush=True)


def _described(outcome: "Outcome") -> dict[str, object]:
    return {"ok": outcome.ok, **asdict(outcome)}


def _report(outcome: "Outcome", promise: str, broken: str) -> str:
    rows = [("", "check", "expected", "seen")]
    rows += [("ok" if one.ok else "FAILED", one.name, one.expected, one.seen) for one in outcome.checks]
    lines = [f"{outcome.drill}: {promise}"]
    if broken:
        lines.append(f"planted {outcome.planted}: {broken}")
    lines += [columns(rows), f"{len(outcome.failed)} of {len(outcome.checks)} checks failed"]
    return "\n".join(lines) + f", {outcome.seconds:.1f} s, seed {outcome.seed}."
