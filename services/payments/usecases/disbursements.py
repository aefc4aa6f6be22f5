"""Order a payment; mend what made a payee's payments come back, so that they are made again."""

from collections.abc import Sequence
from datetime import datetime

from contracts.errors import NotFound
from contracts.events.payments import DisbursementOrdered, DisbursementRepaired, PaymentPurpose
from contracts.ids import DisbursementId
from contracts.steps.payments import ClaimStatus, PayClaim, PaymentOrdered
from kit import outbox
from kit.db import Connection, Database
from services.payments.books.cost_lines import Move
from services.payments.books.ledger import Kind
from services.payments.domain import (
    ClaimNotPayable,
    DisbursementState,
    DisbursementStillOpen,
    Funding,
    NothingToRepair,
    PayeeRepairId,
    RepairAlreadyApproved,
    RepairAlreadyOpen,
    two_people,
)
from services.payments.store import claims as claim_store
from services.payments.store import disbursements as store
from services.payments.store import funding as funding_store
from services.payments.store import payees as payee_store
from services.payments.store.disbursements import Disbursement, Repair
from services.payments.usecases.postings import move_of
from services.payments.usecases.screening import alert

ATTEMPTS_MAX = 10


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


async def order_payment(tx: Connection, ask: PayClaim, *, now: datetime) -> Disbursement:
    """Order a payment in the transaction that made its claim payable."""
    return await _order(tx, ask, disbursement_id_of(ask.claim_id, ask.attempt_number), now=now)


async def _order(tx: Connection, ask: PayClaim, payment_id: DisbursementId, *, now: datetime) -> Disbursement:
    claim = await claim_store.claim(tx, ask.claim_id)
    if claim is None or claim.due_at is None or claim.due_on is None:
        raise ClaimNotPayable
    # Stopped between its approval and this order: the payment is on record, and waits for what people decide.
    is_stopped = claim.is_stopped
    if not is_stopped and claim.status is not ClaimStatus.APPROVED:
        raise ClaimNotPayable
    payable_id = claim.payable_transfer_id
    if ask.attempt_number > 1:
        before = await store.disbursement(tx, disbursement_id_of(ask.claim_id, ask.attempt_number - 1))
        if before is None or before.state not in {DisbursementState.RETURNED, DisbursementState.REPAIRED}:
            raise DisbursementStillOpen(attempt_number=ask.attempt_number - 1)
        payable_id = before.return_transfer_id
    if is_stopped:
        funding = await funding_store.current(tx, claim.application_id)
        payable_id = funding.encumbrance_transfer_id if funding else None
    assert payable_id is not None
    cents = claim.claimed_cents - claim.advanced_cents if is_stopped else claim.payable_cents
    payee = await payee_store.payee(tx, claim.provider_id)
    ordered = Disbursement(
        disbursement_id=payment_id,
        claim_id=claim.claim_id,
        attempt_number=ask.attempt_number,
        application_id=claim.application_id,
        provider_id=claim.provider_id,
        supplier_number=(payee and payee.supplier_at(now)) or claim.supplier_number,
        amount_cents=cents,
        state=DisbursementState.STOPPED if is_stopped else DisbursementState.ORDERED,
        payable_transfer_id=payable_id,
        sent_transfer_id=None,
        return_transfer_id=None,
        batch_id=None,
        due_on=claim.due_on,
        due_at=claim.due_at,
        payment_number=None,
        return_code=None,
        settle_transfer_id=None,
        invoice_number=claim.invoice_number,
        invoice_on=claim.invoice_on,
        purpose=PaymentPurpose(claim.kind),
    )
    await store.order(tx, ordered, now=now)
    fact = DisbursementOrdered(
        application_id=claim.application_id,
        disbursement_id=payment_id,
        claim_id=claim.claim_id,
        provider_id=claim.provider_id,
        amount_cents=cents,
        attempt_number=ask.attempt_number,
        purpose=ordered.purpose,
        due_at=claim.due_at,
        ordered_at=now,
    )
    await outbox.append(tx, fact, now=now)
    return ordered


async def send_moves(
    tx: Connection, payments: Sequence[Disbursement], *, actor: str, now: datetime
) -> dict[DisbursementId, Move]:
    """The moves that put these payments in transit."""
    fundings = await funding_store.expended(tx, [payment.application_id for payment in payments])
    return {
        payment.disbursement_id: payment_move(
            fundings[payment.application_id], payment, Kind.SEND, actor=actor, reason="payment batch approved", now=now
        )
        for payment in payments
    }


def payment_move(
    funding: Funding, payment: Disbursement, kind: Kind, *, actor: str, reason: str, now: datetime
) -> Move:
    """One payment's next move."""
    moved_on = {Kind.SEND: payment.payable_transfer_id, Kind.RETURN_LATE: payment.settle_transfer_id}
    pending = moved_on.get(kind, payment.sent_transfer_id)
    assert funding.application_id == payment.application_id
    return move_of(
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
    two_people(checker, repair.made_by)
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
            purpose=payment.purpose,
            repaired_at=now,
        )
        for payment in payments
    ]
    await outbox.append_all(tx, facts, now=now)
    for payment in payments:
        # No journey asks for the next attempt of an advance.
        if payment.settle_transfer_id is not None or payment.purpose is PaymentPurpose.ADVANCE:
            await _pay_again(tx, payment, now=now)
    return repair, [payment.disbursement_id for payment in payments]


async def _pay_again(tx: Connection, payment: Disbursement, *, now: datetime) -> None:
    """Order the next attempt of a payment that came back after it had settled.

    Its case may have ended with the settlement. A journey that still runs asks for the same attempt and finds this one.
    """
    attempt = payment.attempt_number + 1
    if attempt > ATTEMPTS_MAX:
        explanation = f"came back after {ATTEMPTS_MAX} attempts: a person has to decide"
        await alert(
            tx,
            "attempts_used_up",
            explanation,
            provider_id=payment.provider_id,
            disbursement_id=payment.disbursement_id,
            now=now,
        )
        return
    ask = PayClaim(application_id=payment.application_id, claim_id=payment.claim_id, attempt_number=attempt)
    payment_id = disbursement_id_of(payment.claim_id, attempt)
    if await store.disbursement(tx, payment_id) is None:
        await _order(tx, ask, payment_id, now=now)
