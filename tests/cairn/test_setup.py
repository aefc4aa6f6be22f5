"""`make setup` where the installer fails: its own words stay, and nothing is blamed that nobody looked at."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cairn.stack.layout import ROOT


@pytest.mark.parametrize("words", ["No space left on device", "Hash mismatch", "No route to host"])
@pytest.mark.parametrize("step", ["pip", "uv"])
def test_the_installers_words_stay(tmp_path: Path, words: str, step: str) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-installer.lock"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    fails = f'#!/bin/sh\necho "{words}" >&2\nexit 1\n'
    for name, fault in (("python", step == "pip"), ("uv", step == "uv")):
        (tools / name).write_text(fails if fault else "#!/bin/sh\nexit 0\n")
        (tools / name).chmod(0o755)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={sys.executable}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert words in done.stderr
    assert "the installer says why above" in done.stderr
    assert "could not reach" not in done.stderr + done.stdout
    assert not (tmp_path / ".venv" / ".installed").exists()
