"""The test run itself: one in which a worker left a test out is not green."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

CONFTEST = """
import os
import pytest
from tests.support.whole_runs import WholeRun

def pytest_configure(config):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(WholeRun())

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    # Taken on by nobody: neither run nor reported.
    return True if item.name == "test_lost" and os.environ["LOSE"] == "yes" else None
"""
TESTS = """
import pytest

def test_seen(): pass

@pytest.mark.skip(reason="told")
def test_skipped(): pass

def test_lost(): pass
"""


def run(folder: Path, *, lose: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_some.py").write_text(TESTS)
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "xdist",
            "-n",
            "2",
            "--dist",
            "loadfile",
            "-p",
            "no:cacheprovider",
            str(folder),
        ],
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "LOSE": lose},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_run_that_left_a_test_out_is_red_and_names_it(tmp_path):
    ended = run(tmp_path, lose="yes")
    assert ended.returncode == 1, ended.stdout
    assert "1 tests were collected and never reported on" in ended.stdout
    assert "test_some.py::test_lost" in ended.stdout


def test_a_whole_run_is_green(tmp_path):
    ended = run(tmp_path, lose="no")
    assert ended.returncode == 0, ended.stdout
    assert "2 passed, 1 skipped" in ended.stdout
