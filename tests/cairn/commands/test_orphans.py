"""A command that started engines ends with whoever called it, however that one died, and leaves no process behind."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cairn.stack.layout import ROOT, Home

SECONDS_MAX = 90.0


def wait_for(what: str, check: object) -> object:
    give_up = time.monotonic() + SECONDS_MAX
    while not (found := check()):  # type: ignore[operator]
        assert time.monotonic() < give_up, f"{what} within {SECONDS_MAX:.0f} s"
        time.sleep(0.05)
    return found


def engines_below(shell: int) -> list[psutil.Process]:
    """Everything that the shell's command started, once an engine is among it."""
    below = psutil.Process(shell).children(recursive=True)
    names: list[str] = []
    for each in below:
        try:
            names.append(each.name())
        except psutil.NoSuchProcess:
            continue
    return below if "postgres" in names else []


@pytest.mark.parametrize(
    "command",
    ["up", "demo --leave --json --home {home}", "bench vouchers --no-write", "drill overspend --seed 1"],
    ids=lambda command: command.split()[0],
)
def test_nothing_outlives_a_killed_shell(tmp_path: Path, command: str) -> None:
    home = tmp_path / "home"
    arguments = command.format(home=shlex.quote(str(home)))
    # With something after it, the shell does not replace itself with the command.
    line = f"{shlex.quote(sys.executable)} -m cairn {arguments}; true"
    variables = {key: value for key, value in os.environ.items() if not key.startswith("CAIRN_")}
    shell = subprocess.Popen(
        ["/bin/sh", "-c", line],
        cwd=ROOT,
        env=variables | {"CAIRN_HOME": str(home), "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    below: list[psutil.Process] = []
    try:
        below = wait_for("an engine", lambda: engines_below(shell.pid))  # type: ignore[assignment]
        os.kill(shell.pid, signal.SIGKILL)
        shell.wait()
        gone, left = psutil.wait_procs(below, timeout=SECONDS_MAX)
        assert left == [], [each.cmdline() for each in left]
        assert gone
        # What it had started meanwhile went with it: nobody holds the group that the shell led.
        wait_for("the group's end", lambda: not group_lives(shell.pid))
    finally:
        for each in below:
            if each.is_running():
                each.kill()
        Home(home).erase()


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
