"""One finished demo, its stack still up, for every test that only looks at it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.callers import HOLDERS, scopes
from tests.journeys.demo_run import DemoRun


@pytest.fixture(scope="package")
def finished_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRun]:
    """A whole run of the demo; its failures too (refused, returned, retaken) have left their marks."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with DemoRun(folder) as run:
        run.result()
        yield run


@pytest.fixture(scope="package")
def demo_result(finished_demo: DemoRun) -> dict[str, Any]:
    return finished_demo.result()


@pytest.fixture(scope="package")
def api_keys(finished_demo: DemoRun) -> dict[str, str]:
    """One key of each kind for the running stack, with every scope that some door asks of its kind."""
    keys: dict[str, str] = {}
    for kind, words in scopes().items():
        given = [word for scope in sorted(words) for word in ("--scope", scope)]
        keys[kind] = finished_demo.cairn("keys", "issue", "--kind", kind, "--id", HOLDERS[kind], *given)["key"]
    return keys
