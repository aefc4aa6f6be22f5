"""The journey loads in the sandbox, and knows no engine."""

import ast
import subprocess
import sys
from pathlib import Path

from temporalio.workflow import _Definition

import workflows
from workflows.journey import FundingJourney
from workflows.sandbox import journey_runner

FOLDER = Path(workflows.__file__ or "").parent
ENGINES = ("asyncpg", "aiokafka", "faststream", "httpx", "fastapi", "kit", "services", "cairn")
JOURNEY_MODULES = (
    "attributes",
    "calls",
    "conduct",
    "deadlines",
    "facts",
    "journey",
    "questions",
    "reimbursement",
    "requests",
    "staff",
)


async def test_the_journey_loads_in_the_sandbox() -> None:
    definition = _Definition.from_class(FundingJourney)
    assert definition is not None
    journey_runner().prepare_workflow(definition)


def test_importing_the_journey_brings_no_engine_along() -> None:
    found = f"print([m for m in {ENGINES!r} if m in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys, workflows.journey; {found}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER.parent,
    )
    assert answer.stdout.strip() == "[]"


def test_the_journeys_modules_import_contracts_workflows_temporalio_and_the_standard_library_only() -> None:
    allowed = {"contracts", "workflows", "temporalio", "pydantic", *sys.stdlib_module_names}
    for name in JOURNEY_MODULES:
        for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {module.split(".")[0] for module in modules} <= allowed, name


def test_the_journey_takes_time_and_chance_from_temporal_alone() -> None:
    for name in JOURNEY_MODULES:
        text = (FOLDER / f"{name}.py").read_text()
        for forbidden in ("datetime.now(", "utcnow(", "time.time(", "random.", "uuid4(", "Id.new("):
            assert forbidden not in text, (name, forbidden)
