"""What operators did by hand: kept whole and in order, never changed by the service itself."""

from datetime import UTC, datetime

import asyncpg
import pytest

from kit.db import Database
from kit.operator_acts import ACTOR_CHARS_MAX, REASON_CHARS_MAX, ActUnexplained, By, keep_act
from tests.support.operator_acts import acts_on

NOW = datetime(2026, 3, 2, tzinfo=UTC)


async def test_acts_are_kept_in_order_by_subject(database: Database) -> None:
    async with database.transaction() as tx:
        for act in ("parcel_sent", "parcel_stopped"):
            await keep_act(tx, act, "parcel/1", By(" ops ", " a reason ", NOW))
        await keep_act(tx, "parcel_sent", "parcel/2", By("ops", "another", NOW))
        kept = await acts_on(tx, "parcel/1")
    assert [(one.act, one.actor, one.reason, one.acted_at) for one in kept] == [
        ("parcel_sent", "ops", "a reason", NOW),
        ("parcel_stopped", "ops", "a reason", NOW),
    ]


@pytest.mark.parametrize(
    ("actor", "reason"),
    [("", "why"), ("  ", "why"), ("ops", ""), ("ops", "\t"), ("x" * (ACTOR_CHARS_MAX + 1), "why"),
     ("ops", "x" * (REASON_CHARS_MAX + 1))],
)  # fmt: skip
async def test_an_act_without_a_name_or_a_reason_is_refused(database: Database, actor: str, reason: str) -> None:
    async with database.transaction() as tx:
        with pytest.raises(ActUnexplained):
            await keep_act(tx, "parcel_sent", "parcel/1", By(actor, reason, NOW))
        assert await acts_on(tx, "parcel/1") == []


@pytest.mark.parametrize("statement", ["DELETE FROM operator_act", "UPDATE operator_act SET actor = 'another'"])
async def test_the_service_cannot_change_what_is_kept(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await keep_act(tx, "parcel_sent", "parcel/1", By("ops", "why", NOW))
    async with database.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
