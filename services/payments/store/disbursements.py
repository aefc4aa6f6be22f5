"""Payments, and the payees' repairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from contracts.events.payments import PaymentPurpose
from contracts.ids import ApplicationId, ClaimId, DisbursementId, PaymentBatchId, TransferId
from kit.db import Connection
from services.payments.claims.stops import Stop, StopReason
from services.payments.domain import DisbursementState, PayeeRepairId

_COLUMNS = """d.disbursement_id, d.claim_id, d.attempt_number, d.application_id, d.provider_id, d.supplier_number,
    d.amount_cents, d.state, d.payable_transfer_id, d.sent_transfer_id, d.return_transfer_id, d.batch_id, d.due_at,
    d.due_on, d.payment_number, d.return_code, d.settle_transfer_id, c.invoice_number, c.invoice_on,
    c.kind AS purpose"""

ORDER = """
INSERT INTO disbursement (
    disbursement_id, claim_id, attempt_number, application_id, provider_id, supplier_number, amount_cents, state,
    payable_transfer_id, due_at, ordered_at, changed_at, due_on
) VALUES ($1, $2, $3, $4, $5, $6, $7, $11, $8, $9, $10, $10, $12)
"""
ONE = f"""
SELECT {_COLUMNS} FROM disbursement AS d JOIN claim AS c USING (claim_id) WHERE d.disbursement_id = $1 FOR UPDATE OF d
"""
PAYEES_TO_PAY = """
SELECT DISTINCT provider_id FROM disbursement WHERE state = 'ordered' AND claim_may_be_paid(claim_id, $1)
ORDER BY provider_id
"""
# With its claim, which is netted against debts later on; whoever has either of them now is not waited for.
TO_BATCH = f"""
SELECT {_COLUMNS} FROM disbursement AS d JOIN claim AS c USING (claim_id)
WHERE d.state = 'ordered' AND d.provider_id = ANY ($1::text[]) AND claim_may_be_paid(d.claim_id, $3)
ORDER BY d.due_at, d.disbursement_id LIMIT $2 FOR UPDATE OF c, d SKIP LOCKED
"""
OF_BATCH = f"""
SELECT {_COLUMNS} FROM disbursement AS d JOIN claim AS c USING (claim_id)
WHERE d.batch_id = $1 ORDER BY d.disbursement_id FOR UPDATE OF d
"""
# Read once the payments are locked: whoever stops a claim locks its payment too.
STOPPED_IN_BATCH = """
SELECT d.disbursement_id, d.provider_id, CASE
    WHEN c.status = 'refused' THEN 'claim_refused'
    WHEN d.state = 'stopped' OR c.status <> 'approved' THEN 'claim_stopped'
    WHEN d.state <> 'batched' THEN 'left_the_batch'
    WHEN EXISTS (SELECT FROM held_case AS h WHERE h.application_id = d.application_id AND h.is_held) THEN 'case_held'
    WHEN EXISTS (SELECT FROM charge_question AS q WHERE q.claim_id = d.claim_id AND q.answer IS NULL)
        THEN 'charges_asked'
    WHEN c.payable_from > $2 THEN 'not_due_yet'
    ELSE 'claim_in_review'
END AS reason
FROM disbursement AS d JOIN claim AS c USING (claim_id)
WHERE d.batch_id = $1 AND (d.state <> 'batched' OR NOT claim_may_be_paid(d.claim_id, $2))
ORDER BY d.disbursement_id
"""
MANY = f"""
SELECT {_COLUMNS} FROM disbursement AS d JOIN claim AS c USING (claim_id)
WHERE d.disbursement_id = ANY ($1::text[]) ORDER BY d.disbursement_id FOR UPDATE OF d
"""
APPROVED_BATCHES_OF = """
SELECT DISTINCT b.batch_id FROM payment_batch AS b JOIN disbursement AS d USING (batch_id)
WHERE d.disbursement_id = ANY ($1::text[]) AND b.state = 'approved' ORDER BY b.batch_id
"""
# Before the payments themselves: whoever stops a claim locks it first, and its payment after it.
LOCK_CLAIMS_OF_PAYEE = """
SELECT FROM claim WHERE claim_id IN (SELECT claim_id FROM disbursement WHERE provider_id = $1 AND state = 'returned')
ORDER BY claim_id FOR UPDATE
"""
RETURNED_OF_PAYEE = f"""
SELECT {_COLUMNS} FROM disbursement AS d JOIN claim AS c USING (claim_id)
WHERE d.provider_id = $1 AND d.state = 'returned' ORDER BY d.disbursement_id FOR UPDATE OF d
"""
PUT_IN_BATCH = """
UPDATE disbursement AS d SET state = 'batched', batch_id = $2, changed_at = $3, supplier_number = g.supplier_number
FROM unnest($1::text[], $4::text[]) AS g(disbursement_id, supplier_number)
WHERE d.disbursement_id = g.disbursement_id
"""
TAKE_OUT_OF_BATCH = """
UPDATE disbursement SET state = CASE state WHEN 'batched' THEN 'ordered' ELSE state END, batch_id = NULL,
    changed_at = $2
WHERE batch_id = $1 AND state IN ('batched', 'stopped')
"""
SENT = """
UPDATE disbursement AS d SET state = 'sent', sent_transfer_id = s.transfer_id, changed_at = $3
FROM unnest($1::text[], $2::text[]) AS s(disbursement_id, transfer_id)
WHERE d.disbursement_id = s.disbursement_id
"""
SETTLED = """
UPDATE disbursement SET state = 'settled', voucher_number = $2, payment_number = $3, paid_on = $4,
    settlement_evidence = $5, settle_transfer_id = $6, changed_at = $7
WHERE disbursement_id = $1
"""
NUMBERED = "UPDATE disbursement SET voucher_number = $2, payment_number = $3 WHERE disbursement_id = $1"
RETURNED = """
UPDATE disbursement SET state = 'returned', voucher_number = $2, payment_number = $3, return_code = $4,
    return_transfer_id = $5, changed_at = $6
WHERE disbursement_id = $1
"""
RETURN_EXPLAINED = "UPDATE disbursement SET return_code = $2 WHERE disbursement_id = $1 AND return_code = $3"
REPAIRED = "UPDATE disbursement SET state = 'repaired', changed_at = $2 WHERE disbursement_id = ANY ($1::text[])"

ADD_REPAIR = """
INSERT INTO payee_repair (repair_id, provider_id, evidence, made_by, made_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (provider_id) WHERE checked_by IS NULL DO NOTHING RETURNING repair_id
"""
REPAIR = """
SELECT repair_id, provider_id, evidence, made_by, made_at, checked_by, checked_at
FROM payee_repair WHERE repair_id = $1 FOR UPDATE
"""
APPROVE_REPAIR = "UPDATE payee_repair SET checked_by = $2, checked_at = $3 WHERE repair_id = $1"


@dataclass(frozen=True, slots=True)
class Disbursement:
    """One payment with the invoice it pays."""

    disbursement_id: DisbursementId
    claim_id: ClaimId
    attempt_number: int
    application_id: ApplicationId
    provider_id: str
    supplier_number: str
    amount_cents: int
    state: DisbursementState
    payable_transfer_id: TransferId
    sent_transfer_id: TransferId | None
    return_transfer_id: TransferId | None
    batch_id: PaymentBatchId | None
    due_at: datetime
    """The end of `due_on` in the program's time zone."""
    due_on: date
    payment_number: str | None
    return_code: str | None
    settle_transfer_id: TransferId | None
    invoice_number: str
    invoice_on: str
    purpose: PaymentPurpose


@dataclass(frozen=True, slots=True)
class Repair:
    """One mending of a payee."""

    repair_id: PayeeRepairId
    provider_id: str
    evidence: str
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None


async def order(tx: Connection, one: Disbursement, *, now: datetime) -> None:
    await tx.execute(
        ORDER,
        one.disbursement_id,
        one.claim_id,
        one.attempt_number,
        one.application_id,
        one.provider_id,
        one.supplier_number,
        one.amount_cents,
        one.payable_transfer_id,
        one.due_at,
        now,
        one.state.value,
        one.due_on,
    )


async def disbursement(tx: Connection, disbursement_id: str) -> Disbursement | None:
    row = await tx.fetchrow(ONE, disbursement_id)
    return _disbursement(dict(row)) if row else None


async def payees_to_pay(tx: Connection, now: datetime) -> list[str]:
    """The payees of ordered payments whose claims may be paid now."""
    return [row["provider_id"] for row in await tx.fetch(PAYEES_TO_PAY, now)]


async def to_batch(tx: Connection, provider_ids: Sequence[str], count_max: int, now: datetime) -> list[Disbursement]:
    """Ordered payments to these payees whose claims may be paid now, the earliest due first."""
    return [_disbursement(dict(row)) for row in await tx.fetch(TO_BATCH, list(provider_ids), count_max, now)]


async def of_batch(tx: Connection, batch_id: str) -> list[Disbursement]:
    return [_disbursement(dict(row)) for row in await tx.fetch(OF_BATCH, batch_id)]


async def stopped_in_batch(tx: Connection, batch_id: str, now: datetime) -> list[Stop]:
    """Payments of the batch whose claims may not be paid any more, or that are not in it as it was made."""
    return [
        Stop(row["disbursement_id"], row["provider_id"], StopReason(row["reason"]))
        for row in await tx.fetch(STOPPED_IN_BATCH, batch_id, now)
    ]


async def many(tx: Connection, ids: Sequence[str]) -> dict[DisbursementId, Disbursement]:
    """Those of `ids` that exist, locked in the order of their ids."""
    found = [_disbursement(dict(row)) for row in await tx.fetch(MANY, list(ids))]
    return {one.disbursement_id: one for one in found}


async def approved_batches_of(tx: Connection, ids: Sequence[str]) -> list[PaymentBatchId]:
    """Batches of these payments that are approved but not yet known to be transmitted."""
    return [PaymentBatchId(row["batch_id"]) for row in await tx.fetch(APPROVED_BATCHES_OF, list(ids))]


async def returned_of_payee(tx: Connection, provider_id: str) -> list[Disbursement]:
    """What came back of the payee's payments, locked, and their claims before them."""
    await tx.execute(LOCK_CLAIMS_OF_PAYEE, provider_id)
    return [_disbursement(dict(row)) for row in await tx.fetch(RETURNED_OF_PAYEE, provider_id)]


async def put_in_batch(
    tx: Connection, addressed: Mapping[DisbursementId, str], batch_id: str, *, now: datetime
) -> None:
    """Each payment with the supplier number that it is addressed by from now on."""
    await tx.execute(PUT_IN_BATCH, list(addressed), batch_id, now, list(addressed.values()))


async def take_out_of_batch(tx: Connection, batch_id: str, *, now: datetime) -> None:
    """Payments that were collected and not sent are ordered again; what was stopped meanwhile stays stopped."""
    await tx.execute(TAKE_OUT_OF_BATCH, batch_id, now)


async def sent(tx: Connection, transfers: Mapping[DisbursementId, TransferId], *, now: datetime) -> None:
    """Each payment with the journal entry that put its money in transit."""
    await tx.execute(SENT, list(transfers), list(transfers.values()), now)


async def settled(
    tx: Connection,
    disbursement_id: str,
    *,
    voucher_number: str,
    payment_number: str,
    paid_on: str,
    evidence: str,
    transfer_id: TransferId,
    now: datetime,
) -> None:
    """`evidence` names what of the bank or the finance system stands behind it."""
    await tx.execute(SETTLED, disbursement_id, voucher_number, payment_number, paid_on, evidence, transfer_id, now)


async def numbered(tx: Connection, disbursement_id: str, *, voucher_number: str, payment_number: str) -> None:
    """The finance system's numbers of a payment that the bank's line had settled."""
    await tx.execute(NUMBERED, disbursement_id, voucher_number, payment_number)


async def returned(
    tx: Connection,
    disbursement_id: str,
    *,
    voucher_number: str,
    payment_number: str,
    return_code: str,
    transfer_id: TransferId,
    now: datetime,
) -> None:
    await tx.execute(RETURNED, disbursement_id, voucher_number, payment_number, return_code, transfer_id, now)


async def return_explained(tx: Connection, disbursement_id: str, return_code: str, *, unknown: str) -> None:
    """Keep the reason of a return that was known without one."""
    await tx.execute(RETURN_EXPLAINED, disbursement_id, return_code, unknown)


async def repaired(tx: Connection, ids: Sequence[str], *, now: datetime) -> None:
    await tx.execute(REPAIRED, list(ids), now)


async def add_repair(tx: Connection, repair: Repair) -> bool:
    """False where another repair of this payee waits for its approval."""
    added = await tx.fetchval(
        ADD_REPAIR, repair.repair_id, repair.provider_id, repair.evidence, repair.made_by, repair.made_at
    )
    return added is not None


async def repair(tx: Connection, repair_id: str) -> Repair | None:
    row = await tx.fetchrow(REPAIR, repair_id)
    if row is None:
        return None
    values: dict[str, Any] = dict(row)
    values["repair_id"] = PayeeRepairId(values["repair_id"])
    return Repair(**values)


async def approve_repair(tx: Connection, repair_id: str, *, checker: str, now: datetime) -> None:
    await tx.execute(APPROVE_REPAIR, repair_id, checker, now)


def _disbursement(values: dict[str, Any]) -> Disbursement:
    for name, kind in (
        ("disbursement_id", DisbursementId),
        ("claim_id", ClaimId),
        ("application_id", ApplicationId),
        ("payable_transfer_id", TransferId),
        ("sent_transfer_id", TransferId),
        ("return_transfer_id", TransferId),
        ("settle_transfer_id", TransferId),
        ("batch_id", PaymentBatchId),
        ("state", DisbursementState),
        ("purpose", PaymentPurpose),
    ):
        values[name] = None if values[name] is None else kind(values[name])
    return Disbursement(**values)
