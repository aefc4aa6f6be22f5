"""Exam vouchers: import a lot, issue one for an attempt, follow the exam, reveal the code once, reclaim."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

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
from services.payments.store import funding as funding_store
from services.payments.store import program as program_store
from services.payments.store import vouchers as voucher_store
from services.payments.store.vouchers import Lot

_UNUSED = (ExamVoucherState.ALLOCATED, ExamVoucherState.REVEALED)
_REVEALABLE = (ExamVoucherState.ALLOCATED, ExamVoucherState.REGISTERED)


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
    """Allocate one exam voucher to the attempt: the same one however often it is asked."""
    async with db.transaction() as tx:
        await funding_store.lock_case(tx, ask.application_id)
        found = await voucher_store.allocation(tx, ask.application_id, ask.exam_id, ask.attempt_number)
        if found is None:
            found = await voucher_store.allocate(
                tx,
                ask.application_id,
                ask.exam_id,
                ask.attempt_number,
                usable_seconds=ask.usable_seconds,
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
        to=ExamVoucherState.REGISTERED,
        from_=_UNUSED,
        now=now,
    )


async def follow_result(fact: ExamResulted, tx: Connection, *, now: datetime) -> None:
    """Delivered or missed, the voucher is used; a canceled registration leaves it with the person, to use again."""
    canceled = fact.result is ExamResult.CANCELED
    await voucher_store.move(
        tx,
        fact.application_id,
        fact.exam_id,
        fact.attempt_number,
        to=ExamVoucherState.REVEALED if canceled else ExamVoucherState.USED,
        from_=(ExamVoucherState.REGISTERED,) if canceled else (*_UNUSED, ExamVoucherState.REGISTERED),
        now=now,
    )


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
        elif voucher.state not in _REVEALABLE:
            raise NotRevealable
        else:
            await voucher_store.revealed(tx, voucher, principal=principal, request_key=request_key, now=now)
        return Revealed(voucher.exam_voucher_id, keys.open(voucher.exam_voucher_id, voucher.sealed_code))
