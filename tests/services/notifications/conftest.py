"""What delivery tests share: a database with a listed program, a desk, a receiver."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from kit.clock import FixedClock
from kit.db import Database
from services.notifications.gateways.colleges import HttpCollegeDoor
from services.notifications.gateways.egress import Egress
from services.notifications.gateways.secret_box import SecretBox
from services.notifications.usecases.delivering import DeliveryDesk, Lane, attempt, take_due
from services.notifications.usecases.endpoints import EndpointDesk, register_endpoint
from tests.services.notifications.receiver import Receiver, receiving
from tests.services.notifications.sample import PROVIDER, publish, rows

HEALTHY = Lane(failing=False, slots=400, per_endpoint_max=8)
FAILING = Lane(failing=True, slots=200, per_endpoint_max=1)


class Bench:
    """One provider's endpoint with everything that delivers to it."""

    def __init__(self, db: Database, clock: FixedClock, egress: Egress) -> None:
        self.db = db
        self.clock = clock
        self.box = SecretBox(bytes(range(32)))
        college = HttpCollegeDoor(egress)
        self.deliveries = DeliveryDesk(db=db, college=college, box=self.box, clock=clock)
        self.endpoints = EndpointDesk(db=db, college=college, box=self.box, clock=clock)

    async def register(self, receiver: Receiver, provider_id: str = PROVIDER) -> dict[str, Any]:
        """Register and verify."""
        answer = await register_endpoint(provider_id, receiver.url, once=None, desk=self.endpoints)
        await self.drain()
        return json.loads(answer.body)

    async def drain(self) -> int:
        """Attempt everything that is due now; answers how many attempts that took."""
        made = 0
        while True:
            taken = [
                *await take_due(self.deliveries, HEALTHY, free_slots=50),
                *await take_due(self.deliveries, FAILING, free_slots=20),
            ]
            if not taken:
                return made
            for due in taken:
                await attempt(self.deliveries, due)
            made += len(taken)

    async def states(self) -> list[tuple[str, int]]:
        query = "SELECT state, attempts FROM webhook_delivery WHERE NOT is_ping ORDER BY position"
        return [(str(row["state"]), int(str(row["attempts"]))) for row in await rows(self.db, query)]

    async def endpoint(self) -> dict[str, Any]:
        return (await rows(self.db, "SELECT * FROM webhook_endpoint ORDER BY created_at"))[0]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    egress = Egress(allow_loopback=True, timeout_seconds=5)
    yield egress
    await egress.close()


@pytest.fixture
async def bench(database_for: Any, clock: FixedClock, egress: Egress) -> Bench:
    db: Database = await database_for("notifications")
    await publish(db)
    return Bench(db, clock, egress)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver
