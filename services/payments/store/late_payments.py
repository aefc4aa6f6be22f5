"""Claims past their due day, and the interest that late payments cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from contracts.ids import ClaimId, DisbursementId
from kit.db import Connection
from services.payments.claims.prompt_pay import Interest

# The day of payment is the day on the face of the payment, not the day we heard of it. A late one whose years have no
# rate yet is passed by: it would stand before all that come after it until the rate is listed.
SETTLED_UNCHECKED = """
SELECT d.disbursement_id, d.claim_id, d.provider_id, c.program_id, d.amount_cents, d.due_on, d.paid_on::date AS paid_on
FROM disbursement AS d JOIN claim AS c USING (claim_id)
WHERE d.state = 'settled' AND d.interest_checked_at IS NULL AND d.paid_on IS NOT NULL
    AND (d.paid_on::date <= d.due_on OR NOT EXISTS (
        SELECT FROM generate_series(
            extract(year FROM d.due_on + 1)::integer, extract(year FROM d.paid_on::date)::integer
        ) AS y
        WHERE NOT EXISTS (
            SELECT FROM claim_rules AS r, jsonb_array_elements(r.rules -> 'interest_rates') AS rate
            WHERE r.program_id = c.program_id AND (rate ->> 'calendar_year')::integer = y
        )
    ))
ORDER BY d.due_on, d.disbursement_id LIMIT $1 FOR UPDATE OF d SKIP LOCKED
"""
CHECKED = "UPDATE disbursement SET interest_checked_at = $2 WHERE disbursement_id = ANY ($1::text[])"
UNPAID = """
SELECT c.claim_id, c.provider_id, c.program_id, c.due_on,
    c.approved_cents - c.advanced_cents - c.netted_cents AS amount_cents
FROM claim AS c
WHERE c.status = 'approved' AND c.due_at < $1
    AND NOT EXISTS (SELECT FROM disbursement AS d WHERE d.claim_id = c.claim_id AND d.state = 'settled')
ORDER BY c.due_at, c.claim_id LIMIT $2
"""
RECORD = """
INSERT INTO interest_obligation (
    disbursement_id, claim_id, provider_id, unpaid_cents, first_on, last_on, days, cents, recorded_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (disbursement_id) DO NOTHING
"""
OBLIGATIONS = """
SELECT disbursement_id, claim_id, provider_id, unpaid_cents, first_on, last_on, days, cents
FROM interest_obligation WHERE provider_id = $1 AND last_on BETWEEN $2 AND $3
ORDER BY last_on, disbursement_id LIMIT $4
"""
# The newest ones: what is older was reported before, and stands in the providers' statements.
LATEST_OBLIGATIONS = """
SELECT disbursement_id, claim_id, provider_id, unpaid_cents, first_on, last_on, days, cents
FROM interest_obligation ORDER BY last_on DESC, disbursement_id LIMIT $1
"""
OBLIGATIONS_TOTAL = "SELECT count(*) AS count, coalesce(sum(cents), 0)::bigint AS cents FROM interest_obligation"


@dataclass(frozen=True, slots=True)
class SettledPayment:
    """A payment that settled, perhaps late."""

    disbursement_id: DisbursementId
    claim_id: ClaimId
    provider_id: str
    program_id: str | None
    amount_cents: int
    due_on: date
    paid_on: date


@dataclass(frozen=True, slots=True)
class UnpaidClaim:
    """An approved claim that should have been paid."""

    claim_id: ClaimId
    provider_id: str
    program_id: str | None
    due_on: date
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Obligation:
    """Interest that the agency owes on one late payment."""

    disbursement_id: DisbursementId
    claim_id: ClaimId
    provider_id: str
    unpaid_cents: int
    first_on: date
    last_on: date
    days: int
    cents: int


async def settled_unchecked(tx: Connection, count_max: int) -> list[SettledPayment]:
    """Settled payments nobody has looked at for interest, those aside whose years have no rate yet; locked."""
    return [SettledPayment(**dict(row)) for row in await tx.fetch(SETTLED_UNCHECKED, count_max)]


async def checked(tx: Connection, payments: Sequence[SettledPayment], *, now: datetime) -> None:
    """Whatever these payments cost is on record."""
    await tx.execute(CHECKED, [one.disbursement_id for one in payments], now)


async def unpaid(tx: Connection, now: datetime, count_max: int) -> list[UnpaidClaim]:
    """Approved claims past due that no payment has settled, the oldest first."""
    return [UnpaidClaim(**dict(row)) for row in await tx.fetch(UNPAID, now, count_max)]


async def record(tx: Connection, payment: SettledPayment, interest: Interest, *, now: datetime) -> None:
    await tx.execute(
        RECORD,
        payment.disbursement_id,
        payment.claim_id,
        payment.provider_id,
        payment.amount_cents,
        interest.first_on,
        interest.last_on,
        interest.days,
        interest.cents,
        now,
    )


async def obligations(tx: Connection, count_max: int, provider_id: str, *, first: date, last: date) -> list[Obligation]:
    """Interest on record for one provider, by the day of the late payment."""
    return [Obligation(**dict(row)) for row in await tx.fetch(OBLIGATIONS, provider_id, first, last, count_max)]


async def latest_obligations(tx: Connection, count_max: int) -> tuple[list[Obligation], int, int]:
    """The newest interest on record; how many there are in all, and their cents."""
    found = [Obligation(**dict(row)) for row in await tx.fetch(LATEST_OBLIGATIONS, count_max)]
    total = await tx.fetchrow(OBLIGATIONS_TOTAL)
    assert total is not None
    return found, total["count"], total["cents"]
