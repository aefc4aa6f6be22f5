"""The data folder: where it is, who may read it, which ports and secrets it keeps."""

import os
import stat
from pathlib import Path

import pytest

from cairn.stack.faults import HomeUnsafe
from cairn.stack.layout import ROOT, Home, default_home
from cairn.stack.ports import FIRST, LAST, NAMES, is_free, ports_of
from cairn.stack.secrets import KEYS, ROLES, make_secrets, password_of
from cairn.stack.tail import Tail


def test_home_is_in_the_checkout_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAIRN_HOME", raising=False)
    assert default_home() == ROOT / ".cairn" / "local"
    monkeypatch.setenv("CAIRN_HOME", "/somewhere/else")
    assert default_home() == Path("/somewhere/else")


def test_ports_are_free_distinct_and_remembered(home: Home) -> None:
    home.make()
    ports = ports_of(home)
    assert set(ports) == set(NAMES)
    assert len(set(ports.values())) == len(NAMES)
    assert all(FIRST <= port < LAST and is_free(port) for port in ports.values())
    assert ports_of(home) == ports


def test_secrets_are_made_once_and_readable_by_their_owner_only(home: Home) -> None:
    home.make()
    make_secrets(home)
    first = {path.name: path.read_text() for path in home.secrets.iterdir()}
    make_secrets(home)
    assert {path.name: path.read_text() for path in home.secrets.iterdir()} == first
    assert {f"pg_{role}.password" for role in ROLES} | {f"{key}.key" for key in KEYS} | {"local-stack"} == set(first)
    assert len({password_of(home, role) for role in ROLES}) == len(ROLES)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in home.secrets.iterdir())
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps PostgreSQL's data outside the home")
def test_a_folder_that_somebody_else_laid_is_not_used(home: Home, tmp_path: Path) -> None:
    home.nobody_folder.symlink_to(tmp_path)
    try:
        with pytest.raises(HomeUnsafe):
            home.make()
    finally:
        home.nobody_folder.unlink()


def test_tail_gives_the_last_lines_then_only_whole_new_ones(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_text("".join(f"line {n}\n" for n in range(100_000)))
    tail = Tail("some", log, 2)
    assert tail.read() == ["line 99998", "line 99999"]
    with log.open("a") as file:
        file.write("half")
        file.flush()
        assert tail.read() == []
        file.write(" and half\nnext\n")
    assert tail.read() == ["half and half", "next"]
    log.write_text("begun again\n")
    assert tail.read() == ["begun again"]
