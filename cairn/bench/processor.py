"""Processor time and memory of the stack's processes, from the operating system's own counters."""

from collections.abc import Mapping
from contextlib import suppress

import psutil


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system seconds so far, children included (PostgreSQL works in children)."""
    found: dict[str, float] = {}
    for name, pid in pids.items():
        total = 0.0
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for process in (root, *root.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    total += times.user + times.system
            # What ended children used is counted by their parent.
            own = root.cpu_times()
            total += own.children_user + own.children_system
        found[name] = total
    return found


def memory_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Memory that would be free if the process ended (USS), in MiB."""
    found: dict[str, float] = {}
    for name, pid in pids.items():
        with suppress(psutil.NoSuchProcess):
            found[name] = psutil.Process(pid).memory_full_info().uss / 2**20
    return found
