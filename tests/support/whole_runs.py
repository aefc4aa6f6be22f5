"""A run leaves no test out: what the workers collected and nobody reported on is run afterwards, in one process.

A plugin of the run's controller; without pytest-xdist there is one process, which skips nothing unseen.
"""

import subprocess
import sys
import tempfile

import pytest

AGAIN_SECONDS_MAX = 1_800.0


class WholeRun:
    """Keeps what was collected beside what was reported."""

    def __init__(self) -> None:
        self._collected: set[str] = set()
        self._reported: set[str] = set()
        self._left_out: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        self._collected.update(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._reported.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.shouldstop or session.shouldfail or session.exitstatus not in (0, pytest.ExitCode.TESTS_FAILED):
            return
        self._left_out = sorted(self._collected - self._reported)
        if self._left_out and _run_alone(self._left_out, session.config) != 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._left_out:
            terminalreporter.section(f"{len(self._left_out)} tests were left out by the workers and run afterwards")
            for nodeid in self._left_out:
                terminalreporter.line(nodeid)


def _run_alone(node_ids: list[str], config: pytest.Config) -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(node_ids))
        listed.flush()
        command = [sys.executable, "-m", "pytest", f"@{listed.name}"]
        return subprocess.run(command, cwd=config.rootpath, timeout=AGAIN_SECONDS_MAX, check=False).returncode
