"""One supervised engine or process: started, held to its readiness check, restarted when it ends unasked."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from cairn.stack.child import Launch, spawn, started_at, stop, tail_of
from cairn.stack.engine import Runnable
from cairn.stack.faults import UnitFailed
from cairn.stack.layout import Home
from cairn.stack.ports import is_free, require_free

RESTARTS_MAX = 5
RESTART_WINDOW_SECONDS = 60.0
BACKOFF_SECONDS_FIRST = 0.5
POLL_SECONDS = 0.05
PORT_SECONDS_MAX = 5.0
CHECK_SECONDS_MAX = 10.0


class Unit:
    """`state` is one of stopped, starting, ready, restarting, failed, stopping."""

    def __init__(self, what: Runnable, home: Home, ports: Mapping[str, int], on_change: Callable[[], None]) -> None:
        self.what = what
        self.state = "stopped"
        self.restarts = 0
        self.reason = ""
        self._home = home
        self._ports = ports
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._launch: Launch | None = None
        self._recent: deque[float] = deque()
        self._watcher: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.what.name

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    def describe(self) -> dict[str, Any]:
        """What `cairn status` shows of it."""
        pid = self.pid
        return {
            "state": self.state,
            "pid": pid,
            "started_at": started_at(pid) if pid else None,
            "restarts": self.restarts,
            "ports": {name: self._ports[name] for name in self.what.port_names},
            "log": str(self._home.log(self.name)),
            "reason": self.reason,
        }

    async def start(self) -> None:
        """Start it, wait until it answers, then watch over it."""
        self._become("starting")
        try:
            await self.what.prepare()
            await self._wait_for_ports()
            await self._launch_and_wait()
        except asyncio.CancelledError:
            self._become("stopping")
            raise
        except Exception as fault:
            self._become("failed", str(fault).splitlines()[0] if str(fault) else type(fault).__name__)
            raise
        self._become("ready")
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")

    async def stop(self) -> None:
        """End it, and never start it again."""
        if self._watcher:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        await self._end()
        if self.state != "failed":
            self._become("stopped")

    async def _wait_for_ports(self) -> None:
        # What the stack that ran here a moment ago held may take that long to be let go.
        give_up = time.monotonic() + PORT_SECONDS_MAX
        names = list(self.what.port_names)
        while not all(is_free(self._ports[name]) for name in names):
            if time.monotonic() > give_up:
                break
            await asyncio.sleep(POLL_SECONDS)
        require_free(dict(self._ports), names)

    async def _launch_and_wait(self) -> None:
        self._launch = self.what.launch()
        self._process = await spawn(self._launch, self._home.log(self.name))
        self._on_change()
        give_up = time.monotonic() + self.what.ready_seconds_max
        last = ""
        while time.monotonic() < give_up:
            if self._process.returncode is not None:
                raise self._fault(f"ended with code {self._process.returncode} before it was ready")
            try:
                await asyncio.wait_for(self.what.check(), CHECK_SECONDS_MAX)
                return
            except Exception as fault:
                last = f"{type(fault).__name__}: {fault}"
                await asyncio.sleep(POLL_SECONDS)
        await self._end()
        raise self._fault(f"was not ready within {self.what.ready_seconds_max:.0f} s ({last})")

    async def _watch(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            if not await self._come_back(f"ended with code {code}"):
                return

    async def _come_back(self, reason: str) -> bool:
        """Restart with growing pauses until it is ready; `False` once it ended too often."""
        while True:
            now = time.monotonic()
            while self._recent and now - self._recent[0] > RESTART_WINDOW_SECONDS:
                self._recent.popleft()
            if len(self._recent) >= RESTARTS_MAX:
                self._become("failed", f"gave up after {RESTARTS_MAX} restarts within a minute: it {reason}")
                return False
            self._become("restarting", reason)
            await asyncio.sleep(BACKOFF_SECONDS_FIRST * 2 ** len(self._recent))
            self._recent.append(time.monotonic())
            self.restarts += 1
            try:
                await self._launch_and_wait()
            except UnitFailed as fault:
                reason = str(fault).splitlines()[0]
                continue
            self._become("ready")
            return True

    async def _end(self) -> None:
        if self._process is not None and self._launch is not None:
            if self._process.returncode is None:
                self._become("stopping", self.reason)
            await stop(self._process, self._launch)

    def _become(self, state: str, reason: str = "") -> None:
        self.state, self.reason = state, reason
        self._on_change()

    def _fault(self, reason: str) -> UnitFailed:
        log = self._home.log(self.name)
        return UnitFailed(self.name, reason, log, tail_of(log))
