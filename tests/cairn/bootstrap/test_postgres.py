"""Roles and schemas: made once, passwords renewed where they do not fit, and no service reads a sibling."""

import secrets
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from cairn.bootstrap.postgres import SCHEMAS, SERVICE_ROLES, ensure_database, ensure_roles, migrate_schemas
from cairn.stack.layout import Home
from cairn.stack.secrets import password_of
from tests.support.templates import drop


@pytest.fixture
def passwords(postgres_home: Home) -> dict[str, str]:
    return {role: password_of(postgres_home, role) for role in SERVICE_ROLES}


@pytest.fixture
async def own_dsn(postgres: str) -> AsyncIterator[str]:
    """The owner's DSN of a database that does not exist yet."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield f"{postgres.rpartition('/')[0]}/{name}"
    await drop(postgres, name)


async def test_everything_may_be_done_twice(own_dsn: str, passwords: dict[str, str]) -> None:
    assert await ensure_database(own_dsn)
    assert not await ensure_database(own_dsn)
    await ensure_roles(own_dsn, passwords)
    assert await ensure_roles(own_dsn, passwords) == []
    connection = await asyncpg.connect(own_dsn)
    try:
        first = await migrate_schemas(connection)
        assert {each.schema for each in first} <= set(SCHEMAS)
        assert {"applications", "payments"} <= {each.schema for each in first}
        assert await migrate_schemas(connection) == []
    finally:
        await connection.close()


async def test_a_password_that_does_not_fit_is_renewed(own_dsn: str, passwords: dict[str, str]) -> None:
    await ensure_database(own_dsn)
    await ensure_roles(own_dsn, passwords)
    # A role of its own: others log in with the five meanwhile.
    role = f"cairn_test_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(own_dsn)
    try:
        await connection.execute(f"CREATE ROLE {role} LOGIN")
        await connection.execute(f"GRANT CONNECT ON DATABASE {own_dsn.rpartition('/')[2]} TO {role}")
        try:
            assert await ensure_roles(own_dsn, {role: "first"}) == [role]
            assert await ensure_roles(own_dsn, {role: "first"}) == []
            assert await ensure_roles(own_dsn, {role: "second"}) == [role]
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(own_dsn, user=role, password="first")
            kept = await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
            assert kept.startswith("SCRAM-SHA-256$")
        finally:
            await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    finally:
        await connection.close()


async def test_a_service_reaches_its_own_schema_and_no_other(own_dsn: str, passwords: dict[str, str]) -> None:
    await ensure_database(own_dsn)
    await ensure_roles(own_dsn, passwords)
    owner = await asyncpg.connect(own_dsn)
    for schema in SCHEMAS:
        await owner.execute(f"CREATE TABLE {schema}.thing (id bigint GENERATED ALWAYS AS IDENTITY, word text)")
        await owner.execute(f"CREATE FUNCTION {schema}.speak() RETURNS text LANGUAGE sql AS $$ SELECT 'hello' $$")
    await owner.close()
    for role in SERVICE_ROLES:
        own = role.removeprefix("cairn_")
        connection = await asyncpg.connect(own_dsn, user=role, password=passwords[role])
        try:
            await connection.execute("INSERT INTO thing (word) VALUES ('mine')")
            assert await connection.fetchval("SELECT speak() || word FROM thing") == "hellomine"
            for other in set(SCHEMAS) - {own}:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetchval(f"SELECT count(*) FROM {other}.thing")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetchval(f"SELECT {other}.speak()")
            for forbidden in (f"CREATE TABLE {own}.more ()", "CREATE TABLE public.more ()", "CREATE ROLE more"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(forbidden)
        finally:
            await connection.close()


async def test_the_pre_phase_leaves_out_what_the_old_release_cannot_bear(
    own_dsn: str, passwords: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001_pre_parcel.sql").write_text("CREATE TABLE parcel (id bigint, old text);")
    (tmp_path / "0002_post_parcel.sql").write_text("ALTER TABLE parcel DROP COLUMN old;")
    monkeypatch.setitem(SCHEMAS, "workflows", [("workflows", tmp_path)])
    await ensure_database(own_dsn)
    await ensure_roles(own_dsn, passwords)
    connection = await asyncpg.connect(own_dsn)
    try:
        for phase, names in (("pre", ["0001_pre_parcel.sql"]), ("pre", []), ("all", ["0002_post_parcel.sql"])):
            applied = await migrate_schemas(connection, ["workflows"], phase=phase)
            assert [each.name for each in applied] == names
    finally:
        await connection.close()
