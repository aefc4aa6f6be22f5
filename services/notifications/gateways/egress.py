"""HTTP calls to addresses that outsiders choose, without reaching anything of our own (OWASP: SSRF).

The name is resolved once, every address is checked, and the connection goes to a checked address, so that a second
answer of the name server cannot lead elsewhere. TLS and Host still use the name.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from contracts.errors import Refused, Unavailable

URL_CHARS_MAX = 500
ANSWER_BYTES_MAX = 64 * 1024
TIMEOUT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
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

    def at(self, address: str) -> str:
        """The URL with the checked address in the name's place."""
        literal = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{literal}:{self.port}{self.target or '/'}"


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
        self._resolve = resolve or _look_up
        self._client = httpx.AsyncClient(
            verify=tls or True,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            # Connections are pooled by address: one kept open for one name must not serve another name there.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        await self._client.aclose()

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
                for position, address in enumerate(destination.addresses):
                    try:
                        return await self._post(destination, address, body, headers)
                    except (httpx.ConnectError, httpx.ConnectTimeout):
                        if position == len(destination.addresses) - 1:
                            raise
        except TimeoutError:
            raise DestinationUnreachable(why="timeout") from None
        except httpx.HTTPError as error:
            raise DestinationUnreachable(why=type(error).__name__) from error
        raise DestinationUnreachable(why="no address")

    async def _post(
        self, destination: Destination, address: str, body: bytes, headers: Mapping[str, str]
    ) -> EgressAnswer:
        own = {"Host": destination.host_header, "Accept-Encoding": "identity", "User-Agent": "Cairn"}
        extensions = {"sni_hostname": destination.host.strip("[]")} if destination.scheme == "https" else {}
        request = self._client.build_request(
            "POST", destination.at(address), content=body, headers={**headers, **own}, extensions=extensions
        )
        answer = await self._client.send(request, stream=True)
        try:
            # Raw: what the far side compresses may unpack to any size.
            received = bytearray()
            async for chunk in answer.aiter_raw():
                received += chunk[: ANSWER_BYTES_MAX - len(received)]
                if len(received) >= ANSWER_BYTES_MAX:
                    break
            return EgressAnswer(answer.status_code, dict(answer.headers), bytes(received))
        finally:
            await answer.aclose()

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = await self._resolve(host, port)
        except UnicodeError:
            raise DestinationRefused(why="its name is not a name") from None
        except OSError:
            raise DestinationUnreachable(why="its name is not known") from None
        if not found:
            raise DestinationUnreachable(why="its name has no address")
        try:
            return [ipaddress.ip_address(address) for address in dict.fromkeys(found)]
        except ValueError:
            raise DestinationRefused(why="an address of it cannot be read") from None


async def _look_up(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _refuse_unless_public(address: Address) -> None:
    inside = any(address in network for network in _REFUSED_NETWORKS if network.version == address.version)
    if inside or not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        raise DestinationRefused(why="it leads to an address that is not public")
