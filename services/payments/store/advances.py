"""Advances, and what providers owe back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.ids import ApplicationId, ClaimId, TransferId
from kit.db import Connection
from services.payments.books.cost_lines import parts_of
from services.payments.claims.advances import PAYMENT_CENTS_MIN, TRIGGER, Advanced, RefundId
from services.payments.domain import Funding

# Only what will be granted: a case without a rule would stand before all that come after it.
TO_ADVANCE = """
SELECT f.application_id FROM funding AS f
JOIN provider AS p ON p.program_id = f.program_id AND p.provider_id = f.provider_id
JOIN payee AS y ON y.provider_id = f.provider_id
JOIN claim_rules AS r ON r.program_id = f.program_id
WHERE f.state = 'encumbered' AND f.advanced_cents = 0 AND f.enrollment_id IS NOT NULL AND f.encumbered_cents > $4
    AND EXISTS (
        SELECT FROM jsonb_array_elements(r.rules -> 'advances') AS a
        WHERE a ->> 'standing' = p.standing AND a ->> 'trigger' = $3
            AND f.encumbered_cents * (a ->> 'percent')::integer >= 100
            AND coalesce((a ->> 'effective_from')::date <= ($2 AT TIME ZONE (r.rules ->> 'time_zone'))::date, true)
    )
    AND NOT EXISTS (SELECT FROM claim AS c WHERE c.application_id = f.application_id)
ORDER BY f.changed_at, f.application_id LIMIT $1
"""
ADVANCED = "UPDATE funding SET advanced_cents = $3, changed_at = $4 WHERE application_id = $1 AND hold_number = $2"
OF_ROUND = """
SELECT c.claim_id, c.approved_cents AS cents,
    (
        SELECT d.settle_transfer_id FROM disbursement AS d WHERE d.claim_id = c.claim_id AND d.state = 'settled' LIMIT 1
    ) AS settle_transfer_id,
    EXISTS (SELECT FROM credential AS e WHERE e.application_id = c.application_id) AS earned,
    EXISTS (SELECT FROM ended_case AS e WHERE e.application_id = c.application_id) AS ended,
    EXISTS (SELECT FROM refund_part AS r WHERE r.claim_id = c.claim_id) AS refunded
FROM claim AS c JOIN funding AS f ON f.application_id = c.application_id AND f.advanced_cents > 0
WHERE c.kind = 'advance' AND f.program_id = $1 AND f.round_id = $2 AND f.provider_id = $3
ORDER BY c.claim_id
"""
LOCK_ROUND = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7005))"
ADD_REFUND = """
INSERT INTO provider_refund (
    refund_id, program_id, round_id, provider_id, earned, decided, cents, made_by, made_at, reason
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
ADD_PARTS = """
INSERT INTO refund_part (refund_id, claim_id, settle_transfer_id, cents)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[])
"""
REFUND = """
SELECT refund_id, program_id, round_id, provider_id, earned, decided, cents, made_by, checked_by, reason
FROM provider_refund WHERE refund_id = $1 FOR UPDATE
"""
AGREE = "UPDATE provider_refund SET checked_by = $2, checked_at = $3 WHERE refund_id = $1"
# What the bank brought back after it had settled is not owed any more.
OWED = """
SELECT p.refund_id, p.claim_id, c.application_id, p.settle_transfer_id, p.cents - p.netted_cents AS cents
FROM refund_part AS p JOIN provider_refund AS r USING (refund_id) JOIN claim AS c USING (claim_id)
WHERE r.provider_id = $1 AND r.checked_by IS NOT NULL AND p.netted_cents < p.cents
    AND NOT EXISTS (SELECT FROM disbursement AS d WHERE d.claim_id = p.claim_id
        AND d.settle_transfer_id = p.settle_transfer_id AND d.state <> 'settled')
ORDER BY r.checked_at, p.claim_id FOR UPDATE OF p
"""
NET = "UPDATE refund_part SET netted_cents = netted_cents + $2 WHERE settle_transfer_id = $1"
# In money, and out of what the provider owed: from the hold on, each entry names the one whose money it moves.
PAID_ON = """
WITH RECURSIVE moved AS (
    SELECT t.id, t.kind, t.amount_cents FROM transfer AS t WHERE t.id = ANY ($3::text[]) AND t.outcome = 'ok'
    UNION
    SELECT t.id, t.kind, t.amount_cents
    FROM moved JOIN transfer AS t ON t.pending_id = moved.id OR t.links_to = moved.id
    WHERE t.outcome = 'ok'
)
SELECT d.claim_id, d.settle_transfer_id, d.amount_cents AS cents,
    EXISTS (SELECT FROM refund_part AS p WHERE p.settle_transfer_id = d.settle_transfer_id) AS is_owed
FROM disbursement AS d WHERE d.application_id = $1 AND d.state = 'settled'
UNION ALL
SELECT $2, m.id, m.amount_cents, EXISTS (SELECT FROM refund_part AS p WHERE p.settle_transfer_id = m.id)
FROM moved AS m WHERE m.kind = 'offset'
ORDER BY claim_id, settle_transfer_id
"""
NET_PAYMENT = "UPDATE disbursement SET amount_cents = amount_cents - $2, changed_at = $3 WHERE disbursement_id = $1"


@dataclass(frozen=True, slots=True)
class Refund:
    """What a provider owes back of one round."""

    refund_id: RefundId
    program_id: str
    round_id: str
    provider_id: str
    earned: int
    decided: int
    cents: int
    made_by: str
    checked_by: str | None
    reason: str = "advance"
    """Too few earned the credential (`advance`); or why what was paid for one person is owed back."""


@dataclass(frozen=True, slots=True)
class PaidPart:
    """One move by which a case's claim or advance was paid."""

    claim_id: ClaimId
    settle_transfer_id: TransferId
    cents: int


@dataclass(frozen=True, slots=True)
class OwedPart:
    """What is still owed back of one advance."""

    refund_id: RefundId
    claim_id: ClaimId
    application_id: ApplicationId
    settle_transfer_id: TransferId
    cents: int


async def to_advance(tx: Connection, count_max: int, *, now: datetime) -> list[ApplicationId]:
    """Cases that a rule in force pays ahead, with an encumbrance and neither advance nor claim."""
    rows = await tx.fetch(TO_ADVANCE, count_max, now, TRIGGER, PAYMENT_CENTS_MIN)
    return [ApplicationId(row["application_id"]) for row in rows]


async def advanced(tx: Connection, application_id: str, hold_number: int, cents: int, *, now: datetime) -> None:
    """So much of the encumbrance is paid ahead."""
    await tx.execute(ADVANCED, application_id, hold_number, cents, now)


async def of_round(tx: Connection, program_id: str, round_id: str, provider_id: str) -> list[Advanced]:
    """Every advance of the provider's round and what became of its case; nobody else assesses it meanwhile."""
    await tx.execute(LOCK_ROUND, f"{program_id} {round_id} {provider_id}")
    return [
        Advanced(
            ClaimId(row["claim_id"]),
            row["cents"],
            TransferId(row["settle_transfer_id"]) if row["settle_transfer_id"] else None,
            row["earned"],
            row["ended"],
            row["refunded"],
        )
        for row in await tx.fetch(OF_ROUND, program_id, round_id, provider_id)
    ]


async def paid_on(tx: Connection, funding: Funding, claim_id: str) -> list[PaidPart]:
    """What the provider was paid for one case, by move, its cost lines together; not what is owed back already."""
    holds = parts_of(funding.hold_transfer_id) if funding.hold_transfer_id is not None else []
    rows = await tx.fetch(PAID_ON, funding.application_id, claim_id, holds)
    cents = {TransferId(row["settle_transfer_id"]): row["cents"] for row in rows}
    further = {part for move in cents for part in parts_of(move)[1:]}
    moves = [(ClaimId(row["claim_id"]), TransferId(row["settle_transfer_id"])) for row in rows if not row["is_owed"]]
    return [
        PaidPart(claim, move, sum(cents.get(part, 0) for part in parts_of(move)))
        for claim, move in moves
        if move not in further
    ]


async def add_refund(tx: Connection, refund: Refund, parts: Sequence[Advanced | PaidPart], *, now: datetime) -> None:
    await tx.execute(
        ADD_REFUND,
        refund.refund_id,
        refund.program_id,
        refund.round_id,
        refund.provider_id,
        refund.earned,
        refund.decided,
        refund.cents,
        refund.made_by,
        now,
        refund.reason,
    )
    await tx.execute(
        ADD_PARTS,
        refund.refund_id,
        [part.claim_id for part in parts],
        [part.settle_transfer_id for part in parts],
        [part.cents for part in parts],
    )


async def refund(tx: Connection, refund_id: str) -> Refund | None:
    row = await tx.fetchrow(REFUND, refund_id)
    return Refund(**{**dict(row), "refund_id": RefundId(row["refund_id"])}) if row else None


async def agree(tx: Connection, refund_id: str, checker: str, *, now: datetime) -> None:
    await tx.execute(AGREE, refund_id, checker, now)


async def owed_by(tx: Connection, provider_id: str) -> Sequence[OwedPart]:
    """What the provider still owes back, agreed by two people, the oldest first."""
    return [
        OwedPart(
            RefundId(row["refund_id"]),
            ClaimId(row["claim_id"]),
            ApplicationId(row["application_id"]),
            TransferId(row["settle_transfer_id"]),
            row["cents"],
        )
        for row in await tx.fetch(OWED, provider_id)
    ]


async def net(tx: Connection, part: OwedPart, disbursement_id: str, cents: int, *, now: datetime) -> None:
    """So much of the debt is taken out of this payment."""
    await tx.execute(NET, part.settle_transfer_id, cents)
    await tx.execute(NET_PAYMENT, disbursement_id, cents, now)
