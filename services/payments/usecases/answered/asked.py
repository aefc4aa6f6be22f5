"""Who asks at a door, and the one way to do an act once for an Idempotency-Key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from kit.db import Connection, Database
from kit.http import answer_of
from kit.idempotency import Answer, Once, answer_once


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, by the API key they showed, and under which Idempotency-Key: what every act of maker or checker takes.

    `by` goes on record with the act, and is what a second person is told from.
    """

    by: str
    once: Once
    db: Database
    now: datetime

    async def answer(self, act: Callable[[Connection], Awaitable[BaseModel]]) -> Answer:
        """Have the act done once, and its answer or refusal kept: the same key is answered alike."""

        async def answered(tx: Connection) -> Answer:
            return answer_of(await act(tx), 201)

        return await answer_once(self.once, answered, db=self.db, now=self.now)
