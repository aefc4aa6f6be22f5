"""The database: local settings stay local, transient faults are `Unavailable`, siblings are out of reach."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest

from contracts.errors import Unavailable
from kit import db as db_module
from kit.db import Connection, Database, DatabaseUnavailable
from tests.support.engines import FreshDatabase


async def test_local_settings_end_with_the_transaction(database: Database) -> None:
    async with database.transaction(local={"cairn.partner": "lorain", "cairn.other": "x'y"}) as tx:
        assert await tx.fetchval("SELECT current_setting('cairn.partner')") == "lorain"
        assert await tx.fetchval("SELECT current_setting('cairn.other')") == "x'y"
    for _ in range(15):
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT current_setting('cairn.partner', true)") in {None, ""}


async def test_session_settings(database: Database) -> None:
    async with database.connection() as connection:
        found = {
            name: await connection.fetchval("SELECT current_setting($1)", name)
            for name in ("search_path", "statement_timeout", "lock_timeout", "application_name", "TimeZone")
        }
        assert await connection.fetchval("SELECT current_setting('idle_in_transaction_session_timeout')") == "30s"
        # Over TCP, which this connection uses, a host that is gone is found within a minute.
        for name, value in (("idle", "30"), ("interval", "10"), ("count", "3")):
            assert await connection.fetchval("SELECT current_setting($1)", f"tcp_keepalives_{name}") == value
        assert await connection.fetchval("SELECT current_setting('tcp_user_timeout')") == "60000"
    assert found == {
        "search_path": "applications",
        "statement_timeout": "15s",
        "lock_timeout": "5s",
        "application_name": "test kit",
        "TimeZone": "UTC",
    }


async def test_json_goes_in_and_comes_out_as_python(database: Database) -> None:
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT $1::jsonb", {"a": [1, None]}) == {"a": [1, None]}


async def test_a_failed_body_rolls_back_and_keeps_its_error(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO effect (what) VALUES ('never')")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM effect") == 0


async def test_what_is_not_transient_keeps_its_type(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.connection() as connection:
            await connection.execute("SELECT * FROM nothing_of_the_kind")


@pytest.mark.parametrize(
    "statement",
    [
        "SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$BEGIN RAISE SQLSTATE '40001'; END$$",
        "DO $$BEGIN RAISE SQLSTATE '40P01'; END$$",
        "DO $$BEGIN RAISE SQLSTATE '53100'; END$$",
        "DO $$BEGIN RAISE SQLSTATE '57P03'; END$$",
    ],
)
async def test_transient_faults_are_unavailable(database: Database, statement: str) -> None:
    with pytest.raises(Unavailable):
        async with database.transaction() as tx:
            await tx.execute(statement)
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT 1") == 1


async def test_a_held_lock_is_unavailable(database: Database) -> None:
    async with database.transaction() as holder:
        await holder.execute("LOCK TABLE effect")
        with pytest.raises(Unavailable):
            async with database.transaction(local={"lock_timeout": "30ms"}) as tx:
                await tx.execute("INSERT INTO effect (what) VALUES ('x')")


async def test_connections_cut_while_idle_fail_no_transaction(service: FreshDatabase, database: Database) -> None:
    async def one() -> int:
        async with database.transaction() as tx:
            return await tx.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.05)")

    await asyncio.gather(*(one() for _ in range(8)))
    owner = await asyncpg.connect(service.owner_dsn)
    cut = (
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE usename = $1 AND datname = current_database()"
    )
    assert await owner.fetchval(cut, "cairn_applications") == 8
    await owner.close()
    assert len(set(await asyncio.gather(*(one() for _ in range(8))))) == 8
    assert len(set(await asyncio.gather(*(one() for _ in range(8))))) > 1


async def test_an_exhausted_pool_is_unavailable(service: FreshDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db_module, "ACQUIRE_TIMEOUT_S", 0.05)
    small = await Database.connect(
        service.dsn("cairn_applications"), schema="applications", application_name="small", connections_max=1
    )
    async with small.connection():
        with pytest.raises(Unavailable):
            async with small.connection():
                pass
    await small.close()


async def test_no_server_is_unavailable_after_the_wait() -> None:
    with pytest.raises(Unavailable):
        await Database.connect(
            "postgresql://nobody:x@127.0.0.1:1/x", schema="x", application_name="x", wait_seconds=0.1
        )


async def test_a_session_of_ones_own_is_not_reused(database: Database) -> None:
    async with database.session() as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        await connection.execute("SET cairn.leak = 'yes'; SELECT pg_advisory_lock(1)")
    for _ in range(15):
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") != pid


async def test_a_role_cannot_read_a_siblings_schema(
    fresh_database: Callable[..., Awaitable[FreshDatabase]],
    database_for: Callable[..., Awaitable[Database]],
) -> None:
    fresh = await fresh_database("applications", "eligibility")
    sibling = await database_for("eligibility", on=fresh)
    async with sibling.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        for statement in (
            "SELECT * FROM applications.outbox",
            "SELECT * FROM vault.person_key",
            "CREATE TABLE mine (id int)",
            "CREATE TABLE public.mine (id int)",
            "DELETE FROM schema_migration",
            "UPDATE dead_letter_act SET actor = 'x'",
            "DROP TABLE outbox",
        ):
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)) as refused:
                await connection.execute(statement)
            if "vault" not in statement:
                assert refused.type is asyncpg.InsufficientPrivilegeError


@pytest.mark.parametrize("opened", [Database.connection, Database.transaction])
async def test_a_connection_whose_server_said_its_last_word_is_unavailable_and_not_used_again(
    database: Database, opened: Callable[[Database], AbstractAsyncContextManager[Connection]]
) -> None:
    lost: list[int] = []

    async def use() -> None:
        async with opened(database) as connection:
            lost.append(await connection.fetchval("SELECT pg_backend_pid()"))
            # What the driver raises between the server's FATAL and the end of the connection.
            raise asyncpg.InternalClientError("cannot switch to state 11; protocol is in failed state")

    with pytest.raises(DatabaseUnavailable):
        await use()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") not in lost
