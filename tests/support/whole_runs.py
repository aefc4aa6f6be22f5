"""A run that leaves a test out is red: no two tests have one id, and each that a worker collected is reported on.

A plugin of the run's controller. pytest-xdist deals tests out by id: of those that share one it runs one and is green.
"""

from collections import Counter

import pytest


class WholeRun:
    """Keeps what was collected beside what was reported."""

    def __init__(self) -> None:
        self._collected: Counter[str] = Counter()
        self._reported: set[str] = set()
        self._faults: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected = Counter(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        self._collected = Counter(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reported.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._faults = [f"{times} tests have the id {each}" for each, times in self._collected.items() if times > 1]
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not (
            session.shouldstop or session.shouldfail or session.config.option.collectonly
        ):
            self._faults += [f"no worker reported {each}" for each in sorted(self._collected.keys() - self._reported)]
        if self._faults and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._faults:
            terminalreporter.section("tests left out")
            for fault in self._faults:
                terminalreporter.line(fault)
