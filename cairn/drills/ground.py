"""The ground of a drill: a throw-away, migrated database, ways to open it, and ways to break one guard of the build."""

import asyncio
import contextlib
import importlib
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from cairn.bootstrap import postgres as bootstrap
from cairn.stack.engines import postgres_of
from cairn.stack.layout import Home
from cairn.stack.secrets import make_secrets, password_of

if TYPE_CHECKING:
    from kit.db import Database

DATABASE = "drill"
APPLICATION = "cairn drill"
CONNECTIONS_MAX = 80
DEATH_SECONDS_MAX = 10.0


class FaultDoesNotFit(Exception):
    """The guard that a planted fault takes away is not there any more: the fault no longer tests anything."""


class Ground:
    """One migrated database; what is opened or patched through it is closed and undone when it ends."""

    def __init__(self, owner_dsn: str, dsn_of: Callable[[str], str]) -> None:
        self.owner_dsn = owner_dsn
        self.dsn_of = dsn_of
        """The DSN of `cairn_payments` and the like, with its password."""
        self._ending = contextlib.AsyncExitStack()
        self._folder: Path | None = None

    async def __aenter__(self) -> "Ground":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ending.aclose()

    @property
    def folder(self) -> Path:
        """An empty folder of the drill's own."""
        if self._folder is None:
            self._folder = Path(self._ending.enter_context(tempfile.TemporaryDirectory(prefix="cairn-drill-")))
        return self._folder

    async def open(
        self, role: str = "cairn_payments", *, connections_max: int = CONNECTIONS_MAX, name: str = APPLICATION
    ) -> "Database":
        """A pool as this service's role, on its schema; `name` is what the server knows its connections by."""
        from kit.db import Database

        database = await Database.connect(
            self.dsn_of(role),
            schema=role.removeprefix("cairn_"),
            application_name=name,
            connections_max=connections_max,
        )
        self._ending.push_async_callback(database.close)
        return database

    async def owner(self, schema: str = "payments") -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of the owner: what no service may do."""
        connection = await asyncpg.connect(self.owner_dsn, server_settings={"search_path": schema})
        self._ending.push_async_callback(connection.close)
        return connection

    async def run_sql(self, sql: str, schema: str = "payments") -> None:
        """Change the migrated schema as its owner."""
        connection = await asyncpg.connect(self.owner_dsn, server_settings={"search_path": schema})
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def edit_function(self, name: str, guard: str, instead: str, *, schema: str = "payments") -> None:
        """Replace a piece of a function's text wherever it stands in it; `FaultDoesNotFit` where it does not."""
        connection = await asyncpg.connect(self.owner_dsn, server_settings={"search_path": schema})
        try:
            texts = await connection.fetch(
                "SELECT pg_get_functiondef(oid) AS text FROM pg_proc"
                " WHERE proname = $1 AND pronamespace = $2::regnamespace",
                name,
                schema,
            )
            if len(texts) != 1 or guard not in texts[0]["text"]:
                raise FaultDoesNotFit(f"{schema}.{name} does not hold: {guard}")
            await connection.execute(texts[0]["text"].replace(guard, instead))
        finally:
            await connection.close()

    def patch(self, target: str, value: Any) -> None:
        """Put `value` in the place of `package.module:attribute.path` until the ground ends."""
        module, _, path = target.partition(":")
        holder: Any = importlib.import_module(module)
        *outer, name = path.split(".")
        for each in outer:
            holder = getattr(holder, each)
        if not hasattr(holder, name):
            raise FaultDoesNotFit(f"{target} is not there")
        # From the class's own dictionary: a static method read as an attribute would come back as a plain function.
        before = vars(holder).get(name, getattr(holder, name))
        setattr(holder, name, value)
        self._ending.callback(setattr, holder, name, before)


@dataclass
class Cuts:
    """How many connections were cut so far."""

    count: int = 0


@contextlib.asynccontextmanager
async def cutting(
    ground: Ground, db: "Database", victims: str, *arguments: Any, most: int, rest: Callable[[], float]
) -> AsyncGenerator[Cuts, None]:
    """Cut the connections that `victims` (SQL that gives `pid`) names, again and again, until the block ends.

    `most` bounds it: on a slow machine nobody gets anything done between two cuts.
    Afterwards no connection is dying any more and `db` has none that is dead, so that what follows is undisturbed.
    """
    owner, over, cuts = await ground.owner(), asyncio.Event(), Cuts()
    dying: set[int] = set()
    # Not a plain subquery: the planner may strike first and ask who is meant afterwards.
    statement = f"WITH v AS MATERIALIZED ({victims}) SELECT pid FROM v WHERE pg_terminate_backend(pid)"

    async def cut() -> None:
        while not over.is_set() and cuts.count < most:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), rest())
            struck = await owner.fetch(statement, *arguments)
            dying.update(row["pid"] for row in struck)
            cuts.count += len(struck)

    task = asyncio.create_task(cut())
    try:
        yield cuts
    finally:
        over.set()
        await task
        async with asyncio.timeout(DEATH_SECONDS_MAX):
            while await owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)", list(dying)):
                await asyncio.sleep(0.01)
        await db.renew()


Plant = Callable[[Ground], Awaitable[None]]
"""Breaks one guard of the build under a drill."""


def edits_function(name: str, guard: str, instead: str, *, schema: str = "payments") -> Plant:
    """A fault: one piece of a function in the database reads otherwise."""

    async def plant(ground: Ground) -> None:
        await ground.edit_function(name, guard, instead, schema=schema)

    return plant


def drops_constraint(table: str, *constraints: str, schema: str = "payments") -> Plant:
    """A fault: constraints of a table are gone."""

    async def plant(ground: Ground) -> None:
        await ground.run_sql("; ".join(f"ALTER TABLE {table} DROP CONSTRAINT {name}" for name in constraints), schema)

    return plant


def changes_schema(sql: str, *, schema: str = "payments") -> Plant:
    """A fault: the migrated schema is another, as its owner can make it: a trigger disabled, an index dropped."""

    async def plant(ground: Ground) -> None:
        await ground.run_sql(sql, schema)

    return plant


def patches(target: str, value: Any) -> Plant:
    """A fault: `package.module:attribute.path` is `value` while the drill runs."""

    async def plant(ground: Ground) -> None:
        ground.patch(target, value)

    return plant


def together(*plants: Plant) -> Plant:
    """A fault made of several: a guard that has a second line behind it falls only with both."""

    async def plant(ground: Ground) -> None:
        for each in plants:
            await each(ground)

    return plant


@contextlib.asynccontextmanager
async def engine_of_its_own(schemas: Sequence[str]) -> AsyncGenerator[Ground, None]:
    """A PostgreSQL on loopback in a temporary folder, fsync on, with these schemas migrated; gone at the end."""
    from cairn.stack.supervisor import Supervisor

    wanted = tuple(name for name in bootstrap.SCHEMAS if name in {*schemas, "vault", "access"})
    with tempfile.TemporaryDirectory(prefix="cairn-drill-engine-") as folder:
        home = Home(Path(folder) / "home")
        async with Supervisor(home, fresh=True, erase_at_end=True) as stack:
            make_secrets(home)
            postgres = postgres_of(home, stack.ports)
            await stack.start([postgres])
            stack.ready()
            owner_dsn = postgres.admin_dsn(DATABASE)
            await bootstrap.ensure_database(owner_dsn)
            await bootstrap.ensure_roles(owner_dsn, {role: password_of(home, role) for role in bootstrap.SERVICE_ROLES})
            connection = await asyncpg.connect(owner_dsn)
            try:
                await bootstrap.migrate_schemas(connection, wanted)
            finally:
                await connection.close()

            def dsn_of(role: str) -> str:
                return postgres.url(DATABASE).replace("//", f"//{role}:{password_of(home, role)}@", 1)

            async with Ground(owner_dsn, dsn_of) as ground:
                yield ground
