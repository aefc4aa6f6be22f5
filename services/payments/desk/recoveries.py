"""What the command line asks of recoveries."""

from dataclasses import asdict
from typing import Any

from kit.clock import SystemClock
from services.payments.desk.opening import officer, opened
from services.payments.settings import PaymentsSettings
from services.payments.usecases import recoveries


async def propose(
    settings: PaymentsSettings, refund_id: str, *, cents: int, line_id: str | None, document: str | None, maker: str
) -> dict[str, Any]:
    """Take down what a provider paid back of a refund."""
    async with opened(settings) as db:
        recovery = await recoveries.propose_one(
            refund_id,
            cents=cents,
            line_id=line_id,
            document=document,
            maker=officer(maker),
            db=db,
            now=SystemClock().now(),
        )
    return asdict(recovery)


async def approve(settings: PaymentsSettings, refund_id: str, recovery_id: str, *, checker: str) -> dict[str, Any]:
    """Post what somebody else took down."""
    async with opened(settings) as db:
        recovery = await recoveries.approve_one(
            refund_id, recovery_id, checker=officer(checker), db=db, now=SystemClock().now()
        )
    return asdict(recovery)
