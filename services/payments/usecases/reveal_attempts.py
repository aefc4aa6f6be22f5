"""Who asked to see an exam code."""

from kit.db import Database
from services.payments.exam_vouchers.states import RevealOutcome
from services.payments.store import reveal_attempts as store
from services.payments.store.reveal_attempts import RevealAttempt

SHOWN_MAX = 500
REFUSED = [RevealOutcome.ALREADY_REVEALED, RevealOutcome.NOT_REVEALABLE, RevealOutcome.NOT_FOUND]


async def read_attempts(
    *, db: Database, application_id: str | None = None, exam_voucher_id: str | None = None, refused: bool = False
) -> list[RevealAttempt]:
    """The newest requests, at most `SHOWN_MAX`, with their outcome; `refused` leaves out those that were answered."""
    outcomes = REFUSED if refused else list(RevealOutcome)
    async with db.connection() as connection:
        return await store.newest(connection, application_id, exam_voucher_id, outcomes, SHOWN_MAX)
