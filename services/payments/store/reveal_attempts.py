"""Requests to show an exam code, each with what became of it."""

from dataclasses import dataclass
from datetime import datetime

from contracts.ids import ExamVoucherId
from kit.db import Connection
from services.payments.exam_vouchers.states import RevealOutcome
from services.payments.store.vouchers import HeldVoucher

# At most so many of one principal for one code: whoever asks without end does not fill the table.
ADD = """
INSERT INTO exam_voucher_reveal_attempt (
    exam_voucher_id, application_id, attempt_number, principal, outcome, attempted_at
)
SELECT $1, $2, $3, $4, $5, $6 WHERE $7 > (
    SELECT count(*) FROM exam_voucher_reveal_attempt WHERE exam_voucher_id = $1 AND principal = $4
)
RETURNING entry
"""
NEWEST = """
SELECT exam_voucher_id, application_id, attempt_number, principal, outcome, attempted_at
FROM exam_voucher_reveal_attempt
WHERE ($1::text IS NULL OR application_id = $1) AND ($2::text IS NULL OR exam_voucher_id = $2)
    AND outcome = ANY ($3::text[])
ORDER BY entry DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class RevealAttempt:
    """Who asked to see which code, and what became of it."""

    exam_voucher_id: ExamVoucherId
    application_id: str
    attempt_number: int
    principal: str
    """Whose API key it was, as `partner/demo-portal`."""
    outcome: RevealOutcome
    attempted_at: datetime


async def keep(
    tx: Connection, voucher: HeldVoucher, outcome: RevealOutcome, *, principal: str, kept_max: int, now: datetime
) -> bool:
    """Keep that somebody asked for the code; False where as many of the same principal are kept already."""
    entry = await tx.fetchval(
        ADD,
        voucher.exam_voucher_id,
        voucher.application_id,
        voucher.attempt_number,
        principal,
        outcome.value,
        now,
        kept_max,
    )
    return entry is not None


async def newest(
    tx: Connection, application_id: str | None, exam_voucher_id: str | None, outcomes: list[RevealOutcome], most: int
) -> list[RevealAttempt]:
    """The newest first; of one case, of one voucher, or of all."""
    rows = await tx.fetch(NEWEST, application_id, exam_voucher_id, [one.value for one in outcomes], most)
    return [
        RevealAttempt(
            ExamVoucherId(row["exam_voucher_id"]),
            row["application_id"],
            row["attempt_number"],
            row["principal"],
            RevealOutcome(row["outcome"]),
            row["attempted_at"],
        )
        for row in rows
    ]
