"""`cairn up`, `down`, `status`, `logs`: the local stack."""

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.exits import Exit, Fault
from cairn.output import JsonFlag, answer, columns
from cairn.stack.layout import ROOT, Home, default_home

if TYPE_CHECKING:
    from cairn.stack.supervisor import Supervisor

PACK = "oh-imap"
"""The program pack of a local stack that is asked for no other."""


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(logs)


def up(
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once everything is ready; `cairn down` ends it.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget all data of this data folder first.")] = False,
    pack: Annotated[
        list[str] | None,
        typer.Option(help="A program pack of programs/ to load where its program is not there yet (repeatable); none."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", hidden=True)] = False,
    as_json: JsonFlag = False,
) -> None:
    """Start the engines and every process with the program oh-imap, and stay in front of them until Ctrl-C."""
    from cairn.stack import control
    from cairn.stack.local import until_asked

    home, packs = Home(default_home()), _packs(pack)
    if detach:
        with home.held():
            pass
        state = control.start_detached(home, fresh=fresh, packs=packs)
        answer(as_json, state | _addresses(home, state), _text(home, state))
        return
    teller = _Teller(as_json=as_json, quiet=quiet)

    async def run() -> bool:
        from cairn.stack.parent import end_with_parent
        from cairn.stack.supervisor import stop_signals

        with stop_signals() as asked:
            end_with_parent()
            return await until_asked(asked, home, fresh=fresh, packs=packs, on_change=teller.tell)

    if not asyncio.run(run()):
        raise Fault("Stopped before the stack was ready.")
    if not as_json and not quiet:
        print("Stopped.", flush=True)


def _packs(asked: list[str] | None) -> list[str]:
    """The packs to load; a name that is no pack is refused before anything starts."""
    from cairn.stack.control import NO_PACK

    wanted = [name for name in (asked or [PACK]) if name != NO_PACK]
    known = sorted(path.parent.name for path in (ROOT / "programs").glob("*/program.toml"))
    if not set(wanted) <= set(known):
        raise typer.BadParameter(f"the packs are: {', '.join(known)}; {NO_PACK} loads none", param_hint="'--pack'")
    return list(dict.fromkeys(wanted))


class _Teller:
    """Says what changed while the stack starts and runs."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._as_json, self._quiet = as_json, quiet
        self._seen: dict[str, tuple[str, int]] = {}
        self._began = time.monotonic()
        self._told_ready = False

    def tell(self, stack: "Supervisor") -> None:
        if not self._as_json and not self._quiet:
            for unit in stack.units:
                now = (unit.state, unit.restarts)
                if self._seen.get(unit.name) != now:
                    self._seen[unit.name] = now
                    self._line(unit.name, unit.state, unit.reason)
        if stack.status == "ready" and not self._told_ready:
            self._told_ready = True
            if not self._quiet:
                state = stack.describe()
                answer(self._as_json, state | _addresses(stack.home, state), "\n" + _text(stack.home, state))

    def _line(self, name: str, state: str, reason: str) -> None:
        if state in {"ready", "restarting", "failed"}:
            after = f"{time.monotonic() - self._began:6.1f} s"
            print(f"{after}  {name:<14}{state}{f': {reason}' if reason else ''}", flush=True)


def down(as_json: JsonFlag = False) -> None:
    """Stop the local stack; its data stays."""
    from cairn.stack import control

    done = control.stop(Home(default_home()))
    answer(as_json, done, f"Stopped process {done['stopped']}.")


def status(as_json: JsonFlag = False) -> None:
    """What runs, where, and since when; with --json also the environment of its processes."""
    from cairn.stack import control
    from cairn.stack.engines import environment

    home = Home(default_home())
    state = control.running_state(home)
    good = state.get("status") == "ready"
    if as_json:
        facts = state | _addresses(home, state) | {"environment": environment(home, state.get("ports", {}))}
        print(json.dumps({"ok": good, **facts}))
    else:
        print(_text(home, state))
    if not good:
        raise typer.Exit(Exit.FAILED)


def _addresses(home: Home, state: dict[str, Any]) -> dict[str, Any]:
    from cairn.stack.local import addresses

    return {"urls": addresses(home, state["ports"])} if state.get("ports") else {}


def _text(home: Home, state: dict[str, Any]) -> str:
    rows = [("", "state", "process", "ports", "restarts")]
    for name, unit in state.get("units", {}).items():
        ports = ", ".join(map(str, unit["ports"].values()))
        rows.append((name, unit["state"], str(unit["pid"] or "-"), ports, str(unit["restarts"])))
    lines = [f"The local stack on {home.path} is {state.get('status', 'unknown')}.", "", columns(rows), ""]
    lines += [f"{unit['reason']} ({name})" for name, unit in state.get("units", {}).items() if unit["reason"]]
    lines += [f"{name:<12}{url}" for name, url in _addresses(home, state).get("urls", {}).items()]
    return "\n".join(lines)


def logs(
    process: Annotated[str | None, typer.Argument(help="An engine or process; all where it is left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many last lines of each.")] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line instead of text.")] = False,
) -> None:
    """The logs of the engines and processes."""
    from cairn.stack.tail import Tail

    home = Home(default_home())
    known = {path.stem: path for path in sorted(home.logs.glob("*.log"))}
    if process is not None and process not in known:
        raise typer.BadParameter(f"there is no log of {process}; there are: {', '.join(known) or 'none'}")
    chosen = {process: known[process]} if process else known
    tails = [Tail(name, path, lines) for name, path in chosen.items()]

    def show(name: str, line: str) -> None:
        if as_json:
            print(json.dumps({"process": name, "line": line}))
        else:
            print(line if process else f"{name:<14}{line}")

    while True:
        for tail in tails:
            for line in tail.read():
                show(tail.name, line)
        sys.stdout.flush()
        if not follow:
            return
        time.sleep(0.2)
