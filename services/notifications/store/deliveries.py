"""Webhook messages, their deliveries to endpoints, and the log of attempts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contracts.ids import ApplicationId, ClaimId, WebhookEndpointId, WebhookMessageId
from kit.db import Connection
from kit.outbox import Draft, append_one
from kit.telemetry import TraceContext

# Both at once: a message is never without the deliveries it had coming when it was written.
_WRITE_MESSAGE = """
WITH written AS (
    INSERT INTO webhook_message (message_id, provider_id, application_id, type, body, created_at,
        traceparent, correlation_id, causation_id, defects_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (message_id) DO NOTHING
    RETURNING message_id, position
)
INSERT INTO webhook_delivery (endpoint_id, message_id, position, order_key, is_ping, state, due_at)
SELECT e.endpoint_id, w.message_id, w.position, $3, false, 'pending', $6
FROM written AS w, webhook_endpoint AS e WHERE e.provider_id = $2 AND e.status <> 'disabled'
"""

_WRITE_PING = """
WITH written AS (
    INSERT INTO webhook_message (message_id, provider_id, application_id, type, body, created_at)
    VALUES ($1, $2, NULL, 'ping', $3, $4)
    RETURNING message_id, position
)
INSERT INTO webhook_delivery (endpoint_id, message_id, position, order_key, is_ping, state, due_at)
SELECT $5, w.message_id, w.position, w.message_id, true, 'pending', $4 FROM written AS w
"""

# What no endpoint of the provider could take waits here for the next one.
_ADOPT = """
INSERT INTO webhook_delivery (endpoint_id, message_id, position, order_key, is_ping, state, due_at)
SELECT $2, m.message_id, m.position, m.application_id, false, 'pending', $3
FROM webhook_message AS m
WHERE m.provider_id = $1 AND m.application_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM webhook_delivery AS d WHERE d.message_id = m.message_id AND d.state <> 'canceled')
ORDER BY m.position LIMIT $4
"""

# Per endpoint, so that one endpoint's backlog cannot crowd out another's; the head of each case only, so that a case's
# messages arrive in order. What is leased counts against the endpoint's share, whichever process holds it.
_TAKE_DUE = """
WITH due AS (
    SELECT d.endpoint_id, d.message_id
    FROM webhook_endpoint AS e CROSS JOIN LATERAL (
        SELECT d.endpoint_id, d.message_id, d.due_at FROM webhook_delivery AS d
        WHERE d.endpoint_id = e.endpoint_id AND d.state = 'pending' AND d.due_at <= $1
            AND (d.leased_until IS NULL OR d.leased_until <= $1)
            AND (e.status = 'active' OR d.is_ping)
            AND NOT EXISTS (
                SELECT 1 FROM webhook_delivery AS a WHERE a.endpoint_id = d.endpoint_id
                    AND a.order_key = d.order_key AND a.state = 'pending' AND a.position < d.position
            )
        ORDER BY d.due_at, d.position
        LIMIT greatest(0, $3 - (
            SELECT count(*) FROM webhook_delivery AS l
            WHERE l.endpoint_id = e.endpoint_id AND l.state = 'pending' AND l.leased_until > $1
        ))
        FOR UPDATE SKIP LOCKED
    ) AS d
    WHERE e.status <> 'disabled' AND (e.slowed_until IS NULL OR e.slowed_until <= $1)
        AND (e.failures_in_a_row >= $5) = $6
    ORDER BY d.due_at LIMIT $4
)
UPDATE webhook_delivery AS d SET attempts = d.attempts + 1, leased_until = $2
FROM due, webhook_message AS m, webhook_endpoint AS e
WHERE d.endpoint_id = due.endpoint_id AND d.message_id = due.message_id
    AND m.message_id = d.message_id AND e.endpoint_id = d.endpoint_id
RETURNING d.endpoint_id, d.message_id, d.attempts, d.leased_until, d.is_ping, m.application_id, m.type, m.body,
    m.created_at, m.defects_of, m.traceparent, m.correlation_id, m.causation_id, e.provider_id, e.url, e.status,
    e.challenge, e.sealed_secret,
    CASE WHEN e.previous_secret_until > $1 THEN e.sealed_previous_secret END AS previous_secret
"""

_LOG_ATTEMPT = """
INSERT INTO webhook_attempt (endpoint_id, message_id, attempt_number, started_at, duration_ms, status, error)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

# The ordinary end of an attempt, whole: log, endpoint, delivery and fact in one round trip and one commit. The delivery
# asks for the endpoint's row first: whoever disables the endpoint locks them in this order, and would wait for ever.
_END_DELIVERED = f"""
WITH logged AS (
    INSERT INTO webhook_attempt (endpoint_id, message_id, attempt_number, started_at, duration_ms, status)
    VALUES ($10, $11, $13, $14, $15, $16)
), well AS (
    UPDATE webhook_endpoint SET failures_in_a_row = 0
    WHERE endpoint_id = $10 AND failures_in_a_row > 0
    RETURNING endpoint_id
), ended AS (
    UPDATE webhook_delivery SET state = 'delivered', ended_at = $9, leased_until = NULL
    WHERE endpoint_id = $10 AND message_id = $11 AND state = 'pending' AND leased_until = $12
        AND (SELECT count(*) FROM well) >= 0
    RETURNING message_id
), {append_one("ended")}
SELECT FROM appended
"""

_END = """
UPDATE webhook_delivery SET state = $4, ended_at = $5, leased_until = NULL
WHERE endpoint_id = $1 AND message_id = $2 AND state = 'pending' AND leased_until = $3
RETURNING message_id
"""

_POSTPONE = """
UPDATE webhook_delivery SET due_at = $4, leased_until = NULL
WHERE endpoint_id = $1 AND message_id = $2 AND state = 'pending' AND leased_until = $3
RETURNING message_id
"""

_CANCEL = """
UPDATE webhook_delivery SET state = 'canceled', ended_at = $2, leased_until = NULL
WHERE endpoint_id = $1 AND state = 'pending'
"""

# Leased rows are left alone: their attempt is under way and will say how it went.
_REPLAY = """
INSERT INTO webhook_delivery AS d (endpoint_id, message_id, position, order_key, is_ping, state, due_at)
SELECT $1, m.message_id, m.position, m.application_id, false, 'pending', $5
FROM webhook_message AS m
WHERE m.provider_id = $2 AND m.application_id IS NOT NULL
    AND CASE WHEN $3::bigint IS NULL THEN m.position >= $4::bigint ELSE m.log_position > $3 END
ORDER BY m.position LIMIT $6
ON CONFLICT (endpoint_id, message_id) DO UPDATE
    SET state = 'pending', attempts = 0, due_at = excluded.due_at, leased_until = NULL, ended_at = NULL
    WHERE d.leased_until IS NULL OR d.leased_until <= excluded.due_at
"""

_POSITION = "SELECT position FROM webhook_message WHERE message_id = $1 AND provider_id = $2"

_UNLOGGED = "SELECT EXISTS (SELECT FROM webhook_message WHERE provider_id = $1 AND log_position IS NULL)"
_LOCK_LOG = "SELECT pg_advisory_xact_lock(hashtextextended('webhook_log/' || $1, 0))"
_WRITE_LOG = """
WITH next AS (
    SELECT message_id, row_number() OVER (ORDER BY position) AS place FROM (
        SELECT message_id, position FROM webhook_message WHERE provider_id = $1 AND log_position IS NULL
        ORDER BY position LIMIT $2
    ) AS unlogged
), last AS (
    SELECT coalesce(max(log_position), 0) AS position FROM webhook_message WHERE provider_id = $1
)
UPDATE webhook_message AS m SET log_position = last.position + next.place
FROM next, last WHERE m.message_id = next.message_id
"""

_LOG_PAGE = """
SELECT d.message_id, m.log_position AS position, d.state, d.attempts, d.due_at, d.ended_at, m.type, m.application_id,
    m.created_at
FROM webhook_message AS m JOIN webhook_delivery AS d ON d.endpoint_id = $1 AND d.message_id = m.message_id
WHERE m.provider_id = $2 AND m.log_position > $3 ORDER BY m.log_position LIMIT $4
"""

_ATTEMPTS = """
SELECT message_id, attempt_number, started_at, duration_ms, status, error FROM webhook_attempt
WHERE endpoint_id = $1 AND message_id = ANY($2::text[]) ORDER BY attempt_id
"""


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that this process may attempt until its lease ends."""

    endpoint_id: WebhookEndpointId
    provider_id: str
    message_id: WebhookMessageId
    application_id: ApplicationId | None
    defects_of: ClaimId | None
    """The returned claim whose defects it names."""
    url: str
    body: bytes
    is_ping: bool
    challenge: str
    needs_echo: bool
    attempt_number: int
    leased_until: datetime
    trace: TraceContext
    sealed_secrets: tuple[str, ...]
    """The endpoint's live signing secrets as ciphertext, the newest first."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt as the log tells it."""

    message_id: str
    attempt_number: int
    started_at: datetime
    duration_ms: int
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One delivery as the log tells it."""

    message_id: str
    position: int
    """Its place in the provider's log: nothing ever comes before a place that was told."""
    state: str
    attempts: int
    due_at: datetime
    ended_at: datetime | None
    type: str
    application_id: str | None
    created_at: datetime


async def write_message(
    tx: Connection,
    message_id: WebhookMessageId,
    application_id: ApplicationId,
    *,
    provider_id: str,
    message_type: str,
    body: bytes,
    defects_of: ClaimId | None = None,
    trace: TraceContext,
    now: datetime,
) -> None:
    """Queue a message for every live endpoint of the provider; the same id a second time changes nothing."""
    await tx.execute(
        _WRITE_MESSAGE,
        message_id,
        provider_id,
        application_id,
        message_type,
        body.decode(),
        now,
        trace.traceparent,
        trace.correlation_id,
        trace.causation_id,
        defects_of,
    )


async def write_ping(
    tx: Connection, message_id: WebhookMessageId, *, provider_id: str, endpoint_id: str, body: bytes, now: datetime
) -> None:
    await tx.execute(_WRITE_PING, message_id, provider_id, body.decode(), now, endpoint_id)


async def adopt_messages(tx: Connection, *, provider_id: str, endpoint_id: str, limit: int, now: datetime) -> None:
    """Give a new endpoint what no other endpoint of the provider ever had the chance to take."""
    await tx.execute(_ADOPT, provider_id, endpoint_id, now, limit)


async def take_due_deliveries(
    tx: Connection,
    *,
    limit: int,
    per_endpoint_max: int,
    failures_from: int,
    failing: bool,
    now: datetime,
    lease: timedelta,
) -> list[DueDelivery]:
    """Lease due deliveries of the healthy endpoints, or of those with `failures_from` failures in a row or more."""
    rows = await tx.fetch(_TAKE_DUE, now, now + lease, per_endpoint_max, limit, failures_from, failing)
    return [_due_of(row) for row in sorted(rows, key=lambda row: row["created_at"])]


def _due_of(row: Any) -> DueDelivery:
    return DueDelivery(
        endpoint_id=WebhookEndpointId(row["endpoint_id"]),
        provider_id=row["provider_id"],
        message_id=WebhookMessageId(row["message_id"]),
        application_id=ApplicationId(row["application_id"]) if row["application_id"] else None,
        defects_of=ClaimId(row["defects_of"]) if row["defects_of"] else None,
        url=row["url"],
        body=row["body"].encode(),
        is_ping=row["is_ping"],
        challenge=row["challenge"],
        needs_echo=row["is_ping"] and row["status"] == "unverified",
        attempt_number=row["attempts"],
        leased_until=row["leased_until"],
        trace=TraceContext(row["traceparent"], row["correlation_id"], row["causation_id"]),
        sealed_secrets=tuple(s for s in (row["sealed_secret"], row["previous_secret"]) if s is not None),
    )


async def end_delivered(
    connection: Connection,
    due: DueDelivery,
    *,
    started_at: datetime,
    duration_ms: int,
    status: int | None,
    delivered: Draft,
) -> None:
    """Record an attempt that delivered, and the fact, whose time is the delivery's; no fact where the lease was lost.

    One statement, which commits by itself.
    """
    await connection.execute(
        _END_DELIVERED,
        *delivered.values,
        due.endpoint_id,
        due.message_id,
        due.leased_until,
        due.attempt_number,
        started_at,
        duration_ms,
        status,
    )


async def log_attempt(
    tx: Connection, due: DueDelivery, *, started_at: datetime, duration_ms: int, status: int | None, error: str | None
) -> None:
    await tx.execute(
        _LOG_ATTEMPT, due.endpoint_id, due.message_id, due.attempt_number, started_at, duration_ms, status, error
    )


async def end_delivery(tx: Connection, due: DueDelivery, *, state: str, now: datetime) -> bool:
    """Close it as `delivered` or `exhausted`; False where the lease was lost meanwhile."""
    return await tx.fetchval(_END, due.endpoint_id, due.message_id, due.leased_until, state, now) is not None


async def postpone_delivery(tx: Connection, due: DueDelivery, *, due_at: datetime) -> bool:
    return await tx.fetchval(_POSTPONE, due.endpoint_id, due.message_id, due.leased_until, due_at) is not None


async def cancel_deliveries(tx: Connection, endpoint_id: str, *, now: datetime) -> None:
    """Nothing more goes to a disabled endpoint; its messages stay for the provider's next one."""
    await tx.execute(_CANCEL, endpoint_id, now)


async def write_log(tx: Connection, provider_id: str, *, limit: int) -> None:
    """Give what the provider's log does not hold yet its place there, in the order of its writing.

    The lock is held until commit: places are given to what is committed, and seen, in one order.
    """
    if await tx.fetchval(_UNLOGGED, provider_id):
        await tx.execute(_LOCK_LOG, provider_id)
        await tx.execute(_WRITE_LOG, provider_id, limit)


async def replay_from(
    tx: Connection,
    *,
    endpoint_id: str,
    provider_id: str,
    after_log_position: int | None,
    from_position: int | None,
    limit: int,
    now: datetime,
) -> int:
    """Queue the provider's messages again under their old ids; answers how many.

    Those after a place in the log or, where that is None, from the message at `from_position` on.
    """
    done = await tx.execute(_REPLAY, endpoint_id, provider_id, after_log_position, from_position, now, limit)
    return int(done.rsplit(" ", 1)[1])


async def position_of(tx: Connection, message_id: str, *, provider_id: str) -> int | None:
    position: int | None = await tx.fetchval(_POSITION, message_id, provider_id)
    return position


async def page_of_deliveries(
    tx: Connection, endpoint_id: str, *, provider_id: str, after: int, limit: int
) -> list[DeliveryRecord]:
    return [DeliveryRecord(**dict(row)) for row in await tx.fetch(_LOG_PAGE, endpoint_id, provider_id, after, limit)]


async def attempts_of(tx: Connection, endpoint_id: str, message_ids: list[str]) -> list[AttemptRecord]:
    return [AttemptRecord(**dict(row)) for row in await tx.fetch(_ATTEMPTS, endpoint_id, message_ids)]
