"""Read the finance system's confirmation files: settle, return, set garbled lines aside."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from kit.db import Connection, Database
from services.payments.books.ledger import Kind
from services.payments.domain import DisbursementState
from services.payments.gateways import Exchange
from services.payments.rails.confirmations import Effect, judge
from services.payments.remittance import ConfirmationFile, RejectedLine, read_confirmations
from services.payments.store import confirmations as file_store
from services.payments.store import disbursements as payment_store
from services.payments.usecases.outcomes import STATES, Outcome, apply_outcomes, payments_of_words

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
        reading = await _apply(tx, file, digest.hex(), now=now)
        await file_store.reject_lines(tx, digest, reading.rejected)
        await file_store.count_lines(
            tx, digest, applied=reading.applied, repeated=reading.repeated, rejected=len(reading.rejected)
        )
    return reading


async def _apply(tx: Connection, file: ConfirmationFile, digest: str, *, now: datetime) -> Reading:
    ids = sorted({word.disbursement_id for _, word in file.confirmations})
    payments = await payments_of_words(tx, ids, now=now)
    # What the lines before it in this file say of each payment.
    standing = {one.disbursement_id: (one.state, one.payment_number) for one in payments.values()}
    reading, outcomes = Reading(rejected=list(file.rejected)), list[Outcome]()
    for number, word in file.confirmations:
        line = file.lines[number - 1]
        if word.disbursement_id not in standing:
            reading.rejected.append(RejectedLine(number, line, "unknown_disbursement", "no payment has this id"))
            continue
        verdict = judge(*standing[word.disbursement_id], word)
        match verdict.effect:
            case Effect.REJECTED:
                reading.rejected.append(RejectedLine(number, line, verdict.reason, verdict.explanation))
            case Effect.REPEATED:
                reading.repeated += 1
            case Effect.NUMBERED:
                await payment_store.numbered(
                    tx, word.disbursement_id, voucher_number=word.voucher_number, payment_number=word.payment_number
                )
                standing[word.disbursement_id] = (DisbursementState.SETTLED, word.payment_number)
                reading.applied += 1
            case Effect.SETTLE | Effect.RETURN | Effect.RETURN_LATE:
                outcome = Outcome(
                    disbursement_id=word.disbursement_id,
                    kind=Kind(verdict.effect.value),
                    evidence=f"confirmation {digest[:16]} line {number}",
                    payment_number=word.payment_number,
                    day=word.day,
                    voucher_number=word.voucher_number,
                    return_code=word.return_code,
                )
                outcomes.append(outcome)
                standing[word.disbursement_id] = (STATES[outcome.kind], word.payment_number)
                reading.applied += 1
    await apply_outcomes(tx, outcomes, payments, actor=FINANCE_SYSTEM, now=now)
    return reading
