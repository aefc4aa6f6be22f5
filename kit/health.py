"""`/livez`, `/readyz` and `/metrics` of a process, answered from a thread of their own.

A stuck event loop could not answer for itself; the thread sees that it is stuck and says so.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from kit.telemetry import metrics_page

BEAT_SECONDS = 0.5
STUCK_SECONDS = 10.0
CHECK_SECONDS_MAX = 2.0
REQUEST_SECONDS_MAX = 5.0

Check: TypeAlias = Callable[[], Awaitable[None]]
"""Returns where all is well and raises where it is not."""


class Health:
    """What is known about this process, and the server that tells it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, checks: Mapping[str, Check]) -> None:
        self._loop = loop
        self._checks = checks
        self._beat = time.monotonic()
        self._started = False
        self._stopping = False
        self._server: ThreadingHTTPServer | None = None

    def serve(self, host: str, port: int) -> int:
        """Begin to answer; returns the port, which the system chooses where `port` is 0."""
        health = self

        class Answers(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS_MAX
            server_version = "cairn"
            sys_version = ""

            def do_GET(self) -> None:
                status, body, kind = health.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((host, port), Answers)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()
        return self._server.server_address[1]

    async def beat(self) -> None:
        """Show, until cancelled, that the event loop turns."""
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)

    def started(self) -> None:
        self._started = True

    def stopping(self) -> None:
        self._stopping = True

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        """Status, body and content type for a path."""
        match path.split("?", 1)[0]:
            case "/livez":
                return self._verdict({} if self._turns() else {"event_loop": "stuck"})
            case "/readyz":
                return self._verdict(self._faults())
            case "/metrics":
                body, kind = metrics_page()
                return HTTPStatus.OK, body, kind
            case _:
                return HTTPStatus.NOT_FOUND, b"{}", "application/json"

    def _verdict(self, faults: Mapping[str, str]) -> tuple[HTTPStatus, bytes, str]:
        status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
        return status, json.dumps({"ok": not faults, "faults": faults}).encode(), "application/json"

    def _turns(self) -> bool:
        return time.monotonic() - self._beat < STUCK_SECONDS

    def _faults(self) -> dict[str, str]:
        if self._stopping:
            return {"process": "stopping"}
        if not self._started:
            return {"process": "starting"}
        if not self._turns():
            return {"event_loop": "stuck"}
        asked: Future[dict[str, str]] = asyncio.run_coroutine_threadsafe(self._check_all(), self._loop)
        try:
            return asked.result(CHECK_SECONDS_MAX + 1)
        except TimeoutError:
            asked.cancel()
            return {"event_loop": "slow"}

    async def _check_all(self) -> dict[str, str]:
        results = await asyncio.gather(*(_fault_of(check) for check in self._checks.values()))
        return {name: fault for name, fault in zip(self._checks, results, strict=True) if fault}


async def _fault_of(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            await check()
    except TimeoutError:
        return "no answer in time"
    except Exception as error:
        # The kind only: a driver's message may hold an address with a user in it.
        return type(error).__name__
    return None
