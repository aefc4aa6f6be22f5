"""One finished demo, its stack still up, for every test that only looks at it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.demo_run import DemoRun


@pytest.fixture(scope="session")
def finished_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRun]:
    """A whole run of the demo; its failures too (refused, returned, retaken) have left their marks."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with DemoRun(folder) as run:
        run.result()
        yield run


@pytest.fixture(scope="session")
def demo_result(finished_demo: DemoRun) -> dict[str, Any]:
    return finished_demo.result()
