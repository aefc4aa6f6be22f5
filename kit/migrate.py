"""Forward-only migrations: numbered SQL files, each applied once, in its own transaction, under one lock.

A file is `NNNN_pre_what.sql` (safe while the previous release still runs) or `NNNN_post_what.sql` (only once that
release is gone).
"""

import hashlib
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncpg

from contracts.errors import Refused
from kit.db import Connection, DatabaseUnavailable

STATEMENT_LOCK_TIMEOUT = "5s"
"""How long one statement may queue for a table: behind it, every query of the running service queues too."""
TURN_LOCK_TIMEOUT = "60s"
"""How long to wait while another process migrates the same schema."""

_FILE_NAME = re.compile(r"^(\d{4})_(pre|post)_[a-z0-9_]+\.sql$")
_SCHEMA_NAME = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")

_CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migration (
    component text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (component, number)
)
"""
_READ_RECORD = "SELECT number, name, checksum FROM schema_migration WHERE component = $1 ORDER BY number"
_WRITE_RECORD = "INSERT INTO schema_migration (component, number, name, checksum) VALUES ($1, $2, $3, $4)"
_LOCK = "SELECT pg_advisory_lock(hashtext('cairn.migrate'), hashtext($1))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtext('cairn.migrate'), hashtext($1))"
_GRANTEES = """
SELECT DISTINCT quote_ident(grantee) FROM information_schema.role_table_grants
WHERE table_schema = $1 AND table_name = 'schema_migration' AND privilege_type = 'INSERT' AND grantee <> current_user
"""


class MigrationMisnamed(Refused):
    """The migration file {name} is not named NNNN_pre_what.sql or NNNN_post_what.sql."""

    code = "migration_misnamed"


class MigrationMisnumbered(Refused):
    """The migrations of {component} go 1, 2, 3 … without gap or duplicate; {name} is where they do not."""

    code = "migration_misnumbered"


class MigrationEdited(Refused):
    """The migration {name} of {component} was applied to {schema} and has been edited since: write a new one."""

    code = "migration_edited"


class MigrationMissing(Refused):
    """The migration {name} of {component} was applied to {schema} but its file is not here: is this release older?"""

    code = "migration_missing"


@dataclass(frozen=True)
class Migration:
    """One file of one component, as it lies in its folder."""

    component: str
    number: int
    phase: Literal["pre", "post"]
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True)
class Applied:
    """One migration that this call applied."""

    schema: str
    component: str
    number: int
    name: str


def read_migrations(component: str, folder: Path) -> list[Migration]:
    """The migrations of a folder in order; refuses a misnamed file, a gap or a number used twice."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        named = _FILE_NAME.match(path.name)
        if named is None:
            raise MigrationMisnamed(name=path.name)
        phase: Literal["pre", "post"] = "pre" if named[2] == "pre" else "post"
        if int(named[1]) != len(found) + 1:
            raise MigrationMisnumbered(component=component, name=path.name)
        # Line ends are folded: a checkout on another system must not look like an edit.
        sql = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        found.append(Migration(component, int(named[1]), phase, path.name, sql))
    return found


async def migrate(
    connection: Connection, *, schema: str, folders: Sequence[tuple[str, Path]], phase: Literal["pre", "all"] = "all"
) -> list[Applied]:
    """Bring `schema` up to date with `folders` (component, folder), in that order; returns what was applied.

    `phase="pre"` stops before a component's first pending `post` file. Safe to call from several processes at once.
    """
    if _SCHEMA_NAME.fullmatch(schema) is None:
        raise ValueError(f"{schema!r} is not the name of a schema")
    planned = [(component, read_migrations(component, folder)) for component, folder in folders]
    applied: list[Applied] = []
    async with _turn(connection, schema):
        for component, migrations in planned:
            for migration in await _pending(connection, schema, component, migrations):
                if phase == "pre" and migration.phase == "post":
                    break
                await _apply(connection, schema, migration)
                applied.append(Applied(schema, component, migration.number, migration.name))
    return applied


@asynccontextmanager
async def _turn(connection: Connection, schema: str) -> AsyncGenerator[None, None]:
    await connection.execute(f"SET lock_timeout = '{TURN_LOCK_TIMEOUT}'; SET statement_timeout = 0")
    try:
        await connection.execute(_LOCK, schema)
        try:
            async with connection.transaction():
                await _prepare_record(connection, schema)
            yield
        finally:
            if not connection.is_closed():
                await connection.execute(_UNLOCK, schema)
    except asyncpg.LockNotAvailableError as error:
        raise DatabaseUnavailable(what="a lock is held by somebody else") from error
    finally:
        if not connection.is_closed():
            await connection.execute("RESET lock_timeout; RESET statement_timeout; RESET search_path")


async def _prepare_record(connection: Connection, schema: str) -> None:
    await connection.execute(f"SET search_path = {schema}")
    await connection.execute(_CREATE_RECORD)
    for row in await connection.fetch(_GRANTEES, schema):
        await connection.execute(f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON schema_migration FROM {row[0]}")


async def _pending(connection: Connection, schema: str, component: str, migrations: list[Migration]) -> list[Migration]:
    records = await connection.fetch(_READ_RECORD, component)
    for position, record in enumerate(records):
        if position >= len(migrations) or migrations[position].name != record["name"]:
            raise MigrationMissing(name=record["name"], component=component, schema=schema)
        if migrations[position].checksum != record["checksum"]:
            raise MigrationEdited(name=record["name"], component=component, schema=schema)
    return migrations[len(records) :]


async def _apply(connection: Connection, schema: str, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(
            f"SET LOCAL search_path = {schema}; SET LOCAL lock_timeout = '{STATEMENT_LOCK_TIMEOUT}'"
        )
        await connection.execute(migration.sql)
        # A file may have changed its search_path; the record belongs to this schema whatever it did.
        await connection.execute(f"SET LOCAL search_path = {schema}")
        await connection.execute(
            _WRITE_RECORD, migration.component, migration.number, migration.name, migration.checksum
        )
