"""Kafka's jars: fetched once into the user's cache, each verified against the hash kept beside this module."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cairn.stack.faults import EngineMissing, JarMismatch, NoNetwork

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK_FILE = Path(__file__).with_name("jars.sha256")
ENDPOINT = "org.apache.kafka:kafka_2.13:4.1.1+org.slf4j:slf4j-simple:1.7.36"
FETCHERS_MAX = 6
TIMEOUT_SECONDS = 60


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/cairn/jars`, or below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cairn" / "jars"


def read_lock(file: Path = LOCK_FILE) -> dict[str, str]:
    """`{group:artifact:version: sha256}` of every jar that the broker is run with."""
    rows = (line.split() for line in file.read_text().splitlines() if line.strip())
    return {coordinate: digest for digest, coordinate in rows}


def class_path(cache: Path | None = None, lock: Mapping[str, str] | None = None) -> list[Path]:
    """The verified jars, fetched where they are missing. Several set-ups at once wait for one another."""
    cache = cache or cache_folder()
    wanted = lock if lock is not None else read_lock()
    cache.mkdir(parents=True, exist_ok=True)
    with _only_one(cache / ".lock"):
        missing = [name for name, digest in wanted.items() if _digest_of(cache / file_name(name)) != digest]
        if missing:
            _fetch(missing, wanted, cache)
    return [cache / file_name(name) for name in wanted]


def file_name(coordinate: str) -> str:
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def _digest_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fetch(names: list[str], wanted: Mapping[str, str], cache: Path) -> None:
    # A folder of its own: a half-written or refused file never lies where a verified one belongs.
    with tempfile.TemporaryDirectory(dir=cache, prefix=".staged-") as staged:
        context = _maven(Path(staged))

        def one(name: str) -> None:
            group, artifact, version = name.split(":")
            try:
                found = context.project(group, artifact).at_version(version).artifact().resolve()
            except Exception as fault:
                raise NoNetwork(name, cache, type(fault).__name__) from fault
            digest = _digest_of(found) or "nothing"
            if digest != wanted[name]:
                raise JarMismatch(name, wanted[name], digest)
            own = Path(staged) / file_name(name)
            shutil.copyfile(found, own)
            own.replace(cache / file_name(name))

        with ThreadPoolExecutor(FETCHERS_MAX) as fetchers:
            list(fetchers.map(one, names))


def _maven(staged: Path) -> "MavenContext":
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError:
        raise EngineMissing("Apache Kafka's jar fetcher", "jgo") from None

    settings = GlobalSettings.load()
    own = Path(settings.repo_cache)
    return MavenContext(
        repo_cache=staged,
        # Maven's own repository of this user is read, never written: its files pass the same check.
        local_repos=[own] if own.is_dir() else [],
        remote_repos={**settings.repositories, "central": MAVEN_CENTRAL_URL},
        timeout=TIMEOUT_SECONDS,
    )
