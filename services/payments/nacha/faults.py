# pyright: strict
"""What is wrong with a file: where exactly, and why; the first fault is the one to look at first."""

from dataclasses import dataclass, field
from typing import Any

from services.payments.nacha.records import TITLES

FAULTS_KEPT_MAX = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: record number from 1, the record's type, the field by its name in the rules, its columns."""

    record: int
    record_type: str
    field: str
    first_column: int
    last_column: int
    reason: str

    @property
    def title(self) -> str:
        return TITLES.get(self.record_type, "record")

    def __str__(self) -> str:
        return (
            f"record {self.record} ({self.title}), {self.field},"
            f" columns {self.first_column}-{self.last_column}: {self.reason}"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "record": self.record,
            "record_type": self.record_type,
            "record_title": self.title,
            "field": self.field,
            "columns": [self.first_column, self.last_column],
            "reason": self.reason,
        }


@dataclass(slots=True)
class FaultLog:
    """Faults as they are found; every one is counted, the first thousand are kept, the first of the file always."""

    count: int = 0
    first: Fault | None = None
    kept: list[Fault] = field(default_factory=list[Fault])

    def add(self, fault: Fault) -> None:
        self.count += 1
        if self.first is None or (fault.record, fault.first_column) < (self.first.record, self.first.first_column):
            self.first = fault
        if len(self.kept) < FAULTS_KEPT_MAX:
            self.kept.append(fault)

    @property
    def in_order(self) -> list[Fault]:
        """The kept faults by record and column."""
        return sorted(self.kept, key=lambda fault: (fault.record, fault.first_column))
