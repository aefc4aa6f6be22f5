"""Read the finance system's confirmation files: settle, return, set garbled lines aside."""

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.events.payments import DisbursementReturned, DisbursementSettled
from contracts.ids import DisbursementId, PaymentBatchId
from kit import outbox
from kit.db import Connection, Database
from services.payments.confirmations import Effect, judge
from services.payments.domain import DisbursementState
from services.payments.gateways import Exchange
from services.payments.ledger import Kind, Transfer
from services.payments.remittance import Confirmation, ConfirmationFile, RejectedLine, read_confirmations
from services.payments.store import confirmations as file_store
from services.payments.store import disbursements as store
from services.payments.store import funding as funding_store
from services.payments.store.disbursements import Disbursement
from services.payments.usecases.disbursements import mark_transmitted, payment_transfer
from services.payments.usecases.postings import post_or_fail

FINANCE_SYSTEM = "finance system"
FILES_PER_TURN_MAX = 50


@dataclass(slots=True)
class Reading:
    """What one file came to."""

    again: bool = False
    """A file of the same content was read before."""
    applied: int = 0
    repeated: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)


@dataclass(slots=True)
class _Moves:
    """What the lines of one file make of their payments."""

    payments: dict[DisbursementId, Disbursement]
    words: dict[DisbursementId, Confirmation] = field(default_factory=dict)
    transfers: dict[DisbursementId, Transfer] = field(default_factory=dict)


async def read_inbound(*, exchange: Exchange, db: Database, now: datetime) -> int:
    """Read the confirmation files that wait, oldest name first; returns how many."""
    names = (await asyncio.to_thread(exchange.waiting))[:FILES_PER_TURN_MAX]
    for name in names:
        content = await asyncio.to_thread(exchange.read, name)
        if content is None:
            continue
        await take_confirmations(name, content, db=db, now=now)
        # After the commit: a crash in between reads the file again, which changes nothing.
        await asyncio.to_thread(exchange.done, name)
    return len(names)


async def take_confirmations(name: str, content: bytes, *, db: Database, now: datetime) -> Reading:
    """Apply every line that can be applied, keep the others with their reason. A file read before changes nothing."""
    file = read_confirmations(content)
    digest = hashlib.sha256(content).digest()
    async with db.transaction() as tx:
        if not await file_store.take_file(tx, digest, name, len(file.lines), now=now):
            return Reading(again=True)
        reading = await _apply(tx, file, now=now)
        await file_store.reject_lines(tx, digest, reading.rejected)
        await file_store.count_lines(
            tx, digest, applied=reading.applied, repeated=reading.repeated, rejected=len(reading.rejected)
        )
    return reading


async def _apply(tx: Connection, file: ConfirmationFile, *, now: datetime) -> Reading:
    ids = sorted({word.disbursement_id for _, word in file.confirmations})
    # The answer overtook our own note that the file is out.
    for batch_id in await store.approved_batches_of(tx, ids):
        await mark_transmitted(tx, batch_id, now=now)
    moves = _Moves(await store.many(tx, ids))
    fundings = await funding_store.expended(tx, [one.application_id for one in moves.payments.values()])
    reading = Reading(rejected=list(file.rejected))
    for number, word in file.confirmations:
        payment = moves.payments.get(word.disbursement_id)
        if payment is None:
            reading.rejected.append(
                RejectedLine(number, file.lines[number - 1], "unknown_disbursement", "no payment has this id")
            )
            continue
        verdict = judge(payment.state, payment.payment_number, word)
        match verdict.effect:
            case Effect.REJECTED:
                line = file.lines[number - 1]
                reading.rejected.append(RejectedLine(number, line, verdict.reason, verdict.explanation))
            case Effect.REPEATED:
                reading.repeated += 1
            case Effect.SETTLE | Effect.RETURN:
                kind = Kind.SETTLE if verdict.effect is Effect.SETTLE else Kind.RETURN
                moves.transfers[payment.disbursement_id] = payment_transfer(
                    fundings[payment.application_id], payment, kind, actor=FINANCE_SYSTEM, reason=word.status, now=now
                )
                moves.words[payment.disbursement_id] = word
                state = DisbursementState.SETTLED if kind is Kind.SETTLE else DisbursementState.RETURNED
                # A second line about the same payment in this file meets the first one's effect.
                moves.payments[payment.disbursement_id] = replace(
                    payment, state=state, payment_number=word.payment_number
                )
                reading.applied += 1
    await _save(tx, moves, now=now)
    return reading


async def _save(tx: Connection, moves: _Moves, *, now: datetime) -> None:
    await post_or_fail(tx, list(moves.transfers.values()))
    facts: list[DisbursementSettled | DisbursementReturned] = []
    batches: set[PaymentBatchId] = set()
    for payment_id, word in moves.words.items():
        payment = moves.payments[payment_id]
        if word.status == "PAID":
            facts.append(await _settled(tx, payment, word, now=now))
        else:
            facts.append(await _returned(tx, payment, word, moves.transfers[payment_id], now=now))
        if payment.batch_id is not None:
            batches.add(payment.batch_id)
    await outbox.append_all(tx, facts, now=now)
    for batch_id in sorted(batches):
        await store.acknowledge(tx, batch_id)


async def _settled(tx: Connection, payment: Disbursement, word: Confirmation, *, now: datetime) -> DisbursementSettled:
    await store.settled(
        tx,
        payment.disbursement_id,
        voucher_number=word.voucher_number,
        payment_number=word.payment_number,
        paid_on=word.day.isoformat(),
        now=now,
    )
    return DisbursementSettled(
        application_id=payment.application_id,
        disbursement_id=payment.disbursement_id,
        claim_id=payment.claim_id,
        provider_id=payment.provider_id,
        amount_cents=payment.amount_cents,
        payment_number=word.payment_number,
        paid_on=word.day.isoformat(),
        settled_at=now,
    )


async def _returned(
    tx: Connection, payment: Disbursement, word: Confirmation, transfer: Transfer, *, now: datetime
) -> DisbursementReturned:
    assert word.return_code is not None
    await store.returned(
        tx,
        payment.disbursement_id,
        voucher_number=word.voucher_number,
        payment_number=word.payment_number,
        return_code=word.return_code,
        transfer_id=transfer.id,
        now=now,
    )
    return DisbursementReturned(
        application_id=payment.application_id,
        disbursement_id=payment.disbursement_id,
        claim_id=payment.claim_id,
        provider_id=payment.provider_id,
        amount_cents=payment.amount_cents,
        return_code=word.return_code,
        returned_at=now,
    )
