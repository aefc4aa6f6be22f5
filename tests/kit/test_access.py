import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from cairn.issued_keys import list_keys
from contracts.errors import NotFound
from kit import access as access_module
from kit.access import Access, TooManyLiveKeys, Unauthenticated, issue_key, prefix_of, revoke_key
from kit.clock import FixedClock
from kit.db import Database
from kit.operator_acts import ActUnexplained, By
from tests.support.engines import FreshDatabase
from tests.support.operator_acts import acts_on

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LATER = NOW + timedelta(days=90)
BY = By("ops", "the portal lost it", NOW)


def freely() -> None:
    pass


@pytest.fixture
async def owner(service: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(service.owner_dsn, server_settings={"search_path": "access"})
    yield connection
    await connection.close()


async def issue(owner: asyncpg.Connection, principal_id: str = "harbor-portal", now: datetime = NOW) -> str:
    async with owner.transaction():
        return await issue_key(
            owner,
            kind="partner",
            principal_id=principal_id,
            scopes=["applications:write", "applications:read"],
            now=now,
            expires_at=now + timedelta(days=90),
        )


def altered_at_the_end(key: str) -> str:
    return key[:-1] + ("1" if key[-1] == "0" else "0")


async def test_a_key_tells_who_calls_and_is_kept_as_a_hash(database: Database, owner: asyncpg.Connection) -> None:
    key = await issue(owner)
    assert re.fullmatch(r"cairn_[0-9a-z]{12}_[0-9a-f]{64}_[0-9a-f]{8}", key)
    access = Access(database, clock=FixedClock(NOW))
    principal = await access.principal_for(f"Bearer {key}", before_asking=freely)
    assert (principal.name, principal.scopes) == ("partner/harbor-portal", {"applications:write", "applications:read"})
    assert await access.principal_for(f"bearer  {key}", before_asking=freely) == principal
    row = await owner.fetchrow("SELECT * FROM access.api_key")
    assert key.split("_")[2] not in str(dict(row or {}))


async def test_anything_but_a_live_key_is_refused_alike(database: Database, owner: asyncpg.Connection) -> None:
    key = await issue(owner)
    _, prefix, secret, _ = key.split("_")
    other = await issue(owner, "other-portal")
    swapped = f"cairn_{prefix}_{other.split('_')[2]}"
    swapped += "_" + access_module._checksum(prefix, other.split("_")[2])
    access = Access(database, clock=FixedClock(NOW))
    altered = altered_at_the_end(key)
    for header in (
        None, "", "Bearer", key, f"Basic {key}", f"Bearer {key}x", f"Bearer {altered}", f"Bearer {key.upper()}",
        f"Bearer cairn_{prefix}_{'0' * 64}_00000000", f"Bearer {swapped}", f"Bearer {key}\n{key}", "Bearer é",
    ):  # fmt: skip
        with pytest.raises(Unauthenticated):
            await access.principal_for(header, before_asking=freely)
    assert secret


async def test_a_mistyped_key_costs_no_query(database: Database, owner: asyncpg.Connection) -> None:
    key = await issue(owner)
    access = Access(database, clock=FixedClock(NOW))
    await database.close()
    with pytest.raises(Unauthenticated):
        await access.principal_for(f"Bearer {altered_at_the_end(key)}", before_asking=freely)


async def test_keys_expire_and_are_revoked_within_the_cache_s_time(
    database: Database, owner: asyncpg.Connection
) -> None:
    key, clock = await issue(owner), FixedClock(NOW)
    access = Access(database, clock=clock, cache_seconds=60)
    await access.principal_for(f"Bearer {key}", before_asking=freely)
    await revoke_key(owner, prefix=prefix_of(key), by=BY)
    await access.principal_for(f"Bearer {key}", before_asking=freely)
    with pytest.raises(Unauthenticated):
        await Access(database, clock=clock).principal_for(f"Bearer {key}", before_asking=freely)
    with pytest.raises(NotFound):
        await revoke_key(owner, prefix="0" * 12, by=BY)
    fresh = await issue(owner)
    await access.principal_for(f"Bearer {fresh}", before_asking=freely)
    clock.advance(timedelta(days=90))
    with pytest.raises(Unauthenticated):
        await access.principal_for(f"Bearer {fresh}", before_asking=freely)


async def test_leave_is_asked_before_the_database_is_but_not_for_who_is_known(
    database: Database, owner: asyncpg.Connection
) -> None:
    def refused() -> None:
        raise LookupError

    access = Access(database, clock=FixedClock(NOW), cache_seconds=0.0)
    known, other = await issue(owner), await issue(owner, "lookout")
    await access.principal_for(f"Bearer {known}", before_asking=freely)
    assert await access.principal_for(f"Bearer {known}", before_asking=refused)
    with pytest.raises(LookupError):
        await access.principal_for(f"Bearer {other}", before_asking=refused)


async def test_two_keys_live_at_once_and_no_third(database: Database, owner: asyncpg.Connection) -> None:
    first, second = await issue(owner), await issue(owner)
    with pytest.raises(TooManyLiveKeys):
        await issue(owner)
    access = Access(database, clock=FixedClock(NOW))
    for key in (first, second):
        await access.principal_for(f"Bearer {key}", before_asking=freely)
    await revoke_key(owner, prefix=prefix_of(first), by=BY)
    assert await issue(owner)
    assert await issue(owner, now=LATER + timedelta(days=1))


async def test_keys_are_listed_without_their_secrets_and_a_revocation_is_on_record(
    service: FreshDatabase, owner: asyncpg.Connection
) -> None:
    first, second = await issue(owner), await issue(owner)
    await revoke_key(owner, prefix=prefix_of(first), by=BY)
    await revoke_key(owner, prefix=prefix_of(first), by=replace(BY, at=NOW + timedelta(hours=1)))
    assert [each.prefix for each in await list_keys(owner, now=NOW)] == [prefix_of(second)]
    both = {each.prefix: each for each in await list_keys(owner, now=NOW, ended=True)}
    assert both[prefix_of(first)].state(NOW) == "revoked"
    assert both[prefix_of(first)].revoked_at == NOW
    assert both[prefix_of(second)].state(NOW) == "live"
    assert both[prefix_of(second)].state(LATER) == "expired"
    assert await list_keys(owner, now=NOW, kind="staff", ended=True) == []
    assert await list_keys(owner, now=NOW, principal_id="nobody", ended=True) == []
    acts = await acts_on(owner, prefix_of(first))
    assert [(act.act, act.actor, act.reason) for act in acts] == [("key_revoked", BY.actor, BY.reason)] * 2
    async with owner.transaction():
        with pytest.raises(ActUnexplained):
            await revoke_key(owner, prefix=prefix_of(second), by=replace(BY, reason=" "))
    stranger = await asyncpg.connect(service.dsn("cairn_applications"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await stranger.execute("SELECT FROM access.operator_act")
    await stranger.close()


async def test_the_cache_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_module, "CACHED_KEYS_MAX", 3)
    access = Access(database, clock=FixedClock(NOW))
    for number in range(10):
        prefix, secret = f"{number:012d}", "0" * 64
        with pytest.raises(Unauthenticated):
            await access.principal_for(
                f"Bearer cairn_{prefix}_{secret}_{access_module._checksum(prefix, secret)}", before_asking=freely
            )
    assert len(access._cache) == 3


@pytest.mark.parametrize("statement", ["SELECT * FROM access.api_key", "DELETE FROM access.api_key"])
async def test_a_service_reaches_no_key_but_by_its_prefix(database: Database, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction() as tx:
            await tx.execute(statement)
