"""The test run itself: what a worker left out is run all the same."""

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
    # A worker that takes the test on, and neither runs nor reports it.
    return True if item.name == "test_lost" and "PYTEST_XDIST_WORKER" in os.environ else None
"""
TESTS = """
import os
import pytest

def test_seen(): pass

@pytest.mark.skip(reason="told")
def test_skipped(): pass

def test_lost():
    assert os.environ["IT_HOLDS"] == "yes"
"""


def run(folder: Path, *, it_holds: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_some.py").write_text(TESTS)
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--dist", "loadfile", "--rootdir", ".", "."],
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "IT_HOLDS": it_holds},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_a_worker_left_out_is_run_afterwards_and_named(tmp_path):
    ended = run(tmp_path, it_holds="yes")
    assert ended.returncode == 0, ended.stdout
    assert "1 passed, 1 skipped" in ended.stdout
    assert "1 tests were left out by the workers and run afterwards" in ended.stdout
    assert "test_some.py::test_lost" in ended.stdout


def test_a_run_is_red_where_what_was_left_out_fails(tmp_path):
    ended = run(tmp_path, it_holds="no")
    assert ended.returncode == 1, ended.stdout
    assert "FAILED test_some.py::test_lost" in ended.stdout
