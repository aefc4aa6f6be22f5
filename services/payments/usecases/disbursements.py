"""Order a payment, collect payments in a batch, approve and transmit it, mend a payee."""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import date, datetime

from contracts.errors import NotFound
from contracts.events.payments import DisbursementOrdered, DisbursementRepaired, DisbursementSent
from contracts.ids import DisbursementId, PaymentBatchId
from contracts.steps.payments import ClaimStatus, PayClaim, PaymentOrdered
from kit import outbox
from kit.db import Connection, Database
from services.payments.domain import (
    BatchAlreadyApproved,
    BatchState,
    ClaimNotPayable,
    DisbursementState,
    DisbursementStillOpen,
    Funding,
    MakerIsChecker,
    NothingToPay,
    NothingToRepair,
    PayeeRepairId,
    RepairAlreadyApproved,
    RepairAlreadyOpen,
)
from services.payments.gateways import Exchange
from services.payments.ledger import Kind, Transfer
from services.payments.remittance import VOUCHER_SUFFIX, PaymentVoucher, VoucherFile, write_vouchers
from services.payments.store import claims as claim_store
from services.payments.store import disbursements as store
from services.payments.store import funding as funding_store
from services.payments.store.disbursements import Batch, Disbursement, Repair
from services.payments.usecases.postings import post_or_fail, transfer_of

BATCH_PAYMENTS_MAX = 5_000
BATCHES_PER_TURN_MAX = 20


@dataclass(frozen=True, slots=True)
class Coding:
    """How the finance system books the program's payments."""

    business_unit: str
    account: str
    message: str


async def pay_claim(ask: PayClaim, *, db: Database, now: datetime) -> PaymentOrdered:
    """Order the payment of an approved claim; the next attempt only after the one before came back."""
    payment_id = disbursement_id_of(ask.claim_id, ask.attempt_number)
    async with db.transaction() as tx:
        await funding_store.lock_case(tx, ask.application_id)
        found = await store.disbursement(tx, payment_id)
        if found is None:
            found = await _order(tx, ask, payment_id, now=now)
    return PaymentOrdered(disbursement_id=payment_id, amount_cents=found.amount_cents, due_at=found.due_at)


def disbursement_id_of(claim_id: str, attempt_number: int) -> DisbursementId:
    """One payment per claim and attempt."""
    return DisbursementId.derive(claim_id, attempt_number)


async def _order(tx: Connection, ask: PayClaim, payment_id: DisbursementId, *, now: datetime) -> Disbursement:
    claim = await claim_store.claim(tx, ask.claim_id)
    if claim is None or claim.status is not ClaimStatus.APPROVED or claim.due_at is None:
        raise ClaimNotPayable
    payable_id = claim.payable_transfer_id
    if ask.attempt_number > 1:
        before = await store.disbursement(tx, disbursement_id_of(ask.claim_id, ask.attempt_number - 1))
        if before is None or before.state not in {DisbursementState.RETURNED, DisbursementState.REPAIRED}:
            raise DisbursementStillOpen(attempt_number=ask.attempt_number - 1)
        payable_id = before.return_transfer_id
    assert payable_id is not None
    ordered = Disbursement(
        disbursement_id=payment_id,
        claim_id=claim.claim_id,
        attempt_number=ask.attempt_number,
        application_id=claim.application_id,
        provider_id=claim.provider_id,
        supplier_number=claim.supplier_number,
        amount_cents=claim.approved_cents,
        state=DisbursementState.ORDERED,
        payable_transfer_id=payable_id,
        sent_transfer_id=None,
        return_transfer_id=None,
        batch_id=None,
        due_at=claim.due_at,
        payment_number=None,
        settle_transfer_id=None,
        invoice_number=claim.invoice_number,
        invoice_on=claim.invoice_on,
    )
    await store.order(tx, ordered, now=now)
    fact = DisbursementOrdered(
        application_id=claim.application_id,
        disbursement_id=payment_id,
        claim_id=claim.claim_id,
        provider_id=claim.provider_id,
        amount_cents=claim.approved_cents,
        attempt_number=ask.attempt_number,
        due_at=claim.due_at,
        ordered_at=now,
    )
    await outbox.append(tx, fact, now=now)
    return ordered


async def build_batch(tx: Connection, *, maker: str, business_unit: str, now: datetime) -> Batch:
    """Collect what is ordered, the earliest due first; `NothingToPay` where nothing is."""
    payments = await store.to_batch(tx, BATCH_PAYMENTS_MAX)
    if not payments:
        raise NothingToPay
    batch = Batch(
        batch_id=PaymentBatchId.new(),
        state=BatchState.BUILT,
        business_unit=business_unit,
        payments=len(payments),
        total_cents=sum(payment.amount_cents for payment in payments),
        made_by=maker,
        made_at=now,
        checked_by=None,
        checked_at=None,
        file_name=None,
        content=None,
        content_sha256=None,
        transmitted_at=None,
    )
    await store.add_batch(tx, batch)
    await store.put_in_batch(tx, [payment.disbursement_id for payment in payments], batch.batch_id, now=now)
    return batch


async def approve_batch(tx: Connection, batch_id: str, *, checker: str, coding: Coding, now: datetime) -> Batch:
    """Fix the file's content and put its money in transit; the file itself goes out after the commit.

    Raises `MakerIsChecker`, `BatchAlreadyApproved`, `NotFound`.
    """
    batch = await store.batch(tx, batch_id)
    if batch is None:
        raise NotFound(kind="payment batch")
    if batch.made_by == checker:
        raise MakerIsChecker
    if batch.state is not BatchState.BUILT:
        raise BatchAlreadyApproved
    payments = await store.of_batch(tx, batch_id)
    content = write_vouchers(voucher_file(batch, payments, coding))
    transfers = await _transfers(tx, payments, Kind.SEND, actor=checker, now=now)
    await post_or_fail(tx, list(transfers.values()))
    await store.sent(tx, {payment: transfer.id for payment, transfer in transfers.items()}, now=now)
    await store.approve_batch(
        tx,
        batch_id,
        checker=checker,
        file_name=f"{batch_id}{VOUCHER_SUFFIX}",
        content=content,
        sha256=hashlib.sha256(content).digest(),
        now=now,
    )
    approved = await store.batch(tx, batch_id)
    assert approved is not None
    return approved


def voucher_file(batch: Batch, payments: list[Disbursement], coding: Coding) -> VoucherFile:
    """The file of a batch; the same batch always gives the same file."""
    return VoucherFile(
        batch_id=batch.batch_id,
        made_at=batch.made_at,
        business_unit=batch.business_unit,
        payments=tuple(
            PaymentVoucher(
                supplier_number=payment.supplier_number,
                invoice_number=payment.invoice_number,
                invoice_on=date.fromisoformat(payment.invoice_on),
                amount_cents=payment.amount_cents,
                account=coding.account,
                application_id=payment.application_id,
                disbursement_id=payment.disbursement_id,
                message=coding.message,
                due_on=payment.due_at.date(),
            )
            for payment in sorted(payments, key=lambda one: (one.due_at, one.disbursement_id))
        ),
    )


async def transmit_batches(*, exchange: Exchange, db: Database, now: datetime) -> int:
    """Put out the files of approved batches; the same bytes again after a crash in between."""
    async with db.connection() as connection:
        waiting = await store.batches_to_put(connection, BATCHES_PER_TURN_MAX)
    for batch_id in waiting:
        async with db.transaction() as tx:
            batch = await store.batch(tx, batch_id)
        if batch is None or batch.file_name is None or batch.content is None:
            continue
        await asyncio.to_thread(exchange.put, batch.file_name, batch.content)
        async with db.transaction() as tx:
            await mark_transmitted(tx, batch_id, now=now)
    return len(waiting)


async def mark_transmitted(tx: Connection, batch_id: str, *, now: datetime) -> None:
    """The file is out: tell each payment's case, once."""
    batch = await store.batch(tx, batch_id)
    if batch is None or batch.state is not BatchState.APPROVED:
        return
    await store.transmitted(tx, batch_id, now=now)
    facts = [
        DisbursementSent(
            application_id=payment.application_id,
            disbursement_id=payment.disbursement_id,
            claim_id=payment.claim_id,
            provider_id=payment.provider_id,
            amount_cents=payment.amount_cents,
            batch_id=batch.batch_id,
            sent_at=now,
        )
        for payment in await store.of_batch(tx, batch_id)
    ]
    await outbox.append_all(tx, facts, now=now)


async def _transfers(
    tx: Connection, payments: list[Disbursement], kind: Kind, *, actor: str, now: datetime
) -> dict[DisbursementId, Transfer]:
    fundings = await funding_store.expended(tx, [payment.application_id for payment in payments])
    return {
        payment.disbursement_id: payment_transfer(
            fundings[payment.application_id], payment, kind, actor=actor, reason="payment batch approved", now=now
        )
        for payment in payments
    }


def payment_transfer(
    funding: Funding, payment: Disbursement, kind: Kind, *, actor: str, reason: str, now: datetime
) -> Transfer:
    """The journal entry of one payment's next move."""
    moved_on = {Kind.SEND: payment.payable_transfer_id, Kind.RETURN_LATE: payment.settle_transfer_id}
    pending = moved_on.get(kind, payment.sent_transfer_id)
    assert funding.application_id == payment.application_id
    return transfer_of(
        funding, kind, payment.amount_cents, of=pending, reason=reason, at=now, actor=actor, key=payment.disbursement_id
    )


async def open_repair(tx: Connection, provider_id: str, *, evidence: str, maker: str, now: datetime) -> Repair:
    """Say what made the payee's payments come back and that it is mended; another person has to agree."""
    if not await store.returned_of_payee(tx, provider_id):
        raise NothingToRepair
    repair = Repair(PayeeRepairId.new(), provider_id, evidence, maker, now, None, None)
    if not await store.add_repair(tx, repair):
        raise RepairAlreadyOpen
    return repair


async def approve_repair(
    tx: Connection, provider_id: str, repair_id: str, *, checker: str, now: datetime
) -> tuple[Repair, list[DisbursementId]]:
    """Let every returned payment of the payee be made again; the repair and those payments."""
    repair = await store.repair(tx, repair_id)
    if repair is None or repair.provider_id != provider_id:
        raise NotFound(kind="payee repair")
    if repair.made_by == checker:
        raise MakerIsChecker
    if repair.checked_by is not None:
        raise RepairAlreadyApproved
    await store.approve_repair(tx, repair_id, checker=checker, now=now)
    payments = await store.returned_of_payee(tx, provider_id)
    await store.repaired(tx, [payment.disbursement_id for payment in payments], now=now)
    facts = [
        DisbursementRepaired(
            application_id=payment.application_id,
            disbursement_id=payment.disbursement_id,
            claim_id=payment.claim_id,
            provider_id=payment.provider_id,
            amount_cents=payment.amount_cents,
            repaired_at=now,
        )
        for payment in payments
    ]
    await outbox.append_all(tx, facts, now=now)
    return repair, [payment.disbursement_id for payment in payments]
