"""The ground of a drill in tests: a clone of the shared template database instead of an engine of its own."""

from collections.abc import Awaitable, Callable

import pytest

from cairn.drills.drill import Drill, Ground


@pytest.fixture
def ground_for(fresh_database) -> Callable[[Drill], Awaitable[Ground]]:
    async def make(drill: Drill) -> Ground:
        fresh = await fresh_database(*drill.schemas)
        return Ground(fresh.owner_dsn, fresh.dsn)

    return make
