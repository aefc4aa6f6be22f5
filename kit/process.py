"""The life of a process: start, say how it is, stop gracefully within a bound, and end for certain."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, NoReturn, TypeVar

from kit import telemetry
from kit.health import Check, Health
from kit.settings import ProcessSettings

STOP_SECONDS_MAX = 25.0
"""From the stop signal to the end of the process; orchestrators usually kill after 30."""

GARBAGE_AFTER = (10_000, 2, 2)
"""Objects made between two looks for garbage, and how many looks at the young to one at the older. Python's own 700
looks several times a fact and finds little; what ended long ago, though, is freed by a look at the oldest only."""

T = TypeVar("T")


class TaskEnded(RuntimeError):
    """A task that lasts as long as the process came to its end."""


class Lifetime:
    """What lives as long as the process: resources, tasks, and the checks of readiness."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.checks: dict[str, Check] = {}

    async def enter(self, resource: AbstractAsyncContextManager[T]) -> T:
        """Open a resource; it is closed after all tasks have ended, in reverse order."""
        return await self._stack.enter_async_context(resource)

    def on_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call `close` where `enter` would have closed a resource."""
        self._stack.push_async_callback(close)

    def task(self, name: str, run: Coroutine[Any, Any, None]) -> None:
        """Run until the process stops. If it fails, or merely returns, the process ends with code 1."""
        task = asyncio.create_task(run, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._when_done)

    def ready_when(self, name: str, check: Callable[[], Awaitable[None]]) -> None:
        """Ready only while `check` returns without raising, in good time."""
        self.checks[name] = check

    async def failure(self) -> BaseException:
        """Wait for the first task that ends."""
        return await asyncio.shield(self._failed)

    async def stop(self) -> None:
        """Cancel the tasks, wait for them, then close the resources."""
        for task in self._tasks:
            task.remove_done_callback(self._when_done)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def _when_done(self, task: asyncio.Task[None]) -> None:
        if self._failed.done():
            return
        error = None if task.cancelled() else task.exception()
        ended = TaskEnded(f"the task {task.get_name()} ended")
        ended.__cause__ = error
        self._failed.set_result(ended)


def run(name: str, settings: ProcessSettings, start: Callable[[Lifetime], Awaitable[None]]) -> NoReturn:
    """Run `start`, then everything it set going, until SIGTERM, SIGINT or a fault. Never returns.

    Exit codes: 0 stopped by a signal, 1 could not start or a task ended, 2 not stopped within `STOP_SECONDS_MAX`.
    """
    telemetry.configure(name, settings)
    code = 1
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            code = runner.run(_live(name, settings, start))
            _end(code)
    except BaseException as error:
        telemetry.logger(__name__).critical("process.crashed", exc_info=error)
    _end(code)


async def _live(name: str, settings: ProcessSettings, start: Callable[[Lifetime], Awaitable[None]]) -> int:
    log = telemetry.logger(__name__)
    asked = _stop_signals()
    life = Lifetime()
    health = Health(asyncio.get_running_loop(), life.checks)
    port = health.serve(settings.http_host, settings.health_port)
    beat = asyncio.create_task(health.beat())
    log.info("process.starting", pid=os.getpid(), health_port=port)
    code, starting = await _until_it_ends(life, start, health, asked)
    health.stopping()
    log.info("process.stopping", exit_code=code)
    _end_in_any_case()
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            # Within the bound too: a start that waits for something may not hear that it is called off.
            starting.cancel()
            await asyncio.wait({starting})
            await life.stop()
    except TimeoutError:
        log.error("process.stop_too_slow", seconds_max=STOP_SECONDS_MAX)
        code = 2
    except Exception as error:
        log.error("process.stop_failed", exc_info=error)
        code = code or 1
    beat.cancel()
    log.info("process.stopped", process_name=name, exit_code=code)
    return code


async def _until_it_ends(
    life: Lifetime, start: Callable[[Lifetime], Awaitable[None]], health: Health, asked: asyncio.Event
) -> tuple[int, asyncio.Future[None]]:
    """0 where a signal asked to stop, 1 where something failed; and the start, which may still be under way."""
    log = telemetry.logger(__name__)
    signaled = asyncio.create_task(asked.wait())
    failed = asyncio.create_task(life.failure())
    starting = asyncio.ensure_future(_started(life, start))
    try:
        await asyncio.wait({signaled, failed, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and not signaled.done() and not failed.done():
            starting.result()
            health.started()
            spare_what_lives()
            log.info("process.started")
            await asyncio.wait({signaled, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            ended = failed.result()
            log.critical("process.task_ended", task=str(ended), exc_info=ended.__cause__ or ended)
            return 1, starting
        return 0, starting
    except Exception as error:
        log.critical("process.not_started", exc_info=error)
        return 1, starting
    finally:
        for task in (signaled, failed):
            task.cancel()
        await asyncio.gather(signaled, failed, return_exceptions=True)


async def _started(life: Lifetime, start: Callable[[Lifetime], Awaitable[None]]) -> None:
    await start(life)


def _stop_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second ends the process where it stands."""
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            _end(130)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ask)
    return asked


def spare_what_lives() -> None:
    """What is there now lives as long as the process: it is not looked through again and again for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_AFTER)


def _end_in_any_case() -> None:
    """The bound holds even where a task blocks the event loop and no timeout of its own can fire."""
    timer = threading.Timer(STOP_SECONDS_MAX + 1.0, os._exit, (2,))
    timer.daemon = True
    timer.start()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _end(code: int) -> NoReturn:
    """Flush and leave without the interpreter's finalization, during which Temporal's core can abort the process."""
    try:
        telemetry.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
