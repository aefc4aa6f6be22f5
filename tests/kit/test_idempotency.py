import asyncio
import json
from datetime import UTC, datetime

import asyncpg
import pytest

from contracts.errors import CairnError, Conflict, NotFound, Unavailable
from kit.db import Connection, Database
from kit.idempotency import (
    Answer,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    Once,
    RequestStillRunning,
    answer_once,
    answered_first,
    earlier_answer,
    keep_answer,
    once_of,
)
from tests.support.engines import FreshDatabase
from tests.support.lock_waits import until_one_waits

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def once(key: str = "k1", body: bytes = b'{"a": 1, "b": 2}', principal: str = "partner/p", path: str = "/x") -> Once:
    return once_of(principal=principal, key=key, method="POST", path=path, body=body)


async def act(database: Database, asked: Once) -> Answer:
    """A use case: one effect, one answer with something new in it."""
    async with database.transaction() as tx:
        earlier = await earlier_answer(tx, asked)
        if earlier is not None:
            return earlier
        await effect(tx)
        answer = Answer(201, str(await tx.fetchval("SELECT gen_random_uuid()")).encode())
        await keep_answer(tx, asked, answer, now=NOW)
        return answer


async def effect(tx: Connection) -> None:
    await tx.execute("INSERT INTO effect (what) VALUES ('done')")


async def effects(database: Database) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM effect"))


async def test_fifty_at_once_have_one_effect_and_equal_answers(database: Database) -> None:
    answers = await asyncio.gather(*(act(database, once()) for _ in range(50)))
    assert len(set(answers)) == 1
    assert await effects(database) == 1
    assert await act(database, once(body=b'{"b":2,"a":1}')) == answers[0]


@pytest.mark.parametrize("other", [once(body=b'{"a": 2}'), once(path="/y"), once(body=b"not json")])
async def test_a_key_used_for_another_request_is_refused(database: Database, other: Once) -> None:
    await act(database, once())
    with pytest.raises(IdempotencyKeyReused):
        await act(database, other)
    assert await effects(database) == 1


async def test_keys_belong_to_their_caller(database: Database) -> None:
    assert await act(database, once(principal="partner/a")) != await act(database, once(principal="partner/b"))
    assert await effects(database) == 2


async def test_a_request_that_failed_may_be_tried_again(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as tx:
            assert await earlier_answer(tx, once()) is None
            await effect(tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await act(database, once())
    assert await effects(database) == 1


async def test_a_twin_that_fails_lets_the_waiting_one_go_first(database: Database) -> None:
    entered, fail = asyncio.Event(), asyncio.Event()

    async def failing() -> None:
        async with database.transaction() as tx:
            await earlier_answer(tx, once())
            entered.set()
            await fail.wait()
            raise ZeroDivisionError

    first = asyncio.create_task(failing())
    await entered.wait()
    second = asyncio.create_task(act(database, once()))
    await until_one_waits(database, second)
    fail.set()
    with pytest.raises(ZeroDivisionError):
        await first
    assert (await second).status == 201
    assert await effects(database) == 1


async def test_a_twin_that_runs_too_long_is_told(database: Database) -> None:
    entered, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction() as tx:
            await earlier_answer(tx, once())
            entered.set()
            await finish.wait()
            await keep_answer(tx, once(), Answer(200, b"{}"), now=NOW)

    running = asyncio.create_task(slow())
    await entered.wait()
    with pytest.raises(RequestStillRunning):
        async with database.transaction(local={"lock_timeout": "50ms"}) as tx:
            await earlier_answer(tx, once())
    finish.set()
    await running
    assert await act(database, once()) == Answer(200, b"{}")


async def test_a_crash_between_effect_and_answer_loses_neither(service: FreshDatabase, database: Database) -> None:
    answer = await act(database, once())
    dying = await Database.connect(
        service.dsn("cairn_applications"), schema="applications", application_name="dying", connections_max=1
    )
    owner = await asyncpg.connect(service.owner_dsn)

    async def crash() -> None:
        async with dying.transaction() as tx:
            assert await earlier_answer(tx, once("k2")) is None
            await effect(tx)
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'dying' AND datname = current_database()"
            )
            await keep_answer(tx, once("k2"), Answer(201, b"{}"), now=NOW)

    with pytest.raises(Unavailable):
        await crash()
    await dying.close()
    await owner.close()
    assert await effects(database) == 1
    assert await act(database, once("k2")) != answer
    assert await effects(database) == 2


async def test_an_answer_is_kept_once_and_never_without_a_request(database: Database) -> None:
    await act(database, once())
    with pytest.raises(ValueError, match="unanswered"):
        async with database.transaction() as tx:
            await keep_answer(tx, once(), Answer(200, b""), now=NOW)


async def test_neither_key_nor_request_can_be_read_or_guessed_from_the_table(database: Database) -> None:
    body = b'{"ssn": "123-45-6789"}'
    await act(database, once("the-key-itself", body))
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM idempotency")
    assert b"the-key-itself" not in b"".join(value for value in dict(row or {}).values() if isinstance(value, bytes))
    assert once("k1", body).fingerprint != once("k2", body).fingerprint


@pytest.mark.parametrize("key", [None, "", " ", "a b", "é", "k" * 129, "k\n"])
def test_unfit_keys_are_refused(key: str | None) -> None:
    with pytest.raises(IdempotencyKeyMissing):
        once_of(principal="p", key=key, method="POST", path="/x", body=b"")


async def test_answers_kept_with_the_first_use_of_their_keys_are_the_answers(database: Database) -> None:
    first, second = once("many-1"), once("many-2", body=b'{"a": 2}')
    keep = f"""
        WITH given AS (
            SELECT *, 201::smallint AS status, convert_to('made ' || n, 'UTF8') AS body, now() AS at
            FROM unnest($1::text[], $2::bytea[], $3::bytea[])
                WITH ORDINALITY AS v (principal, key_digest, fingerprint, n)
        ), {answered_first("given")} SELECT count(*) FROM answered
    """
    async with database.transaction() as tx:
        assert await tx.fetchval(keep, *zip(first.claim, second.claim, strict=True)) == 2
    assert await act(database, second) == Answer(201, b"made 2")
    with pytest.raises(IdempotencyKeyReused):
        await act(database, once("many-1", body=b"{}"))
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            await tx.execute(keep, *zip(once("many-3").claim, first.claim, strict=True))
    assert await effects(database) == 0


def test_a_body_that_was_read_before_gives_the_same_fingerprint() -> None:
    body = '{"b": [1, 2.50, "é", null], "a": {"z": true, "y": 1e3}}'.encode()
    read = once_of(principal="p", key="k", method="POST", path="/x", body=body, value=json.loads(body))
    assert read == once_of(principal="p", key="k", method="POST", path="/x", body=body)


async def test_a_refusal_is_kept_and_what_passes_is_not(database: Database) -> None:
    """A no stays a no for its key, sealed like any answer; a fault that passes leaves the key free."""
    asked = once()
    reasons: list[CairnError] = [Conflict(), NotFound(kind="parcel"), Unavailable()]

    async def act_or_refuse(tx: Connection) -> Answer:
        await effect(tx)
        if reasons:
            raise reasons.pop()
        return Answer(201, b"{}")

    def turned(answer: Answer) -> Answer:
        return Answer(answer.status, answer.body[::-1])

    async def ask() -> Answer:
        return await answer_once(asked, act_or_refuse, db=database, now=NOW, seal=turned, unseal=turned)

    with pytest.raises(Unavailable):
        await ask()
    with pytest.raises(NotFound):
        await ask()
    refused = await ask()
    assert refused.status == 409
    assert json.loads(refused.body)["code"] == "conflict"
    assert await ask() == refused
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT body FROM idempotency") == refused.body[::-1]
    assert await effects(database) == 0
