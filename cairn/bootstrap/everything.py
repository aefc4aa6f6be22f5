"""`cairn bootstrap` and `cairn migrate` as functions: the whole preparation, from settings."""

from typing import TYPE_CHECKING, Any

import asyncpg

from cairn.bootstrap import postgres, topics

if TYPE_CHECKING:
    from kit.settings import ProcessSettings


async def bootstrap(settings: "ProcessSettings") -> dict[str, Any]:
    """Roles and schemas, migrations, topics, namespace and search attributes; what was done. May be run again."""
    from cairn.bootstrap import temporal

    dsn = settings.dsn("cairn_owner")
    created = await postgres.ensure_database(dsn)
    passwords = {role: settings.secret(f"pg_{role}.password").decode() for role in postgres.SERVICE_ROLES}
    changed = await postgres.ensure_roles(dsn, passwords)
    applied = await migrate(settings)
    declared = topics.read_topics(settings.environment)
    made = await topics.ensure_topics(settings.kafka_bootstrap, declared)
    namespace = await temporal.ensure_namespace(settings.temporal_address, settings.temporal_namespace)
    return {
        "database_created": created,
        "passwords_set": changed,
        "migrations_applied": applied,
        "topics_created": made,
        **namespace,
    }


async def migrate(settings: "ProcessSettings") -> list[str]:
    """Apply what is new in every schema; the names of what was applied."""
    connection = await asyncpg.connect(settings.dsn("cairn_owner"))
    try:
        applied = await postgres.migrate_schemas(connection)
    finally:
        await connection.close()
    return [f"{each.schema}/{each.component}/{each.name}" for each in applied]
