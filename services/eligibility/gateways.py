"""The folders in which people keep program packs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

PACK_FILES = ("program.toml", "rounds.toml", "poverty_guidelines.toml", "credentials.toml", "providers.toml")
FILE_BYTES_MAX = 4 * 1024 * 1024

PackFiles: TypeAlias = Mapping[str, bytes]


class PackLibrary(Protocol):
    """Where packs are found by name."""

    def files(self, name: str) -> PackFiles:
        """The files of the pack called `name` that exist, by file name; empty where there is no such pack."""
        ...


class PackFolders:
    """Packs as folders side by side: `programs/oh-imap/`."""

    def __init__(self, programs_dir: Path) -> None:
        self._programs_dir = programs_dir

    def files(self, name: str) -> PackFiles:
        folder = self._programs_dir / name
        found: dict[str, bytes] = {}
        for file in PACK_FILES:
            path = folder / file
            if path.is_file():
                with path.open("rb") as handle:
                    found[file] = handle.read(FILE_BYTES_MAX)
        return found
