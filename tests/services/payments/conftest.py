"""A published program with one line, one round, two provider awards; and what the tests ask of payments."""

import pytest

from kit.db import Database
from services.payments.usecases.program import follow_program
from tests.services.payments.callers import FakeCloses, app_on, calling
from tests.services.payments.case import NOW, Desk, published


@pytest.fixture
async def fresh(fresh_database):
    return await fresh_database("payments")


@pytest.fixture
async def db(database_for, fresh) -> Database:
    return await database_for("payments", on=fresh)


@pytest.fixture
async def desk(db) -> Desk:
    async with db.transaction() as tx:
        await follow_program(published(), tx, now=NOW)
    return Desk(db)


@pytest.fixture
def closes() -> FakeCloses:
    return FakeCloses()


@pytest.fixture
async def callers(db, fresh, closes):
    async with calling(app_on(db, closes), fresh.owner_dsn) as people:
        yield people
