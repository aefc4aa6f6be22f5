"""Ports of one data folder: free ones are chosen once and remembered, so that a restart keeps every address."""

import json
import os
import random
import socket
from collections.abc import Iterable
from contextlib import closing

from cairn.stack.faults import NoFreePorts, PortTaken
from cairn.stack.layout import Home, write_atomically

# Below the range from which systems take ports for outgoing connections, which would collide at random.
FIRST, LAST = 20000, 32000
BLOCK = 40

NAMES = (
    "postgres",
    "kafka",
    "kafka_controller",
    "temporal",
    "temporal_ui",
    "temporal_http",
    "temporal_metrics",
    "mail",
    "api",
    "health_api",
    "health_applications",
    "health_eligibility",
    "health_payments",
    "health_notifications",
    "health_workflows",
)


def is_free(port: int) -> bool:
    """Whether this port of loopback can be bound now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # Without it, connections of a stack stopped a moment ago (TIME_WAIT) would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def ports_of(home: Home) -> dict[str, int]:
    """The remembered ports of a data folder, chosen now where it has none."""
    file = home.path / "ports.json"
    try:
        known = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        known = {}
    if set(NAMES) <= set(known):
        return known
    chosen: dict[str, int] = dict(zip(NAMES, _free_block(), strict=False))
    write_atomically(file, json.dumps(chosen, indent=1).encode())
    return chosen


def require_free(ports: dict[str, int], names: Iterable[str]) -> None:
    """`PortTaken` for the first of these that another program uses."""
    for name in names:
        if not is_free(ports[name]):
            raise PortTaken(name, ports[name])


def _free_block() -> list[int]:
    starts = list(range(FIRST, LAST - BLOCK, BLOCK))
    random.Random(os.urandom(8)).shuffle(starts)  # noqa: S311
    for start in starts:
        block = list(range(start, start + BLOCK))
        if all(is_free(port) for port in block[: len(NAMES)]):
            return block
    raise NoFreePorts(FIRST, LAST)
