"""The rules of the house hold, and each is shown to bite on a planted violation."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import house

ROOT = Path(__file__).parents[2]
IGNORED = shutil.ignore_patterns("__pycache__", ".venv", ".cairn", ".git", "*.pyc")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source tree, free to be spoiled."""
    for part in (*house.PARTS, "tests", "examples"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=IGNORED)
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


@pytest.mark.parametrize("check", house.CHECKS, ids=lambda check: check.__name__)
def test_the_house_keeps_its_rules(check: Callable[[Path], list[str]]) -> None:
    assert check(ROOT) == []


PLANTED: tuple[tuple[Callable[[Path], list[str]], str, str, str], ...] = (
    (house.sizes, "kit/long.py", '"""Long."""\n' + "x = 1\n" * 500, "kit/long.py has 501 lines"),
    (house.sizes, "kit/deep.py", '"""Deep."""\ndef f():\n' + "    x = 1\n" * 80, "f has 81 lines"),
    (house.names, "services/payments/helpers.py", '"""Anything."""\n', "the name helpers refuses nothing"),
    (house.docstrings, "workflows/silent.py", "x = 1\n", "workflows/silent.py does not say what it is for"),
    (
        house.transactions,
        "services/payments/worker.py",
        '"""W."""\nwith db.transaction():\n    x = 1\n',
        "opens a trans",
    ),
    (
        house.doors,
        "services/payments/routes.py",
        '"""R."""\nfrom fastapi import APIRouter\n',
        "services/payments/routes.py imports fastapi",
    ),
    (
        house.doors,
        "services/eligibility/listeners.py",
        '"""L."""\nfrom kit import kafka\n',
        "services/eligibility/listeners.py imports kit.kafka: that makes it a door, and doors are called main, subsc",
    ),
    (
        house.doors,
        "services/payments/usecases/steps.py",
        '"""S."""\nimport kit.temporal\n',
        "services/payments/usecases/steps.py imports kit.temporal",
    ),
    (
        house.doors,
        "services/payments/desk/console.py",
        '"""C."""\nimport typer\n',
        "services/payments/desk/console.py imports typer",
    ),
    (
        house.doors,
        "services/notifications/pages.py",
        '"""P."""\n',
        "name services.notifications.pages in the contract of doors",
    ),
    (house.statements, "services/payments/asks.py", '"""A."""\nQ = "SELECT 1 FROM hold"\n', "asks.py:2 holds SQL"),
    (house.kit_admission, "kit/exams.py", '"""The exam voucher."""\n', "kit/exams.py speaks of the program"),
    (house.kit_admission, "kit/lonely.py", '"""Lonely."""\n', "kit/lonely.py has no test of its own"),
    (house.kit_admission, "kit/lonely.py", '"""Lonely."""\n', "kit/lonely.py is used by nobody"),
    (house.typed_ignores, "cairn/later.py", '"""Later."""\n# TODO: all of it\n', "cairn/later.py:2 promises work"),
)


@pytest.mark.parametrize(
    ("check", "path", "text", "fault"), PLANTED, ids=[f"{p[0].__name__}-{p[3][:24]}" for p in PLANTED]
)
def test_a_planted_violation_is_named(
    copy: Path, check: Callable[[Path], list[str]], path: str, text: str, fault: str
) -> None:
    (copy / path).write_text(text)
    assert any(fault in found for found in check(copy)), check(copy)


def test_a_missing_room_is_named(copy: Path) -> None:
    shutil.rmtree(copy / "services" / "payments" / "migrations")
    assert "services/payments/migrations holds no migration" in house.rooms(copy)


def test_a_renamed_door_is_named(copy: Path) -> None:
    service = copy / "services" / "applications"
    (service / "subscribers.py").rename(service / "listeners.py")
    assert any("services/applications/listeners.py imports kit.inbox" in fault for fault in house.doors(copy))
