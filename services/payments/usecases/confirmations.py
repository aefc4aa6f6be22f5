"""Read the finance system's confirmation files: settle, return, set garbled lines aside."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kit.db import Connection, Database
from services.payments.books.ledger import Kind
from services.payments.domain import DisbursementState
from services.payments.gateways import CONFIRMATION_SUFFIX, Exchange
from services.payments.rails.confirmations import Effect, judge
from services.payments.remittance import Confirmation, ConfirmationFile, RejectedLine, read_confirmations
from services.payments.store import confirmations as file_store
from services.payments.store import disbursements as payment_store
from services.payments.usecases.inbound import read_each
from services.payments.usecases.outcomes import STATES, Outcome, apply_apart, payments_of_words
from services.payments.usecases.rejected_lines import keep_rejected

FINANCE_SYSTEM = "finance system"
PART_LINES = 500
"""Of a file, applied in one transaction."""


@dataclass(slots=True)
class Reading:
    """What one file came to."""

    again: bool = False
    """A file of the same content was read before."""
    applied: int = 0
    repeated: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)
    called: dict[int, str] = field(default_factory=dict[int, str])
    """Line number → the alert that tells of its rejection."""

    def add(self, part: "Reading") -> None:
        """This part of it as well."""
        self.applied += part.applied
        self.repeated += part.repeated
        self.rejected += part.rejected
        self.called |= part.called


async def read_inbound(*, exchange: Exchange, db: Database, now: datetime) -> int:
    """Read the confirmation files that wait, oldest name first; returns how many."""

    async def take(name: str, content: bytes) -> None:
        await take_confirmations(name, content, db=db, now=now)

    return await read_each((CONFIRMATION_SUFFIX,), take, exchange=exchange, db=db, now=now)


async def take_confirmations(name: str, content: bytes, *, db: Database, now: datetime) -> Reading:
    """Apply every line that can be applied, keep the others with their reason. A file read before changes nothing.

    A long file is applied part by part, each in a transaction of its own, so that nobody waits long for the budget
    line; a reading that was cut off goes on after the last part.
    """
    file = read_confirmations(content)
    digest = hashlib.sha256(content).digest()
    reading = Reading()
    # One more than the parts that a file can have: another reader may have taken the last one meanwhile.
    for _ in range(len(file.confirmations) // PART_LINES + 2):
        async with db.transaction() as tx:
            first = await file_store.next_word(tx, digest, name, len(file.lines), now=now)
            if first is None:
                reading.again = not (reading.applied or reading.repeated or reading.rejected)
                return reading
            after = first + PART_LINES if first + PART_LINES < len(file.confirmations) else None
            part = await _apply(tx, file, file.confirmations[first:after], digest.hex(), now=now)
            if after is None:
                part.rejected += file.rejected
            await keep_rejected(tx, name, digest, part.rejected, part.called, now=now)
            counts = {"applied": part.applied, "repeated": part.repeated, "rejected": len(part.rejected)}
            await file_store.part_done(tx, digest, **counts, next_word=after)
        reading.add(part)
        if after is None:
            break
    return reading


async def _apply(
    tx: Connection, file: ConfirmationFile, words: Sequence[tuple[int, Confirmation]], digest: str, *, now: datetime
) -> Reading:
    ids = sorted({word.disbursement_id for _, word in words})
    payments = await payments_of_words(tx, ids, now=now)
    # What the lines before it say of each payment: those of earlier parts are on record.
    standing = {one.disbursement_id: (one.state, one.payment_number) for one in payments.values()}
    reading, outcomes = Reading(), dict[int, Outcome]()
    for number, word in words:
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
                outcomes[number] = outcome
                standing[word.disbursement_id] = (STATES[outcome.kind], word.payment_number)
                reading.applied += 1
    refused = await apply_apart(tx, list(outcomes.values()), payments, actor=FINANCE_SYSTEM, now=now)
    for number, outcome in outcomes.items():
        if outcome.disbursement_id in refused:
            explanation = f"the ledger refuses the {outcome.kind} of this payment"
            reading.rejected.append(RejectedLine(number, file.lines[number - 1], "books_refused", explanation))
            reading.called[number] = refused[outcome.disbursement_id]
            reading.applied -= 1
    return reading
