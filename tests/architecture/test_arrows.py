"""The arrows hold (import-linter), and each contract is shown to bite on a planted import."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import house

ROOT = Path(__file__).parents[2]

PLANTED = (
    ("contracts/money.py", "import kit.db", "contracts <- kit <- services, workflows <- cairn"),
    ("kit/clock.py", "import services.payments.domain", "contracts <- kit <- services, workflows <- cairn"),
    ("services/payments/domain.py", "import workflows.journey", "contracts <- kit <- services, workflows <- cairn"),
    ("workflows/journey.py", "import services.payments.domain", "contracts <- kit <- services, workflows <- cairn"),
    ("kit/clock.py", "import cairn.exits", "contracts <- kit <- services, workflows <- cairn"),
    ("services/payments/usecases.py", "import services.eligibility.domain", "services never import each other"),
    ("services/payments/domain.py", "import services.payments.store", "inside a service"),
    ("services/payments/store.py", "import services.payments.usecases", "inside a service"),
    ("services/payments/activities.py", "import services.payments.api", "inside a service"),
    ("services/payments/domain.py", "import asyncpg", "contracts, domains and the journey know no engine"),
    ("workflows/journey.py", "import kit.clock", "contracts, domains and the journey know no engine"),
    ("contracts/ids.py", "import structlog", "contracts are pydantic and the standard library"),
    ("services/payments/activities.py", "import services.payments.store", "a door calls a use case, never the store"),
)


def lint(tree: Path) -> tuple[int, str]:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_arrows_hold() -> None:
    code, text = lint(ROOT)
    assert code == 0, text


@pytest.mark.parametrize(("path", "line", "contract"), PLANTED, ids=[f"{p}-{i.split()[-1]}" for p, i, _ in PLANTED])
def test_a_planted_import_breaks_its_contract(tmp_path: Path, path: str, line: str, contract: str) -> None:
    for part in house.PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    target = tmp_path / path
    if not target.exists():
        target = target.with_suffix("") / "__init__.py"
    target.write_text(target.read_text() + f"\n{line}\n")
    code, text = lint(tmp_path)
    assert code != 0
    broken = [row for row in text.splitlines() if row.strip().endswith("BROKEN")]
    assert any(contract in row for row in broken), text
