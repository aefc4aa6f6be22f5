# pyright: strict
"""A stream of bytes cut into records: by line feeds, with or without carriage returns, or every 94 characters."""

from collections.abc import Generator, Iterable, Iterator
from enum import StrEnum

from services.payments.nacha.fields import RECORD_WIDTH

LINE_BYTES_MAX = 64 * 1024


class LineEnd(StrEnum):
    """What follows a record."""

    LINE_FEED = "\n"
    CARRIAGE_RETURN = "\r\n"
    NOTHING = ""


class Records:
    """The records of a stream; `line_end` is known once the first came. A byte outside ASCII stays one character."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.line_end = LineEnd.LINE_FEED
        self._chunks = chunks

    def __iter__(self) -> Iterator[str]:
        rest, begun = b"", False
        for chunk in self._chunks:
            rest += chunk
            if not begun and len(rest) >= RECORD_WIDTH + 2:
                begun = True
                self._recognize(rest)
            if begun:
                rest = yield from self._whole(rest)
        if not begun:
            self._recognize(rest)
            rest = yield from self._whole(rest)
        if rest:
            yield from self._text(rest)

    def _recognize(self, begin: bytes) -> None:
        feed = begin.find(b"\n")
        if feed >= 0:
            self.line_end = LineEnd.CARRIAGE_RETURN if begin[feed - 1 : feed] == b"\r" else LineEnd.LINE_FEED
        elif len(begin) > RECORD_WIDTH:
            self.line_end = LineEnd.NOTHING

    def _whole(self, text: bytes) -> Generator[str, None, bytes]:
        """Everything that is complete; returns what is not."""
        if self.line_end is LineEnd.NOTHING:
            end = len(text) - len(text) % RECORD_WIDTH
            for at in range(0, end, RECORD_WIDTH):
                yield text[at : at + RECORD_WIDTH].decode("latin-1")
            return text[end:]
        *lines, rest = text.split(b"\n")
        for line in lines:
            yield from self._text(line)
        # A file without line ends is not gathered in memory for the sake of its one record.
        if len(rest) > LINE_BYTES_MAX:
            yield from self._text(rest)
            return b""
        return rest

    def _text(self, line: bytes) -> Iterator[str]:
        if self.line_end is LineEnd.CARRIAGE_RETURN:
            line = line.removesuffix(b"\r")
        yield line.decode("latin-1")
