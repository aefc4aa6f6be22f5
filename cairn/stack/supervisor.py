"""Everything that one data folder runs: started in order, watched, stopped in reverse, described in `state.json`."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from cairn.stack.child import end_leftovers
from cairn.stack.engine import Runnable
from cairn.stack.layout import Home
from cairn.stack.ports import ports_of
from cairn.stack.unit import Unit


class Supervisor:
    """Holds the home while it lives: `async with Supervisor(home) as stack: await stack.start([...])`."""

    def __init__(
        self,
        home: Home,
        *,
        fresh: bool = False,
        erase_at_end: bool = False,
        on_change: "Callable[[Supervisor], None] | None" = None,
    ) -> None:
        self.home = home
        self.status = "starting"
        self.ports: dict[str, int] = {}
        self.units: list[Unit] = []
        self._fresh = fresh
        self._erase_at_end = erase_at_end
        self._on_change = on_change
        self._started_at = time.time()
        self._hold = home.held()

    async def __aenter__(self) -> Self:
        self._hold.__enter__()
        try:
            await asyncio.to_thread(self._lay_out)
        except BaseException:
            self._hold.__exit__(None, None, None)
            raise
        self._changed()
        return self

    async def __aexit__(self, *_: object) -> None:
        failed = self.status == "failed"
        self.status = "stopping"
        self._changed()
        try:
            for unit in reversed(self.units):
                await unit.stop()
        finally:
            self.status = "failed" if failed else "stopped"
            self._changed()
            if self._erase_at_end:
                self.home.erase()
            self._hold.__exit__(None, None, None)

    def _lay_out(self) -> None:
        earlier = self.home.read_state().get("units", {})
        end_leftovers([(unit["pid"], unit["started_at"]) for unit in earlier.values() if unit.get("started_at")])
        if self._fresh:
            self.home.erase()
        self.home.make()
        self.home.require_disk()
        self.ports = ports_of(self.home)

    async def start(self, what: Sequence[Runnable]) -> None:
        """Start these side by side and return when each answers; the first failure is raised."""
        units = [Unit(each, self.home, self.ports, self._changed) for each in what]
        self.units += units
        starts = [asyncio.create_task(unit.start()) for unit in units]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            self.status = "failed"
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            raise

    def ready(self) -> None:
        """Everything that was asked for runs."""
        self.status = "ready"
        self._changed()

    def describe(self) -> dict[str, Any]:
        """The whole stack as one object."""
        status = self.status
        if status == "ready" and any(unit.state == "failed" for unit in self.units):
            status = "failed"
        elif status == "ready" and any(unit.state != "ready" for unit in self.units):
            status = "recovering"
        return {
            "status": status,
            "pid": os.getpid(),
            "home": str(self.home.path),
            "started_at": self._started_at,
            "ports": self.ports,
            "units": {unit.name: unit.describe() for unit in self.units},
        }

    def _changed(self) -> None:
        self.home.write_state(self.describe())
        if self._on_change:
            self._on_change(self)


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that is set by Ctrl-C, by `kill`, and when the terminal goes away."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for each in signals:
        loop.add_signal_handler(each, asked.set)
    try:
        yield asked
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
