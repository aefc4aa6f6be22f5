"""Exit codes and messages where no stack runs and nothing is configured."""

import json
import os
from pathlib import Path

import pytest

from cairn.exits import MEANINGS, Exit
from cairn.failing import MACHINE, tell
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
        (["up", "--pack", "nothing"], Exit.USAGE),
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


@pytest.mark.parametrize("process", ["api", "applications", "eligibility", "payments", "notifications", "workflows"])
def test_a_process_with_wrong_settings_says_so_and_shows_no_value(tmp_path: Path, process: str) -> None:
    variables = {
        "CAIRN_SECRETS_DIR": str(tmp_path),
        "CAIRN_DATABASE_URL": "postgresql://somebody:hunter2@127.0.0.1/cairn",
        "CAIRN_HTTP_PORT": "hunter3",
    }
    called = cairn(tmp_path, "run", process, "--json", **variables)
    assert called.code == Exit.USAGE
    assert called.facts["code"] == "settings_wrong"
    assert "CAIRN_DATABASE_URL" in called.facts["message"]
    assert "CAIRN_HTTP_PORT" in called.facts["message"]
    text = cairn(tmp_path, "run", process, **variables)
    assert text.code == Exit.USAGE
    assert "Traceback" not in text.err
    assert "hunter" not in called.out + called.err + text.out + text.err


def test_a_service_of_the_api_with_wrong_settings_ends_it_before_anything_is_opened(tmp_path: Path) -> None:
    called = cairn(tmp_path, "run", "api", CAIRN_SECRETS_DIR=str(tmp_path), CAIRN_BUSINESS_UNIT="no such unit")
    assert called.code == Exit.USAGE
    assert "CAIRN_BUSINESS_UNIT" in called.err
    assert "no such unit" not in called.err


def test_a_rule_about_several_settings_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "local-stack").touch()
    called = cairn(tmp_path, "run", "payments", CAIRN_SECRETS_DIR=str(tmp_path), CAIRN_ENVIRONMENT="production")
    assert called.code == Exit.USAGE
    assert "production needs its own" in called.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["dlq", "list"],
        ["run", "nothing"],
        ["run", "payments", "--service", "payments"],
        ["demo", "--none"],
    ],
)
def test_wrong_arguments_are_json_where_json_was_asked_for(tmp_path: Path, arguments: list[str]) -> None:
    called = cairn(tmp_path, *arguments, "--json")
    assert called.code == Exit.USAGE
    assert called.facts["ok"] is False
    assert called.facts["code"] == "usage"
    assert called.err == ""


def test_a_machine_that_cannot_is_told_apart_from_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home, code in (("/proc/nohome", "not_there"), (str(tmp_path / "file" / "home"), "not_there")):
        called = cairn(tmp_path, "up", "--json", CAIRN_HOME=home)
        assert called.code == Exit.ENVIRONMENT
        assert called.facts["code"] == code
        assert home.rpartition("/")[0] in called.facts["message"]
        assert called.err == ""


@pytest.mark.parametrize(("number", "code"), sorted(MACHINE.items()))
def test_what_the_machine_lacks_has_a_code(number: int, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(OSError(number, os.strerror(number), "/some/where"), as_json=True) == Exit.ENVIRONMENT
    told = json.loads(capsys.readouterr().out)
    assert told["code"] == code
    assert "/some/where" in told["message"]


def test_what_nobody_foresaw_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(ZeroDivisionError("by zero"), as_json=True) == Exit.FAILED
    told = capsys.readouterr()
    assert json.loads(told.out)["code"] == "unforeseen"
    assert "ZeroDivisionError" in told.err


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
