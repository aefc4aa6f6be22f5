"""Whoever started a process and dies takes it along: a command that runs engines leaves none behind (Linux)."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
_STARTED_BY = os.getppid()
"""Noted when this module is first imported; `cairn` does so before anything else."""


def _prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    return ctypes.CDLL(None, use_errno=True).prctl


def end_with_parent(signum: int = signal.SIGTERM) -> None:
    """Ask the kernel to send this process `signum` when its parent dies, unless it was meant to outlive it."""
    prctl = _prctl()
    if prctl is None or "CAIRN_DETACHED" in os.environ:
        return
    prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
    # The parent may have died before the line above: then the kernel will never send anything.
    if os.getppid() != _STARTED_BY:
        os.kill(os.getpid(), signum)


def tied(signum: int = signal.SIGKILL) -> Callable[[], None]:
    """What a child runs before its program (`preexec_fn`): it gets `signum` when this process dies."""
    parent = os.getpid()
    prctl = _prctl()

    def tie() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
            # The parent may have died before the line above: then no signal will ever come.
            if os.getppid() != parent:
                os._exit(1)

    return tie


def run_until_ended(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; a stop signal or the parent's death ends it as Ctrl-C does, with everything it opened closed.

    Raises `KeyboardInterrupt` where it was ended so.
    """

    async def run() -> T:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGHUP)
        for each in signals:
            loop.add_signal_handler(each, task.cancel)
        end_with_parent()
        try:
            return await work
        finally:
            for each in signals:
                loop.remove_signal_handler(each)

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
