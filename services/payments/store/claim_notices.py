"""Notices of defects: when each returned claim's provider was told, who has not been yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.ids import ApplicationId, ClaimId
from kit.db import Connection
from services.payments.claims.prompt_pay import ReturnedInvoice

# The first notice counts, in whatever order their facts arrive.
TOLD = """
UPDATE claim SET notice_sent_at = $2, notice_way = $3, notice_document = $4, notice_recorded_by = $5
WHERE claim_id = $1 AND status = 'returned' AND (notice_sent_at IS NULL OR notice_sent_at > $2)
"""
# A claim that was mended, or whose case is over, waits for no notice.
_UNTOLD = """
FROM claim AS c
WHERE c.status = 'returned' AND c.notice_sent_at IS NULL
    AND NOT EXISTS (SELECT FROM ended_case AS e WHERE e.application_id = c.application_id)
    AND NOT EXISTS (
        SELECT FROM claim AS m
        WHERE m.application_id = c.application_id AND m.kind = 'claim' AND m.submitted_at > c.submitted_at
    )
"""
UNTOLD = f"""
SELECT c.claim_id, c.application_id, c.provider_id, c.notice_due_at {_UNTOLD}
ORDER BY c.decided_at, c.claim_id LIMIT $1
"""
CALL = f"""
UPDATE claim AS u SET notice_called_at = $2
WHERE u.claim_id IN (
    SELECT c.claim_id {_UNTOLD} AND c.notice_called_at IS NULL AND (c.decided_at <= $1 OR c.notice_due_at < $2)
    ORDER BY c.decided_at, c.claim_id LIMIT $3 FOR UPDATE SKIP LOCKED
)
RETURNING u.claim_id, u.application_id, u.provider_id, u.notice_due_at
"""
RETURNED_BEFORE = """
SELECT coalesce(payable_from, submitted_at) AS counts_from, notice_due_at, notice_sent_at AS told_at FROM claim
WHERE application_id = $1 AND claim_id <> $2 AND submitted_at <= $3 AND status = 'returned' AND kind = 'claim'
ORDER BY submitted_at, claim_id LIMIT 50
"""


@dataclass(frozen=True, slots=True)
class UntoldClaim:
    """A returned claim whose provider has not been told why."""

    claim_id: ClaimId
    application_id: ApplicationId
    provider_id: str
    notice_due_at: datetime


async def told(
    tx: Connection, claim_id: str, sent_at: datetime, way: str, *, document: str | None = None, by: str | None = None
) -> None:
    """Keep a notice of the claim, where none went before it."""
    await tx.execute(TOLD, claim_id, sent_at, way, document, by)


async def untold(tx: Connection, count_max: int) -> list[UntoldClaim]:
    """Returned claims without a notice, the oldest first."""
    return [_untold(dict(row)) for row in await tx.fetch(UNTOLD, count_max)]


async def call(tx: Connection, before: datetime, count_max: int, *, now: datetime) -> list[UntoldClaim]:
    """Returned by `before`, or past their fifteenth day, without a notice, and nobody was called: they are now."""
    return [_untold(dict(row)) for row in await tx.fetch(CALL, before, now, count_max)]


async def returned_before(
    tx: Connection, application_id: str, claim_id: str, came_at: datetime
) -> Sequence[ReturnedInvoice]:
    """The case's claims that were returned and came before this one; the journey takes at most twenty."""
    return [ReturnedInvoice(**dict(row)) for row in await tx.fetch(RETURNED_BEFORE, application_id, claim_id, came_at)]


def _untold(values: dict[str, str | datetime]) -> UntoldClaim:
    return UntoldClaim(
        ClaimId(str(values["claim_id"])),
        ApplicationId(str(values["application_id"])),
        str(values["provider_id"]),
        values["notice_due_at"],  # type: ignore[arg-type]
    )
