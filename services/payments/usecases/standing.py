"""Where a case stands on the waiting list: why it waits, since when, and how many stand before it."""

from dataclasses import dataclass
from datetime import datetime

from contracts.errors import NotFound
from kit.db import Database
from services.payments.store import funding as funding_store
from services.payments.store import program as program_store


@dataclass(frozen=True, slots=True)
class Standing:
    """A place in line. `ahead` moves both ways where the program orders by more than arrival."""

    application_id: str
    reason: str
    """The limit that is short: `over_program`, `over_round`, `over_award`."""
    amount_cents: int
    waiting_since: datetime
    ahead: int


async def place_of_case(application_id: str, *, partner_id: str | None, db: Database) -> Standing:
    """The case's place; `NotFound` where it does not wait, or is another partner's."""
    async with db.transaction() as tx:
        if partner_id is not None and await program_store.partner_of(tx, application_id) != partner_id:
            raise NotFound(kind="waiting case")
        found = await funding_store.place_in_line(tx, application_id)
    if found is None:
        raise NotFound(kind="waiting case")
    return Standing(application_id=application_id, **found)
