"""Lines of bank and finance-system files that could not be applied: kept, each with the alert whose closing ends it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from kit.db import Connection
from services.payments.remittance import RejectedLine
from services.payments.store import confirmations as store
from services.payments.usecases.screening import alert

ALERTS_PER_FILE_MAX = 100
"""What is rejected beyond them shares the last alert."""


async def keep_rejected(
    tx: Connection,
    name: str,
    digest: bytes,
    rejected: Sequence[RejectedLine],
    called: Mapping[int, str],
    *,
    now: datetime,
) -> None:
    """Keep the lines of a file that were not applied; `called`: line number → the alert that tells of it already."""
    alert_ids: list[str] = []
    for place, line in enumerate(rejected):
        alert_id = called.get(line.number)
        if alert_id is None and place < ALERTS_PER_FILE_MAX:
            explanation = f"{name}, line {line.number}: {line.reason}: {line.explanation}"
            key = f"{digest.hex()} {line.number}"
            alert_id = await alert(tx, "line_rejected", explanation[:1000], key=key, now=now)
        elif alert_id is None:
            explanation = f"{name}: more than {ALERTS_PER_FILE_MAX} lines are rejected"
            alert_id = await alert(tx, "lines_rejected", explanation, key=digest.hex(), now=now)
        alert_ids.append(alert_id)
    await store.reject_lines(tx, digest, rejected, alert_ids)
