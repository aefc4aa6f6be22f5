"""The Kafka door: every fact that somebody must be told of."""

from collections.abc import Callable, Mapping
from typing import Any

from contracts.envelope import CaseFact, Fact
from contracts.events.applications import ApplicationSubmitted, EnrollmentRequested
from contracts.events.eligibility import ProgramPublished
from kit.clock import Clock
from kit.db import Connection
from kit.inbox import Handler, Received
from services.notifications import messages, notices
from services.notifications.messages import Links
from services.notifications.usecases.telling import publish_program, tell

CONSUMER = "notifications"

TOLD: frozenset[type[CaseFact]] = frozenset(
    (*messages.FACTS, *notices.FACTS, ApplicationSubmitted, EnrollmentRequested)
)


def handlers(*, links: Links, clock: Clock, nudge: Callable[[], None]) -> Mapping[type[Fact], Handler]:
    """What to do with each fact; `nudge` wakes the workers of this process."""

    async def on_case_fact(received: Received[Any], tx: Connection) -> None:
        envelope = received.envelope
        await tell(received.fact, event_id=envelope.id, occurred_at=envelope.time, tx=tx, links=links, now=clock.now())
        nudge()

    async def on_program(received: Received[Any], tx: Connection) -> None:
        await publish_program(received.fact, tx=tx, links=links, now=clock.now())
        nudge()

    return {**dict.fromkeys(TOLD, on_case_fact), ProgramPublished: on_program}
