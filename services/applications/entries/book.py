"""The book of entries: which function tells which fact."""

# pyright: strict
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from contracts.envelope import CaseFact
from services.applications.case import Entry

F = TypeVar("F", bound=CaseFact)

ENTRIES: dict[type[CaseFact], Callable[[Any, int], Entry]] = {}
"""By type of fact: (fact, its sequence within its source) → its entry."""

_PRIVATE = {
    "application_id",
    "person_id",
    "sealed_declaration",
    "sealed_contact",
    "sealed_evidence",
    "actor",
    "registration",
    "invoice_number",
    "payment_number",
    "batch_id",
    "checks",
    "documents",
}
"""What the timeline leaves out of a fact: personal values, staff names, and what is between provider and payer."""


def entry_of(fact: CaseFact, sequence: int, *, told_at: datetime) -> Entry:
    """The entry of a fact told at that moment; its public fields become the entry's details."""
    entry = ENTRIES[type(fact)](fact, sequence)
    details = fact.model_dump(mode="json", exclude=_PRIVATE, exclude_none=True)
    lead = entry.lead.model_copy(update={"told_at": told_at}) if entry.lead else None
    return entry.model_copy(update={"details": details, "lead": lead})


def tells(fact_type: type[F]) -> Callable[[Callable[[F, int], Entry]], Callable[[F, int], Entry]]:
    """Register the decorated function as the one that tells `fact_type`."""

    def register(tell: Callable[[F, int], Entry]) -> Callable[[F, int], Entry]:
        ENTRIES[fact_type] = tell
        return tell

    return register
