"""The outside parties of the demo as programs of their own: a college, a finance system, a bank."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from cairn.exits import Fault
from cairn.stack.layout import ROOT
from cairn.stack.parent import tied

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0
BANK_JOURNAL = "bank.jsonl"


class PartyFailed(Fault):
    """An outside party of the demo did not start."""

    code = "party_failed"


@asynccontextmanager
async def outside_parties(
    folder: Path, college: dict[str, Any], finance: dict[str, Any], bank: dict[str, Any] | None = None
) -> AsyncIterator[dict[str, int]]:
    """Run them while the context lasts, the bank if one is given; each says `{"ready": true}` before it goes on.

    Gives their process ids by name.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    college = college | {"port": free_port(), "journal": str(folder / "college.jsonl")}
    finance = finance | {"journal": str(folder / "finance.jsonl")}
    programs = {"college": college, "finance_system": finance}
    if bank is not None:
        programs["bank"] = bank | {"journal": str(folder / BANK_JOURNAL)}
    async with AsyncExitStack() as running:
        yield {
            name: await running.enter_async_context(_party(folder, name, config)) for name, config in programs.items()
        }


@asynccontextmanager
async def _party(folder: Path, name: str, config: dict[str, Any]) -> AsyncIterator[int]:
    path = folder / f"{name}.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    log = folder / f"{name}.log"
    with log.open("wb") as errors:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"examples.{name}", "--config", str(path),
            stdout=asyncio.subprocess.PIPE, stderr=errors, cwd=ROOT, preexec_fn=tied(signal.SIGTERM),
            env={k: v for k, v in os.environ.items() if not k.startswith("CAIRN_")},
        )  # fmt: skip
    try:
        assert child.stdout is not None
        try:
            line = await asyncio.wait_for(child.stdout.readline(), READY_SECONDS_MAX)
        except TimeoutError:
            line = b""
        if b"ready" not in line:
            raise PartyFailed(f"{name} did not start: {log.read_text(errors='replace')[-2000:]}")
        yield child.pid
    finally:
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(child.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
