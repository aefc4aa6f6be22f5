"""Acts by hand in one schema: who does it and why, and a transaction as that schema's role."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands.preparation import settings

if TYPE_CHECKING:
    from kit.operator_acts import By


class Owner(StrEnum):
    """Whose schema it is."""

    APPLICATIONS = "applications"
    ELIGIBILITY = "eligibility"
    PAYMENTS = "payments"
    NOTIFICATIONS = "notifications"
    WORKFLOWS = "workflows"


ActorOption = Annotated[str | None, typer.Option("--actor", help="Who does it; this login's name where left out.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in a sentence; never a person's data.")]


def acting(actor: str | None, reason: str) -> "By":
    """Who acts, why, and now."""
    from kit.operator_acts import By

    return By(actor or getpass.getuser(), reason, datetime.now(UTC))


def in_schema(service: Owner, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """What `work` gives in one transaction of the service's own role on its schema."""
    return _transact(f"cairn_{service.value}", service.value, work)


def as_owner(schema: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """What `work` gives in one transaction of the database's owner on `schema`."""
    return _transact("cairn_owner", schema, work)


def _transact(role: str, schema: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    given = settings()

    async def run() -> Any:
        from kit.db import Database

        database = await Database.connect(
            given.dsn(role), schema=schema, application_name="cairn operator", connections_max=1
        )
        try:
            async with database.transaction() as tx:
                return await work(tx)
        finally:
            await database.close()

    return asyncio.run(run())
