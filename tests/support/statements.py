"""Finds the SQL statements of a store and has PostgreSQL prepare each one on the migrated schema."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import asyncpg

from kit.db import Database

_STATEMENT = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s", re.IGNORECASE)


def statements_of(store: ModuleType) -> Iterator[tuple[str, str]]:
    """Every module-level string that is a statement, named `module.NAME`, in a module or a package of modules."""
    modules = [store]
    for found in pkgutil.iter_modules(getattr(store, "__path__", [])):
        modules.append(importlib.import_module(f"{store.__name__}.{found.name}"))
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, str) and not name.startswith("__") and _STATEMENT.match(value):
                yield f"{module.__name__}.{name}", value


async def faults_of(store: ModuleType, database: Database) -> tuple[int, list[str]]:
    """How many statements there are, and what PostgreSQL says of those it does not take."""
    faults: list[str] = []
    count = 0
    async with database.connection() as connection:
        for name, statement in statements_of(store):
            count += 1
            try:
                await connection.prepare(statement)
            except asyncpg.PostgresError as error:
                faults.append(f"{name}: {error}")
    return count, faults
