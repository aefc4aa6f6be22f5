"""Side by side: facts of different cases at the same time, facts of one case in order, all in one transaction."""

import asyncio
from typing import Any

import pytest

from contracts.errors import Unavailable
from contracts.events.applications import ApplicationWithdrawn
from contracts.ids import ApplicationId
from kit.clock import SystemClock
from kit.db import Database
from kit.dead_letters import Record
from kit.inbox import Handler, Inbox, Received
from tests.kit.kafka_tools import TOPIC, as_sent, effects, envelope_of, withdrawn


def record(application_id: ApplicationId, reason: str, offset: int) -> Record:
    fact = withdrawn(application_id, reason)
    key, value, headers = as_sent(fact, envelope_of(fact))
    return Record(TOPIC, 0, offset, (key or "").encode(), value, tuple(headers))


def inbox_of(database: Database, handler: Handler) -> Inbox:
    return Inbox(
        name="test", database=database, handlers={ApplicationWithdrawn: handler}, clock=SystemClock(), side_by_side=True
    )


async def test_different_keys_meet_and_one_key_stays_in_order(database: Database) -> None:
    both = asyncio.Barrier(2)
    order: list[str] = []

    async def handler(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        if received.fact.reason.endswith("_first"):
            # One after the other they would never meet here.
            await asyncio.wait_for(both.wait(), 5)
        order.append(received.fact.reason)

    one, other = ApplicationId.new(), ApplicationId.new()
    records = [
        record(one, "one_first", 0),
        record(one, "one_second", 1),
        record(other, "other_first", 2),
        record(other, "other_second", 3),
    ]
    await inbox_of(database, handler).take(records)
    assert order.index("one_first") < order.index("one_second")
    assert order.index("other_first") < order.index("other_second")


async def test_one_that_is_unavailable_undoes_the_others_and_comes_again(database: Database) -> None:
    away = True

    async def handler(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        if received.fact.reason == "away" and away:
            raise Unavailable
        await tx.execute("INSERT INTO effect (what) VALUES ($1)", received.fact.reason)

    inbox = inbox_of(database, handler)
    records = [record(ApplicationId.new(), "there", 0), record(ApplicationId.new(), "away", 1)]
    with pytest.raises(Unavailable):
        await inbox.take(records)
    assert await effects(database) == []
    away = False
    # Each is taken alone: two statements at once on one transaction are the handler's business to avoid.
    for each in records:
        await inbox.take([each])
    assert sorted(await effects(database)) == ["away", "there"]
