"""`cairn bootstrap` and `cairn migrate` as functions: the whole preparation, from settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import asyncpg

from cairn.bootstrap import postgres, topics
from cairn.exits import Exit, Fault

if TYPE_CHECKING:
    from kit.settings import ProcessSettings


class EngineUnreachable(Fault):
    """An engine that the settings name does not answer."""

    exit_code = Exit.ENVIRONMENT
    code = "engine_unreachable"


@contextmanager
def reaching(engine: str, address: str) -> Iterator[None]:
    """Say which engine is meant where one does not answer."""
    from aiokafka.errors import KafkaConnectionError
    from temporalio.service import RPCError

    try:
        yield
    except (OSError, KafkaConnectionError, RPCError, asyncpg.CannotConnectNowError) as fault:
        raise EngineUnreachable(f"{engine} at {address} does not answer: {fault}") from fault
    except asyncpg.InvalidAuthorizationSpecificationError as fault:
        raise EngineUnreachable(f"{engine} at {address} does not let us in: {fault}") from fault


async def bootstrap(settings: "ProcessSettings", phase: Literal["pre", "all"] = "all") -> dict[str, Any]:
    """Roles and schemas, migrations, topics, namespace and search attributes; what was done. May be run again."""
    from cairn.bootstrap import schedules, temporal

    dsn = settings.dsn("cairn_owner")
    with reaching("PostgreSQL", settings.database_url):
        created = await postgres.ensure_database(dsn)
        passwords = {role: settings.secret(f"pg_{role}.password").decode() for role in postgres.SERVICE_ROLES}
        changed = await postgres.ensure_roles(dsn, passwords)
    applied = await migrate(settings, phase)
    with reaching("Kafka", settings.kafka_bootstrap):
        declared = topics.read_topics(settings.environment, factor=settings.kafka_replication_factor)
        made = await topics.ensure_topics(settings.kafka_bootstrap, declared)
    with reaching("Temporal", settings.temporal_address):
        namespace = await temporal.ensure_namespace(settings.temporal_address, settings.temporal_namespace)
        scheduled = await schedules.ensure_schedules(settings)
    return {
        "database_created": created,
        "passwords_set": changed,
        "migrations_applied": applied,
        "topics_created": made,
        **namespace,
        "schedules_set": scheduled,
    }


async def migrate(settings: "ProcessSettings", phase: Literal["pre", "all"] = "all") -> list[str]:
    """Apply what is new in every schema; the names of what was applied."""
    with reaching("PostgreSQL", settings.database_url):
        connection = await asyncpg.connect(settings.dsn("cairn_owner"))
        try:
            applied = await postgres.migrate_schemas(connection, phase=phase)
        finally:
            await connection.close()
    return [f"{each.schema}/{each.component}/{each.name}" for each in applied]
