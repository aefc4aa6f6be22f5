"""Exit codes and messages where no stack runs and nothing is configured."""

from pathlib import Path

import pytest

from cairn.exits import MEANINGS, Exit
from tests.cairn.commands.calling import cairn


def test_help_lists_the_commands_and_the_exit_codes(tmp_path: Path) -> None:
    called = cairn(tmp_path, "--help")
    assert called.code == Exit.OK
    words = " ".join(called.out.split())
    for command in ("up", "down", "status", "logs", "run", "migrate", "bootstrap", "program", "keys", "dlq", "docs"):
        assert f" {command} " in words
    for code, meaning in MEANINGS.items():
        assert f"{int(code)} {meaning}" in words


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["status"], Exit.NOT_RUNNING),
        (["down"], Exit.NOT_RUNNING),
        (["bootstrap"], Exit.NOT_RUNNING),
        (["run", "payments"], Exit.NOT_RUNNING),
        (["run", "nothing"], Exit.USAGE),
        (["run", "payments", "--service", "payments"], Exit.USAGE),
        (["nothing"], Exit.USAGE),
        (["dlq", "redrive", "--service", "payments"], Exit.USAGE),
        (["dlq", "redrive", "3", "--all", "--service", "payments"], Exit.USAGE),
        (["logs", "nothing"], Exit.USAGE),
        (["keys", "issue", "--kind", "stranger", "--id", "x", "--scope", "a:b"], Exit.USAGE),
    ],
)
def test_exit_code(tmp_path: Path, arguments: list[str], code: Exit) -> None:
    called = cairn(tmp_path, *arguments)
    assert called.code == code, called
    assert called.err
    assert "Traceback" not in called.err


def test_json_says_why_as_one_object(tmp_path: Path) -> None:
    called = cairn(tmp_path, "status", "--json")
    assert called.code == Exit.NOT_RUNNING
    assert called.facts["ok"] is False
    assert called.facts["code"] == "not_running"
    assert str(tmp_path) in called.facts["message"]


def test_wrong_settings_and_silent_engines_are_named(tmp_path: Path) -> None:
    wrong = cairn(tmp_path, "migrate", CAIRN_SECRETS_DIR=str(tmp_path), CAIRN_DATABASE_URL="mysql://127.0.0.1/x")
    assert wrong.code == Exit.USAGE
    assert "CAIRN_DATABASE_URL" in wrong.err
    (tmp_path / "pg_cairn_owner.password").write_text("secret")
    url = "postgresql://127.0.0.1:9/cairn"
    silent = cairn(tmp_path, "migrate", CAIRN_SECRETS_DIR=str(tmp_path), CAIRN_DATABASE_URL=url)
    assert silent.code == Exit.ENVIRONMENT
    assert f"PostgreSQL at {url} does not answer" in silent.err
    assert "secret" not in silent.err.replace(str(tmp_path), "")
