"""Every command there is, walked as a tree: it speaks JSON, tells its exit codes, and its help is quick."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.main import get_command

from cairn.cli import app
from cairn.exits import MEANINGS
from cairn.stack.layout import ROOT

HEAVY = {
    "aiokafka",
    "asyncpg",
    "cryptography",
    "fastapi",
    "faststream",
    "httpx",
    "jinja2",
    "opentelemetry",
    "prometheus_client",
    "psutil",
    "rich",
    "structlog",
    "temporalio",
    "uvicorn",
    "services",
    "workflows",
    "kit",
}
"""What no `--help` may import; pydantic is what the command line's own library reads options with."""
HELP = """
import contextlib, io, json, os, sys
from cairn.cli import app
told = []
for path in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as words:
        app([*path, "--help"], prog_name="cairn", standalone_mode=False)
    told.append([path, words.getvalue(), sorted({name.split(".")[0] for name in sys.modules})])
print(json.dumps(told), flush=True)
os._exit(0)
"""


def leaves(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
    for name, each in (below or {}).items():
        yield from leaves(each, (*path, name))


def groups(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    below = getattr(command, "commands", None)
    if below is not None:
        yield path
        for name, each in below.items():
            yield from groups(each, (*path, name))


COMMANDS = dict(leaves(get_command(app)))


def test_the_tree_is_whole() -> None:
    assert len(COMMANDS) > 60
    assert {("up",), ("demo",), ("drill",), ("bench", "all"), ("dlq", "list"), ("run",)} <= COMMANDS.keys()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_speaks_json_and_tells_its_exit_codes(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert [p for p in command.params if "--json" in p.opts], f"`cairn {' '.join(path)}` has no --json"
    assert command.help, f"`cairn {' '.join(path)}` does not say what it does"
    for code, meaning in MEANINGS.items():
        assert f"{int(code)} {meaning}" in command.epilog


def test_no_help_imports_anything_heavy() -> None:
    paths = [*COMMANDS, *groups(get_command(app))]
    done = subprocess.run(
        [sys.executable, "-c", HELP, json.dumps(paths)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=True,
    )
    for path, words, modules in json.loads(done.stdout):
        assert "Exit codes:" in words, path
        assert HEAVY & set(modules) == set(), path
