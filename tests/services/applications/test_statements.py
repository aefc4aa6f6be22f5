"""Every SQL statement of the service is one that PostgreSQL takes on the migrated schema."""

from services.applications import store
from tests.support.statements import faults_of


async def test_every_statement_prepares(database_for) -> None:
    count, faults = await faults_of(store, await database_for("applications"))
    assert faults == []
    assert count > 40
