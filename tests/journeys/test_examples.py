"""The examples run against a live stack as their readers would run them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def test_the_portal_enters_an_application_once(demo_result: dict[str, Any], api_keys: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "examples.portal", "--api", demo_result["urls"]["api"], "--key", api_keys["partner"]]
    argv += ["--provider", "lorain-ccc", "--credential", "lorain-coding"]
    answers = [
        json.loads(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout)
        for _ in range(2)
    ]
    assert answers[0]["application_id"] == answers[1]["application_id"]
    assert answers[0]["credential_id"] == "lorain-coding"


def test_the_outside_parties_import_nothing_of_cairn() -> None:
    own = {"cairn", "contracts", "kit", "services", "workflows"}
    for path in sorted((ROOT / "examples").glob("*.py")):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in own, f"{path.name}: {line}"
