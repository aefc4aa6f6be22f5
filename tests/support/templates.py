"""Template databases: migrated once per set of migration files, cloned for each test."""

import asyncio
import hashlib
import uuid
from collections.abc import Mapping, Sequence

import asyncpg

from cairn.bootstrap.postgres import ROLES_SQL, SCHEMAS, ensure_roles, migrate_schemas

_LOCK = 0x7465_6D70
_built: dict[tuple[str, ...], str] = {}


async def template_for(dsn: str, schemas: Sequence[str], passwords: Mapping[str, str]) -> str:
    """The name of a database with these schemas migrated, built now where no test run has built it yet."""
    name = _built.get(tuple(schemas)) or f"template_{_digest(schemas)}"
    if tuple(schemas) in _built:
        return name
    admin = await asyncpg.connect(dsn)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _LOCK)
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await _build(admin, dsn, name, schemas, passwords)
    finally:
        await admin.close()
    _built[tuple(schemas)] = name
    return name


async def _build(
    admin: asyncpg.Connection, dsn: str, name: str, schemas: Sequence[str], passwords: Mapping[str, str]
) -> None:
    # Under another name until it is complete: a half-migrated database must never be taken for a template.
    building = f"building_{uuid.uuid4().hex[:12]}"
    await admin.execute(f'CREATE DATABASE "{building}"')
    own = dsn.rpartition("/")[0] + f"/{building}"
    try:
        await ensure_roles(own, passwords)
        connection = await asyncpg.connect(own)
        try:
            await migrate_schemas(connection, schemas)
        finally:
            await connection.close()
        await _when_left_alone(admin, f'ALTER DATABASE "{building}" RENAME TO "{name}"')
    except BaseException:
        await admin.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
        raise


async def clone(dsn: str, template: str) -> str:
    """A new database, a copy of the template; its name."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    admin = await asyncpg.connect(dsn)
    try:
        await _when_left_alone(admin, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG')
    finally:
        await admin.close()
    return name


async def drop(dsn: str, name: str) -> None:
    admin = await asyncpg.connect(dsn)
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def _when_left_alone(admin: asyncpg.Connection, statement: str) -> None:
    """A backend that has just been closed still counts for a moment as a user of its database."""
    for _ in range(100):
        try:
            await admin.execute(statement)
            return
        except asyncpg.ObjectInUseError:
            await asyncio.sleep(0.05)
    await admin.execute(statement)


def _digest(schemas: Sequence[str]) -> str:
    digest = hashlib.sha256(ROLES_SQL.read_bytes())
    for schema in schemas:
        for component, folder in SCHEMAS[schema]:
            digest.update(f"{schema}/{component}".encode())
            for file in sorted(folder.glob("*.sql")):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]
