"""The Kafka door: the facts of applications that eligibility keeps a copy of."""

from collections.abc import Mapping

from contracts.envelope import Fact
from contracts.events.applications import ApplicationClosed, ApplicationSubmitted
from kit.db import Connection
from kit.inbox import Handler, Received
from services.eligibility import usecases


async def on_submitted(received: Received[ApplicationSubmitted], tx: Connection) -> None:
    await usecases.record_application(received.fact, tx=tx)


async def on_closed(received: Received[ApplicationClosed], tx: Connection) -> None:
    await usecases.record_closing(received.fact, tx=tx)


HANDLERS: Mapping[type[Fact], Handler] = {ApplicationSubmitted: on_submitted, ApplicationClosed: on_closed}
