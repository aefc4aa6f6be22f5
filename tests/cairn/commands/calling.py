"""Calling `cairn` as a user does: a process, its exit code, its output."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cairn.stack.layout import ROOT

SECONDS_MAX = 400.0


@dataclass(frozen=True)
class Called:
    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """The one JSON object that `--json` prints."""
        return json.loads(self.out)


def cairn(home: Path, *arguments: str, **variables: str) -> Called:
    """`cairn ARGUMENTS` on this data folder, outside any configured environment."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("CAIRN_")}
    env |= {"CAIRN_HOME": str(home), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "cairn", *arguments],
        capture_output=True,
        text=True,
        env=env,
        cwd=ROOT,
        timeout=SECONDS_MAX,
        check=False,
    )
    return Called(done.returncode, done.stdout, done.stderr)
