"""Migrations go forward only, once, in order; what was applied may not change."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from kit.migrate import (
    Applied,
    MigrationEdited,
    MigrationMisnamed,
    MigrationMisnumbered,
    MigrationMissing,
    migrate,
)
from tests.support.templates import clone, drop


@pytest.fixture
async def empty_dsn(postgres: str) -> AsyncIterator[str]:
    name = await clone(postgres, "template0")
    dsn = postgres.rsplit("/", 1)[0] + "/" + name
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE SCHEMA payments")
    await connection.close()
    yield dsn
    await drop(postgres, name)


@pytest.fixture
async def owner(empty_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_dsn)
    yield connection
    await connection.close()


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, sql in files.items():
        (folder / f"{name[1:]}.sql").write_text(sql)
    return folder


async def test_applies_in_order_and_only_once(owner: asyncpg.Connection, tmp_path: Path) -> None:
    first = write(
        tmp_path / "a", _0001_pre_one="CREATE TABLE one (id int)", _0002_post_two="ALTER TABLE one ADD two int"
    )
    second = write(tmp_path / "b", _0001_pre_three="CREATE TABLE three AS SELECT two FROM one")
    folders = [("kit", first), ("payments", second)]

    applied = await migrate(owner, schema="payments", folders=folders)

    assert applied == [
        Applied("payments", "kit", 1, "0001_pre_one.sql"),
        Applied("payments", "kit", 2, "0002_post_two.sql"),
        Applied("payments", "payments", 1, "0001_pre_three.sql"),
    ]
    assert await migrate(owner, schema="payments", folders=folders) == []
    assert await owner.fetchval("SELECT count(*) FROM payments.schema_migration") == 3
    assert await owner.fetchval("SHOW search_path") == '"$user", public'


async def test_pre_phase_stops_before_a_post_file(owner: asyncpg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", _0001_pre_one="SELECT 1", _0002_post_two="SELECT 1", _0003_pre_three="SELECT 1")
    folders = [("kit", folder)]
    assert [a.number for a in await migrate(owner, schema="payments", folders=folders, phase="pre")] == [1]
    assert [a.number for a in await migrate(owner, schema="payments", folders=folders)] == [2, 3]


async def test_refuses_an_edited_file_by_name(owner: asyncpg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", _0001_pre_one="CREATE TABLE one (id int)")
    await migrate(owner, schema="payments", folders=[("kit", folder)])
    write(folder, _0001_pre_one="CREATE TABLE one (id bigint)", _0002_pre_two="CREATE TABLE two (id int)")
    with pytest.raises(MigrationEdited, match=r"0001_pre_one\.sql"):
        await migrate(owner, schema="payments", folders=[("kit", folder)])
    assert await owner.fetchval("SELECT to_regclass('payments.two')") is None


async def test_line_ends_are_no_edit(owner: asyncpg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", _0001_pre_one="CREATE TABLE one (\n id int)\n")
    await migrate(owner, schema="payments", folders=[("kit", folder)])
    (folder / "0001_pre_one.sql").write_bytes(b"CREATE TABLE one (\r\n id int)\r\n")
    assert await migrate(owner, schema="payments", folders=[("kit", folder)]) == []


async def test_refuses_when_an_applied_file_is_gone(owner: asyncpg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", _0001_pre_one="SELECT 1", _0002_pre_two="SELECT 1")
    await migrate(owner, schema="payments", folders=[("kit", folder)])
    (folder / "0002_pre_two.sql").unlink()
    with pytest.raises(MigrationMissing, match=r"0002_pre_two\.sql"):
        await migrate(owner, schema="payments", folders=[("kit", folder)])


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (["0001_pre_a", "0003_pre_b"], MigrationMisnumbered),
        (["0001_post_a", "0001_pre_b"], MigrationMisnumbered),
        (["0002_pre_a"], MigrationMisnumbered),
        (["1_pre_a"], MigrationMisnamed),
        (["0001_a"], MigrationMisnamed),
        (["0001_pre_A"], MigrationMisnamed),
    ],
)
async def test_refuses_gaps_duplicates_and_odd_names(
    owner: asyncpg.Connection, tmp_path: Path, names: list[str], error: type[Exception]
) -> None:
    folder = write(tmp_path / "a", **{f"_{name}": "SELECT 1" for name in names})
    with pytest.raises(error, match=names[-1]):
        await migrate(owner, schema="payments", folders=[("kit", folder)])


async def test_a_failing_file_leaves_nothing_behind(owner: asyncpg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", _0001_pre_one="SELECT 1", _0002_pre_two="CREATE TABLE two (id int); SELECT 1/0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(owner, schema="payments", folders=[("kit", folder)])
    assert await owner.fetchval("SELECT to_regclass('payments.two')") is None
    assert await owner.fetchval("SELECT max(number) FROM payments.schema_migration") == 1
    write(folder, _0002_pre_two="CREATE TABLE two (id int)")
    assert [a.number for a in await migrate(owner, schema="payments", folders=[("kit", folder)])] == [2]


async def test_two_migrators_at_once_apply_each_file_once(empty_dsn: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", _0001_pre_one="CREATE TABLE one (id int); SELECT pg_sleep(0.2)")
    connections = [await asyncpg.connect(empty_dsn) for _ in range(3)]
    done = await asyncio.gather(*(migrate(c, schema="payments", folders=[("kit", folder)]) for c in connections))
    for connection in connections:
        await connection.close()
    assert sorted(len(applied) for applied in done) == [0, 0, 1]
