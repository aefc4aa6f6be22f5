"""PostgreSQL: one pool for one schema under one role, transactions, and what counts as "try again"."""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from contracts.errors import Unavailable

if TYPE_CHECKING:
    RawConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
ACQUIRE_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
# Past the server's own limit: it only ends a call whose server has fallen silent.
COMMAND_TIMEOUT_S = STATEMENT_TIMEOUT_MS / 1000 + 5.0

_PARAMETER = re.compile(r"\$(\d+)")
_SCHEMA_NAME = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")

TRANSIENT: tuple[type[BaseException], ...] = (
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What passes by itself: the server is away, full, failing over, or another transaction was in the way."""
LOST: tuple[type[BaseException], ...] = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
)
"""Of these, what ends the connection: another one may serve."""


class DatabaseUnavailable(Unavailable):
    """The database does not answer just now ({what})."""

    code = "database_unavailable"


class ConnectionLost(DatabaseUnavailable):
    """The connection to the database broke ({what})."""


class Database:
    """A pool of connections whose `search_path` is one service's schema."""

    def __init__(self, pool: "Pool", *, schema: str) -> None:
        self._pool = pool
        self.schema = schema
        self.connections_max = pool.get_max_size()

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        schema: str,
        application_name: str,
        connections_max: int = 10,
        wait_seconds: float = 15.0,
    ) -> "Database":
        """Open the pool, waiting at most `wait_seconds` for a server that is still coming up."""
        if _SCHEMA_NAME.fullmatch(schema) is None:
            raise ValueError(f"{schema!r} is not the name of a schema")
        limit = time.monotonic() + wait_seconds
        while True:
            try:
                with _transient_errors():
                    pool = await _open_pool(dsn, schema, application_name, connections_max)
                return cls(pool, schema=schema)
            except (Unavailable, OSError) as error:
                if time.monotonic() >= limit:
                    raise DatabaseUnavailable(what=type(error).__name__) from error
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def connection(self) -> "AsyncGenerator[PoolConnectionProxy[asyncpg.Record], None]":
        """One connection outside any transaction. What is set on it for the session stays with it: set nothing."""
        with _transient_errors():
            connection: PoolConnectionProxy[asyncpg.Record] = await self._acquire()
            try:
                yield connection
            except asyncpg.InterfaceError as error:
                if not _is_gone(connection):
                    raise
                raise ConnectionLost(what="ConnectionClosed") from error
            except asyncpg.InternalClientError as error:
                if isinstance(error, asyncpg.OutdatedSchemaCacheError):
                    raise
                # The server's last word was FATAL and the connection is not closed yet: it takes nothing any more.
                connection.terminate()
                raise ConnectionLost(what="ConnectionFailed") from error
            finally:
                await self._pool.release(connection)

    @asynccontextmanager
    async def session(self) -> "AsyncGenerator[PoolConnectionProxy[asyncpg.Record], None]":
        """A connection of one's own for session locks and session settings: it is cut at the end, never reused."""
        async with self.connection() as connection:
            try:
                yield connection
            finally:
                if not _is_gone(connection):
                    connection.terminate()

    def transaction(self, *, local: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Connection]:
        """One transaction; `local` settings (row-level security) hold until it ends and never leak to the next."""
        return _Transaction(self, local or {})

    async def renew(self) -> None:
        """Have every connection replaced before it is used again: one was found dead, so others may be."""
        await self._pool.expire_connections()

    async def _acquire(self) -> "PoolConnectionProxy[asyncpg.Record]":
        try:
            # A connection that lies ready needs no timer.
            return await self._pool.acquire(timeout=None if self._pool.get_idle_size() else ACQUIRE_TIMEOUT_S)
        except OSError as error:
            raise DatabaseUnavailable(what=type(error).__name__) from error

    async def check(self) -> None:
        """Raise `Unavailable` where the server does not answer a trivial query."""
        async with self.connection() as connection:
            await connection.execute("SELECT 1")

    async def close(self) -> None:
        """Give every connection back; those still busy after a few seconds are cut."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=5.0)
        except (TimeoutError, *TRANSIENT):
            self._pool.terminate()


class _Transaction(AbstractAsyncContextManager[Connection]):
    """BEGIN and the local settings in one round trip."""

    def __init__(self, db: Database, local: Mapping[str, str]) -> None:
        self._db = db
        settings = ", ".join(f"set_config({_literal(name)}, {_literal(value)}, true)" for name, value in local.items())
        self._begin = f"BEGIN; SELECT {settings}" if settings else "BEGIN"

    async def __aenter__(self) -> Connection:
        for _ in range(self._db.connections_max):
            try:
                return await self._open()
            except ConnectionLost:
                # It may have died while it lay idle: nothing has been asked of it yet, and the next may live.
                continue
        return await self._open()

    async def _open(self) -> Connection:
        self._opening = self._db.connection()
        self._connection = await self._opening.__aenter__()
        try:
            await self._connection.execute(self._begin)
        except BaseException as error:
            await self._opening.__aexit__(type(error), error, error.__traceback__)
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            if kind is None:
                await self._connection.execute("COMMIT")
            else:
                await self._connection.execute("ROLLBACK")
        except BaseException as failure:
            await self._opening.__aexit__(type(failure), failure, failure.__traceback__)
            raise
        return await self._opening.__aexit__(kind, error, trace)


def _literal(value: str) -> str:
    if "\x00" in value or "\\" in value:
        raise ValueError("a setting of a transaction holds a character that no literal may hold")
    return "'" + value.replace("'", "''") + "'"


def shifted(sql: str, by: int) -> str:
    """The statement with its parameters counted from `$1 + by`, to be made part of a larger one."""
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", sql)


async def _open_pool(dsn: str, schema: str, application_name: str, connections_max: int) -> "Pool":
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=connections_max,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        init=_set_codecs,
        reset=_reset_nothing,
        server_settings={
            "search_path": schema,
            "application_name": application_name,
            "timezone": "UTC",
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
            # Asked every half minute and given up after a minute: by itself TCP holds on to a host that is gone, and to
            # its locks, for hours.
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": "60000",
        },
    )


def _is_gone(connection: "PoolConnectionProxy[asyncpg.Record]") -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # The pool takes a connection that broke away from its proxy at once.


async def _set_codecs(connection: "RawConnection") -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _reset_nothing(connection: "PoolConnectionProxy[asyncpg.Record] | RawConnection") -> None:
    """Spare the round trip of `RESET ALL` on every release: all settings here are local to a transaction.

    asyncpg has already rolled back what was open when this is called.
    """


@contextmanager
def _transient_errors() -> Generator[None, None, None]:
    try:
        yield
    except LOST as error:
        raise ConnectionLost(what=type(error).__name__) from error
    except TRANSIENT as error:
        raise DatabaseUnavailable(what=type(error).__name__) from error
