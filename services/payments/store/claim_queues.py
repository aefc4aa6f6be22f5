"""Claims in review: the queues, what people said, who recorded payees, which requests are closed, when claims came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from contracts.events.applications import ClaimSubmitted
from contracts.ids import ApplicationId, ClaimId
from kit.db import Connection
from services.payments.claims.prompt_pay import notice_due
from services.payments.claims.queues import Queue
from services.payments.claims.requests import RequestSlot

# The zone whose days count; a claim may be there before the rules of its program are.
_ZONE = """coalesce(
    (SELECT u.rules ->> 'time_zone' FROM application AS a JOIN claim_rules AS u USING (program_id)
    WHERE a.application_id = {of}.application_id), 'UTC'
) AS time_zone"""
OPEN_REVIEW = f"""
SELECT r.claim_id, r.review_number, r.queue, r.origin, r.reasons, r.later_reasons, r.approvers_needed, r.submitted_by,
    r.opened_at, c.application_id, c.provider_id, c.claimed_cents, c.submitted_at, {_ZONE.format(of="c")},
    ARRAY(
        SELECT w.person FROM claim_word AS w WHERE w.claim_id = r.claim_id AND w.review_number = r.review_number
            AND w.word = 'approve' ORDER BY w.said_at, w.person
    ) AS approved
FROM claim_review AS r JOIN claim AS c USING (claim_id)
WHERE r.decided_at IS NULL
"""
REVIEW_OF = f"{OPEN_REVIEW} AND r.claim_id = $1 FOR UPDATE OF r"
QUEUE = f"""
{OPEN_REVIEW} AND ($1::text IS NULL OR r.queue = $1) ORDER BY r.opened_at, r.claim_id LIMIT $2
"""
OPEN = """
INSERT INTO claim_review (
    claim_id, review_number, queue, origin, reasons, approvers_needed, submitted_by, opened_at
)
SELECT $1, coalesce(max(review_number), 0) + 1, $2, $3, $4, $5, $6, $7 FROM claim_review WHERE claim_id = $1
ON CONFLICT (claim_id) WHERE decided_at IS NULL DO NOTHING
"""
DOUBT = """
UPDATE claim_review AS r SET queue = $2, later_reasons = r.later_reasons || $3::text
FROM claim AS c
WHERE c.application_id = $1 AND c.kind = 'claim' AND c.claim_id = r.claim_id AND r.decided_at IS NULL
    AND NOT $3 = ANY (r.reasons || r.later_reasons)
"""
DECIDED = "UPDATE claim_review SET decision = $2, decided_at = $3 WHERE claim_id = $1 AND decided_at IS NULL"
SAY = """
INSERT INTO claim_word (claim_id, review_number, person, submitted_by, word, note, said_at)
SELECT claim_id, review_number, $2, submitted_by, $3, $4, $5 FROM claim_review
WHERE claim_id = $1 AND decided_at IS NULL
ON CONFLICT (claim_id, review_number, person) DO NOTHING
"""
PAYEE_RECORDERS = """
SELECT made_by AS name FROM payee_repair WHERE provider_id = $1
UNION SELECT made_by FROM payee_change WHERE provider_id = $1
"""
CLOSED_REQUESTS = "SELECT month, number FROM closed_request WHERE program_id = $1 AND provider_id = $2 AND month >= $3"
CLOSE_REQUEST = """
INSERT INTO closed_request (program_id, provider_id, month, number, closed_by, closed_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""
# A claim that is matched while its request is being closed would stand in a closed request.
LOCK_REQUESTS = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7004))"
REQUEST_TOTALS = """
SELECT count(*) AS claims, coalesce(sum(claimed_cents), 0)::bigint AS cents FROM claim
WHERE program_id = $1 AND provider_id = $2 AND request_month = $3 AND request_number = $4 AND status <> 'refused'
    AND kind = 'claim'
"""
RECEIVED = """
INSERT INTO claim_receipt (claim_id, application_id, provider_id, received_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (claim_id) DO NOTHING
"""
ESCALATE = f"""
UPDATE claim_receipt AS r SET escalated_at = $2
WHERE r.claim_id IN (
    SELECT w.claim_id FROM claim_receipt AS w
    WHERE w.received_at <= $1 AND w.escalated_at IS NULL
        AND NOT EXISTS (SELECT FROM ended_case AS e WHERE e.application_id = w.application_id)
        AND NOT EXISTS (SELECT FROM claim AS c WHERE c.claim_id = w.claim_id AND c.status <> 'referred')
    ORDER BY w.received_at, w.claim_id LIMIT $3 FOR UPDATE SKIP LOCKED
)
RETURNING r.claim_id, r.application_id, r.provider_id, r.received_at, {_ZONE.format(of="r")}
"""
UNDECIDED = f"""
SELECT w.claim_id, w.application_id, w.provider_id, w.received_at, {_ZONE.format(of="w")} FROM claim_receipt AS w
WHERE w.received_at <= $1
    AND NOT EXISTS (SELECT FROM ended_case AS e WHERE e.application_id = w.application_id)
    AND NOT EXISTS (SELECT FROM claim AS c WHERE c.claim_id = w.claim_id AND c.status <> 'referred')
ORDER BY w.received_at, w.claim_id LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class OpenReview:
    """A claim that waits for people."""

    claim_id: ClaimId
    review_number: int
    queue: Queue
    origin: str
    reasons: tuple[str, ...]
    later_reasons: tuple[str, ...]
    """Doubts that came after it was opened: its words do not answer them."""
    approvers_needed: int
    submitted_by: str
    opened_at: datetime
    application_id: ApplicationId
    provider_id: str
    claimed_cents: int
    submitted_at: datetime
    time_zone: str
    approved: tuple[str, ...]
    """Who approved so far."""

    @property
    def notice_due_at(self) -> datetime | None:
        """By when its defects must have been told; None where it was approved once."""
        return notice_due(self.submitted_at, self.time_zone) if self.origin == "match" else None


@dataclass(frozen=True, slots=True)
class Receipt:
    """When a claim came."""

    claim_id: ClaimId
    application_id: ApplicationId
    provider_id: str
    received_at: datetime
    time_zone: str
    """The program's, whose days count."""

    @property
    def notice_due_at(self) -> datetime:
        """By when its defects must have been told."""
        return notice_due(self.received_at, self.time_zone)


async def open_review(
    tx: Connection,
    claim_id: str,
    *,
    queue: Queue,
    origin: str,
    reasons: Sequence[str],
    approvers_needed: int,
    submitted_by: str,
    now: datetime,
) -> None:
    """Put the claim before people; nothing where it is there already."""
    await tx.execute(OPEN, claim_id, queue.value, origin, list(reasons), approvers_needed, submitted_by, now)


async def doubt(tx: Connection, application_id: str, queue: Queue, reason: str) -> None:
    """Show a doubt that came while people look at the case's claim for another reason."""
    await tx.execute(DOUBT, application_id, queue.value, reason)


async def review_of(tx: Connection, claim_id: str) -> OpenReview | None:
    row = await tx.fetchrow(REVIEW_OF, claim_id)
    return None if row is None else _review(dict(row))


async def waiting(tx: Connection, queue: Queue | None, count_max: int) -> list[OpenReview]:
    """What waits in a queue, or in all of them, the oldest first."""
    rows = await tx.fetch(QUEUE, queue.value if queue else None, count_max)
    return [_review(dict(row)) for row in rows]


async def say(tx: Connection, claim_id: str, person: str, word: str, note: str, *, now: datetime) -> None:
    """Keep one person's word on the open review; said again, the first one stands."""
    await tx.execute(SAY, claim_id, person, word, note, now)


async def decide(tx: Connection, claim_id: str, decision: str, *, now: datetime) -> None:
    """Close the open review, if there is one."""
    await tx.execute(DECIDED, claim_id, decision, now)


async def payee_recorders(tx: Connection, provider_id: str) -> frozenset[str]:
    """Who recorded changes or repairs of the payee."""
    return frozenset(row["name"] for row in await tx.fetch(PAYEE_RECORDERS, provider_id))


async def lock_requests(tx: Connection, program_id: str, provider_id: str) -> None:
    await tx.execute(LOCK_REQUESTS, f"{program_id} {provider_id}")


async def closed_requests(tx: Connection, program_id: str, provider_id: str, since: date) -> frozenset[RequestSlot]:
    rows = await tx.fetch(CLOSED_REQUESTS, program_id, provider_id, since)
    return frozenset(RequestSlot(row["month"], row["number"]) for row in rows)


async def close_request(
    tx: Connection, program_id: str, provider_id: str, slot: RequestSlot, *, by: str, now: datetime
) -> tuple[int, int]:
    """Take no more claims into the request: how many it has, and their cents."""
    await tx.execute(CLOSE_REQUEST, program_id, provider_id, slot.month, slot.number, by, now)
    row = await tx.fetchrow(REQUEST_TOTALS, program_id, provider_id, slot.month, slot.number)
    assert row is not None
    return row["claims"], row["cents"]


async def received(tx: Connection, fact: ClaimSubmitted) -> None:
    await tx.execute(RECEIVED, fact.claim_id, fact.application_id, fact.provider_id, fact.submitted_at)


async def escalate(tx: Connection, before: datetime, count_max: int, *, now: datetime) -> list[Receipt]:
    """Undecided claims that came by `before` and were not escalated yet: they are now."""
    return [_receipt(dict(row)) for row in await tx.fetch(ESCALATE, before, now, count_max)]


async def undecided(tx: Connection, before: datetime) -> list[Receipt]:
    """Claims that came by `before` and are neither approved, returned nor refused."""
    return [_receipt(dict(row)) for row in await tx.fetch(UNDECIDED, before)]


def _review(values: dict[str, object]) -> OpenReview:
    values["queue"] = Queue(str(values["queue"]))
    for name in ("reasons", "later_reasons", "approved"):
        values[name] = tuple(values[name])  # type: ignore[arg-type]
    values["claim_id"] = ClaimId(str(values["claim_id"]))
    values["application_id"] = ApplicationId(str(values["application_id"]))
    return OpenReview(**values)  # type: ignore[arg-type]


def _receipt(values: dict[str, object]) -> Receipt:
    values["claim_id"] = ClaimId(str(values["claim_id"]))
    values["application_id"] = ApplicationId(str(values["application_id"]))
    return Receipt(**values)  # type: ignore[arg-type]
