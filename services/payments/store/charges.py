"""The question "were you charged?": when it was asked, what the person said, which payment it stops."""

from dataclasses import dataclass
from datetime import datetime

from contracts.events.applications import ChargeAnswered
from contracts.ids import ApplicationId, ClaimId, DisbursementId, TransferId
from kit.db import Connection
from services.payments.domain import DisbursementState

TAKE_WORD = """
INSERT INTO charge_word (application_id, charged, amount_cents, answered_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (application_id) DO NOTHING RETURNING application_id
"""
WORD = "SELECT charged FROM charge_word WHERE application_id = $1"
ASK = """
INSERT INTO charge_question (claim_id, application_id, asked_at, answer_by, answer, closed_at)
VALUES ($1, $2, $3, $4, $5::text, CASE WHEN $5::text IS NULL THEN NULL::timestamptz ELSE $3 END)
ON CONFLICT (claim_id) DO NOTHING
"""
CLOSE = "UPDATE charge_question SET answer = $2, closed_at = $3 WHERE application_id = $1 AND answer IS NULL"
APPROVED_CLAIM = """
SELECT claim_id FROM claim WHERE application_id = $1 AND status = 'approved' AND kind = 'claim'
"""
OVERDUE = """
SELECT q.claim_id, q.application_id, c.provider_id FROM charge_question AS q JOIN claim AS c USING (claim_id)
WHERE q.answer IS NULL AND q.answer_by <= $1 ORDER BY q.answer_by, q.claim_id LIMIT $2 FOR UPDATE OF q SKIP LOCKED
"""
UNANSWERED = "UPDATE charge_question SET answer = 'none_in_time', closed_at = $2 WHERE claim_id = ANY ($1::text[])"
LAST_PAYMENT = """
SELECT d.disbursement_id, d.state, d.payable_transfer_id, d.return_transfer_id, EXISTS (
    SELECT FROM disbursement AS s WHERE s.claim_id = d.claim_id AND s.settle_transfer_id IS NOT NULL
) AS case_is_closed
FROM disbursement AS d WHERE d.claim_id = $1 ORDER BY d.attempt_number DESC LIMIT 1 FOR UPDATE OF d
"""
# What is in a batch stays in it until the batch is taken apart: whoever approves it is told why it may not leave.
# A payment that came back before it settled stays returned: its case waits to hear that the payee is repaired.
STOP = """
UPDATE disbursement SET state = 'stopped', changed_at = $2
WHERE disbursement_id = $1
    AND (state IN ('ordered', 'batched') OR state IN ('returned', 'repaired') AND settle_transfer_id IS NOT NULL)
"""
RESUME = """
UPDATE disbursement SET state = 'ordered', batch_id = NULL, payable_transfer_id = $2, changed_at = $3
WHERE claim_id = $1 AND state = 'stopped'
"""
UNDER_WAY = """
SELECT d.disbursement_id FROM (
    SELECT DISTINCT ON (claim_id) disbursement_id, claim_id, state FROM disbursement
    WHERE application_id = $1 ORDER BY claim_id, attempt_number DESC
) AS d JOIN claim AS c USING (claim_id)
WHERE d.state = 'sent' OR (c.kind = 'advance' AND d.state <> 'settled')
ORDER BY d.disbursement_id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class LastPayment:
    """The newest payment of a claim."""

    disbursement_id: DisbursementId
    state: DisbursementState
    payable_transfer_id: TransferId
    return_transfer_id: TransferId | None
    case_is_closed: bool
    """A payment of the claim settled once: its case ended with that, whatever the bank said later."""

    @property
    def owed_by(self) -> TransferId:
        """The entry by which its money is payable: its order's, or its return's where it came back."""
        return self.return_transfer_id or self.payable_transfer_id


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question nobody answered in time."""

    claim_id: ClaimId
    application_id: ApplicationId
    provider_id: str


async def take_word(tx: Connection, fact: ChargeAnswered) -> bool:
    """Keep the person's word; False where it is known."""
    taken = await tx.fetchval(TAKE_WORD, fact.application_id, fact.charged, fact.amount_cents, fact.answered_at)
    return taken is not None


async def word(tx: Connection, application_id: str) -> bool | None:
    """Whether the person says that the provider charged; None while the person has not said."""
    return await tx.fetchval(WORD, application_id)


async def ask(
    tx: Connection, claim_id: str, application_id: str, *, answer: str | None, answer_by: datetime, now: datetime
) -> None:
    """Ask; or, where the person said it before, keep that answer beside the claim."""
    await tx.execute(ASK, claim_id, application_id, now, answer_by, answer)


async def close(tx: Connection, application_id: str, answer: str, *, now: datetime) -> None:
    await tx.execute(CLOSE, application_id, answer, now)


async def approved_claim(tx: Connection, application_id: str) -> str | None:
    """The approved claim of the case."""
    return await tx.fetchval(APPROVED_CLAIM, application_id)


async def overdue(tx: Connection, now: datetime, count_max: int) -> list[OpenQuestion]:
    """Questions whose time for an answer is over; locked until the transaction ends."""
    return [
        OpenQuestion(ClaimId(row["claim_id"]), ApplicationId(row["application_id"]), row["provider_id"])
        for row in await tx.fetch(OVERDUE, now, count_max)
    ]


async def unanswered(tx: Connection, claim_ids: list[ClaimId], *, now: datetime) -> None:
    await tx.execute(UNANSWERED, claim_ids, now)


async def last_payment(tx: Connection, claim_id: str) -> LastPayment | None:
    row = await tx.fetchrow(LAST_PAYMENT, claim_id)
    if row is None:
        return None
    returned = row["return_transfer_id"]
    return LastPayment(
        DisbursementId(row["disbursement_id"]),
        DisbursementState(row["state"]),
        TransferId(row["payable_transfer_id"]),
        TransferId(returned) if returned else None,
        row["case_is_closed"],
    )


async def under_way(tx: Connection, application_id: str) -> str | None:
    """A payment on the case whose end is not known: one that was sent, or an advance that has not settled."""
    return await tx.fetchval(UNDER_WAY, application_id)


async def stop(tx: Connection, disbursement_id: str, *, now: datetime) -> None:
    await tx.execute(STOP, disbursement_id, now)


async def resume(tx: Connection, claim_id: str, payable_transfer_id: TransferId, *, now: datetime) -> None:
    """The stopped payment may be batched again, out of the money that is payable anew."""
    await tx.execute(RESUME, claim_id, payable_transfer_id, now)
