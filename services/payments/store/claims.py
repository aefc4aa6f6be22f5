"""Claims with every check, as they were decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.events.payments import ClaimCheck
from contracts.ids import ApplicationId, ClaimId, TransferId
from contracts.steps.payments import ClaimStatus, ReviewClaim
from kit.db import Connection
from services.payments.claims import EarlierClaim, invoice_key

# Two claims with one invoice number, at once, would not see each other.
LOCK_INVOICE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7002))"

CLAIM = """
SELECT claim_id, application_id, provider_id, supplier_number, business_unit, invoice_number, invoice_on, claimed_cents,
    status, approved_cents, checks, approved_by, refused_by, due_at, payable_transfer_id, submitted_at, decided_at
FROM claim WHERE claim_id = $1 FOR UPDATE
"""
SAVE = """
INSERT INTO claim (
    claim_id, application_id, enrollment_id, provider_id, business_unit, supplier_number, invoice_number, invoice_key,
    invoice_on, claimed_cents, submitted_at, status, approved_cents, checks, approved_by, refused_by, due_at,
    payable_transfer_id, decided_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (claim_id) DO UPDATE SET
    status = excluded.status, approved_cents = excluded.approved_cents, checks = excluded.checks,
    approved_by = excluded.approved_by, refused_by = excluded.refused_by, due_at = excluded.due_at,
    payable_transfer_id = excluded.payable_transfer_id, decided_at = excluded.decided_at
"""
EARLIER = """
SELECT claim_id, invoice_number, claimed_cents FROM claim
WHERE supplier_number = $1 AND invoice_key = $2 AND claim_id <> $3 AND status IN ('approved', 'referred')
ORDER BY claim_id LIMIT 50
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A decided claim."""

    claim_id: ClaimId
    application_id: ApplicationId
    provider_id: str
    supplier_number: str
    business_unit: str
    invoice_number: str
    invoice_on: str
    claimed_cents: int
    status: ClaimStatus
    approved_cents: int
    checks: tuple[ClaimCheck, ...]
    approved_by: tuple[str, ...]
    refused_by: str | None
    due_at: datetime | None
    payable_transfer_id: TransferId | None
    submitted_at: datetime
    decided_at: datetime


async def lock_invoice(tx: Connection, supplier: str, invoice_number: str) -> None:
    await tx.execute(LOCK_INVOICE, f"{supplier} {invoice_key(invoice_number)}")


async def claim(tx: Connection, claim_id: str) -> Claim | None:
    row = await tx.fetchrow(CLAIM, claim_id)
    if row is None:
        return None
    values = dict(row)
    values["claim_id"] = ClaimId(values["claim_id"])
    values["application_id"] = ApplicationId(values["application_id"])
    values["status"] = ClaimStatus(values["status"])
    values["checks"] = tuple(ClaimCheck.model_validate(check) for check in values["checks"])
    values["approved_by"] = tuple(values["approved_by"])
    return Claim(**values)


async def earlier(tx: Connection, supplier: str, invoice_number: str, claim_id: str) -> list[EarlierClaim]:
    """Other claims of the supplier under this invoice number, in whatever writing, that were not turned down."""
    rows = await tx.fetch(EARLIER, supplier, invoice_key(invoice_number), claim_id)
    return [EarlierClaim(**dict(row)) for row in rows]


async def save(
    tx: Connection,
    ask: ReviewClaim,
    *,
    business_unit: str,
    supplier_number: str,
    status: ClaimStatus,
    approved_cents: int,
    checks: Sequence[ClaimCheck],
    due_at: datetime | None,
    payable_transfer_id: TransferId | None,
    now: datetime,
) -> None:
    """Keep the decision, in place of an earlier referral."""
    await tx.execute(
        SAVE,
        ask.claim_id,
        ask.application_id,
        ask.enrollment_id,
        ask.provider_id,
        business_unit,
        supplier_number,
        ask.invoice_number.strip(),
        invoice_key(ask.invoice_number),
        ask.invoice_on,
        ask.amount_cents,
        ask.submitted_at,
        status.value,
        approved_cents,
        [check.model_dump(mode="json") for check in checks],
        list(ask.approved_by),
        ask.refused_by,
        due_at,
        payable_transfer_id,
        now,
    )
