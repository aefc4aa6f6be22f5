"""What the mail sink does with a message: one file of a Maildir, byte for byte as it came."""

import itertools
import os
import time
from pathlib import Path
from typing import Any

FOLDERS = ("tmp", "new", "cur")


class Sink:
    """A handler of `aiosmtpd`. It parses nothing: a stack of its own need not read the letters it keeps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        for name in FOLDERS:
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    @classmethod
    def from_cli(cls, _parser: Any, *arguments: str) -> "Sink":
        """As `aiosmtpd -c` makes a handler: from the words after it."""
        return cls(Path(arguments[0]))

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep one message; it appears in `new` as a whole or not at all."""
        name = f"{time.time_ns()}.{os.getpid()}_{next(self._numbers)}.sink"
        staged = self._folder / "tmp" / name
        staged.write_bytes(envelope.original_content)
        staged.rename(self._folder / "new" / name)
        return "250 OK"
