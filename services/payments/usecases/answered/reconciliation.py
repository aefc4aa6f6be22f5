"""What the doors of reconciliation do: one effect and one answer per Idempotency-Key, in one transaction."""

from collections.abc import Collection

from kit.db import Connection
from kit.idempotency import Answer
from services.payments.reconciling.decisions import Decision
from services.payments.usecases import reconciliation_acts as acts
from services.payments.usecases.answered.asked import Asked
from services.payments.usecases.reconciliation import reconcile_open
from services.payments.views.reconciliation import ActShown, act_shown


async def decide(asked: Asked, decision: Decision) -> Answer:
    """One person decides about a line or a held statement."""

    async def act(tx: Connection) -> ActShown:
        return act_shown(await acts.decide(tx, decision, maker=asked.by, now=asked.now))

    return await asked.answer(act)


async def agree(asked: Asked, act_id: str, *, ours: Collection[str]) -> Answer:
    """Another person agrees. Lines that an accepted statement brought are matched before the answer goes out."""

    async def act(tx: Connection) -> ActShown:
        return act_shown(await acts.agree_to(tx, act_id, checker=asked.by, ours=ours, now=asked.now))

    answer = await asked.answer(act)
    # Also for a repeat: the process may have died between the two.
    await reconcile_open(db=asked.db, now=asked.now)
    return answer


async def withdraw(asked: Asked, act_id: str) -> Answer:
    """Take back a decision that waits."""

    async def act(tx: Connection) -> ActShown:
        return act_shown(await acts.take_back(tx, act_id, by=asked.by, now=asked.now))

    return await asked.answer(act)
