"""A benchmark's figures: printed for people, as JSON, and kept in `docs/benchmarks.md`."""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cairn.stack.layout import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = "# Benchmarks\n\nWritten by `cairn bench`; each section by its own run.\n"


@dataclass(frozen=True)
class Figure:
    """One measured value; `goal` says what it should reach, in words."""

    what: str
    value: str
    goal: str = ""


@dataclass
class Report:
    """What one benchmark measured."""

    name: str
    title: str
    how: str
    figures: list[Figure] = field(default_factory=list[Figure])
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    """What else the machine was doing: its load average of the last minute, before anything was started."""

    def add(self, what: str, value: str, goal: str = "") -> None:
        self.figures.append(Figure(what, value, goal))

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"machine": machine(), "measured_at": datetime.now(UTC).isoformat(timespec="seconds")}

    def show(self, console: Console) -> None:
        table = Table(title=self.title, title_justify="left", caption=self.how, caption_justify="left")
        table.add_column("figure")
        table.add_column("value", justify="right")
        table.add_column("goal")
        for figure in self.figures:
            table.add_row(figure.what, figure.value, figure.goal)
        console.print(table)

    def write(self, page: Path = PAGE) -> None:
        """Replace this benchmark's section of the page; the others stay as they were measured."""
        text = page.read_text() if page.exists() else HEAD
        section = self._section()
        pattern = re.compile(rf"^## `cairn bench {self.name}`.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
        text = pattern.sub(lambda _: section, text) if pattern.search(text) else f"{text.rstrip()}\n\n{section}"
        page.write_text(text.rstrip() + "\n")

    def _section(self) -> str:
        rows = "\n".join(f"| {f.what} | {f.value} | {f.goal} |" for f in self.figures)
        where = f"{machine()}, {datetime.now(UTC):%Y-%m-%d}; load average before it began: {self.load_before:.1f}."
        head = "| figure | value | goal |\n|---|---:|---|"
        return f"## `cairn bench {self.name}`: {self.title}\n\n{self.how}\n\n{head}\n{rows}\n\n{where}\n\n"


def machine() -> str:
    """The machine in one line, without its name."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = f", {found.group(1).strip()}" if found else ""
    memory_gib = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    python = platform.python_version()
    return f"{os.cpu_count()} cores{model}, {memory_gib} GiB, {platform.system()} {platform.machine()}, Python {python}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
