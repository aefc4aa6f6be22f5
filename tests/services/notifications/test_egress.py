import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notifications.gateways.egress import ANSWER_BYTES_MAX, DestinationRefused, DestinationUnreachable, Egress

PUBLIC = "93.184.215.14"

HOSTILE_URLS = [
    # Not https, or not a URL at all.
    "http://college.test/hook", "ftp://college.test/", "file:///etc/passwd", "gopher://127.0.0.1:70/",
    "https://college.test/hook\n", "//college.test/",
    "https:college.test", "https:///college.test", "college.test", "", " https://college.test/", "https://", "data:,x",
    "HTTPS://college.test\n/", "javascript:alert(1)", "https://college.test/\r\nHost: inside", "https://col lege.test/",
    # A user, or what another parser might take for one.
    "https://user@college.test/", "https://user:pass@college.test/", "https://college.test@127.0.0.1/",
    "https://127.0.0.1\\@college.test/", "https://college.test\\@127.0.0.1/", "https://127.0.0.1#@college.test/",
    "https://college.test:443@127.0.0.1/", "https://college.test%40127.0.0.1/", "https://college.test/%zz\\..\\",
    # Ports.
    "https://college.test:22/", "https://college.test:6379/", "https://college.test:0/", "https://college.test:65536/",
    "https://college.test:99999/", "https://college.test:-1/", "https://college.test:80/", "https://college.test:5432/",
    # This machine, spelled in every way there is.
    "https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://127.255.255.254/", "https://2130706433/",
    "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/", "https://0/",
    "https://0.0.0.0/", "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://localhost/", "https://LOCALHOST/",
    "https://localhost./",
    # Private, link-local, shared, reserved, multicast; clouds' metadata.
    "https://10.0.0.1/", "https://10.255.255.255/", "https://172.16.0.1/", "https://172.31.255.255/",
    "https://192.168.0.1/", "https://169.254.169.254/latest/meta-data/", "https://2852039166/", "https://0xa9fea9fe/",
    "https://169.254.170.2/", "https://100.64.0.1/", "https://100.100.100.200/", "https://100.127.255.255/",
    "https://168.63.129.16/", "https://192.0.0.192/", "https://192.0.2.1/", "https://198.18.0.1/",
    "https://198.51.100.1/", "https://203.0.113.1/", "https://192.88.99.1/", "https://224.0.0.1/", "https://239.1.1.1/",
    "https://240.0.0.1/", "https://255.255.255.255/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[fec0::1]/", "https://[ff02::1]/",
    "https://[2001:db8::1]/", "https://[3fff::1]/", "https://[5f00::1]/",
    # IPv6 that carries an IPv4 address.
    "https://[::ffff:169.254.169.254]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "https://[::ffff:8.8.8.8]/", "https://[::8.8.8.8]/",
    # Names that cannot be one, and far too long.
    "https://.college.test/", "https://-college.test/", "https://college.test-/", "https://cоllege.test/",
    "https://①②⑦.0.0.1/", "https://127。0。0。1/", "https://[::1", "https://[::1]x/", "https://[gg::1]/",
    "https://" + "a" * 64 + ".test/", "https://college.test/" + "a" * 500, "https://college.test/#fragment",
    "https://%31%32%37.0.0.1/",
]  # fmt: skip


def answering(*addresses: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


async def numbers_and_nothing_else(host: str, port: int) -> Sequence[str]:
    """The system's own reading of numeric spellings; every real name is one public address."""
    if host.rstrip(".").lower() == "localhost" or not any(c in host for c in "ghijklmnopqrstuvwyz"):
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
        return [str(entry[4][0]) for entry in found]
    host.encode("idna")
    return [PUBLIC]


def test_there_are_enough_hostile_urls() -> None:
    assert len(set(HOSTILE_URLS)) >= 60


@pytest.mark.parametrize("url", HOSTILE_URLS)
async def test_a_hostile_url_is_refused_before_anything_is_sent(url: str) -> None:
    egress = Egress(resolve=numbers_and_nothing_else)
    with pytest.raises(DestinationRefused):
        await egress.post(url, body=b"{}", headers={})
    await egress.close()


@pytest.mark.parametrize("url", ["https://college.test/hook?a=1", "https://college.test", "https://8.8.8.8:8443/x"])
async def test_a_plain_https_url_passes(url: str) -> None:
    egress = Egress(resolve=numbers_and_nothing_else)
    assert (await egress.check(url)).scheme == "https"
    await egress.close()


@pytest.mark.parametrize(
    "inside", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "64:ff9b::a00:1"]
)
async def test_every_address_of_a_name_must_be_public(inside: str) -> None:
    for order in ((PUBLIC, inside), (inside, PUBLIC)):
        egress = Egress(resolve=answering(*order), allow_loopback=True)
        with pytest.raises(DestinationRefused):
            await egress.check("https://college.test/")
        await egress.close()


async def test_the_loopback_setting_opens_this_machine_and_nothing_else() -> None:
    egress = Egress(resolve=numbers_and_nothing_else, allow_loopback=True)
    assert (await egress.check("http://127.0.0.1:9999/hook")).addresses == ("127.0.0.1",)
    for url in ("http://college.test/", "http://10.0.0.1/", "http://0.0.0.0:80/", "https://169.254.169.254/"):
        with pytest.raises(DestinationRefused):
            await egress.check(url)
    await egress.close()


async def test_unknown_names_are_unreachable() -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    for resolve in (unknown, answering()):
        egress = Egress(resolve=resolve)
        with pytest.raises(DestinationUnreachable):
            await egress.check("https://college.test/")
        await egress.close()


Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def receiver(reply: Reply, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    replies: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def answer() -> None:
            await reply(reader, writer)

        replies[asyncio.create_task(answer())] = writer

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for task, writer in replies.items():
        task.cancel()
        writer.transport.abort()
    await asyncio.gather(*replies, return_exceptions=True)
    await asyncio.sleep(0)


def replying(status: str, body: bytes, seen: list[bytes], *headers: str) -> Reply:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        head = "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers])
        writer.write(head.encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return reply


async def test_the_name_is_asked_once_and_its_answer_pinned() -> None:
    """A name server that gives another address the second time leads nowhere."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    seen: list[bytes] = []
    async with receiver(replying("200 OK", b"fine", seen)) as port:
        egress = Egress(resolve=rebinding, allow_loopback=True)
        answer = await egress.post(f"http://college.test:{port}/hook", body=b"{}", headers={"webhook-id": "msg_1"})
        assert (answer.status, answer.body) == (200, b"fine")
        with pytest.raises(DestinationRefused):
            await egress.post(f"http://college.test:{port}/hook", body=b"{}", headers={})
        await egress.close()
    assert asked == ["college.test"] * 2
    assert f"Host: college.test:{port}".lower().encode() in seen[0].lower()
    assert b"webhook-id: msg_1" in seen[0].lower()


async def test_redirects_are_answers() -> None:
    seen: list[bytes] = []
    async with receiver(replying("302 Found", b"", seen, "Location: http://169.254.169.254/")) as port:
        egress = Egress(resolve=answering("127.0.0.1"), allow_loopback=True)
        answer = await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})
        await egress.close()
    assert answer.status == 302
    assert len(seen) == 1


async def test_an_endless_answer_is_cut() -> None:
    seen: list[bytes] = []
    async with receiver(replying("200 OK", b"x" * 10 * ANSWER_BYTES_MAX, seen, "Content-Encoding: gzip")) as port:
        egress = Egress(resolve=answering("127.0.0.1"), allow_loopback=True)
        answer = await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})
        await egress.close()
    assert answer.body == b"x" * ANSWER_BYTES_MAX


async def test_a_receiver_that_never_answers_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with receiver(silent) as port:
        egress = Egress(resolve=answering("127.0.0.1"), allow_loopback=True, timeout_seconds=0.2)
        with pytest.raises(DestinationUnreachable, match="timeout"):
            await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})
        await egress.close()


async def test_the_next_address_is_tried_where_one_does_not_connect() -> None:
    seen: list[bytes] = []
    async with receiver(replying("200 OK", b"", seen)) as port:
        egress = Egress(resolve=answering("127.0.0.2", "127.0.0.1"), allow_loopback=True)
        assert (await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})).status == 200
        await egress.close()
        egress = Egress(resolve=answering("127.0.0.2"), allow_loopback=True)
        with pytest.raises(DestinationUnreachable, match="ConnectError"):
            await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})
        await egress.close()


class Serving:
    """Answers as many requests on one connection as come, and counts the connections."""

    def __init__(self, *, close_after: int = 0) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._close_after = close_after

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        answered = 0
        while not self._close_after or answered < self._close_after:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            await reader.readexactly(2)
            self.requests.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
            await writer.drain()
            answered += 1
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_connection_serves_the_next_call_of_its_name_only() -> None:
    serving = Serving()
    async with receiver(serving) as port:
        egress = Egress(resolve=answering("127.0.0.1"), allow_loopback=True)
        for name in ("college.test", "college.test", "another.test", "college.test"):
            answer = await egress.post(f"http://{name}:{port}/", body=b"{}", headers={})
            assert (answer.status, answer.body) == (200, b"fine")
        await egress.close()
    assert (len(serving.requests), serving.connections) == (4, 2)


async def test_a_kept_connection_serves_only_while_the_name_leads_to_its_address() -> None:
    addresses = ["127.0.0.1"]

    async def moving(host: str, port: int) -> Sequence[str]:
        return addresses

    serving = Serving()
    async with receiver(serving) as port:
        egress = Egress(resolve=moving, allow_loopback=True)
        await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})
        addresses[:] = ["127.0.0.2"]
        with pytest.raises(DestinationUnreachable):
            await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})
        await egress.close()
    assert len(serving.requests) == 1


async def test_a_connection_that_was_closed_meanwhile_is_no_failed_attempt() -> None:
    serving = Serving(close_after=1)
    async with receiver(serving) as port:
        egress = Egress(resolve=answering("127.0.0.1"), allow_loopback=True)
        for _ in range(3):
            assert (await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})).status == 200
        await egress.close()
    assert (len(serving.requests), serving.connections) == (3, 3)


async def test_what_is_no_http_is_a_failed_attempt() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.test ESMTP\r\n\r\n")
        await writer.drain()

    async with receiver(babble) as port:
        egress = Egress(resolve=answering("127.0.0.1"), allow_loopback=True)
        with pytest.raises(DestinationUnreachable, match="RemoteProtocolError"):
            await egress.post(f"http://college.test:{port}/", body=b"{}", headers={})
        await egress.close()


def certificate_for(name: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


async def test_tls_uses_the_name_although_the_address_is_called(tmp_path: Path) -> None:
    path = certificate_for("college.test", tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.create_default_context(cafile=str(path))
    seen: list[bytes] = []
    async with receiver(replying("200 OK", b"", seen), server) as port:
        egress = Egress(resolve=answering("127.0.0.1"), allow_loopback=True, tls=trusting)
        assert (await egress.post(f"https://college.test:{port}/", body=b"{}", headers={})).status == 200
        with pytest.raises(DestinationUnreachable):
            await egress.post(f"https://another.test:{port}/", body=b"{}", headers={})
        await egress.close()
        strict = Egress(resolve=answering("127.0.0.1"), allow_loopback=True)
        with pytest.raises(DestinationUnreachable):
            await strict.post(f"https://college.test:{port}/", body=b"{}", headers={})
        await strict.close()
    assert names[:2] == ["college.test", "another.test"]
    assert len(seen) == 1


def test_the_public_address_of_these_tests_is_public() -> None:
    assert ipaddress.ip_address(PUBLIC).is_global
