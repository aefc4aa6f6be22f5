"""The inbox without a broker: all or nothing, halved down to the one record that is at fault."""

import tomllib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts.errors import Conflict, Unavailable
from contracts.events.applications import ApplicationClosed, ApplicationWithdrawn
from contracts.ids import ApplicationId
from kit import inbox as inbox_module
from kit.clock import FixedClock
from kit.db import Database
from kit.dead_letters import REDRIVE_FOR, Record, list_dead_letters
from kit.inbox import HandlerBroken, Inbox, Received, ReleaseUnfit
from tests.kit.kafka_tools import NOW, as_sent, effects, envelope_of, note_effect, withdrawn
from tests.support.engines import FreshDatabase

Handle = Callable[[Received[ApplicationWithdrawn], Any], Awaitable[None]]


def inbox_of(database: Database, handle: Handle = note_effect, name: str = "test") -> Inbox:
    return Inbox(name=name, database=database, handlers={ApplicationWithdrawn: handle}, clock=FixedClock(NOW))


def records(*reasons: str, **headers: bytes) -> list[Record]:
    sent = [as_sent(fact, envelope_of(fact)) for fact in (withdrawn(ApplicationId.new(), reason) for reason in reasons)]
    return [
        Record("cairn.applications", 0, offset, key.encode() if key else None, value, [*pairs, *headers.items()])
        for offset, (key, value, pairs) in enumerate(sent)
    ]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "HANDLER_RETRY_SECONDS", 0.0)


async def test_a_batch_with_its_own_duplicates_is_handled_once(database: Database) -> None:
    batch = records("one", "two")
    inbox = inbox_of(database)
    await inbox.take([*batch, *batch])
    await inbox.take(batch)
    assert await effects(database) == ["one", "two"]


async def test_only_what_no_topic_can_bring_again_is_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, batch = FixedClock(NOW), records("one", "two", "three")
    inbox = Inbox(name="old", database=database, handlers={ApplicationWithdrawn: note_effect}, clock=clock)
    other = inbox_of(database, name="other")
    await inbox.take(batch[:2])
    await other.take(batch[:2])
    clock.advance(timedelta(days=1))
    await inbox.take(batch[2:])
    monkeypatch.setattr(inbox_module, "FORGOTTEN_AT_ONCE_MAX", 1)
    clock.advance(inbox_module.KEPT - timedelta(days=1))
    assert await inbox.forget() == 0
    clock.advance(timedelta(seconds=1))
    assert [await inbox.forget() for _ in range(3)] == [1, 1, 0]
    await inbox.take(batch[2:])
    await other.take(batch[:2])
    assert await effects(database) == ["one", "two", "one", "two", "three"]


def test_a_fact_is_known_for_longer_than_any_topic_keeps_it() -> None:
    topics = tomllib.loads((Path(__file__).parents[2] / "deploy" / "kafka" / "topics.toml").read_text())["topics"]
    longest = max(int(topic["config"]["retention.ms"]) for topic in topics.values())
    assert timedelta(milliseconds=longest) * 2 <= inbox_module.KEPT


async def test_two_consumers_of_one_schema_do_not_share_an_inbox(database: Database) -> None:
    batch = records("one")
    await inbox_of(database, name="first").take(batch)
    await inbox_of(database, name="second").take(batch)
    assert await effects(database) == ["one", "one"]


async def test_unavailable_leaves_nothing_of_the_batch(database: Database) -> None:
    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        await note_effect(received, tx)
        if received.fact.reason == "two":
            raise Unavailable

    batch = records("one", "two", "three")
    with pytest.raises(Unavailable):
        await inbox_of(database, handle).take(batch)
    assert await effects(database) == []
    await inbox_of(database).take(batch)
    assert await effects(database) == ["one", "two", "three"]


@pytest.mark.parametrize("position", range(7))
async def test_one_bad_record_is_found_wherever_it_stands(database: Database, position: int) -> None:
    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        await note_effect(received, tx)
        if received.fact.reason == f"r{position}":
            raise Conflict

    await inbox_of(database, handle).take(records(*(f"r{number}" for number in range(7))))
    assert await effects(database) == [f"r{number}" for number in range(7) if number != position]
    async with database.connection() as connection:
        [letter] = await list_dead_letters(connection)
    assert letter.record.offset == position
    assert letter.poison.explanation.startswith("Conflict (conflict) at test_inbox.py:")


async def test_a_passing_fault_buries_nothing(database: Database) -> None:
    faults = ["once"]

    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        await note_effect(received, tx)
        if received.fact.reason == "two" and faults:
            raise RuntimeError(faults.pop())

    await inbox_of(database, handle).take(records("one", "two", "three"))
    assert await effects(database) == ["one", "two", "three"]
    async with database.connection() as connection:
        assert await list_dead_letters(connection) == []


async def test_a_fault_that_shows_only_at_commit_finds_its_record(database: Database) -> None:
    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        await note_effect(received, tx)
        if received.fact.reason == "two":
            # A failed statement that the handler swallows leaves a transaction that cannot commit.
            with pytest.raises(Exception, match="division"):
                await tx.execute("SELECT 1/0")

    await inbox_of(database, handle).take(records("one", "two", "three"))
    assert await effects(database) == ["one", "three"]


async def test_known_facts_without_a_handler_are_stepped_over_even_if_unreadable(database: Database) -> None:
    [record] = records("one")
    headers = [*((name, value) for name, value in record.headers if name != "ce_type")]
    headers.append(("ce_type", ApplicationClosed.TYPE.encode()))
    await inbox_of(database).take([Record(record.topic, 0, 0, record.key, b"?", headers)])
    async with database.connection() as connection:
        assert await list_dead_letters(connection) == []
        assert await connection.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_redriven_record_is_for_one_consumer(database: Database) -> None:
    batch = records("one", **{REDRIVE_FOR: b"other"})
    await inbox_of(database).take(batch)
    assert await effects(database) == []
    await inbox_of(database, name="other").take(batch)
    assert await effects(database) == ["one"]


def _content(record: Record) -> tuple[Any, Any, Any]:
    return record.key, record.value, record.headers


async def letters_of(database: Database) -> list[tuple[str, int]]:
    async with database.connection() as connection:
        return [(one.poison.reason, one.record.offset) for one in await list_dead_letters(connection)]


async def test_a_release_ahead_of_its_migration_waits_and_buries_nothing(
    database: Database, service: FreshDatabase
) -> None:
    """A missing column, table or privilege says nothing about the fact that met it."""

    async def ahead(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        await tx.execute("INSERT INTO effect (what, since) VALUES ($1, now())", received.fact.reason)

    async def trespasser(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        await tx.execute("CREATE TABLE of_its_own ()")

    batch = records("one", "two")
    for handle in (trespasser, ahead):
        with pytest.raises(ReleaseUnfit):
            await inbox_of(database, handle).take(batch)
    assert await letters_of(database) == []
    owner = await asyncpg.connect(service.owner_dsn)
    await owner.execute("ALTER TABLE applications.effect ADD COLUMN since timestamptz")
    await owner.close()
    await inbox_of(database, ahead).take(batch)
    assert await effects(database) == ["one", "two"]


async def test_a_type_whose_facts_die_one_after_the_other_waits(database: Database) -> None:
    """Five are given up; after that nothing is until a fact of the type goes well again."""
    broken = [True]

    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        if broken:
            raise RuntimeError
        await note_effect(received, tx)

    inbox, batch = inbox_of(database, handle), records(*(f"r{number}" for number in range(8)))
    for _ in range(3):
        with pytest.raises(HandlerBroken):
            await inbox.take(batch)
    assert await letters_of(database) == [("handler_failed", offset) for offset in range(5)]
    # What somebody sends again before its time is given up again and stops nobody.
    again = records("again", **{REDRIVE_FOR: b"test"})
    await inbox.take([Record("cairn.applications", 1, 77, *_content(again[0]))])
    assert (await letters_of(database))[-1] == ("handler_failed", 77)
    broken.clear()
    await inbox.take(batch[5:])
    broken.append(True)
    await inbox.take([Record("cairn.applications", 2, 78, *_content(records("one")[0]))])
    assert (await letters_of(database))[-1] == ("handler_failed", 78)


async def test_a_fact_that_always_takes_too_long_is_given_up_and_a_slow_database_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {"two"}

    async def handle(received: Received[ApplicationWithdrawn], tx: Any) -> None:
        if received.fact.reason in slow:
            await tx.execute("SET LOCAL statement_timeout = 20")
            await tx.execute("SELECT pg_sleep(5)")
        await note_effect(received, tx)

    inbox, batch = inbox_of(database, handle), records("one", "two", "three")
    for _ in range(inbox_module.CALLED_OFF_MAX):
        with pytest.raises(Unavailable):
            await inbox.take(batch)
    assert await letters_of(database) == []
    await inbox.take(batch)
    assert await letters_of(database) == [("handler_too_slow", 1)]
    assert await effects(database) == ["one", "three"]
    # One such grave is enough for an hour: when everything is slow the facts wait.
    slow.add("four")
    more = records("four")
    for _ in range(inbox_module.CALLED_OFF_MAX + 2):
        with pytest.raises(Unavailable):
            await inbox.take(more)
    monkeypatch.setattr(inbox_module, "CALLED_OFF_APART_SECONDS", 0.0)
    await inbox.take([Record("cairn.applications", 4, 90, *_content(more[0]))])
    assert (await letters_of(database))[-1] == ("handler_too_slow", 90)
