"""Where the local stack keeps things: one data folder, locked while in use."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cairn.stack.faults import DiskFull, HomeInUse, HomeUnsafe

ROOT = Path(__file__).resolve().parents[2]
FREE_BYTES_MIN = 1 << 30
KEPT = {"lock", "supervisor.log"}


def default_home() -> Path:
    """`CAIRN_HOME`, else `.cairn/local` in the checkout (or below the working folder, where there is no checkout)."""
    given = os.environ.get("CAIRN_HOME")
    if given:
        return Path(given).absolute()
    return (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / ".cairn" / "local"


@dataclass(frozen=True)
class Home:
    """One data folder and the paths in it."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def traces(self) -> Path:
        return self.path / "traces"

    @property
    def exchange(self) -> Path:
        return self.path / "exchange"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def nobody_folder(self) -> Path:
        """Where root keeps what PostgreSQL must reach as an unprivileged user; elsewhere the home serves."""
        digest = hashlib.sha256(str(self.path.absolute()).encode()).hexdigest()[:16]
        return Path("/var/tmp") / f"cairn-{digest}" if os.geteuid() == 0 else self.path  # noqa: S108

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Create the folders; readable by this user only."""
        for folder in (self.path, self.logs, self.secrets, self.traces):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.exchange / "outbound", self.exchange / "inbound"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.nobody_folder != self.path:
            if not (self.path / "ports.json").exists():
                # The home is new: a cluster of one that was removed here has passwords that nobody knows any more.
                shutil.rmtree(self.nobody_folder, ignore_errors=True)
            self.nobody_folder.mkdir(mode=0o755, exist_ok=True)
            found = self.nobody_folder.lstat()
            # World-writable parent: somebody else could have laid a folder or link with our name there first.
            if found.st_uid != os.geteuid() or self.nobody_folder.is_symlink():
                raise HomeUnsafe(self.nobody_folder)
            self.nobody_folder.chmod(0o755)

    def require_disk(self) -> None:
        """`DiskFull` where there is too little room for the data."""
        for path in {self.path, self.nobody_folder}:
            free = shutil.disk_usage(path).free
            if free < FREE_BYTES_MIN:
                raise DiskFull(path, free, FREE_BYTES_MIN)

    def erase(self) -> None:
        """Remove everything but the lock that the caller holds and the log that it writes to."""
        if self.nobody_folder != self.path:
            shutil.rmtree(self.nobody_folder, ignore_errors=True)
        for entry in self.path.iterdir() if self.path.exists() else ():
            if entry.name in KEPT:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def read_state(self) -> dict[str, Any]:
        """What the running stack last wrote about itself; empty where nothing is known."""
        try:
            return json.loads(self.state_file.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def write_state(self, state: dict[str, Any]) -> None:
        write_atomically(self.state_file, json.dumps(state, indent=1).encode())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the data folder; `HomeInUse` where another process does. The kernel lets go when the holder dies."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeInUse(self.path, self.read_state().get("pid")) from None
            yield
        finally:
            os.close(descriptor)

    def in_use(self) -> bool:
        """Whether a living process holds the data folder."""
        with suppress(FileNotFoundError):
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
        return False


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write so that a reader sees the old content or the new, never half."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(staged, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    staged.replace(path)
