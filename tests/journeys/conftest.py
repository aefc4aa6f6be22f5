"""One finished demo, its stack still up, for every test that only looks at it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.demo_run import DemoRun

HOLDERS = {
    "partner": ("demo-portal", ("applications:write", "applications:read", "exam-vouchers:reveal")),
    "provider": (
        "lorain-ccc",
        ("enrollments:write", "enrollments:read", "claims:read", "webhooks:write", "webhooks:read"),
    ),
    "staff": ("alex", ("cases:read", "budgets:read", "applications:read")),
    "finance": ("fuzz-officer", ("payments:write", "payments:read", "budgets:read", "budgets:write")),
}


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
    """One key of each kind for the running stack."""
    keys: dict[str, str] = {}
    for kind, (holder, scopes) in HOLDERS.items():
        given = [word for scope in scopes for word in ("--scope", scope)]
        keys[kind] = finished_demo.cairn("keys", "issue", "--kind", kind, "--id", holder, *given)["key"]
    return keys
