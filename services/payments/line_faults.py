"""What is wrong with one cell of a CSV that people wrote: file, line, column, reason."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

FAULTS_KEPT_MAX = 1000


@dataclass(frozen=True, slots=True)
class LineFault:
    """What is wrong with one cell; an empty column speaks of the whole line."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}, {self.column or 'line'}: {self.reason}"

    def as_json(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "column": self.column, "reason": self.reason}


class CsvLines:
    """Lines for `csv.reader`, the last of them kept: what it refuses is named by its column."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._last = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._last = line
            yield line

    def refused(self, names: Sequence[str], error: csv.Error) -> tuple[str, str]:
        """Column, as far as it can be told, and reason."""
        most = csv.field_size_limit()
        cells = self._last.split(",")
        if any(len(cell) > most for cell in cells):
            column = next((name for name, cell in zip(names, cells, strict=False) if len(cell) > most), "")
            return column, f"a cell of more than {most} characters"
        return "", f"is not CSV: {error}"
