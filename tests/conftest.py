"""What every test may ask for, and the one place where a test process ends."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

from tests.support.engines import (  # noqa: F401
    database_for,
    engine_hosts,
    fresh_database,
    full_stack,
    hosts_of,
    kafka_bootstrap,
    mail_home,
    owner_connection,
    postgres,
    postgres_home,
    temporal_address,
)
from tests.support.whole_runs import WholeRun

# How long an example takes says something of the machine and its load, nothing of the code.
settings.register_profile("cairn", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("cairn")


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(WholeRun())


_SESSION = pytest.StashKey[pytest.Session]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[_SESSION] = session
    base = getattr(session.config, "_tmp_path_factory", None)
    if base is None or base._basetemp is None:
        return
    hosts = hosts_of(session.config, base.getbasetemp())
    hosts.let_go()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        hosts.wait_until_gone()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files go to two workers in this order: what takes longest first, then the others that run whole stacks."""
    items.sort(key=lambda item: (item.path.name != "test_kills.py", "journeys" not in item.path.parts))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """A process that used temporalio can abort while the interpreter takes itself apart: do not let it come to that."""
    session = config.stash.get(_SESSION, None)
    if session is None:
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.stop_global_capturing()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(session.exitstatus))
