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
    entry: int | None = None
    """The record of the one entry or batch that it concerns; None where it concerns the file: structure or sums."""
    minor: bool = False
    """Against the rules, yet whatever follows from the record is plain: nothing is kept back because of it."""

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
    first_of_file: Fault | None = None
    """The first that concerns more than one entry."""
    of_entries: dict[int, Fault] = field(default_factory=dict[int, Fault])
    """The record of an entry or batch → the first fault that concerns it alone."""
    kept: list[Fault] = field(default_factory=list[Fault])

    def add(self, fault: Fault) -> None:
        self.count += 1
        self.first = _earlier(self.first, fault)
        if fault.minor:
            pass
        elif fault.entry is None:
            self.first_of_file = _earlier(self.first_of_file, fault)
        elif len(self.of_entries) < FAULTS_KEPT_MAX:
            self.of_entries[fault.entry] = _earlier(self.of_entries.get(fault.entry), fault)
        else:
            # More than can be told apart: the file is no good.
            self.first_of_file = _earlier(self.first_of_file, fault)
        if len(self.kept) < FAULTS_KEPT_MAX:
            self.kept.append(fault)

    @property
    def in_order(self) -> list[Fault]:
        """The kept faults by record and column."""
        return sorted(self.kept, key=lambda fault: (fault.record, fault.first_column))


def _earlier(known: Fault | None, fault: Fault) -> Fault:
    if known is not None and (known.record, known.first_column) <= (fault.record, fault.first_column):
        return known
    return fault
