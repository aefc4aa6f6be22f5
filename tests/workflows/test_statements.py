"""PostgreSQL takes every statement of the bridge's store on the migrated schema."""

from kit.db import Database
from tests.support.statements import faults_of
from workflows import store


async def test_every_statement_is_prepared(database: Database) -> None:
    count, faults = await faults_of(store, database)
    assert not faults
    assert count == 6
