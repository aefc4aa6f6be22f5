"""The database as a command of the command line has it: one pool for as long as it runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from kit.db import Database
from kit.settings import ProcessSettings

ROLE, SCHEMA = "cairn_payments", "payments"
CONNECTIONS_MAX = 2


@asynccontextmanager
async def opened(settings: ProcessSettings) -> AsyncGenerator[Database, None]:
    """Payments' schema under its role, closed at the end."""
    db = await Database.connect(
        settings.dsn(ROLE), schema=SCHEMA, application_name="cairn", connections_max=CONNECTIONS_MAX
    )
    try:
        yield db
    finally:
        await db.close()
