"""Another process's stack, seen from a command: what it says of itself, how it is started and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cairn.stack.child import started_at
from cairn.stack.engines import environment
from cairn.stack.faults import NotRunning, UnitFailed
from cairn.stack.layout import ROOT, Home

NO_PACK = "none"
"""What stands for no program pack on the command line."""
START_SECONDS_MAX = 420.0
STOP_SECONDS_MAX = 90.0
POLL_SECONDS = 0.1


def running_state(home: Home) -> dict[str, Any]:
    """The state of the stack that runs on `home`; `NotRunning` where none does."""
    if not home.in_use():
        raise NotRunning(home.path)
    return home.read_state()


def adopt(home: Home) -> None:
    """Take the addresses of the running stack into this process's environment, unless it has its own already."""
    if "CAIRN_SECRETS_DIR" in os.environ:
        return
    state = running_state(home)
    for name, value in environment(home, state["ports"]).items():
        os.environ.setdefault(name, value)


def start_detached(home: Home, *, fresh: bool, packs: Sequence[str]) -> dict[str, Any]:
    """Start a stack that outlives this command; its state once it is ready."""
    argv = [sys.executable, "-m", "cairn", "up", "--quiet", *(["--fresh"] if fresh else [])]
    argv += [argument for name in packs or (NO_PACK,) for argument in ("--pack", name)]
    home.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = home.path / "supervisor.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=ROOT,
            env={**os.environ, "CAIRN_HOME": str(home.path), "CAIRN_DETACHED": "1"},
        )
    give_up = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < give_up:
        state = home.read_state()
        if state.get("pid") == child.pid and state.get("status") in {"ready", "recovering"}:
            return state
        if child.poll() is not None:
            raise StartFailed(log.read_text(errors="replace").strip(), child.returncode)
        time.sleep(POLL_SECONDS)
    stop(home)
    raise UnitFailed("the stack", f"was not ready within {START_SECONDS_MAX:.0f} s", log, "")


class StartFailed(UnitFailed):
    """The detached stack ended while starting; its own words say why, its own exit code is passed on."""

    def __init__(self, words: str, code: int) -> None:
        Exception.__init__(self, words or f"the stack ended with code {code} while starting")
        self.exit_code = code if code > 0 else 1  # type: ignore[assignment]


def stop(home: Home, *, seconds_max: float = STOP_SECONDS_MAX) -> dict[str, Any]:
    """Stop the stack that runs on `home` and return when it is gone."""
    state = running_state(home)
    pid, began = int(state["pid"]), started_at(int(state["pid"]))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + seconds_max
    while home.in_use() or (began is not None and started_at(pid) == began):
        if time.monotonic() > give_up:
            # Its children are tied to it by the kernel: they go with it.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            give_up = float("inf")
        time.sleep(POLL_SECONDS)
    return {"stopped": pid, "home": str(home.path)}
