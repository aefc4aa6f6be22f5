"""Deliver due webhook messages: one lane for endpoints that answer, one for those that lately failed.

A process that dies between the POST and the commit leaves its lease behind; the message then goes out again under the
same `webhook-id`. Delivery is at least once, and the id is what the receiver drops duplicates by.
"""

import random
import time
from dataclasses import dataclass
from datetime import datetime

from contracts.events.notifications import ClaimDefectsNotified, WebhookDelivered, WebhookExhausted
from contracts.ids import ApplicationId
from kit import outbox
from kit.clock import Clock
from kit.db import Connection, Database
from kit.telemetry import continue_trace, logger, span
from services.notifications.domain import (
    FAILURES_BEFORE_SLOW_LANE,
    LEASE,
    Answered,
    Delivered,
    GivenUp,
    TryAgain,
    Unanswered,
    judge,
)
from services.notifications.gateways.colleges import CollegeDoor
from services.notifications.gateways.secret_box import SecretBox
from services.notifications.store import deliveries, endpoints
from services.notifications.store.deliveries import DueDelivery

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Lane:
    """A share of the attempts under way at once: an endpoint that hangs cannot take the slots of one that answers."""

    failing: bool
    slots: int
    per_endpoint_max: int


@dataclass(frozen=True, slots=True)
class DeliveryDesk:
    """What delivering takes."""

    db: Database
    college: CollegeDoor
    box: SecretBox
    clock: Clock


async def take_due(desk: DeliveryDesk, lane: Lane, *, free_slots: int) -> list[DueDelivery]:
    """Lease what is due in this lane."""
    now = desk.clock.now()
    # One statement: it commits by itself.
    async with desk.db.connection() as connection:
        return await deliveries.take_due_deliveries(
            connection,
            limit=free_slots,
            per_endpoint_max=lane.per_endpoint_max,
            failures_from=FAILURES_BEFORE_SLOW_LANE,
            failing=lane.failing,
            now=now,
            lease=LEASE,
        )


async def attempt(desk: DeliveryDesk, due: DueDelivery) -> None:
    """Send one message once and record how it went."""
    started_at = desk.clock.now()
    began = time.monotonic()
    trace = due.trace
    with (
        continue_trace(trace.traceparent, trace.correlation_id, trace.causation_id),
        span("webhook", "client", endpoint_id=due.endpoint_id, message_id=due.message_id),
    ):
        result = await _post(desk, due, sent_at=started_at)
        duration_ms = int((time.monotonic() - began) * 1000)
        await _record(desk, due, result, started_at=started_at, duration_ms=duration_ms)


async def _post(desk: DeliveryDesk, due: DueDelivery, *, sent_at: datetime) -> Answered | Unanswered:
    try:
        return await desk.college.deliver(
            due.url,
            message_id=due.message_id,
            body=due.body,
            secrets=[desk.box.open(due.endpoint_id, sealed) for sealed in due.sealed_secrets],
            sent_at=sent_at,
            challenge=due.challenge if due.needs_echo else None,
        )
    except Exception as error:
        # Whatever it is, it is this endpoint's attempt that failed: the others go on.
        log.exception("webhook_attempt_faulty", endpoint_id=due.endpoint_id, error=type(error).__name__)
        return Unanswered(error="attempt_faulty")


async def _record(
    desk: DeliveryDesk, due: DueDelivery, result: Answered | Unanswered, *, started_at: datetime, duration_ms: int
) -> None:
    now = desk.clock.now()
    verdict = judge(
        result,
        attempt_number=due.attempt_number,
        needs_echo=due.needs_echo,
        now=now,
        jitter=random.random(),  # noqa: S311
    )
    status = result.status if isinstance(result, Answered) else None
    is_ordinary = due.application_id is not None and due.defects_of is None and not due.needs_echo
    if isinstance(verdict, Delivered) and is_ordinary and due.application_id is not None:
        fact = _delivered(due, due.application_id, now)
        async with desk.db.connection() as connection:
            await deliveries.end_delivered(
                connection,
                due,
                started_at=started_at,
                duration_ms=duration_ms,
                status=status,
                delivered=outbox.draft(fact, now=now),
            )
        return
    async with desk.db.transaction() as tx:
        await deliveries.log_attempt(
            tx,
            due,
            started_at=started_at,
            duration_ms=duration_ms,
            status=status,
            error=None if isinstance(verdict, Delivered) else verdict.error,
        )
        if isinstance(verdict, Delivered):
            await _record_delivered(tx, due, now=now)
        elif isinstance(verdict, TryAgain):
            await endpoints.note_failure(tx, due.endpoint_id, slowed_until=verdict.slowed_until)
            await deliveries.postpone_delivery(tx, due, due_at=verdict.due_at)
        else:
            await _record_given_up(tx, due, verdict, now=now)


async def _record_delivered(tx: Connection, due: DueDelivery, *, now: datetime) -> None:
    await endpoints.note_success(tx, due.endpoint_id)
    if due.needs_echo:
        await endpoints.verify_endpoint(tx, due.endpoint_id, now=now)
    if not await deliveries.end_delivery(tx, due, state="delivered", now=now) or due.application_id is None:
        return
    await outbox.append(tx, _delivered(due, due.application_id, now), now=now)
    if due.defects_of is not None:
        told = ClaimDefectsNotified(
            application_id=due.application_id,
            claim_id=due.defects_of,
            provider_id=due.provider_id,
            way="webhook",
            notified_at=now,
        )
        await outbox.append(tx, told, now=now)


def _delivered(due: DueDelivery, application_id: ApplicationId, now: datetime) -> WebhookDelivered:
    return WebhookDelivered(
        application_id=application_id,
        message_id=due.message_id,
        endpoint_id=due.endpoint_id,
        attempts=due.attempt_number,
        delivered_at=now,
    )


async def _record_given_up(tx: Connection, due: DueDelivery, verdict: GivenUp, *, now: datetime) -> None:
    if verdict.disable:
        await endpoints.lock_provider(tx, due.provider_id)
    await endpoints.note_failure(tx, due.endpoint_id, slowed_until=None)
    if verdict.disable:
        await endpoints.disable_endpoint(tx, due.endpoint_id, reason=verdict.error, now=now)
        await deliveries.cancel_deliveries(tx, due.endpoint_id, now=now)
        log.warning("webhook_endpoint_disabled", endpoint_id=due.endpoint_id, reason=verdict.error)
        return
    if not await deliveries.end_delivery(tx, due, state="exhausted", now=now) or due.application_id is None:
        return
    log.error("webhook_exhausted", endpoint_id=due.endpoint_id, message_id=due.message_id, reason=verdict.error)
    fact = WebhookExhausted(
        application_id=due.application_id,
        message_id=due.message_id,
        endpoint_id=due.endpoint_id,
        attempts=due.attempt_number,
        reason=verdict.error,
        exhausted_at=now,
    )
    await outbox.append(tx, fact, now=now)
