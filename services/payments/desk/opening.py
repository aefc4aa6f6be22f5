"""The command line at payments' door: one pool for as long as a command runs, one name for whoever runs it."""

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


def officer(login: str) -> str:
    """`finance/<login>`: the name under which the same person's API key acts over HTTP."""
    return login if "/" in login else f"finance/{login}"
