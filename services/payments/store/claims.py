"""Claims with every check, as they were decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from contracts.events.payments import ClaimCheck
from contracts.ids import ApplicationId, ClaimId, TransferId
from contracts.plan import CostKind
from contracts.steps.payments import ClaimStatus, ReviewClaim
from kit.db import Connection
from services.payments.claims.checks import EarlierClaim, TwinClaim, invoice_key
from services.payments.claims.requests import RequestSlot

# Two claims with one invoice number, at once, would not see each other. The supplier's number first, then the payee's
# own name: the number may have changed between the two claims.
LOCK_INVOICE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7002))"

COLUMNS = """claim_id, kind, application_id, enrollment_id, program_id, person_id, credential_id, provider_id,
    supplier_number, business_unit, invoice_number, invoice_on, claimed_cents, status, approved_cents, advanced_cents,
    netted_cents, checks, approved_by, approvers, approvers_needed, refused_by, due_at, due_on, payable_from,
    request_month, request_number, payable_transfer_id, submitted_at, decided_at, notice_due_at, notice_sent_at,
    due_from"""

CLAIM = f"SELECT {COLUMNS} FROM claim WHERE claim_id = $1 FOR UPDATE"
CASE_OF = "SELECT application_id FROM claim WHERE claim_id = $1"
SAVE = """
INSERT INTO claim (
    claim_id, application_id, enrollment_id, provider_id, business_unit, supplier_number, invoice_number, invoice_key,
    invoice_on, claimed_cents, submitted_at, status, approved_cents, checks, approved_by, refused_by, due_at,
    payable_transfer_id, decided_at, program_id, person_id, credential_id, lines, documents, approvers,
    approvers_needed, request_month, request_number, payable_from, advanced_cents, kind,
    due_on, notice_due_at, due_from
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
    $26, $27, $28, $29, $30, $31, $32, $33, $34
)
ON CONFLICT (claim_id) DO UPDATE SET
    status = excluded.status, approved_cents = excluded.approved_cents, checks = excluded.checks,
    approved_by = excluded.approved_by, refused_by = excluded.refused_by, due_at = excluded.due_at,
    due_on = excluded.due_on, payable_transfer_id = excluded.payable_transfer_id, decided_at = excluded.decided_at,
    approvers = excluded.approvers, approvers_needed = excluded.approvers_needed,
    advanced_cents = excluded.advanced_cents, notice_due_at = excluded.notice_due_at, due_from = excluded.due_from
"""
# The gravest first: no number of lesser resemblances pushes an exact duplicate out of sight.
EARLIER = """
SELECT claim_id, invoice_number, claimed_cents FROM claim
WHERE (supplier_number = $1 OR provider_id = $2) AND invoice_key = $3 AND claim_id <> $4
    AND status IN ('approved', 'referred') AND kind = 'claim'
ORDER BY (invoice_number = $5 AND claimed_cents = $6) DESC, claim_id LIMIT 50
"""
TWINS = """
SELECT claim_id, provider_id, claimed_cents, lines FROM claim
WHERE person_id = $1 AND credential_id = $2 AND claim_id <> $3 AND status IN ('approved', 'referred') AND kind = 'claim'
ORDER BY (provider_id = $4 AND 100 * abs(claimed_cents - $5) <= greatest(claimed_cents, $5)) DESC,
    (lines = '[]' OR cardinality($6::text[]) = 0 OR EXISTS (
        SELECT FROM jsonb_array_elements(lines) AS l WHERE l ->> 'kind' = ANY ($6::text[])
    )) DESC, claim_id
LIMIT 50
"""
# A person's other claims for the credential, at once, would not see each other.
LOCK_PERSON = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7003))"
STAND = """
UPDATE claim SET status = $2, approved_cents = $3, payable_transfer_id = $4, approved_by = $5, approvers = $6,
    approvers_needed = $7, refused_by = $8, decided_at = $9
WHERE claim_id = $1
"""
NETTED = "UPDATE claim SET netted_cents = netted_cents + $2 WHERE claim_id = $1"


class ClaimKind(StrEnum):
    """What a claim row stands for: the provider's claim, or an advance ahead of it."""

    CLAIM = "claim"
    ADVANCE = "advance"


@dataclass(frozen=True, slots=True)
class Claim:
    """A decided claim."""

    claim_id: ClaimId
    kind: ClaimKind
    application_id: ApplicationId
    enrollment_id: str
    program_id: str | None
    person_id: str | None
    credential_id: str | None
    provider_id: str
    supplier_number: str
    business_unit: str
    invoice_number: str
    invoice_on: str
    claimed_cents: int
    status: ClaimStatus
    approved_cents: int
    advanced_cents: int
    netted_cents: int
    checks: tuple[ClaimCheck, ...]
    approved_by: tuple[str, ...]
    approvers: tuple[str, ...]
    approvers_needed: int
    refused_by: str | None
    due_at: datetime | None
    due_on: date | None
    payable_from: datetime | None
    request_month: date | None
    request_number: int | None
    payable_transfer_id: TransferId | None
    submitted_at: datetime
    decided_at: datetime
    notice_due_at: datetime | None
    """By when the provider of a returned claim must have been told why."""
    notice_sent_at: datetime | None
    due_from: date | None
    """The day of an earlier claim whose notice was late: the thirty days count from it."""

    @property
    def slot(self) -> RequestSlot | None:
        """The request that it came into."""
        if self.request_month is None or self.request_number is None:
            return None
        return RequestSlot(self.request_month, self.request_number)

    @property
    def is_stopped(self) -> bool:
        """It was approved once, and waits for what people decide about the person's yes."""
        return self.status is ClaimStatus.REFERRED and self.due_at is not None

    @property
    def payable_cents(self) -> int:
        """What is paid in money: the approved amount without the advance and without what was netted."""
        return self.approved_cents - self.advanced_cents - self.netted_cents


@dataclass(frozen=True, slots=True)
class Decision:
    """What is kept of a decision beside the claim itself."""

    status: ClaimStatus
    checks: Sequence[ClaimCheck]
    business_unit: str
    supplier_number: str
    program_id: str | None
    person_id: str | None
    approvers: Sequence[str]
    approvers_needed: int
    slot: RequestSlot | None
    payable_from: datetime | None
    approved_cents: int = 0
    advanced_cents: int = 0
    due_at: datetime | None = None
    due_on: date | None = None
    payable_transfer_id: TransferId | None = None
    kind: ClaimKind = ClaimKind.CLAIM
    notice_due_at: datetime | None = None
    due_from: date | None = None


async def lock_invoice(tx: Connection, supplier: str, provider_id: str, invoice_number: str) -> None:
    for whose in (supplier, f"provider {provider_id}"):
        await tx.execute(LOCK_INVOICE, f"{whose} {invoice_key(invoice_number)}")


async def lock_person(tx: Connection, person_id: str, credential_id: str) -> None:
    await tx.execute(LOCK_PERSON, f"{person_id} {credential_id}")


async def case_of(tx: Connection, claim_id: str) -> ApplicationId | None:
    """The claim's case, which is locked before the claim, as the claim is before its payments."""
    found = await tx.fetchval(CASE_OF, claim_id)
    return ApplicationId(found) if found else None


async def claim(tx: Connection, claim_id: str) -> Claim | None:
    row = await tx.fetchrow(CLAIM, claim_id)
    return None if row is None else claim_of_row(row)


def claim_of_row(row: Any) -> Claim:
    """The claim of a row with `COLUMNS`."""
    values = dict(row)
    values["claim_id"] = ClaimId(values["claim_id"])
    values["kind"] = ClaimKind(values["kind"])
    values["application_id"] = ApplicationId(values["application_id"])
    values["status"] = ClaimStatus(values["status"])
    values["checks"] = tuple(ClaimCheck.model_validate(check) for check in values["checks"])
    values["approved_by"], values["approvers"] = tuple(values["approved_by"]), tuple(values["approvers"])
    if values["payable_transfer_id"] is not None:
        values["payable_transfer_id"] = TransferId(values["payable_transfer_id"])
    return Claim(**values)


async def earlier(tx: Connection, supplier: str, ask: ReviewClaim) -> list[EarlierClaim]:
    """Other claims of the supplier or the provider under this invoice number, in whatever writing, not turned down.

    At most fifty; those with the very number and amount come first.
    """
    number = ask.invoice_number.strip()
    rows = await tx.fetch(
        EARLIER, supplier, ask.provider_id, invoice_key(number), ask.claim_id, number, ask.amount_cents
    )
    return [EarlierClaim(**dict(row)) for row in rows]


async def twins(tx: Connection, person_id: str, ask: ReviewClaim) -> list[TwinClaim]:
    """Other claims for the same person and credential that were not turned down.

    At most fifty; the provider's own of nearly the amount come first, then those that share a cost line.
    """
    kinds = [line.kind.value for line in ask.lines]
    rows = await tx.fetch(TWINS, person_id, ask.credential_id, ask.claim_id, ask.provider_id, ask.amount_cents, kinds)
    return [
        TwinClaim(
            claim_id=row["claim_id"],
            provider_id=row["provider_id"],
            claimed_cents=row["claimed_cents"],
            kinds=frozenset(CostKind(line["kind"]) for line in row["lines"]),
        )
        for row in rows
    ]


async def save(tx: Connection, ask: ReviewClaim, decision: Decision, *, now: datetime) -> None:
    """Keep the decision, in place of an earlier referral."""
    slot = decision.slot
    await tx.execute(
        SAVE,
        ask.claim_id,
        ask.application_id,
        ask.enrollment_id,
        ask.provider_id,
        decision.business_unit,
        decision.supplier_number,
        ask.invoice_number.strip(),
        invoice_key(ask.invoice_number),
        ask.invoice_on,
        ask.amount_cents,
        ask.submitted_at,
        decision.status.value,
        decision.approved_cents,
        [check.model_dump(mode="json") for check in decision.checks],
        list(ask.approved_by),
        ask.refused_by,
        decision.due_at,
        decision.payable_transfer_id,
        now,
        decision.program_id,
        decision.person_id,
        ask.credential_id,
        [line.model_dump(mode="json") for line in ask.lines],
        [document.model_dump(mode="json") for document in ask.documents],
        list(decision.approvers),
        decision.approvers_needed,
        slot.month if slot else None,
        slot.number if slot else None,
        decision.payable_from,
        decision.advanced_cents,
        decision.kind.value,
        decision.due_on,
        decision.notice_due_at,
        decision.due_from,
    )


async def stand(tx: Connection, one: Claim, *, now: datetime) -> None:
    """Keep how a claim stands after a later decision: stopped, resumed, revoked."""
    await tx.execute(
        STAND,
        one.claim_id,
        one.status.value,
        one.approved_cents,
        one.payable_transfer_id,
        list(one.approved_by),
        list(one.approvers),
        one.approvers_needed,
        one.refused_by,
        now,
    )


async def netted(tx: Connection, claim_id: str, cents: int) -> None:
    """So much more of the claim is paid by what the provider owes back."""
    await tx.execute(NETTED, claim_id, cents)
