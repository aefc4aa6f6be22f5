"""What is late: claims without a decision, claims without a payment, and the interest that late payments cost.

Interest is the agency's own obligation, out of its operating appropriation, never the program's money: it is recorded
beside the ledger, payment by payment, and reported to be paid by the finance system (ORC 126.30).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kit.db import Connection, Database
from services.payments.claims.prompt_pay import (
    ESCALATION_DAYS,
    Interest,
    Rate,
    RateUnknown,
    day_in,
    interest,
)
from services.payments.store import claim_notices as notice_store
from services.payments.store import claim_queues as queue_store
from services.payments.store import claim_rules
from services.payments.store import late_payments as store
from services.payments.store.claim_notices import UntoldClaim
from services.payments.store.claim_queues import Receipt
from services.payments.store.late_payments import Obligation, UnpaidClaim

PAYMENTS_PER_SWEEP_MAX = 500
SWEEPS_PER_TURN_MAX = 100
LATE_SHOWN_MAX = 1000


@dataclass(frozen=True, slots=True)
class LateClaim:
    """An approved claim past due, with the interest it would cost today; None where no rate is listed."""

    claim: UnpaidClaim
    interest: Interest | None


@dataclass(frozen=True, slots=True)
class Lateness:
    """Everything that is late now."""

    undecided: list[Receipt]
    """Claims older than ten days without a decision: their defects must be named within fifteen."""
    untold: list[UntoldClaim]
    """Returned claims whose provider was not told why."""
    overdue_notices: int
    """How many of both are past the fifteenth day."""
    unpaid: list[LateClaim]
    interest: list[Obligation]
    """The newest on record."""
    interest_count: int
    """How many there are in all."""
    interest_cents: int
    """What all of them come to."""


async def record_interest(*, db: Database, now: datetime) -> int:
    """Put on record what late payments cost; returns how many. A year without a rate waits for its rate."""
    recorded = 0
    for _ in range(SWEEPS_PER_TURN_MAX):
        seen, late = await _record_some(db, now=now)
        recorded += late
        if seen < PAYMENTS_PER_SWEEP_MAX:
            break
    return recorded


async def _record_some(db: Database, *, now: datetime) -> tuple[int, int]:
    recorded = 0
    async with db.transaction() as tx:
        payments = await store.settled_unchecked(tx, PAYMENTS_PER_SWEEP_MAX)
        for payment in payments:
            owed = await _interest(tx, payment.program_id, payment.amount_cents, payment.due_on, payment.paid_on)
            if owed is not None:
                await store.record(tx, payment, owed, now=now)
                recorded += 1
        await store.checked(tx, payments, now=now)
    return len(payments), recorded


async def what_is_late(*, db: Database, now: datetime) -> Lateness:
    """Undecided claims, returned ones whose provider was not told, unpaid ones with interest to date; what is owed."""
    async with db.transaction() as tx:
        undecided = await queue_store.undecided(tx, now - timedelta(days=ESCALATION_DAYS))
        unpaid: list[LateClaim] = []
        for claim in await store.unpaid(tx, now, LATE_SHOWN_MAX):
            rules = await claim_rules.rules_of(tx, claim.program_id or "")
            today = day_in(rules.time_zone, now)
            owed = await _interest(tx, claim.program_id, claim.amount_cents, claim.due_on, today)
            unpaid.append(LateClaim(claim, owed))
        untold = await notice_store.untold(tx, LATE_SHOWN_MAX)
        on_record, count, cents = await store.latest_obligations(tx, LATE_SHOWN_MAX)
    overdue = sum(one.notice_due_at < now for one in (*undecided, *untold))
    return Lateness(undecided, untold, overdue, unpaid, on_record, count, cents)


async def _interest(tx: Connection, program_id: str | None, cents: int, due_on: date, paid_on: date) -> Interest | None:
    rules = await claim_rules.rules_of(tx, program_id or "")
    rates = {
        rate.calendar_year: Rate(rate.basis_points, rate.accrues_by == "month", rate.minimum_cents)
        for rate in rules.interest_rates
    }
    try:
        return interest(cents, due_on, paid_on, rates)
    except RateUnknown:
        return None
