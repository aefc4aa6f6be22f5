"""Fixtures with real engines: `postgres`, `database_for`, `kafka_bootstrap`, `temporal_address`, `full_stack`."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from cairn.bootstrap import postgres as database_steps
from cairn.stack.engines import environment, kafka_of, postgres_of, settings_fields, temporal_of
from cairn.stack.layout import Home
from cairn.stack.secrets import password_of
from tests.support.engine_hosts import EngineHosts
from tests.support.templates import clone, drop, template_for

if TYPE_CHECKING:
    from kit.db import Database

_HOSTS = pytest.StashKey[EngineHosts]()


def hosts_of(config: pytest.Config, base: Path) -> EngineHosts:
    """The session's engine hosts, the same folder for every xdist worker of one run."""
    if _HOSTS not in config.stash:
        root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        config.stash[_HOSTS] = EngineHosts(root / "engines")
    return config.stash[_HOSTS]


@pytest.fixture(scope="session")
def engine_hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EngineHosts:
    return hosts_of(request.config, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def postgres_home(engine_hosts: EngineHosts) -> Home:
    """The home of a running PostgreSQL; its `secrets` folder has the password of every role."""
    return engine_hosts.home_of("postgres")


@pytest.fixture(scope="session")
def postgres(postgres_home: Home) -> str:
    """The owner's DSN on the server's own database `postgres`."""
    return postgres_of(postgres_home, _ports(postgres_home)).admin_dsn("postgres")


@pytest.fixture(scope="session")
def kafka_bootstrap(engine_hosts: EngineHosts) -> str:
    """`127.0.0.1:port` of a broker; topics are not created."""
    home = engine_hosts.home_of("kafka")
    return kafka_of(home, _ports(home)).bootstrap


@pytest.fixture(scope="session")
def temporal_address(engine_hosts: EngineHosts) -> str:
    """`127.0.0.1:port` of a Temporal server with the namespaces `default` and `cairn`."""
    home = engine_hosts.home_of("temporal")
    return temporal_of(home, _ports(home)).address


@pytest.fixture(scope="session")
def mail_home(engine_hosts: EngineHosts) -> Home:
    """The home of a running mail sink: `ports.json` has its port, `mail/` its Maildir."""
    return engine_hosts.home_of("mail")


def _ports(home: Home) -> dict[str, int]:
    return home.read_state()["ports"]


@dataclass(frozen=True)
class FreshDatabase:
    """A migrated database of one test."""

    name: str
    home: Home

    @property
    def url(self) -> str:
        """As `CAIRN_DATABASE_URL` wants it: no user in it."""
        return postgres_of(self.home, _ports(self.home)).url(self.name)

    @property
    def owner_dsn(self) -> str:
        return postgres_of(self.home, _ports(self.home)).admin_dsn(self.name)

    def dsn(self, role: str) -> str:
        """The DSN of `cairn_payments` and the like, with its password."""
        return self.url.replace("//", f"//{role}:{password_of(self.home, role)}@", 1)


@pytest.fixture
async def fresh_database(postgres: str, postgres_home: Home) -> AsyncIterator[Callable[..., Awaitable[FreshDatabase]]]:
    """`await fresh_database("payments")`: a new database with these schemas, vault and access; no names: with all."""
    made: list[str] = []

    async def make(*schemas: str) -> FreshDatabase:
        wanted = tuple(s for s in database_steps.SCHEMAS if not schemas or s in {*schemas, "vault", "access"})
        passwords = {role: password_of(postgres_home, role) for role in database_steps.SERVICE_ROLES}
        name = await clone(postgres, await template_for(postgres, wanted, passwords))
        made.append(name)
        return FreshDatabase(name, postgres_home)

    yield make
    for name in made:
        await drop(postgres, name)


@pytest.fixture
async def database_for(
    fresh_database: Callable[..., Awaitable[FreshDatabase]],
) -> "AsyncIterator[Callable[..., Awaitable[Database]]]":
    """`await database_for("payments")`: a `kit.db.Database` as that service's role in a fresh database.

    `database_for("payments", beside=("applications",))` adds schemas; called again with the same database under `on=`,
    it connects another role to it.
    """
    from kit.db import Database

    opened: list[Database] = []

    async def connect(schema: str, *, beside: tuple[str, ...] = (), on: FreshDatabase | None = None) -> Database:
        fresh = on or await fresh_database(schema, *beside)
        database = await Database.connect(
            fresh.dsn(f"cairn_{schema}"), schema=schema, application_name=f"test {schema}", connections_max=10
        )
        opened.append(database)
        return database

    yield connect
    for database in opened:
        await database.close()


@pytest.fixture
async def owner_connection(
    fresh_database: Callable[..., Awaitable[FreshDatabase]],
) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the owner to a fresh database with every schema."""
    connection = await asyncpg.connect((await fresh_database()).owner_dsn)
    yield connection
    await connection.close()


@dataclass(frozen=True)
class FullStack:
    """Every engine, bootstrapped and migrated: the environment that Cairn's processes are started with."""

    environment: dict[str, str]
    owner_dsn: str
    kafka_bootstrap: str
    temporal_address: str
    secrets: Path
    mail: Path


@pytest.fixture(scope="session")
def full_stack(
    engine_hosts: EngineHosts,
    postgres_home: Home,
    kafka_bootstrap: str,
    temporal_address: str,
    mail_home: Home,
    tmp_path_factory: pytest.TempPathFactory,
) -> FullStack:
    """All engines, with the database `cairn`, the topics, and the namespace `cairn` made as `cairn bootstrap` does."""
    from cairn.bootstrap.everything import bootstrap
    from kit.settings import ProcessSettings

    exchange = tmp_path_factory.mktemp("exchange")
    for folder in ("outbound", "inbound"):
        (exchange / folder).mkdir()
    shared = environment(postgres_home, _ports(postgres_home)) | {
        "CAIRN_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "CAIRN_TEMPORAL_ADDRESS": temporal_address,
        "CAIRN_SMTP_PORT": str(_ports(mail_home)["mail"]),
        "CAIRN_EXCHANGE_DIR": str(exchange),
    }
    fields = settings_fields(shared)
    asyncio.run(bootstrap(ProcessSettings.model_validate(fields)))
    return FullStack(
        environment=shared,
        owner_dsn=postgres_of(postgres_home, _ports(postgres_home)).admin_dsn(),
        kafka_bootstrap=kafka_bootstrap,
        temporal_address=temporal_address,
        secrets=postgres_home.secrets,
        mail=mail_home.path / "mail",
    )
