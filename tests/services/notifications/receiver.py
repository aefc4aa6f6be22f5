"""A college's HTTP receiver for tests: real sockets, programmable answers, a journal of what came."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Came:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


HANG = Reply(status=0)
"""Take the request and never answer."""


class Receiver:
    """Answers with `replies` first, then with what `usually` says; pings are echoed unless told otherwise."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.replies: deque[Reply] = deque()
        self.usually: Callable[[Came], Reply] = lambda came: Reply()
        self.echo = True
        self.under_way = 0
        self.under_way_most = 0
        self.url = ""
        self._news = asyncio.Event()

    @property
    def messages(self) -> list[Came]:
        return [came for came in self.came if came.message["type"] != "ping"]

    async def until(self, true: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait for what the journal must show."""
        async with asyncio.timeout(seconds):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            came = Came(headers, await reader.readexactly(int(headers.get("content-length", "0"))))
            self.under_way += 1
            self.under_way_most = max(self.under_way_most, self.under_way)
            self.came.append(came)
            self._news.set()
            reply = self._reply(came)
            if reply is HANG:
                await reader.read()
                return
            lines = {"content-length": str(len(reply.body)), "connection": "close", **reply.headers}
            writer.write(f"HTTP/1.1 {reply.status} X\r\n".encode())
            writer.write("".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + b"\r\n")
            writer.write(reply.body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.under_way -= 1
            writer.close()

    def _reply(self, came: Came) -> Reply:
        if came.message["type"] == "ping" and self.echo:
            return Reply(body=json.dumps({"challenge": came.message["data"]["challenge"]}).encode())
        return self.replies.popleft() if self.replies else self.usually(came)


@asynccontextmanager
async def receiving(path: str = "/webhooks") -> AsyncIterator[Receiver]:
    """A receiver on a free loopback port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}"
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
