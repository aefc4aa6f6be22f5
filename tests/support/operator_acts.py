"""What the table of operators' acts holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class OperatorAct:
    act: str
    subject: str
    actor: str
    reason: str
    acted_at: datetime


async def acts_on(tx: Any, subject: str) -> list[OperatorAct]:
    """What was done to `subject`, in order."""
    rows = await tx.fetch(
        "SELECT act, subject, actor, reason, acted_at FROM operator_act WHERE subject = $1 ORDER BY id", subject
    )
    return [OperatorAct(**dict(row)) for row in rows]
