"""Makes the Kafka client survive a connection that breaks under uvloop.

After a connection was lost, asyncio's transport quietly drops what is written to it; uvloop's raises `RuntimeError`.
The client library takes an `OSError` alone for a broken connection: on anything else the task that asked, be it the one
that keeps the metadata or the one that keeps the group, ends for good and without a word, and whoever waits for that
task waits for ever.
"""

# pyright: reportMissingTypeStubs=false

from functools import wraps
from typing import Any

from aiokafka import conn as library
from aiokafka.errors import KafkaConnectionError

_Connection: Any = library.AIOKafkaConnection


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
