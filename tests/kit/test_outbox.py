"""The outbox: in the caller's transaction, numbered without gaps, in order per key under concurrent writers."""

import asyncio
import random

import asyncpg
import pytest

from contracts.envelope import Envelope
from contracts.events.applications import ApplicationWithdrawn
from contracts.events.payments import HoldPlaced
from contracts.ids import ApplicationId, HoldId
from kit.db import Database
from kit.outbox import FactTooLarge, append, append_all, append_first, decode_headers, draft, encode_headers, shard_of
from kit.telemetry import continue_trace
from tests.kit.kafka_tools import NOW, withdrawn


async def test_append_returns_the_envelope_that_is_stored(database: Database) -> None:
    application = ApplicationId.new()
    with continue_trace("00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", "req-7", "evt-3"):
        async with database.transaction() as tx:
            envelope = await append(tx, withdrawn(application), now=NOW)
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM outbox")
    assert row is not None
    headers = decode_headers(row["headers"])
    assert Envelope.from_headers([*headers, ("ce_sequence", str(row["sequence"]).encode())]) == envelope
    assert (envelope.sequence, envelope.correlation_id, envelope.causation_id) == (1, "req-7", "evt-3")
    assert envelope.traceparent == "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    assert (row["topic"], row["key"], row["record_key"]) == ("cairn.applications", application, application.encode())
    assert ApplicationWithdrawn.model_validate_json(row["payload"]) == withdrawn(application)
    assert row["shard"] == shard_of(application)


async def test_a_rolled_back_change_leaves_no_fact_and_no_gap(database: Database) -> None:
    application = ApplicationId.new()

    async def fail_after_appending() -> None:
        async with database.transaction() as tx:
            await append(tx, withdrawn(application), now=NOW)
            raise LookupError

    with pytest.raises(LookupError):
        await fail_after_appending()
    async with database.transaction() as tx:
        envelope = await append(tx, withdrawn(application), now=NOW)
    assert envelope.sequence == 1
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 1


async def test_append_all_numbers_each_key_for_itself(database: Database) -> None:
    one, two = ApplicationId.new(), ApplicationId.new()
    async with database.transaction() as tx:
        envelopes = await append_all(tx, [withdrawn(key) for key in (one, two, one, one, two)], now=NOW)
        more = await append_all(tx, [withdrawn(two), withdrawn(one)], now=NOW)
    assert [e.sequence for e in envelopes] == [1, 1, 2, 3, 2]
    assert [e.sequence for e in more] == [3, 4]
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT event_id FROM outbox ORDER BY id")
    assert [row["event_id"] for row in rows] == [e.id for e in [*envelopes, *more]]
    assert await append_all(None, [], now=NOW) == []  # type: ignore[arg-type]


async def test_concurrent_writers_of_one_key_are_gapless_and_in_order(database: Database) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    keys = [ApplicationId.new() for _ in range(3)]
    dice = random.Random(seed)

    async def write() -> None:
        for _ in range(15):
            chosen = [dice.choice(keys) for _ in range(dice.randint(1, 4))]
            async with database.transaction() as tx:
                await append_all(tx, [withdrawn(key) for key in chosen], now=NOW)
                await asyncio.sleep(dice.random() / 200)

    await asyncio.gather(*(write() for _ in range(8)))
    async with database.connection() as connection:
        for key in keys:
            rows = await connection.fetch("SELECT sequence FROM outbox WHERE key = $1 ORDER BY id", key)
            assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))


async def test_facts_of_two_owners_are_refused(database: Database) -> None:
    application = ApplicationId.new()
    held = HoldPlaced.model_construct(application_id=application, hold_id=HoldId.new())
    async with database.transaction() as tx:
        with pytest.raises(ValueError, match="several owners"):
            await append_all(tx, [withdrawn(application), held], now=NOW)


async def test_a_fact_too_large_for_the_broker_is_refused_to_its_author(database: Database) -> None:
    fact = ApplicationWithdrawn.model_construct(
        application_id=ApplicationId.new(), reason="x" * 600_000, withdrawn_at=NOW
    )
    async with database.transaction() as tx:
        with pytest.raises(FactTooLarge):
            await append(tx, fact, now=NOW)


def test_headers_survive_whatever_they_hold() -> None:
    headers = [("a", b"\xff\x00"), ("b", None), ("ü", b""), ("a", b"again")]
    assert decode_headers(encode_headers(headers)) == headers


async def test_the_first_facts_of_many_keys_are_appended_in_the_order_given(database: Database) -> None:
    drafts = [draft(withdrawn(ApplicationId.new()), now=NOW) for _ in range(5)]
    columns = "(source, key, shard, topic, event_id, type, headers, payload, created_at, position)"
    statement = f"""
        WITH given AS (
            SELECT * FROM unnest(
                $1::text[], $2::text[], $3::smallint[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::bytea[],
                $9::timestamptz[]
            ) WITH ORDINALITY AS v {columns}
        ), {append_first("given")} SELECT 1
    """
    values = list(zip(*(one.values for one in reversed(drafts)), strict=True))
    async with database.transaction() as tx:
        await tx.execute(statement, *values)
    async with database.transaction() as tx:
        following = await append(tx, withdrawn(ApplicationId(drafts[0].envelope.subject)), now=NOW)
        rows = await tx.fetch("SELECT key, sequence, headers FROM outbox ORDER BY id")
    assert following.sequence == 2
    assert [row["key"] for row in rows[:5]] == [one.envelope.subject for one in reversed(drafts)]
    assert {row["sequence"] for row in rows[:5]} == {1}
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            await tx.execute(statement, *values)
