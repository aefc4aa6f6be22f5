"""Every SQL statement of the service is one that PostgreSQL takes on the migrated schema."""

from services.notifications import store
from tests.support.statements import faults_of


async def test_every_statement_prepares(database_for) -> None:
    count, faults = await faults_of(store, await database_for("notifications"))
    assert faults == []
    assert count > 35
