"""Exam vouchers: import a lot, issue one for an attempt, follow the exam, reveal the code once, reclaim."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from contracts.errors import CairnError, NotFound
from contracts.events.applications import ExamRegistered, ExamResult, ExamResulted
from contracts.events.payments import ExamVoucherIssued, ExamVoucherReclaimed
from contracts.ids import ExamVoucherId
from contracts.steps.payments import ExamVoucherResult, ExamVoucherStatus, IssueExamVoucher
from kit import outbox
from kit.clock import Clock
from kit.db import Connection, Database
from kit.telemetry import TraceContext, current_trace, logger
from services.payments.domain import (
    AlreadyRevealed,
    CodeKnown,
    ExamVoucherState,
    LotAlreadyImported,
    NotRevealable,
)
from services.payments.exam_vouchers.codes import ExamCodes, check_codes
from services.payments.exam_vouchers.errors import RetakeNotYet
from services.payments.exam_vouchers.expiry import end_of_day
from services.payments.exam_vouchers.retakes import PASSES, AttemptResult, RetakePolicy, refusal_of
from services.payments.exam_vouchers.states import MOVES, Act, RevealOutcome, Use
from services.payments.store import exam_stock as stock_store
from services.payments.store import funding as funding_store
from services.payments.store import program as program_store
from services.payments.store import redemptions as redemption_store
from services.payments.store import reveal_attempts
from services.payments.store import vendor_codes as code_store
from services.payments.store import vouchers as voucher_store
from services.payments.store.vouchers import Allocation, Attempt, HeldVoucher, Lot, NewCode
from services.payments.usecases.coalescer import Coalescer, Waiting
from services.payments.usecases.vendor_codes import complete_vendor_macs

CASE_ENDED = "case_ended"
REVEAL_ATTEMPTS_MAX = 100
"""As many requests of one principal for one code are kept; what comes after is in the log alone."""

_log = logger(__name__)


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
    await complete_vendor_macs(keys=keys, db=db, now=now)
    new = [_new_code(lot, number, code, keys) for number, code in enumerate(codes, 1)]
    async with db.transaction() as tx:
        # Two lots of one vendor at once would not see each other's codes.
        await redemption_store.lock_vendor(tx, lot.vendor)
        lot = _retiring(lot, await stock_store.retirement(tx, lot.vendor, lot.exam_id))
        if not await voucher_store.add_lot(tx, lot, now=now):
            raise LotAlreadyImported(order_number=lot.order_number)
        known = await voucher_store.known_macs(tx, [one.mac for one in new])
        sold = await code_store.holders(tx, [one.vendor_mac for one in new])
        for number, one in enumerate(new, 1):
            if one.mac in known or one.vendor_mac in sold:
                raise CodeKnown(line=number)
        await voucher_store.add_codes(tx, lot, new, now=now)
    return len(codes)


def _new_code(lot: Lot, number: int, code: str, keys: ExamCodes) -> NewCode:
    voucher_id = ExamVoucherId.derive(lot.vendor, lot.order_number, number)
    return NewCode(
        voucher_id,
        sealed_code=keys.seal(voucher_id, code),
        mac=keys.mac(lot.exam_id, code),
        vendor_mac=keys.vendor_mac(lot.vendor, code),
    )


def _retiring(lot: Lot, last_day: date | None) -> Lot:
    """The lot under the vendor's word on its exam, where that ends it earlier."""
    if last_day is None or (lot.retires_on is not None and lot.retires_on <= last_day):
        return lot
    return replace(lot, retires_on=last_day, retires_at=end_of_day(last_day, lot.expiry_zone))


async def issue_exam_voucher(ask: IssueExamVoucher, *, db: Database, now: datetime) -> ExamVoucherResult:
    """Allocate one exam voucher to the attempt: the same one however often it is asked.

    Raises `RetakeNotYet` where proof of failure has not arrived or the wait before a retake is not over.
    """
    async with db.transaction() as tx:
        [answer] = await issue_for_cases(tx, [ask], traces=[current_trace()], now=now)
    if isinstance(answer, CairnError):
        raise answer
    return answer


def issuing(db: Database, clock: Clock) -> Coalescer[IssueExamVoucher, ExamVoucherResult]:
    """`issue_exam_voucher` for many callers at once: who asks for the same exam shares a transaction."""

    async def together(
        tx: Connection, batch: Sequence[Waiting[IssueExamVoucher, ExamVoucherResult]]
    ) -> Sequence[ExamVoucherResult | CairnError]:
        traces = [one.trace for one in batch]
        return await issue_for_cases(tx, [one.ask for one in batch], traces=traces, now=clock.now())

    return Coalescer(db, together, shard_key=lambda ask: ask.exam_id, alone_key=lambda ask: ask.application_id)


async def issue_for_cases(
    tx: Connection, asks: Sequence[IssueExamVoucher], *, traces: Sequence[TraceContext], now: datetime
) -> list[ExamVoucherResult | CairnError]:
    """An answer for each ask; no two are of one case. What is given first is what expires first, in order of asking."""
    known = await voucher_store.attempts(tx, asks)
    over = await funding_store.ended_among(tx, [ask.application_id for ask in asks])
    answers: dict[str, ExamVoucherResult | CairnError] = {}
    wanted: dict[tuple[str, int], list[IssueExamVoucher]] = {}
    for ask in asks:
        answer = _known_answer(ask, known[ask.application_id], now=now)
        if answer is None and ask.application_id in over:
            # A request that comes after the end of its case: nobody would ever give that code back.
            answer = ExamVoucherResult(status=ExamVoucherStatus.REFUSED, reason=CASE_ENDED)
        if answer is None:
            wanted.setdefault((ask.exam_id, ask.usable_seconds), []).append(ask)
        else:
            answers[ask.application_id] = answer
    given: dict[str, Allocation] = {}
    for (exam_id, usable_seconds), some in sorted(wanted.items()):
        given |= await voucher_store.allocate(tx, exam_id, usable_seconds, some, now=now)
    told = [(ask, trace) for ask, trace in zip(asks, traces, strict=True) if ask.application_id in given]
    facts = [_issued_fact(ask, given[ask.application_id], now=now) for ask, _ in told]
    await outbox.append_all(tx, facts, now=now, traces=[trace for _, trace in told])
    none_left = ExamVoucherResult(status=ExamVoucherStatus.NONE_AVAILABLE)
    answers |= {case: _issued(found) for case, found in given.items()}
    return [answers.get(ask.application_id, none_left) for ask in asks]


def _known_answer(ask: IssueExamVoucher, known: Attempt, *, now: datetime) -> ExamVoucherResult | RetakeNotYet | None:
    """The answer that needs no code: it was given before, or none may be given."""
    if known.allocation is not None:
        return _issued(known.allocation)
    refusal = refusal_of(
        ask.attempt_number,
        _policy(ask),
        earlier_allocated=known.earlier_allocated,
        earlier=known.earlier,
        now=now,
    )
    if refusal in PASSES:
        return RetakeNotYet(why=refusal)
    return ExamVoucherResult(status=ExamVoucherStatus.REFUSED, reason=refusal.value) if refusal else None


def _policy(ask: IssueExamVoucher) -> RetakePolicy | None:
    if ask.attempts_max is None or ask.retake_wait_seconds is None:
        return None
    return RetakePolicy(ask.attempts_max, timedelta(seconds=ask.retake_wait_seconds), ask.pack_version)


def _issued(found: Allocation) -> ExamVoucherResult:
    return ExamVoucherResult(
        status=ExamVoucherStatus.ISSUED, exam_voucher_id=found.exam_voucher_id, expires_at=found.usable_until
    )


def _issued_fact(ask: IssueExamVoucher, found: Allocation, *, now: datetime) -> ExamVoucherIssued:
    return ExamVoucherIssued(
        application_id=ask.application_id,
        exam_voucher_id=found.exam_voucher_id,
        exam_id=ask.exam_id,
        attempt_number=ask.attempt_number,
        expires_at=found.usable_until,
        issued_at=now,
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

    Every request is kept with its outcome. Raises `NotFound` for another partner's voucher, `AlreadyRevealed`,
    `NotRevealable`.
    """
    async with db.transaction() as tx:
        voucher = await voucher_store.held_voucher(tx, exam_voucher_id)
        if voucher is None:
            raise NotFound(kind="exam voucher")
        if await program_store.partner_of(tx, voucher.application_id) != partner_id:
            outcome = RevealOutcome.NOT_FOUND
        else:
            earlier = await voucher_store.reveal_of(tx, voucher)
            outcome = _reveal_outcome(voucher, earlier, principal=principal, request_key=request_key)
        if outcome is RevealOutcome.SHOWN:
            await voucher_store.revealed(tx, voucher, principal=principal, request_key=request_key, now=now)
        if not await reveal_attempts.keep(
            tx, voucher, outcome, principal=principal, kept_max=REVEAL_ATTEMPTS_MAX, now=now
        ):
            _log.warning("exam_voucher.reveal_attempt_not_kept", exam_voucher=exam_voucher_id, outcome=outcome.value)
    # After the commit: a refusal raised before it would take back what was kept of it.
    match outcome:
        case RevealOutcome.NOT_FOUND:
            raise NotFound(kind="exam voucher")
        case RevealOutcome.NOT_REVEALABLE:
            raise NotRevealable
        case RevealOutcome.ALREADY_REVEALED:
            raise AlreadyRevealed
        case RevealOutcome.SHOWN | RevealOutcome.REPEATED:
            return Revealed(voucher.exam_voucher_id, keys.open(voucher.exam_voucher_id, voucher.sealed_code))


def _reveal_outcome(
    voucher: HeldVoucher, earlier: tuple[str, bytes] | None, *, principal: str, request_key: bytes
) -> RevealOutcome:
    if voucher.ended_at is not None:
        return RevealOutcome.NOT_REVEALABLE
    if earlier is None:
        return RevealOutcome.SHOWN if voucher.state in MOVES[Act.REVEAL] else RevealOutcome.NOT_REVEALABLE
    same = earlier[0] == principal and hmac.compare_digest(earlier[1], request_key)
    return RevealOutcome.REPEATED if same else RevealOutcome.ALREADY_REVEALED
