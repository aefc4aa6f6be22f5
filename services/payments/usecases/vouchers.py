"""Exam vouchers: import a lot, issue one for an attempt, follow the exam, reveal the code once, reclaim."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.errors import NotFound
from contracts.events.applications import ExamRegistered, ExamResult, ExamResulted
from contracts.events.payments import ExamVoucherIssued, ExamVoucherReclaimed
from contracts.ids import ExamVoucherId
from contracts.steps.payments import ExamVoucherResult, ExamVoucherStatus, IssueExamVoucher
from kit import outbox
from kit.db import Connection, Database
from services.payments.domain import (
    AlreadyRevealed,
    CodeKnown,
    ExamVoucherState,
    LotAlreadyImported,
    NotRevealable,
)
from services.payments.exam_codes import ExamCodes, check_codes
from services.payments.exam_vouchers.errors import RetakeNotYet
from services.payments.exam_vouchers.retakes import PASSES, AttemptResult, RetakePolicy, refusal_of
from services.payments.exam_vouchers.states import MOVES, Act, Use
from services.payments.store import funding as funding_store
from services.payments.store import program as program_store
from services.payments.store import vouchers as voucher_store
from services.payments.store.vouchers import Allocation, Lot


@dataclass(frozen=True, slots=True)
class Revealed:
    """A code in the clear: for one answer, never kept."""

    exam_voucher_id: ExamVoucherId
    code: str

    def __repr__(self) -> str:
        return f"Revealed({self.exam_voucher_id})"


async def import_lot(lot: Lot, codes: Sequence[str], *, keys: ExamCodes, db: Database, now: datetime) -> int:
    """Take a vendor's order into stock, all codes or none; returns how many."""
    check_codes(codes)
    sealed = []
    for number, code in enumerate(codes, 1):
        voucher_id = ExamVoucherId.derive(lot.vendor, lot.order_number, number)
        sealed.append((voucher_id, keys.seal(voucher_id, code), keys.mac(lot.exam_id, code)))
    async with db.transaction() as tx:
        if not await voucher_store.add_lot(tx, lot, now=now):
            raise LotAlreadyImported(order_number=lot.order_number)
        known = await voucher_store.known_macs(tx, [mac for _, _, mac in sealed])
        for number, (_, _, mac) in enumerate(sealed, 1):
            if mac in known:
                raise CodeKnown(line=number)
        await voucher_store.add_codes(tx, lot, sealed, now=now)
    return len(codes)


async def issue_exam_voucher(ask: IssueExamVoucher, *, db: Database, now: datetime) -> ExamVoucherResult:
    """Allocate one exam voucher to the attempt: the same one however often it is asked.

    Raises `RetakeNotYet` where proof of failure has not arrived or the wait before a retake is not over.
    """
    policy = _policy(ask)
    async with db.transaction() as tx:
        await funding_store.lock_case(tx, ask.application_id)
        known = await voucher_store.attempt(tx, ask.application_id, ask.exam_id, ask.attempt_number)
        if known.allocation is not None:
            return _issued(known.allocation)
        refusal = refusal_of(
            ask.attempt_number, policy, earlier_allocated=known.earlier_allocated, earlier=known.earlier, now=now
        )
        if refusal in PASSES:
            raise RetakeNotYet(why=refusal)
        if refusal is not None:
            return ExamVoucherResult(status=ExamVoucherStatus.REFUSED, reason=refusal.value)
        found = await voucher_store.allocate(
            tx,
            ask.application_id,
            ask.exam_id,
            ask.attempt_number,
            usable_seconds=ask.usable_seconds,
            policy=policy,
            now=now,
        )
        if found is None:
            return ExamVoucherResult(status=ExamVoucherStatus.NONE_AVAILABLE)
        issued = ExamVoucherIssued(
            application_id=ask.application_id,
            exam_voucher_id=found.exam_voucher_id,
            exam_id=ask.exam_id,
            attempt_number=ask.attempt_number,
            expires_at=found.usable_until,
            issued_at=now,
        )
        await outbox.append(tx, issued, now=now)
        return _issued(found)


def _policy(ask: IssueExamVoucher) -> RetakePolicy | None:
    if ask.attempts_max is None or ask.retake_wait_seconds is None:
        return None
    return RetakePolicy(ask.attempts_max, timedelta(seconds=ask.retake_wait_seconds), ask.pack_version)


def _issued(found: Allocation) -> ExamVoucherResult:
    return ExamVoucherResult(
        status=ExamVoucherStatus.ISSUED, exam_voucher_id=found.exam_voucher_id, expires_at=found.usable_until
    )


async def reclaim_unused(tx: Connection, application_id: str, *, now: datetime) -> None:
    """Take back what the case did not use; told only where the voucher is available again."""
    for exam_voucher_id, exam_id, state in await voucher_store.reclaim(tx, application_id, now=now):
        if state is not ExamVoucherState.AVAILABLE:
            continue
        fact = ExamVoucherReclaimed.model_validate(
            {
                "application_id": application_id,
                "exam_voucher_id": exam_voucher_id,
                "exam_id": exam_id,
                "reclaimed_at": now,
            }
        )
        await outbox.append(tx, fact, now=now)


async def follow_registration(fact: ExamRegistered, tx: Connection, *, now: datetime) -> None:
    """The voucher paid for a registration: it is no longer free to reclaim."""
    await voucher_store.move(
        tx,
        fact.application_id,
        fact.exam_id,
        fact.attempt_number,
        Act.REGISTER,
        ExamVoucherState.REGISTERED,
        told_at=fact.registered_at,
        now=now,
    )


async def follow_result(fact: ExamResulted, tx: Connection, *, now: datetime) -> None:
    """Keep the result as the proof for a retake. Delivered or missed, the voucher is used and the attempt over; a
    canceled registration leaves the voucher with the person, to use again."""
    about = (fact.application_id, fact.exam_id, fact.attempt_number)
    await voucher_store.keep_result(tx, *about, AttemptResult(fact.result, fact.resulted_at))
    if fact.result is ExamResult.CANCELED:
        act, becomes, use = Act.CANCEL, ExamVoucherState.REUSABLE, None
    else:
        use = Use.NO_SHOW if fact.result is ExamResult.NO_SHOW else Use.DELIVERED
        act, becomes = Act.USE, ExamVoucherState.USED
        await voucher_store.end_allocation(tx, *about, now=now)
    await voucher_store.move(tx, *about, act, becomes, use=use, told_at=fact.resulted_at, now=now)


async def reveal_code(
    exam_voucher_id: str, *, partner_id: str, principal: str, request_key: bytes, keys: ExamCodes, db: Database,
    now: datetime,
) -> Revealed:  # fmt: skip
    """Show the code to the partner of the application, once; the same request may hear the answer again.

    Raises `NotFound` for another partner's voucher, `AlreadyRevealed`, `NotRevealable`.
    """
    async with db.transaction() as tx:
        voucher = await voucher_store.held_voucher(tx, exam_voucher_id)
        if voucher is None or await program_store.partner_of(tx, voucher.application_id) != partner_id:
            raise NotFound(kind="exam voucher")
        if voucher.ended_at is not None:
            raise NotRevealable
        earlier = await voucher_store.reveal_of(tx, voucher)
        if earlier is not None:
            if earlier[0] != principal or not hmac.compare_digest(earlier[1], request_key):
                raise AlreadyRevealed
        elif voucher.state not in MOVES[Act.REVEAL]:
            raise NotRevealable
        else:
            await voucher_store.revealed(tx, voucher, principal=principal, request_key=request_key, now=now)
        return Revealed(voucher.exam_voucher_id, keys.open(voucher.exam_voucher_id, voucher.sealed_code))
