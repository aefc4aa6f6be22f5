"""What facts teach us: the programs' listings, and where each case stands.

The transaction is the consumer's, on a pool that acts for the service itself (`acting.service_dsn`).
"""

from contracts.envelope import CaseFact
from contracts.errors import NotFound
from contracts.events.eligibility import ProgramPublished
from kit.db import Connection
from kit.inbox import Received
from services.applications.entries import entry_of
from services.applications.store import cases, catalog


async def copy_program(received: Received[ProgramPublished], tx: Connection) -> None:
    """Keep what a program lists, to check new applications and reports against."""
    await catalog.put_program(tx, received.fact)


async def follow_case(received: Received[CaseFact], tx: Connection) -> None:
    """Add the fact to its case's timeline and move the case to where the fact puts it."""
    envelope, fact = received.envelope, received.fact
    entry = entry_of(fact, envelope.sequence, told_at=envelope.time)
    followed = await cases.follow(tx, fact.application_id, envelope, entry)
    if not followed and not await cases.is_known(tx, fact.application_id):
        raise NotFound(kind="case")
