"""Reading a log that is still being written."""

from pathlib import Path

BLOCK = 64 * 1024


class Tail:
    """The last lines of a file, then what is added to it."""

    def __init__(self, name: str, path: Path, lines: int) -> None:
        self.name = name
        self._path = path
        self._rest = b""
        self._at = self._start(lines)

    def _start(self, lines: int) -> int:
        """The offset at which the last `lines` lines begin."""
        with self._path.open("rb") as file:
            position = end = file.seek(0, 2)
            tail = b""
            while position > 0 and tail.count(b"\n") <= lines:
                position = max(0, position - BLOCK)
                file.seek(position)
                tail = file.read(min(BLOCK, end - position)) + tail
        kept = tail.splitlines(keepends=True)[-lines:] if lines else []
        return end - sum(map(len, kept))

    def read(self) -> list[str]:
        """The whole lines that were added since the last call."""
        with self._path.open("rb") as file:
            if file.seek(0, 2) < self._at:
                self._at = 0
            file.seek(self._at)
            new = file.read()
        self._at += len(new)
        *whole, self._rest = (self._rest + new).split(b"\n")
        return [line.decode(errors="replace") for line in whole]
