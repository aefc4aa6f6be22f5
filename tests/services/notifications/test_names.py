"""Names of outsiders: a name server that is silent holds up nobody but those who ask for its own names."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from contracts.errors import Unavailable
from contracts.ids import WebhookMessageId
from kit.clock import SystemClock
from services.notifications.domain import Unanswered, WebhookAddressRefused
from services.notifications.gateways.colleges import HttpCollegeDoor
from services.notifications.gateways.egress import Egress, NameNotAnswering
from services.notifications.gateways.names import Names, NameUnanswered
from services.notifications.usecases.endpoints import register_endpoint
from tests.services.notifications.conftest import Bench
from tests.services.notifications.sample import PROVIDER, rows

PUBLIC = "93.184.215.14"


class NameServers:
    """Answer for `*.prompt.test` at once, and for `*.silent.test` only once they are let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked: list[str] = []

    def look_up(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host.endswith(".again.test"):
            raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")
        if host.endswith(".unknown.test"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if host.endswith(".silent.test"):
            assert self.let_go.wait(60)
        return [PUBLIC]


@pytest.fixture
def servers() -> Iterator[NameServers]:
    servers = NameServers()
    yield servers
    servers.let_go.set()


@pytest.fixture
def names(servers: NameServers) -> Iterator[Names]:
    names = Names(look_up=servers.look_up, answer_seconds_max=0.2, questions_max=12, silent_questions_max=4)
    yield names
    names.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - threads set no event of the loop's
            await asyncio.sleep(0)


async def unanswered(names: Names, *hosts: str) -> None:
    answers = await asyncio.gather(*(names.resolve(host, 443) for host in hosts), return_exceptions=True)
    assert [type(answer) for answer in answers] == [NameUnanswered] * len(hosts)


async def test_silent_names_do_not_hold_up_a_name_that_is_answered(servers: NameServers, names: Names) -> None:
    silent = [f"{n}.silent.test" for n in range(8)]
    asking = asyncio.create_task(unanswered(names, *silent))
    await until(lambda: len(servers.asked) >= len(silent))
    assert await names.resolve("a.prompt.test", 443) == [PUBLIC]
    assert not asking.done()
    await asking
    assert await names.resolve("b.prompt.test", 443) == [PUBLIC]


async def test_a_name_that_is_silent_is_asked_for_once_and_refused_at_once(servers: NameServers, names: Names) -> None:
    await unanswered(names, "a.silent.test", "a.silent.test")
    began = time.monotonic()
    await unanswered(names, "a.silent.test")
    assert time.monotonic() - began < 0.1
    assert servers.asked == ["a.silent.test"]


async def test_silent_names_share_a_few_threads(servers: NameServers, names: Names) -> None:
    first = [f"{n}.silent.test" for n in range(6)]
    await unanswered(names, *first)
    servers.let_go.set()
    await until(lambda: not names._asked)  # pyright: ignore[reportPrivateUsage]
    servers.let_go.clear()
    servers.asked.clear()
    await unanswered(names, *first)
    assert len(servers.asked) == 4


async def test_a_name_that_answers_again_is_well_again(servers: NameServers, names: Names) -> None:
    await unanswered(names, "a.silent.test")
    servers.let_go.set()
    await until(lambda: not names._asked)  # pyright: ignore[reportPrivateUsage]
    assert await names.resolve("a.silent.test", 443) == [PUBLIC]
    assert not names._silent  # pyright: ignore[reportPrivateUsage]


async def test_where_no_thread_is_free_the_asker_is_told_at_once(servers: NameServers, names: Names) -> None:
    asking = asyncio.create_task(unanswered(names, *(f"{n}.silent.test" for n in range(12))))
    await until(lambda: len(servers.asked) >= 12)
    await unanswered(names, "a.prompt.test")
    assert not asking.done()
    assert "a.prompt.test" not in servers.asked
    assert await names.resolve(PUBLIC, 443) == [PUBLIC]
    await asking


async def test_a_fault_that_passes_is_no_unknown_name(names: Names) -> None:
    await unanswered(names, "a.again.test")
    with pytest.raises(socket.gaierror):
        await names.resolve("a.unknown.test", 443)


async def test_the_attempt_says_that_the_name_was_not_answered(names: Names) -> None:
    egress = Egress(resolve=names.resolve)
    result = await HttpCollegeDoor(egress).deliver(
        "https://a.silent.test/",
        message_id=WebhookMessageId.new(),
        body=b"{}",
        secrets=["whsec_" + "A" * 44],
        sent_at=SystemClock().now(),
        challenge=None,
    )
    await egress.close()
    assert result == Unanswered("name_not_answering")


async def test_an_address_is_looked_up_before_the_transaction(bench: Bench, names: Names) -> None:
    """While the name is silent no connection is taken, and the caller hears that it may ask again."""

    class Watched(HttpCollegeDoor):
        async def check_address(self, url: str) -> None:
            assert bench.db._pool.get_size() == bench.db._pool.get_idle_size()  # pyright: ignore[reportPrivateUsage]
            await super().check_address(url)

    egress = Egress(resolve=names.resolve)
    object.__setattr__(bench.endpoints, "college", Watched(egress))
    for url, error in (
        ("https://a.silent.test/", NameNotAnswering),
        ("https://a.unknown.test/", WebhookAddressRefused),
    ):
        with pytest.raises(error) as raised:
            await register_endpoint(PROVIDER, url, once=None, desk=bench.endpoints)
        assert isinstance(raised.value, Unavailable) == (error is NameNotAnswering)
    await egress.close()
    assert await rows(bench.db, "SELECT 1 FROM webhook_endpoint") == []
