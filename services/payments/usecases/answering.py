"""What the doors do: one effect and one answer per Idempotency-Key, in one transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from kit import idempotency
from kit.db import Connection, Database
from kit.http import answer_of
from kit.idempotency import Answer, Once
from services.payments.payees.payees import Rail
from services.payments.rails.installed import Rails
from services.payments.usecases import batches, disbursements
from services.payments.views.payments import BatchShown, RepairShown, batch_shown, repair_shown


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
        """Have the act done once, and its answer kept beside it."""
        return await answer_once(act, once=self.once, db=self.db, now=self.now)


async def make_batch(asked: Asked, rail: Rail, *, rails: Rails) -> Answer:
    """Collect every ordered payment that leaves by this rail in a new batch."""

    async def act(tx: Connection) -> BatchShown:
        return batch_shown(await batches.build_batch(tx, maker=asked.by, rails=rails, rail=rail, now=asked.now))

    return await asked.answer(act)


async def approve_batch(asked: Asked, batch_id: str, *, rails: Rails) -> Answer:
    """Approve a batch that somebody else made; its file goes out."""

    async def act(tx: Connection) -> BatchShown:
        return batch_shown(await batches.approve_batch(tx, batch_id, checker=asked.by, rails=rails, now=asked.now))

    return await asked.answer(act)


async def withdraw_batch(asked: Asked, batch_id: str) -> Answer:
    """Take a batch apart that nobody approved."""

    async def act(tx: Connection) -> BatchShown:
        return batch_shown(await batches.withdraw_batch(tx, batch_id, by=asked.by, now=asked.now))

    return await asked.answer(act)


async def open_repair(asked: Asked, provider_id: str, evidence: str) -> Answer:
    """Record that what made a payee's payments come back is mended."""

    async def act(tx: Connection) -> RepairShown:
        repair = await disbursements.open_repair(tx, provider_id, evidence=evidence, maker=asked.by, now=asked.now)
        return repair_shown(repair, [])

    return await asked.answer(act)


async def approve_repair(asked: Asked, provider_id: str, repair_id: str) -> Answer:
    """Approve a repair that somebody else recorded; the payments may be made again."""

    async def act(tx: Connection) -> RepairShown:
        repair, repaired = await disbursements.approve_repair(
            tx, provider_id, repair_id, checker=asked.by, now=asked.now
        )
        return repair_shown(repair, repaired)

    return await asked.answer(act)


async def answer_once(
    act: Callable[[Connection], Awaitable[BaseModel]], *, once: Once, db: Database, now: datetime
) -> Answer:
    """Have the act done once; a refusal is kept too, so that the same key is refused again."""

    async def answered(tx: Connection) -> Answer:
        return answer_of(await act(tx), 201)

    return await idempotency.answer_once(once, answered, db=db, now=now)
