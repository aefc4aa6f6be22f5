"""Group commit: order, bounds, cut-off callers, batches that fail, and the end."""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contracts.errors import CairnError, Conflict, Unavailable
from kit.telemetry import continue_trace
from services.payments.usecases.coalescer import SHARDS, UNAVAILABLE_MAX, Coalescer, PostingsFull, Waiting


class Spoiled(Conflict):
    """This one may not be."""

    code = "spoiled"


class Ledger:
    """Stands in for database and work: what was asked together, and what is committed."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.committed: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.poison: set[str] = set()
        self.unavailable = False

    @asynccontextmanager
    async def transaction(self, *, local: Any = None):
        await self.open.wait()
        yield self

    async def together(self, tx: Any, batch: Sequence[Waiting[str, str]]) -> Sequence[str | CairnError]:
        asks = [one.ask for one in batch]
        self.batches.append(asks)
        if self.unavailable:
            raise Unavailable
        if self.poison & {*asks}:
            raise ZeroDivisionError("spoiled")
        self.committed += asks
        return [Spoiled() if ask.startswith("refuse") else f"done {ask}" for ask in asks]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def of(ledger: Ledger, **given: Any) -> Coalescer[str, str]:
    given = {"shard_key": lambda ask: "one", "alone_key": lambda ask: ask, **given}
    return Coalescer(ledger, ledger.together, **given)  # pyright: ignore[reportArgumentType]


async def all_of(*asks: Any) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*asks, return_exceptions=True), 5)


async def test_an_idle_coalescer_takes_one_at_once(ledger):
    assert await of(ledger).ask("a") == "done a"
    assert ledger.batches == [["a"]]


async def test_what_comes_while_one_is_on_its_way_goes_together_in_order(ledger):
    coalescer = of(ledger)
    ledger.open.clear()
    first = asyncio.create_task(coalescer.ask("first"))
    await asyncio.sleep(0)
    later = [asyncio.create_task(coalescer.ask(name)) for name in "abc"]
    await asyncio.sleep(0)
    ledger.open.set()
    assert await all_of(first, *later) == ["done first", "done a", "done b", "done c"]
    assert ledger.batches == [["first"], ["a", "b", "c"]]


async def test_a_refusal_is_its_callers_alone(ledger):
    found = await all_of(*(of_one.ask(name) for of_one in [of(ledger)] for name in ("a", "refuse b", "c")))
    assert [found[0], found[2]] == ["done a", "done c"]
    assert isinstance(found[1], Spoiled)


async def test_a_batch_that_fails_is_tried_one_by_one(ledger):
    coalescer = of(ledger)
    ledger.poison = {"b"}
    found = await all_of(*(coalescer.ask(name) for name in "abc"))
    assert [found[0], found[2]] == ["done a", "done c"]
    assert isinstance(found[1], ZeroDivisionError)
    assert ledger.committed == ["a", "c"]


async def test_without_a_database_the_rest_is_told_to_come_again(ledger):
    coalescer = of(ledger)
    ledger.unavailable = True
    found = await all_of(*(coalescer.ask(str(number)) for number in range(20)))
    assert all(isinstance(one, Unavailable) for one in found)
    assert len(ledger.batches) == 1 + UNAVAILABLE_MAX


async def test_who_is_cut_off_costs_nobody_else(ledger):
    coalescer = of(ledger)
    ledger.open.clear()
    asked = [asyncio.create_task(coalescer.ask(name)) for name in "abcd"]
    await asyncio.sleep(0)
    asked[0].cancel()
    asked[2].cancel()
    await asyncio.sleep(0)
    ledger.open.set()
    found = await all_of(*asked)
    assert [found[1], found[3]] == ["done b", "done d"]
    assert isinstance(found[0], asyncio.CancelledError)
    assert isinstance(found[2], asyncio.CancelledError)


async def test_who_is_cut_off_while_waiting_is_not_asked_for(ledger):
    coalescer = of(ledger)
    ledger.open.clear()
    first = asyncio.create_task(coalescer.ask("first"))
    await asyncio.sleep(0)
    gone, stays = (asyncio.create_task(coalescer.ask(name)) for name in ("gone", "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    ledger.open.set()
    await all_of(first, stays)
    assert ledger.committed == ["first", "stays"]
    # Its place is free again.
    assert coalescer._waiting == 0


async def test_two_of_one_key_never_share_a_batch(ledger):
    coalescer = of(ledger, alone_key=lambda ask: ask[0])
    found = await all_of(*(coalescer.ask(name) for name in ("a1", "b1", "a2", "c1", "a3")))
    assert found == ["done a1", "done b1", "done a2", "done c1", "done a3"]
    assert ledger.batches == [["a1", "b1", "c1"], ["a2"], ["a3"]]


async def test_the_queue_is_bounded_and_says_so(ledger):
    coalescer = of(ledger, waiting_max=3)
    ledger.open.clear()
    asked = [asyncio.create_task(coalescer.ask(name)) for name in "abcde"]
    await asyncio.sleep(0)
    ledger.open.set()
    found = await all_of(*asked)
    assert found[:3] == ["done a", "done b", "done c"]
    assert all(isinstance(one, PostingsFull) for one in found[3:])
    assert await coalescer.ask("later") == "done later"


async def test_a_batch_is_bounded(ledger):
    coalescer = of(ledger, batch_max=2)
    await all_of(*(coalescer.ask(name) for name in "abcde"))
    assert [len(batch) for batch in ledger.batches] == [2, 2, 1]


async def test_shards_do_not_wait_for_each_other(ledger):
    coalescer = of(ledger, shard_key=lambda ask: ask)
    names = [str(number) for number in range(40)]
    ledger.open.clear()
    asked = [asyncio.create_task(coalescer.ask(name)) for name in names]
    await asyncio.sleep(0)
    ledger.open.set()
    await all_of(*asked)
    assert len(ledger.batches) == SHARDS
    assert sorted(ledger.committed) == sorted(names)


async def test_each_request_keeps_the_trace_of_whoever_asked(ledger):
    seen: dict[str, str | None] = {}

    async def together(tx: Any, batch: Sequence[Waiting[str, str]]) -> Sequence[str]:
        seen.update({one.ask: one.trace.correlation_id for one in batch})
        return [one.ask for one in batch]

    coalescer = Coalescer(ledger, together, shard_key=lambda _: "one", alone_key=lambda ask: ask)

    async def ask(name: str) -> str:
        with continue_trace(None, f"correlation {name}"):
            return await coalescer.ask(name)

    await all_of(ask("a"), ask("b"))
    assert seen == {"a": "correlation a", "b": "correlation b"}


async def test_closing_answers_who_waits_and_takes_nobody(ledger):
    coalescer = of(ledger)
    asked = [asyncio.create_task(coalescer.ask(name)) for name in "ab"]
    await asyncio.sleep(0)
    await coalescer.close()
    assert await all_of(*asked) == ["done a", "done b"]
    with pytest.raises(PostingsFull):
        await coalescer.ask("late")
