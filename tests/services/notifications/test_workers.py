"""The running workers: a new message goes out at once, a hanging endpoint slows nobody, nothing is sent twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from kit.clock import FixedClock, SystemClock
from kit.db import Database
from services.notifications.domain import FAILURES_BEFORE_SLOW_LANE
from services.notifications.gateways.egress import Egress
from services.notifications.workers import Pace, work_lane
from tests.services.notifications.conftest import FAILING, HEALTHY, Bench
from tests.services.notifications.receiver import HANG, Receiver, Reply, receiving
from tests.services.notifications.sample import PROVIDER, Case, rows, take_in


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def live(database_for: Any, egress: Egress) -> Bench:
    from tests.services.notifications.sample import publish

    db: Database = await database_for("notifications")
    await publish(db)
    clock: Any = SystemClock()
    return Bench(db, clock, egress)


def lanes(bench: Bench, paces: tuple[Pace, Pace]) -> list[Coroutine[Any, Any, None]]:
    return [
        work_lane(bench.deliveries, HEALTHY, paces[0]),
        work_lane(bench.deliveries, FAILING, paces[1]),
    ]


async def told(bench: Bench, nudge: Callable[[], None], provider_id: str = PROVIDER) -> Case:
    case = Case()
    fact = case.requested().model_copy(update={"provider_id": provider_id})
    await take_in(bench.db, fact, now=bench.clock.now())
    nudge()
    return case


async def test_a_new_message_goes_out_at_once(live: Bench, receiver: Receiver) -> None:
    await live.register(receiver)
    paces = Pace(), Pace()
    async with running(*lanes(live, paces)):
        waits: list[float] = []
        for number in range(20):
            began = time.monotonic()
            await told(live, paces[0].nudge)
            await receiver.until(lambda number=number: len(receiver.messages) > number)  # type: ignore[misc]
            waits.append(time.monotonic() - began)
    assert sorted(waits)[10] < 0.25, waits


async def test_without_a_nudge_a_message_is_found_by_looking(live: Bench, receiver: Receiver) -> None:
    await live.register(receiver)
    async with running(*lanes(live, (Pace(), Pace()))):
        await told(live, lambda: None)
        await receiver.until(lambda: len(receiver.messages) == 1)


async def test_a_hanging_endpoint_slows_nobody(live: Bench, receiver: Receiver) -> None:
    await live.register(receiver)
    paces = Pace(), Pace()
    async with receiving() as hanging:
        await live.register(hanging, provider_id="hanging-college")
        hanging.usually = lambda came: HANG
        async with running(*lanes(live, paces)):
            for _ in range(60):
                await told(live, paces[0].nudge, "hanging-college")
            await hanging.until(lambda: hanging.under_way == HEALTHY.per_endpoint_max)
            began = time.monotonic()
            for _ in range(30):
                await told(live, paces[0].nudge)
            await receiver.until(lambda: len(receiver.messages) == 30)
            # Half of what a single hanging attempt takes.
            assert time.monotonic() - began < 2.5
        assert hanging.under_way_most <= HEALTHY.per_endpoint_max


async def test_an_endpoint_that_fails_moves_to_the_slow_lane_and_back(
    bench: Bench, receiver: Receiver, clock: FixedClock
) -> None:
    from services.notifications.usecases.delivering import take_due

    await bench.register(receiver)
    receiver.usually = lambda came: Reply(500)
    for _ in range(FAILURES_BEFORE_SLOW_LANE):
        await take_in(bench.db, Case().requested(), now=clock.now())
        await bench.drain()
    for _ in range(5):
        await take_in(bench.db, Case().requested(), now=clock.now())
    assert await take_due(bench.deliveries, HEALTHY, free_slots=50) == []
    receiver.usually = lambda came: Reply()
    clock.advance(timedelta(seconds=10))
    await bench.drain()
    assert (await bench.endpoint())["failures_in_a_row"] == 0
    assert all(state == "delivered" for state, _ in await bench.states())


async def test_several_processes_send_each_message_once(live: Bench, receiver: Receiver) -> None:
    await live.register(receiver)
    paces = [(Pace(), Pace()) for _ in range(3)]
    async with running(*(lane for pair in paces for lane in lanes(live, pair))):
        for _ in range(40):
            await told(live, paces[0][0].nudge)
        await receiver.until(lambda: len(receiver.messages) == 40)
        async with asyncio.timeout(10):
            while any(state != "delivered" for state, _ in await live.states()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert len({came.id for came in receiver.messages}) == len(receiver.messages) == 40
    assert len(await rows(live.db, "SELECT 1 FROM outbox")) == 40
