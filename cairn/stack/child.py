"""Operating-system processes of the stack: started in a group of their own, ended with their parent, never orphans."""

import asyncio
import os
import pwd
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cairn.stack.faults import UnitFailed
from cairn.stack.parent import tied

LEFTOVER_SECONDS_MAX = 20.0
TAIL_BYTES = 4000
TAIL_LINES = 15


@dataclass(frozen=True)
class Launch:
    """How a process is started and ended."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when the parent dies."""
    stop_seconds_max: float = 20.0


async def spawn(launch: Launch, log: Path) -> asyncio.subprocess.Process:
    """Start a process with its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(launch.env),
            cwd=launch.cwd,
            start_new_session=True,
            preexec_fn=tied(launch.orphan_signal),
            user=launch.user,
            group=_group_of(launch.user),
            extra_groups=[] if launch.user else None,
        )


def _group_of(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None


async def run_to_end(name: str, launch: Launch, log: Path, *, seconds_max: float) -> None:
    """Run something that ends by itself; `UnitFailed` where it does not end well."""
    log.unlink(missing_ok=True)
    process = await spawn(launch, log)
    try:
        code = await asyncio.wait_for(process.wait(), seconds_max)
    except BaseException:
        kill_group(process.pid)
        raise
    if code != 0:
        raise UnitFailed(name, f"ended with code {code}", log, tail_of(log))


def tail_of(log: Path) -> str:
    """The last lines of a log, indented."""
    try:
        text = log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(f"  {line}" for line in text.splitlines()[-TAIL_LINES:])


async def stop(process: asyncio.subprocess.Process, launch: Launch) -> None:
    """Ask it to end; after the bound, end its whole group."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(launch.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), launch.stop_seconds_max)
        except TimeoutError:
            kill_group(process.pid)
    await process.wait()


def kill_group(pid: int) -> None:
    """End what is left of the group that `pid` led."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def started_at(pid: int) -> float | None:
    """When this process started: with the pid it names one process for good; `None` where it is gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def end_leftovers(known: Iterable[tuple[int, float]]) -> None:
    """End processes that an earlier stack left behind: `(pid, started_at)`. A reused pid is left alone."""
    living: list[psutil.Process] = []
    for pid, began in known:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if abs(process.create_time() - began) < 0.05:
                process.send_signal(signal.SIGQUIT if process.name() == "postgres" else signal.SIGKILL)
                living.append(process)
    _, stubborn = psutil.wait_procs(living, timeout=LEFTOVER_SECONDS_MAX)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=LEFTOVER_SECONDS_MAX)
