"""The database, its roles with their passwords, its schemas, and the migrations of every schema."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import asyncpg

from cairn.stack.layout import ROOT

if TYPE_CHECKING:
    from kit.migrate import Applied

ROLES_SQL = ROOT / "deploy" / "postgres" / "roles.sql"
SERVICES = ("applications", "eligibility", "payments", "notifications")
SERVICE_ROLES = tuple(f"cairn_{service}" for service in (*SERVICES, "workflows"))
SCRAM_ITERATIONS = 4096
ATTEMPTS_MAX = 20


def _folders() -> dict[str, list[tuple[str, Path]]]:
    own = ("kit", ROOT / "kit" / "migrations")
    return {
        "vault": [("vault", ROOT / "kit" / "vault_migrations")],
        "access": [("access", ROOT / "kit" / "access_migrations")],
        **{service: [own, (service, ROOT / "services" / service / "migrations")] for service in SERVICES},
        "workflows": [own, ("workflows", ROOT / "workflows" / "migrations")],
    }


SCHEMAS = _folders()
"""Schema → the folders of its migrations, in order: the kit's tables first, then the service's own."""


async def ensure_database(dsn: str) -> bool:
    """Create the DSN's database where the server does not have it yet; whether it was created."""
    try:
        connection = await asyncpg.connect(dsn)
    except asyncpg.InvalidCatalogNameError:
        head, _, name = dsn.rpartition("/")
        connection = await asyncpg.connect(f"{head}/postgres")
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return True
    await connection.close()
    return False


async def ensure_roles(dsn: str, passwords: Mapping[str, str]) -> list[str]:
    """Roles and schemas from `deploy/postgres/roles.sql`, then passwords; returns the roles that got a new one."""
    connection = await asyncpg.connect(dsn)
    try:
        await _patiently(connection, ROLES_SQL.read_text())
        changed: list[str] = []
        for role, password in passwords.items():
            if not await _may_log_in(dsn, role, password):
                # The verifier, not the password: a statement can end up in the server's log.
                await _patiently(connection, f"ALTER ROLE {role} PASSWORD '{_verifier(password, os.urandom(16))}'")
                changed.append(role)
        return changed
    finally:
        await connection.close()


async def _patiently(connection: asyncpg.Connection, statement: str) -> None:
    # Roles belong to the whole server and no lock spans its databases: two bootstraps at once can meet on a row.
    for attempt in range(ATTEMPTS_MAX):
        try:
            await connection.execute(statement)
            return
        except (asyncpg.InternalServerError, asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError):
            if attempt == ATTEMPTS_MAX - 1:
                raise


async def _may_log_in(dsn: str, role: str, password: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, user=role, password=password)
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
        return False
    await connection.close()
    return True


async def migrate_schemas(
    connection: asyncpg.Connection, schemas: Sequence[str] = tuple(SCHEMAS), *, phase: Literal["pre", "all"] = "all"
) -> "list[Applied]":
    """Apply what is new in these schemas, in the order of `SCHEMAS`; in phase `pre`, what the old release can bear."""
    from kit.migrate import migrate

    applied: list[Applied] = []
    for schema, folders in SCHEMAS.items():
        if schema in schemas:
            applied += await migrate(connection, schema=schema, folders=folders, phase=phase)
    return applied


def _verifier(password: str, salt: bytes, iterations: int = SCRAM_ITERATIONS) -> str:
    """What PostgreSQL keeps of a password (RFC 5802 §3, RFC 7677)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt_text}${stored_text}:{server_text}"
