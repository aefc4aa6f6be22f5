"""What the doors do: one effect and one answer per Idempotency-Key, in one transaction."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from pydantic import BaseModel

from kit.db import Connection, Database
from kit.http import answer_of
from kit.idempotency import Answer, Once, earlier_answer, keep_answer
from services.payments.payees.payees import Rail
from services.payments.rails.installed import Rails
from services.payments.usecases import batches, disbursements
from services.payments.views.payments import BatchShown, RepairShown, batch_shown, repair_shown


async def make_batch(*, maker: str, rail: Rail, rails: Rails, once: Once, db: Database, now: datetime) -> Answer:
    """Collect every ordered payment that leaves by this rail in a new batch."""

    async def act(tx: Connection) -> BatchShown:
        return batch_shown(await batches.build_batch(tx, maker=maker, rails=rails, rail=rail, now=now))

    return await answer_once(act, once=once, db=db, now=now)


async def approve_batch(
    batch_id: str, *, checker: str, rails: Rails, once: Once, db: Database, now: datetime
) -> Answer:
    """Approve a batch that somebody else made; its file goes out."""

    async def act(tx: Connection) -> BatchShown:
        return batch_shown(await batches.approve_batch(tx, batch_id, checker=checker, rails=rails, now=now))

    return await answer_once(act, once=once, db=db, now=now)


async def withdraw_batch(batch_id: str, *, by: str, once: Once, db: Database, now: datetime) -> Answer:
    """Take a batch apart that nobody approved."""

    async def act(tx: Connection) -> BatchShown:
        return batch_shown(await batches.withdraw_batch(tx, batch_id, by=by, now=now))

    return await answer_once(act, once=once, db=db, now=now)


async def open_repair(
    provider_id: str, evidence: str, *, maker: str, once: Once, db: Database, now: datetime
) -> Answer:
    """Record that what made a payee's payments come back is mended."""

    async def act(tx: Connection) -> RepairShown:
        repair = await disbursements.open_repair(tx, provider_id, evidence=evidence, maker=maker, now=now)
        return repair_shown(repair, [])

    return await answer_once(act, once=once, db=db, now=now)


async def approve_repair(
    provider_id: str, repair_id: str, *, checker: str, once: Once, db: Database, now: datetime
) -> Answer:
    """Approve a repair that somebody else recorded; the payments may be made again."""

    async def act(tx: Connection) -> RepairShown:
        repair, repaired = await disbursements.approve_repair(tx, provider_id, repair_id, checker=checker, now=now)
        return repair_shown(repair, repaired)

    return await answer_once(act, once=once, db=db, now=now)


async def answer_once(
    act: Callable[[Connection], Awaitable[BaseModel]], *, once: Once, db: Database, now: datetime
) -> Answer:
    """A refusal changes nothing and is not kept: the same key may be tried again."""
    async with db.transaction() as tx:
        earlier = await earlier_answer(tx, once)
        if earlier is not None:
            return earlier
        answer = answer_of(await act(tx), 201)
        await keep_answer(tx, once, answer, now=now)
        return answer
