"""Names that outsiders choose, turned into addresses without a silent name server holding up anybody else's.

The system's resolver blocks a thread and cannot be called off. Each question has a thread of its own here, names that
did not answer lately share a few, and where none is free the asker is told at once instead of waiting in line.
"""

import asyncio
import ipaddress
import socket
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeAlias

ANSWER_SECONDS_MAX = 3.0
QUESTIONS_MAX = 128
SILENT_QUESTIONS_MAX = 16
"""Of the questions, those about names whose last one was not answered in time."""
SILENT_NAMES_MAX = 10_000
"""Names remembered as silent; the one that was so longest ago is forgotten first."""

LookUp: TypeAlias = Callable[[str, int], Sequence[str]]


class NameUnanswered(Exception):
    """No name server answered in time, or too many questions wait for one that is silent."""


class Names:
    """Resolves host names. `look_up` blocks and raises `OSError` for a name that is not known."""

    def __init__(
        self,
        *,
        look_up: LookUp | None = None,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
        questions_max: int = QUESTIONS_MAX,
        silent_questions_max: int = SILENT_QUESTIONS_MAX,
    ) -> None:
        self._look_up = look_up or _ask_the_system
        self._answer_seconds_max = answer_seconds_max
        self._questions_max = questions_max
        self._silent_questions_max = silent_questions_max
        self._threads = ThreadPoolExecutor(questions_max, thread_name_prefix="names")
        self._asked: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}
        self._silent: OrderedDict[str, None] = OrderedDict()

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address of `host`; `NameUnanswered` within `answer_seconds_max`, `OSError` where there is none."""
        # A plain address needs no name server, nor the thread that asking one takes.
        with suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        question = self._asked.get((host, port))
        if question is None:
            question = self._ask(host, port)
        elif host in self._silent:
            raise NameUnanswered
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                # Shielded: others wait for the same answer, and its thread cannot be called off.
                found = await asyncio.shield(question)
        except TimeoutError:
            if not question.done():
                self._remember(host)
            raise NameUnanswered from None
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise NameUnanswered from error
            raise
        self._silent.pop(host, None)
        return found

    def close(self) -> None:
        """Ask nothing more; what is under way ends by itself and is told to nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, host: str, port: int) -> "asyncio.Future[Sequence[str]]":
        silent = sum(asked in self._silent for asked, _ in self._asked)
        if len(self._asked) >= self._questions_max or (host in self._silent and silent >= self._silent_questions_max):
            raise NameUnanswered
        question = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port)
        self._asked[host, port] = question
        question.add_done_callback(partial(self._answered, (host, port)))
        return question

    def _answered(self, asked: tuple[str, int], question: "asyncio.Future[Sequence[str]]") -> None:
        del self._asked[asked]
        if not question.cancelled():
            question.exception()  # Whoever asked may have left: nobody else takes note of it.

    def _remember(self, host: str) -> None:
        self._silent[host] = None
        self._silent.move_to_end(host)
        while len(self._silent) > SILENT_NAMES_MAX:
            self._silent.popitem(last=False)


def _ask_the_system(host: str, port: int) -> Sequence[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
