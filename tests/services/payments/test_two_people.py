"""Every path of two people, with every pair: the same person never makes and checks, two different ones may.

And no path is left out: each guard in the code, each pair of people in the tables, each door of a second person has its
row in `two_people.py`.
"""

import ast
import re
import traceback
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

import services.payments
from kit.db import Database
from services.payments.claims.queues import ApprovedBefore, PayeeRecorder
from services.payments.domain import MakerIsChecker, person
from tests.services.payments.callers import operations
from tests.services.payments.case import Desk
from tests.services.payments.two_people import PATHS, TwoPeople

PAYMENTS = Path(services.payments.__file__).parent
PAIRS = (
    ("finance/anna", "finance/anna"),
    ("finance/anna", "finance/ben"),
    ("finance/ben", "finance/anna"),
    # The same person at the command line and at an HTTP door.
    ("anna", "finance/anna"),
    ("finance/anna", "anna"),
    ("anna", "finance/ben"),
)
SECOND_PERSON = re.compile(r"/(approval|refusal|decision|agreement)$")
MADE = re.compile(r"(^|_)(made|proposed|evidence|submitted|assessed|charged|recorded)_by$")
CHECKED = re.compile(r"((^|_)(checked|approved|agreed|released|accepted|confirmed)_by|^person)$")


def _named(row: TwoPeople) -> str:
    return row.walk.__name__


@pytest.mark.parametrize(("maker", "checker"), PAIRS, ids=" ".join)
@pytest.mark.parametrize("row", PATHS, ids=_named)
async def test_two_people(desk: Desk, row: TwoPeople, maker: str, checker: str) -> None:
    if person(maker) == person(checker):
        with pytest.raises(MakerIsChecker) as refused:
            await row.walk(desk, maker, checker)
        assert guard_of(refused.value) == row.guard
        return
    await row.walk(desk, maker, checker)
    if row.kept is not None:
        assert (person(maker), person(checker)) in await kept(desk.db, row.kept)


async def kept(db: Database, where: str) -> list[tuple[str, str]]:
    """The pairs of people that the table holds."""
    table, made, checked = where.split()
    async with db.connection() as connection:
        found = await connection.fetch(f"SELECT {made}, {checked} FROM {table} WHERE {checked} IS NOT NULL")
    return [(person(row[0]), person(row[1])) for row in found]


def guard_of(error: MakerIsChecker) -> str:
    """The function that refused, and its code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if PAYMENTS in Path(frame.filename).parents]
    last = next(frame for frame in reversed(frames) if frame.name != "two_people")
    return f"{Path(last.filename).stem}.{last.name} {error.code}"


def guards() -> Iterator[str]:
    """Every place in the code that refuses the same person."""
    kinds = {kind.__name__: kind.code for kind in _kinds(MakerIsChecker)}
    for path in sorted(PAYMENTS.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or function.name == "two_people":
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _name(node.func) == "two_people":
                    yield f"{path.stem}.{function.name} {MakerIsChecker.code}"
                if isinstance(node, ast.Raise) and (code := kinds.get(_name(node.exc))):
                    yield f"{path.stem}.{function.name} {code}"


def _kinds(kind: type[MakerIsChecker]) -> Iterator[type[MakerIsChecker]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def test_every_guard_has_its_row() -> None:
    assert {ApprovedBefore, PayeeRecorder} <= set(_kinds(MakerIsChecker))
    found = set(guards())
    assert found - {row.guard for row in PATHS} == set(), "a guard that no row walks into"
    assert {row.guard for row in PATHS} - found == set(), "a row whose guard is not there"


def test_every_guard_is_found_once_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new_acts.py").write_text(
        "async def agree(tx, by, made_by):\n    two_people(by, made_by)\n"
        "def other():\n    raise domain.MakerIsChecker\n"
    )
    monkeypatch.setattr(f"{__name__}.PAYMENTS", tmp_path)
    assert set(guards()) == {"new_acts.agree maker_is_checker", "new_acts.other maker_is_checker"}


async def test_every_pair_of_people_in_the_tables_has_its_row_and_its_constraint(db: Database) -> None:
    async with db.connection() as connection:
        columns = await connection.fetch(
            "SELECT c.relname AS table, a.attname AS name FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid"
            " WHERE c.relnamespace = 'payments'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0"
            " AND NOT a.attisdropped AND a.atttypid = 'text'::regtype"
        )
        checks = await connection.fetch(
            "SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS text FROM pg_constraint"
            " WHERE connamespace = 'payments'::regnamespace AND contype = 'c'"
        )
    by_table: dict[str, set[str]] = {}
    for column in columns:
        by_table.setdefault(column["table"], set()).add(column["name"])
    pairs = {
        f"{table} {made} {checked}"
        for table, names in by_table.items()
        for made, checked in product(filter(MADE.search, names), filter(CHECKED.search, names))
    }
    refused = {
        f"{check['table'].removeprefix('payments.')} {made} {checked}"
        for check in checks
        for checked, made in re.findall(r"\((\w+) <> (\w+)\)", check["text"])
        if check["table"].removeprefix("payments.") in by_table
    }
    rows = {row.kept for row in PATHS if row.kept is not None}
    assert (pairs | {pair for pair in refused if MADE.search(pair.split()[1])}) - rows == set(), (
        "no row keeps this pair"
    )
    assert rows - refused == set(), "the table would keep the same person twice"


def test_every_door_of_a_second_person_has_its_row() -> None:
    there = {f"{method} {path}" for method, path in operations()}
    second = {door for door in there if SECOND_PERSON.search(door)}
    rows = {row.door for row in PATHS}
    assert second - rows == set(), "a door of a second person that no row names"
    assert rows - there == set(), "a path that has no door over HTTP"
