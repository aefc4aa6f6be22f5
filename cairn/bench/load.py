"""A small HTTP/1.1 load: keep-alive connections, one request at a time on each, bounded in count; loopback only."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass
class Load:
    """What the load measured: seconds in all, seconds of each answer, how many of each status."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list[float])
    statuses: Counter[int] = field(default_factory=Counter[int])


async def drive(port: int, requests: int, connections: int, request: Callable[[int, int], bytes]) -> Load:
    """Send `requests` over `connections`; `request(connection, number)` gives each one's bytes."""
    load = Load()
    numbers = iter(range(requests))

    async def work(connection: int) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        with closing(writer):
            for number in numbers:
                began = time.perf_counter()
                writer.write(request(connection, number))
                load.statuses[await _status(reader)] += 1
                load.latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(work(connection) for connection in range(connections)))
    load.seconds = time.perf_counter() - began
    return load


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of one POST."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
