"""Real engines for a test session: each started by the first test that needs it, shared by every xdist worker."""

import fcntl
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cairn.stack.layout import Home

SHARED_HOME = "CAIRN_TEST_ENGINES_HOME"
START_SECONDS_MAX = 240.0
STOP_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05


@dataclass
class EngineHosts:
    """One hosting process per engine; they end when no test process holds `root/held` any more."""

    root: Path
    _running: dict[str, Home] = field(default_factory=dict)
    _held: int | None = None

    def home_of(self, engine: str) -> Home:
        """The home in which this engine runs now."""
        if engine not in self._running:
            shared = os.environ.get(SHARED_HOME)
            self._running[engine] = _shared(Path(shared), engine) if shared else self._start(engine)
        return self._running[engine]

    def _start(self, engine: str) -> Home:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._held is None:
            self._held = os.open(self.root / "held", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_SH)
        home = Home(self.root / engine)
        turn = os.open(self.root / f"{engine}.turn", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if not (home.in_use() and home.read_state().get("status") == "ready"):
                self._host(engine, home)
        finally:
            os.close(turn)
        return home

    def _host(self, engine: str, home: Home) -> None:
        argv = [sys.executable, "-m", "cairn.stack.engines_only", "--home", str(home.path), "--engines", engine]
        argv += ["--while-held", str(self.root / "held"), "--volatile", "--erase"]
        log = self.root / f"{engine}.log"
        with log.open("ab") as output:
            host = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=Path(__file__).parents[2],
            )
        (self.root / f"{engine}.pid").write_text(str(host.pid))
        give_up = time.monotonic() + START_SECONDS_MAX
        while home.read_state().get("status") != "ready" or home.read_state().get("pid") != host.pid:
            if host.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{engine} did not start: {log.read_text()[-2000:]}")
            time.sleep(POLL_SECONDS)
        # The host outlives this object on purpose: its end is not a leak.
        host.returncode = 0

    def let_go(self) -> None:
        """This process needs the engines no longer."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def wait_until_gone(self) -> None:
        """Return when every host has ended: a test run leaves no process behind."""
        hosts: list[psutil.Process] = []
        for file in self.root.glob("*.pid"):
            with suppress(psutil.NoSuchProcess, ValueError):
                process = psutil.Process(int(file.read_text()))
                if "cairn.stack.engines_only" in process.cmdline():
                    hosts.append(process)
        _, stubborn = psutil.wait_procs(hosts, timeout=STOP_SECONDS_MAX)
        for process in stubborn:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _shared(path: Path, engine: str) -> Home:
    home = Home(path)
    state: dict[str, Any] = home.read_state()
    if not home.in_use() or state.get("units", {}).get(engine, {}).get("state") != "ready":
        raise RuntimeError(f"{SHARED_HOME} is {path}, but no {engine} is ready there")
    return home
