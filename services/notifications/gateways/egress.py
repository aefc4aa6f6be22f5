"""HTTP calls to addresses that outsiders choose, without reaching anything of our own (OWASP: SSRF).

The name is resolved once for each call, every address is checked, and the connection goes to a checked address, so that
a second answer of the name server cannot lead elsewhere. TLS and Host still use the name. A connection is kept open for
a moment, for the same name and only while the name still leads to its address.
"""

import asyncio
import ipaddress
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import h11

from contracts.errors import Refused, Unavailable
from services.notifications.gateways.names import Names, NameUnanswered

URL_CHARS_MAX = 500
ANSWER_BYTES_MAX = 64 * 1024
TIMEOUT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
KEPT_SECONDS = 2.0
"""How long a connection is kept for the next call: below what servers themselves allow."""
KEPT_MAX = 200
_READ_BYTES = 64 * 1024
PORTS = frozenset({443, 8443})

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

# One strict form instead of what two URL parsers may read differently: no user, no backslash, no control character.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/[A-Za-z0-9/._~!$&'()*+,;=:@%-]*)?(?:\?[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*)?)"
)
# What `is_global` lets pass and yet leads inside: tunnels that carry an IPv4 address, and one cloud's own services.
_REFUSED_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32", "192.88.99.0/24", "192.0.0.0/24", "::/96", "::ffff:0:0/96", "64:ff9b::/96",
        "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10", "3fff::/20", "5f00::/16",
    )
)  # fmt: skip


class DestinationRefused(Refused):
    """Cairn does not call this address: {why}."""

    code = "destination_refused"


class DestinationUnreachable(Unavailable):
    """The address did not answer: {why}."""

    code = "destination_unreachable"


class NameNotAnswering(DestinationUnreachable):
    """The address cannot be looked up just now: {why}."""

    code = "name_not_answering"


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that was read and whose every address was checked just now."""

    scheme: str
    host: str
    port: int
    target: str
    addresses: tuple[str, ...]

    @property
    def host_header(self) -> str:
        default = {"http": 80, "https": 443}[self.scheme]
        return self.host if self.port == default else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class EgressAnswer:
    """What came back; the body is cut at `ANSWER_BYTES_MAX`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Egress:
    """Calls out. `allow_loopback` (local stack only) also lets plain http to this machine pass, on any port."""

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        ports: frozenset[int] = PORTS,
        timeout_seconds: float = TIMEOUT_SECONDS,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._ports = ports
        self._timeout_seconds = timeout_seconds
        self._names = Names()
        self._resolve = resolve or self._names.resolve
        self._tls = tls or ssl.create_default_context()
        self._kept: dict[tuple[str, str, int], deque[_Connection]] = {}
        self._kept_count = 0

    async def close(self) -> None:
        for connections in self._kept.values():
            for connection in connections:
                connection.close()
        self._kept.clear()
        self._names.close()

    async def check(self, url: str) -> Destination:
        """Read and resolve `url`; `DestinationRefused` says why it is not called."""
        match = _URL.fullmatch(url) if len(url) <= URL_CHARS_MAX else None
        if match is None:
            raise DestinationRefused(why="it is not a plain https URL")
        scheme, host = match["scheme"], match["host"].lower()
        port = int(match["port"] or {"http": 80, "https": 443}[scheme])
        if not 1 <= port <= 65535:
            raise DestinationRefused(why="its port does not exist")
        addresses = await self._addresses(host.strip("[]"), port)
        local = all(address.is_loopback for address in addresses)
        if not (local and self._allow_loopback):
            if scheme != "https":
                raise DestinationRefused(why="it is not https")
            if port not in self._ports:
                raise DestinationRefused(why=f"its port is not one of {sorted(self._ports)}")
            for address in addresses:
                _refuse_unless_public(address)
        return Destination(scheme, host, port, match["target"], tuple(map(str, addresses)))

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> EgressAnswer:
        """POST to `url` after checking it afresh. Redirects are answers, not followed.

        `DestinationRefused` where it may not be called, `DestinationUnreachable` without an answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                destination = await self.check(url)
                kept = self._take_kept(destination)
                if kept is not None:
                    try:
                        return await self._exchange(kept, destination, body, headers)
                    except (OSError, _ClosedUnanswered):
                        pass  # It was closed over there meanwhile; a receiver drops duplicates by the message's id.
                connection = await self._connect(destination)
                return await self._exchange(connection, destination, body, headers)
        except TimeoutError:
            raise DestinationUnreachable(why="timeout") from None
        except (OSError, _ClosedUnanswered, h11.RemoteProtocolError, h11.LocalProtocolError) as error:
            raise DestinationUnreachable(why=type(error).__name__.lstrip("_")) from error

    async def _connect(self, destination: Destination) -> "_Connection":
        """To the first of the checked addresses that takes the connection."""
        secure = destination.scheme == "https"
        failure: Exception | None = None
        for address in destination.addresses:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection(
                        address,
                        destination.port,
                        ssl=self._tls if secure else None,
                        server_hostname=destination.host.strip("[]") if secure else None,
                    )
                return _Connection(address, reader, writer)
            except (OSError, TimeoutError) as error:
                failure = error
        raise DestinationUnreachable(why="ConnectError") from failure

    async def _exchange(
        self, connection: "_Connection", destination: Destination, body: bytes, headers: Mapping[str, str]
    ) -> EgressAnswer:
        own = {
            "Host": destination.host_header,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": "Cairn",
            "Content-Length": str(len(body)),
        }
        try:
            answer = await connection.post(destination.target or "/", {**headers, **own}, body)
        except BaseException:
            connection.close()
            raise
        self._keep(destination, connection)
        return answer

    def _take_kept(self, destination: Destination) -> "_Connection | None":
        place = (destination.scheme, destination.host, destination.port)
        connections = self._kept.pop(place, deque[_Connection]())
        while connections:
            connection = connections.pop()
            self._kept_count -= 1
            if connections:
                self._kept[place] = connections
            else:
                self._kept.pop(place, None)
            if connection.is_open() and connection.address in destination.addresses:
                connection.expiry.cancel()
                return connection
            connection.close()
        return None

    def _keep(self, destination: Destination, connection: "_Connection") -> None:
        if self._kept_count >= KEPT_MAX or not connection.renew():
            connection.close()
            return
        place = (destination.scheme, destination.host, destination.port)
        self._kept.setdefault(place, deque()).append(connection)
        self._kept_count += 1
        connection.expiry = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._drop, place, connection)

    def _drop(self, place: tuple[str, str, int], connection: "_Connection") -> None:
        connection.close()
        connections = self._kept.get(place)
        if connections is not None and connection in connections:
            connections.remove(connection)
            self._kept_count -= 1
            if not connections:
                del self._kept[place]

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = await self._resolve(host, port)
        except UnicodeError:
            raise DestinationRefused(why="its name is not a name") from None
        except NameUnanswered:
            raise NameNotAnswering(why="no name server answers for it") from None
        except OSError:
            raise DestinationUnreachable(why="its name is not known") from None
        if not found:
            raise DestinationUnreachable(why="its name has no address")
        try:
            return [ipaddress.ip_address(address) for address in dict.fromkeys(found)]
        except ValueError:
            raise DestinationRefused(why="an address of it cannot be read") from None


class _ClosedUnanswered(Exception):
    """The far side closed the connection before it answered."""


@dataclass(slots=True, eq=False)
class _Connection:
    """One HTTP/1.1 connection to a checked address, one exchange at a time."""

    address: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    protocol: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))
    expiry: asyncio.TimerHandle = field(init=False)

    async def post(self, target: str, headers: Mapping[str, str], body: bytes) -> EgressAnswer:
        request = h11.Request(method="POST", target=target, headers=list(headers.items()))
        sent = (self.protocol.send(request), self.protocol.send(h11.Data(body)), self.protocol.send(h11.EndOfMessage()))
        self.writer.write(b"".join(part or b"" for part in sent))
        await self.writer.drain()
        answer = await self._next_event()
        while isinstance(answer, h11.InformationalResponse):
            answer = await self._next_event()
        if not isinstance(answer, h11.Response):
            raise _ClosedUnanswered
        # Raw: what the far side compresses may unpack to any size.
        received = bytearray()
        while isinstance(part := await self._next_event(), h11.Data):
            received += part.data[: ANSWER_BYTES_MAX - len(received)]
            if len(received) >= ANSWER_BYTES_MAX:
                break
        found = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        return EgressAnswer(answer.status_code, found, bytes(received))

    async def _next_event(self) -> Any:
        while True:
            event = self.protocol.next_event()
            if event is not h11.NEED_DATA:
                return event
            data = await self.reader.read(_READ_BYTES)
            if not data and self.protocol.their_state is h11.SEND_RESPONSE and not self.protocol.trailing_data[0]:
                raise _ClosedUnanswered
            self.protocol.receive_data(data)

    def renew(self) -> bool:
        """Make ready for the next exchange; `False` where the last did not come to its proper end."""
        if self.protocol.our_state is not h11.DONE or self.protocol.their_state is not h11.DONE:
            return False
        self.protocol.start_next_cycle()
        return True

    def is_open(self) -> bool:
        return not self.writer.is_closing() and not self.reader.at_eof()

    def close(self) -> None:
        self.writer.close()


def _refuse_unless_public(address: Address) -> None:
    inside = any(address in network for network in _REFUSED_NETWORKS if network.version == address.version)
    if inside or not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        raise DestinationRefused(why="it leads to an address that is not public")
