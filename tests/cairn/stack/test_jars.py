"""Kafka's jars: verified, fetched once, refused when they differ, explained when there is no network."""

import hashlib
import threading
from pathlib import Path

import pytest

from cairn.exits import Exit
from cairn.stack import jars
from cairn.stack.faults import JarMismatch, NoNetwork

NAME = "org.example:thing:1.0"
CONTENT = b"PK a jar"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's Maven repository with one jar in it, and a central repository that nobody answers."""
    import jgo.constants

    folder = tmp_path / "m2"
    jar = folder / "org" / "example" / "thing" / "1.0" / "thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(CONTENT)
    monkeypatch.setenv("M2_REPO", str(folder))
    monkeypatch.setattr(jgo.constants, "MAVEN_CENTRAL_URL", "http://127.0.0.1:9")
    return jar


def test_the_lock_names_every_jar_once_with_a_whole_digest() -> None:
    lock = jars.read_lock()
    assert "org.apache.kafka:kafka_2.13:4.1.1" in lock
    assert all(len(digest) == 64 and name.count(":") == 2 for name, digest in lock.items())
    assert len({jars.file_name(name) for name in lock}) == len(lock) > 40


def test_a_jar_is_fetched_verified_and_then_taken_from_the_cache(tmp_path: Path, repository: Path) -> None:
    [path] = jars.class_path(tmp_path / "cache", {NAME: DIGEST})
    assert path.read_bytes() == CONTENT
    repository.unlink()
    assert jars.class_path(tmp_path / "cache", {NAME: DIGEST}) == [path]


def test_another_file_than_the_reviewed_one_is_refused_and_not_kept(tmp_path: Path) -> None:
    wrong = "0" * 64
    with pytest.raises(JarMismatch, match=f"{DIGEST}, but {wrong} is expected") as refused:
        jars.class_path(tmp_path / "cache", {NAME: wrong})
    assert refused.value.exit_code == Exit.ENVIRONMENT
    assert not list((tmp_path / "cache").glob("**/*.jar"))


def test_a_damaged_cache_heals(tmp_path: Path) -> None:
    [path] = jars.class_path(tmp_path / "cache", {NAME: DIGEST})
    path.write_bytes(b"half")
    assert jars.class_path(tmp_path / "cache", {NAME: DIGEST})[0].read_bytes() == CONTENT


def test_without_network_the_first_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoNetwork, match=r"org\.example:other:1\.0 could not be fetched.*first run needs the network"):
        jars.class_path(tmp_path / "cache", {NAME: DIGEST, "org.example:other:1.0": DIGEST})


def test_several_set_ups_at_once_wait_for_one_another(tmp_path: Path) -> None:
    faults: list[Exception] = []

    def set_up() -> None:
        try:
            jars.class_path(tmp_path / "cache", {NAME: DIGEST})
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=set_up) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
