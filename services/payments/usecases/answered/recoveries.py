"""What the doors of recoveries do: one effect and one answer per Idempotency-Key, in one transaction."""

from kit.db import Connection
from kit.idempotency import Answer
from services.payments.usecases import recoveries
from services.payments.usecases.answered.asked import Asked
from services.payments.views.recoveries import NewRecovery, RecoveryShown, recovery_shown


async def propose(asked: Asked, refund_id: str, new: NewRecovery) -> Answer:
    """Take down what a provider paid back, for another person to approve."""

    async def act(tx: Connection) -> RecoveryShown:
        evidence = {"cents": new.cents, "line_id": new.line_id, "document": new.document}
        recovery = await recoveries.propose_recovery(tx, refund_id, maker=asked.by, now=asked.now, **evidence)
        return recovery_shown(recovery)

    return await asked.answer(act)


async def approve(asked: Asked, refund_id: str, recovery_id: str) -> Answer:
    """Post what somebody else took down."""

    async def act(tx: Connection) -> RecoveryShown:
        recovery = await recoveries.approve_recovery(tx, refund_id, recovery_id, checker=asked.by, now=asked.now)
        return recovery_shown(recovery)

    return await asked.answer(act)


async def withdraw(asked: Asked, refund_id: str, recovery_id: str) -> Answer:
    """Take back what nobody has approved."""

    async def act(tx: Connection) -> RecoveryShown:
        return recovery_shown(await recoveries.withdraw_recovery(tx, refund_id, recovery_id))

    return await asked.answer(act)
