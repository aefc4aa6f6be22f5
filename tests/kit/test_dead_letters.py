"""Dead letters are settled once, by somebody, for a reason; the record of it cannot be changed."""

from dataclasses import replace

import asyncpg
import pytest

from contracts.errors import NotFound
from kit.db import Database
from kit.dead_letters import (
    REDRIVE_FOR,
    DeadLetterSettled,
    Poison,
    Record,
    bury,
    list_dead_letters,
    redrive,
    redrive_all,
    show,
    skip,
)
from kit.outbox import decode_headers
from tests.kit.kafka_tools import NOW

RECORD = Record(
    topic="cairn.payments",
    partition=3,
    offset=41,
    key=b"\xffkey\x00",
    value=b"\x00bytes",
    headers=[("ce_id", b"\xff"), ("x", None), (REDRIVE_FOR, b"case-view")],
)


async def buried(database: Database, record: Record = RECORD) -> int:
    async with database.transaction() as tx:
        assert await bury(tx, "case-view", record, Poison("not_json", "the value is not JSON"), now=NOW)
        return (await list_dead_letters(tx))[-1].id


async def outbox(database: Database) -> list[asyncpg.Record]:
    async with database.connection() as connection:
        return await connection.fetch("SELECT * FROM outbox ORDER BY id")


async def test_bury_keeps_every_byte_and_queues_a_copy(database: Database) -> None:
    letter_id = await buried(database)
    async with database.connection() as connection:
        letter = await show(connection, letter_id)
    assert (letter.record.value, letter.record.key) == (RECORD.value, RECORD.key)
    assert list(letter.record.headers) == RECORD.headers
    assert (letter.state, letter.consumer, letter.poison.reason) == ("open", "case-view", "not_json")
    [copy] = await outbox(database)
    assert (copy["topic"], copy["record_key"], copy["payload"]) == ("cairn.dead-letters", RECORD.key, RECORD.value)
    assert decode_headers(copy["headers"])[:3] == RECORD.headers


async def test_the_same_delivery_is_buried_once(database: Database) -> None:
    await buried(database)
    async with database.transaction() as tx:
        assert not await bury(tx, "case-view", RECORD, Poison("not_json", "again"), now=NOW)
        assert await bury(tx, "other-view", RECORD, Poison("not_json", "for another"), now=NOW)
    assert len(await outbox(database)) == 2


async def test_redrive_queues_the_original_for_one_consumer_and_is_on_record(database: Database) -> None:
    letter_id = await buried(database)
    async with database.transaction() as tx:
        letter = await redrive(tx, letter_id, "staff-ada", NOW)
    assert letter.state == "redriven"
    assert [(act.act, act.actor, act.acted_at) for act in letter.acts] == [("redriven", "staff-ada", NOW)]
    again = (await outbox(database))[-1]
    assert (again["topic"], again["record_key"], again["payload"]) == ("cairn.payments", RECORD.key, RECORD.value)
    assert decode_headers(again["headers"]) == [("ce_id", b"\xff"), ("x", None), (REDRIVE_FOR, b"case-view")]
    async with database.transaction() as tx:
        with pytest.raises(DeadLetterSettled):
            await redrive(tx, letter_id, "staff-ada", NOW)
        with pytest.raises(DeadLetterSettled):
            await skip(tx, letter_id, "staff-ada", "too late", NOW)


async def test_skip_needs_a_reason(database: Database) -> None:
    letter_id = await buried(database)
    async with database.transaction() as tx:
        with pytest.raises(ValueError, match="for a reason"):
            await skip(tx, letter_id, "staff-ada", "  ", NOW)
        letter = await skip(tx, letter_id, "staff-ada", "sent by a broken release", NOW)
        assert letter.state == "skipped"
        assert await list_dead_letters(tx) == []
        assert [one.id for one in await list_dead_letters(tx, state="skipped")] == [letter_id]


async def test_what_does_not_exist_is_not_found(database: Database) -> None:
    async with database.transaction() as tx:
        for act in (show(tx, 404), redrive(tx, 404, "staff-ada", NOW), skip(tx, 404, "staff-ada", "why", NOW)):
            with pytest.raises(NotFound):
                await act


async def test_the_record_of_acts_is_append_only_for_the_service(database: Database) -> None:
    letter_id = await buried(database)
    async with database.transaction() as tx:
        await redrive(tx, letter_id, "staff-ada", NOW)
    for statement in ("UPDATE dead_letter_act SET actor = 'nobody'", "DELETE FROM dead_letter_act"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.connection() as connection:
                await connection.execute(statement)


async def test_another_record_at_an_old_place_is_buried_too(database: Database) -> None:
    """Offsets begin again where a cluster was built anew."""
    await buried(database)
    for other in (replace(RECORD, value=b"new"), replace(RECORD, key=None), replace(RECORD, headers=[])):
        await buried(database, other)
        async with database.transaction() as tx:
            assert not await bury(tx, "case-view", other, Poison("not_json", "again"), now=NOW)
    async with database.connection() as connection:
        assert len(await list_dead_letters(connection)) == 4


async def test_many_are_redriven_by_consumer_and_reason_within_a_bound(database: Database) -> None:
    async with database.transaction() as tx:
        for offset in range(6):
            record = Record("cairn.payments", 3, 100 + offset, None, b"{}", [])
            consumer, reason = ("case-view", "handler_failed") if offset % 2 else ("other-view", "not_json")
            assert await bury(tx, consumer, record, Poison(reason, "why"), now=NOW)
    async with database.transaction() as tx:
        first = await redrive_all(
            tx, consumer="case-view", reason="handler_failed", letters_max=2, actor="staff-ada", now=NOW
        )
        assert [letter.record.offset for letter in first] == [101, 103]
        assert [letter.acts[0].actor for letter in first] == ["staff-ada", "staff-ada"]
        assert await redrive_all(tx, consumer="case-view", reason="not_json", letters_max=9, actor="a", now=NOW) == []
        rest = await redrive_all(tx, consumer=None, reason=None, letters_max=9, actor="staff-ada", now=NOW)
    assert [letter.record.offset for letter in rest] == [100, 102, 104, 105]
    sent = [row for row in await outbox(database) if row["topic"] == "cairn.payments"]
    assert [dict(decode_headers(row["headers"]))[REDRIVE_FOR] for row in sent] == [
        b"case-view", b"case-view", b"other-view", b"other-view", b"other-view", b"case-view",
    ]  # fmt: skip
