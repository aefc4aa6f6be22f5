"""A process of a drill that stops at a named point of its work, says so, and is ended there by SIGKILL.

The process itself calls `stop_at`; the drill starts it with `process`, or with `killed_where_it_stops`.
"""

import asyncio
import functools
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from signal import SIGKILL
from typing import Any, NamedTuple

from cairn.stack.layout import ROOT
from cairn.stack.parent import tied

STOPPED = b"stopped\n"
SECONDS_MAX = 60.0


class Point(NamedTuple):
    """Where a process stops: the holder and name of a function, and whether it has been done by then."""

    holder: Any
    name: str
    after: bool


def stop_at(point: Point, *, times: int = 1) -> None:
    """From now on this process goes no further than the `times`-th call of that function."""
    given: Callable[..., Any] = getattr(point.holder, point.name)
    calls = 0

    def is_last() -> bool:
        nonlocal calls
        calls += 1
        return calls >= times

    @functools.wraps(given)
    async def stops_async(*positional: Any, **named: Any) -> Any:
        last = is_last()
        if last and not point.after:
            _stop()
        answer = await given(*positional, **named)
        if last:
            _stop()
        return answer

    @functools.wraps(given)
    def stops(*positional: Any, **named: Any) -> Any:
        last = is_last()
        if last and not point.after:
            _stop()
        answer = given(*positional, **named)
        if last:
            _stop()
        return answer

    setattr(point.holder, point.name, stops_async if asyncio.iscoroutinefunction(given) else stops)


def _stop() -> None:
    os.write(1, STOPPED)
    # Nobody writes to it: it ends when the drill does, and then nobody is left to kill us.
    os.read(0, 1)
    os._exit(3)


@asynccontextmanager
async def process(*arguments: str) -> AsyncGenerator[Process, None]:
    """A Python of its own with these arguments, its input and output ours; dead when the block ends."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdin=PIPE, stdout=PIPE, preexec_fn=tied()
    )
    try:
        yield child
    finally:
        await kill(child)


async def kill(child: Process) -> bool:
    """SIGKILL, unless it is gone already; whether that is what ended it."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
    return await child.wait() == -SIGKILL


async def stops(child: Process) -> bool:
    """Wait until it has come to where it stops; False where it ended instead."""
    assert child.stdout is not None
    while line := await child.stdout.readline():
        if line == STOPPED:
            return True
    return False


async def killed_where_it_stops(*arguments: str) -> bool:
    """Start a process and kill it where it stops; False where it never came there, within a minute."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS_MAX), process(*arguments) as child:
            return await stops(child) and await kill(child)
    return False
