"""A run that left tests out is red: every test that the workers collected must have been reported on.

A plugin of the run's controller; without pytest-xdist there is one process, which skips nothing unseen.
"""

import pytest


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

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.shouldstop or session.shouldfail or session.exitstatus not in (0, pytest.ExitCode.TESTS_FAILED):
            return
        self._left_out = sorted(self._collected - self._reported)
        if self._left_out:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._left_out:
            terminalreporter.section(f"{len(self._left_out)} tests were collected and never reported on", red=True)
            for nodeid in self._left_out:
                terminalreporter.line(nodeid)
