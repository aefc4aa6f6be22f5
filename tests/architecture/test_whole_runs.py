"""The test run itself: where it leaves a test out it is red, and says which."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    return True if item.name == "test_lost" else None

def pytest_collection_modifyitems(items):
    for item in items:
        if item.name == "test_twin":
            item._nodeid = item.nodeid.replace("twin", "seen")
"""
WHOLE = """
import pytest

def test_seen(): pass

@pytest.mark.skip(reason="told")
def test_skipped(): pass
"""
LOST = WHOLE + "def test_lost(): pass\n"
TWIN = WHOLE + "def test_twin(): pass\n"
TWO_WORKERS = ("-p", "xdist", "-n", "2", "--dist", "loadfile")


def run(folder: Path, tests: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_some.py").write_text(tests)
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", ".", "."],
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("options", [(), TWO_WORKERS], ids=["one process", "two workers"])
@pytest.mark.parametrize(
    ("tests", "fault"),
    [
        (WHOLE, None),
        (LOST, "no worker reported test_some.py::test_lost"),
        (TWIN, "2 tests have the id test_some.py::test_seen"),
    ],
    ids=["whole", "lost", "two of one id"],
)
def test_a_run_that_leaves_a_test_out_is_red_and_names_it(tmp_path, tests, fault, options):
    ended = run(tmp_path, tests, *options)
    assert ended.returncode == (1 if fault else 0), ended.stdout
    assert (fault or "1 passed, 1 skipped") in ended.stdout
    assert ("tests left out" in ended.stdout) is bool(fault)
