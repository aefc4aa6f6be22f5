"""Every SQL statement of eligibility is one that the migrated schema takes."""

from collections.abc import Awaitable, Callable

from kit.db import Database
from services.eligibility import store
from tests.support.statements import faults_of


async def test_every_statement_prepares(database_for: Callable[..., Awaitable[Database]]) -> None:
    count, faults = await faults_of(store, await database_for("eligibility"))
    assert faults == []
    assert count >= 15
