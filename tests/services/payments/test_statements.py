"""PostgreSQL takes every statement of the store on the migrated schema."""

from services.payments import store
from tests.support.statements import faults_of


async def test_every_statement_is_prepared(database_for):
    count, faults = await faults_of(store, await database_for("payments"))
    assert not faults
    assert count > 60
