"""Makes the Kafka client survive what it stumbles on: a connection that breaks, a header whose name is not UTF-8.

After a connection was lost, asyncio's transport quietly drops what is written to it; uvloop's raises `RuntimeError`.
The client library takes an `OSError` alone for a broken connection: on anything else the task that asked, be it the one
that keeps the metadata or the one that keeps the group, ends for good and without a word, and whoever waits for that
task waits for ever.

A header's name is bytes to the broker and text to the client, which breaks off at the first one it cannot decode and
never gets past it. Such a name arrives here with `UNREADABLE` before it and its bytes spelled out.
"""

# pyright: reportMissingTypeStubs=false

from collections.abc import Iterator
from functools import wraps
from itertools import islice
from typing import Any

from aiokafka import conn as library
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaConnectionError
from aiokafka.record import default_records

UNREADABLE = "\N{REPLACEMENT CHARACTER}"

_Connection: Any = library.AIOKafkaConnection
_library: Any = fetcher
_records: Any = default_records


def survive_unreadable_names() -> None:
    """Read a batch again, name by name, where the client cannot decode one."""
    if not isinstance(_library.MemoryRecords, _Fetched):
        _library.MemoryRecords = _Fetched(_library.MemoryRecords)


class _Fetched:
    """Stands for the client's own `MemoryRecords`."""

    def __init__(self, ordinary: Any) -> None:
        self._ordinary = ordinary

    def __call__(self, data: bytes) -> Any:
        return _FetchedRecords(self._ordinary(data), data)


class _FetchedRecords:
    """The batches of one answer, each beside its place in the bytes."""

    def __init__(self, ordinary: Any, data: bytes) -> None:
        self._ordinary = ordinary
        self._data = memoryview(data)
        self._at = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ordinary, name)

    def next_batch(self) -> Any:
        # RecordBatch: base offset (8 bytes), then the length of what follows (4 bytes).
        end = self._at + 12 + int.from_bytes(self._data[self._at + 8 : self._at + 12], "big")
        batch = self._ordinary.next_batch()
        data, self._at = self._data[self._at : end], end
        return None if batch is None else _Batch(batch, data)


class _Batch:
    def __init__(self, ordinary: Any, data: memoryview) -> None:
        self._ordinary = ordinary
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ordinary, name)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            for record in self._ordinary:
                given += 1
                yield record
        except UnicodeDecodeError:
            again = _records._DefaultRecordBatchPy(self._data)
            iter(again)
            again._buffer = _Lenient(again._buffer)
            yield from islice(again, given, None)


class _Lenient(bytearray):
    """Bytes of which any stretch can be decoded."""

    def __getitem__(self, place: Any) -> Any:
        taken: Any = bytearray.__getitem__
        found = taken(self, place)
        return _Lenient(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        try:
            return super().decode(encoding, errors)
        except UnicodeDecodeError:
            return UNREADABLE + super().decode(encoding, "backslashreplace")


def survive_broken_connections() -> None:
    """Let a write to a lost connection fail as `KafkaConnectionError`, which the client answers by connecting anew."""
    for name in ("send", "_send_sasl_token"):
        method = getattr(_Connection, name)
        if not hasattr(method, "__wrapped__"):
            setattr(_Connection, name, _as_connection_error(method))


def _as_connection_error(send: Any) -> Any:
    @wraps(send)
    def sending(connection: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return send(connection, *arguments, **options)
        except RuntimeError as error:
            connection.close(reason=library.CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"the connection to {connection.host}:{connection.port} is lost") from error

    return sending
