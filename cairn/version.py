"""Which version of Cairn this is: the one that `pyproject.toml` names, there or in what was installed from it."""

import importlib.metadata
import tomllib
from functools import cache

from cairn.stack.layout import ROOT


@cache
def version() -> str:
    """`0.3.0`. A checkout and the image have no installed distribution; a wheel has no `pyproject.toml`."""
    project = ROOT / "pyproject.toml"
    if project.exists():
        return tomllib.loads(project.read_text())["project"]["version"]
    return importlib.metadata.version("cairn")
