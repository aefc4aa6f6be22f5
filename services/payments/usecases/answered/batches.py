"""What the doors of payment batches and repairs do."""

from kit.db import Connection
from kit.idempotency import Answer
from services.payments.payees.payees import Rail
from services.payments.rails.installed import Rails
from services.payments.usecases import batches, disbursements
from services.payments.usecases.answered.asked import Asked
from services.payments.views.payments import BatchShown, RepairShown, batch_shown, repair_shown


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
