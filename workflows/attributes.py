"""The search attributes a journey keeps up to date: what staff look cases up by. Ids and codes only."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from contracts.events.applications import ApplicationSubmitted
from contracts.journey import Stage

NEEDS_STAFF = SearchAttributeKey.for_bool("NeedsStaff")
_KEYS: dict[str, SearchAttributeKey[Any]] = {
    "stage": SearchAttributeKey.for_keyword("CaseStage"),
    "outcome": SearchAttributeKey.for_keyword("CaseOutcome"),
    "hold_reason": SearchAttributeKey.for_keyword("HoldReason"),
    "assignee": SearchAttributeKey.for_keyword("Assignee"),
    "due_at": SearchAttributeKey.for_datetime("DueAt"),
    "amount_cents": SearchAttributeKey.for_int("AmountCents"),
    "needs_staff": NEEDS_STAFF,
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes that change along the way; the bridge sets the others when it starts the case."""

    stage: str
    outcome: str | None = None
    hold_reason: str | None = None
    assignee: str | None = None
    due_at: datetime | None = None
    amount_cents: int | None = None
    needs_staff: bool = False

    def changes_since(self, earlier: "Attributes") -> list[SearchAttributeUpdate[Any]]:
        """The updates that lead from `earlier` to these: every upsert costs, so only what differs."""
        updates: list[SearchAttributeUpdate[Any]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(earlier, field.name):
                key = _KEYS[field.name]
                updates.append(key.value_unset() if value is None else key.value_set(value))
        return updates


def at_start(submitted: ApplicationSubmitted) -> TypedSearchAttributes:
    """What a case is looked up by from its first moment; the first stage is set here and needs no upsert."""
    keywords = {
        "CaseStage": Stage.ELIGIBILITY.value,
        "ProgramId": submitted.program_id,
        "RoundId": submitted.round_id,
        "ProviderId": submitted.provider_id,
        "CredentialId": submitted.credential_id,
        "County": submitted.county,
    }
    return TypedSearchAttributes(
        [
            *(
                SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
                for name, value in keywords.items()
                if value is not None
            ),
            SearchAttributePair(SearchAttributeKey.for_datetime("SubmittedAt"), submitted.submitted_at),
            SearchAttributePair(NEEDS_STAFF, False),
        ]
    )
