"""Cairn's own processes as the supervisor runs them: `python -m cairn run <process>`, ready when `/readyz` says so."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cairn.stack.child import Launch
from cairn.stack.engines import environment
from cairn.stack.layout import ROOT, Home

PROCESSES = ("api", "applications", "eligibility", "payments", "notifications", "workflows")


@dataclass(frozen=True)
class CairnProcess:
    """One of `PROCESSES`, with its settings in its environment."""

    name: str
    port_names: Sequence[str]
    health_port: int
    env: Mapping[str, str]
    cwd: Path = ROOT

    ready_seconds_max = 90.0

    async def prepare(self) -> None:
        """Everything it needs is made by `cairn bootstrap`."""

    def launch(self) -> Launch:
        # The process bounds its own graceful stop; this one is for the case that it cannot.
        return Launch([sys.executable, "-m", "cairn", "run", self.name], self.env, cwd=self.cwd, stop_seconds_max=30)

    async def check(self) -> None:
        status, body = await http_get(self.health_port, "/readyz")
        if status != 200:
            raise ConnectionError(f"/readyz answers {status}: {body[:300]}")


def processes_of(home: Home, ports: Mapping[str, int]) -> list[CairnProcess]:
    """Every process of the stack, with the addresses of this home."""
    base = {key: value for key, value in os.environ.items() if not key.startswith("CAIRN_")}
    base |= environment(home, ports) | {"PYTHONUNBUFFERED": "1"}
    return [
        CairnProcess(
            name=name,
            port_names=(*(["api"] if name == "api" else []), f"health_{name}"),
            health_port=ports[f"health_{name}"],
            env=base
            | {
                "CAIRN_HEALTH_PORT": str(ports[f"health_{name}"]),
                "CAIRN_TRACES_FILE": str(home.traces / f"{name}.jsonl"),
            },
        )
        for name in PROCESSES
    ]


async def http_get(port: int, path: str, *, seconds_max: float = 5.0) -> tuple[int, str]:
    """Status and body of one GET on loopback."""
    async with asyncio.timeout(seconds_max):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise ConnectionError("no HTTP answer")
    return int(words[1]), body.decode(errors="replace")
