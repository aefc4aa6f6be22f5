"""What is wrong with one cell of a CSV that people wrote: file, line, column, reason."""

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
