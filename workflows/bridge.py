"""From Kafka to Temporal: a submitted application starts its journey; what a journey listens to becomes a signal.

A start is idempotent by the workflow's id, a signal by the event id that the journey remembers. So the inbox row may be
lost with its transaction and the fact come again.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from contracts.envelope import CaseFact, Envelope, Fact
from contracts.errors import Unavailable
from contracts.events.applications import ApplicationSubmitted
from contracts.journey import WORKFLOW_TYPE, SignaledFact, StartJourney, workflow_id
from contracts.steps import Queue
from kit.clock import Clock
from kit.db import Connection
from kit.inbox import Handler, Received
from kit.telemetry import logger
from workflows import store
from workflows.attributes import at_start
from workflows.facts import SUBJECTS, is_heard
from workflows.faults import case_is_over, is_bad_input
from workflows.store import LateFact, LateReason

CONSUMER = "workflows"

START_PATIENCE = timedelta(seconds=10)
"""A fact may overtake the start of its case by this much; then it is parked, so that its partition goes on."""
WAITING_MAX = 1_000
PASSED_ON_MAX = 10_000

_STARTED = Counter("cairn_journeys_started", "Journeys started")
_SIGNALED = Counter("cairn_journeys_signaled", "Facts passed on to journeys", ["type"])
_LATE = Counter("cairn_late_facts", "Facts that no journey could take any more", ["reason"])

log = logger(__name__)


class JourneyUnreachable(Unavailable):
    """Temporal does not take messages for journeys just now ({status})."""

    code = "journey_unreachable"


class CaseNotStarted(Unavailable):
    """The fact's case has not been started yet."""

    code = "case_not_started"


class Bridge:
    """The handlers of the bridge's consumer. They run side by side, those of one case in order."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._statements = asyncio.Lock()
        self._waiting: dict[UUID, datetime] = {}
        self._passed_on: dict[UUID, None] = {}

    def handlers(self) -> Mapping[type[Fact], Handler]:
        """What to do with each fact."""
        return {ApplicationSubmitted: self.begin, **dict.fromkeys(SUBJECTS, self.pass_on)}

    async def begin(self, received: Received[ApplicationSubmitted], tx: Connection) -> None:
        """Start the journey of an application, once for ever."""
        submitted = received.fact
        try:
            await self._client.start_workflow(
                WORKFLOW_TYPE,
                StartJourney(event_id=received.envelope.id, submitted=submitted),
                id=workflow_id(submitted.application_id),
                task_queue=Queue.JOURNEY.value,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=at_start(submitted),
                static_summary=f"{submitted.credential_id} at {submitted.provider_id}, {submitted.round_id}",
            )
        except WorkflowAlreadyStartedError:
            log.info("journey.started_before", application_id=submitted.application_id)
        except RPCError as error:
            raise _unreachable(error) from error
        async with self._statements:
            await store.mark_started(tx, submitted.application_id, received.envelope.id, self._clock.now())
        _STARTED.inc()

    async def pass_on(self, received: Received[CaseFact], tx: Connection) -> None:
        """Signal a fact to its journey; one that comes after the end is parked for staff."""
        envelope, fact = received.envelope, received.fact
        # Temporal has it, though the inbox row was lost with its batch: told again after the case closed it would
        # stand among the late facts.
        if not is_heard(fact) or envelope.id in self._passed_on:
            return
        handle = self._client.get_workflow_handle(workflow_id(fact.application_id))
        try:
            await handle.signal(fact.TYPE, _told(envelope, fact))
        except RPCError as error:
            if not case_is_over(error):
                raise _unreachable(error) from error
            await self._not_running(envelope, fact, tx)
        else:
            self._remember(envelope.id)
            _SIGNALED.labels(fact.TYPE).inc()

    def _remember(self, event_id: UUID) -> None:
        self._passed_on[event_id] = None
        if len(self._passed_on) > PASSED_ON_MAX:
            del self._passed_on[next(iter(self._passed_on))]

    async def _not_running(self, envelope: Envelope, fact: CaseFact, tx: Connection) -> None:
        async with self._statements:
            started = await store.was_started(tx, fact.application_id)
            if not started and self._may_still_start(envelope.id):
                raise CaseNotStarted
            reason: LateReason = "case_closed" if started else "never_started"
            await store.park(tx, _late(envelope, fact, reason, self._clock.now()))
        self._waiting.pop(envelope.id, None)
        _LATE.labels(reason).inc()
        log.warning(
            "fact.late", reason=reason, event_id=str(envelope.id), type=fact.TYPE, application_id=fact.application_id
        )

    def _may_still_start(self, event_id: UUID) -> bool:
        now = self._clock.now()
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.clear()
        return now - self._waiting.setdefault(event_id, now) < START_PATIENCE


def _told(envelope: Envelope, fact: CaseFact) -> SignaledFact:
    return SignaledFact(
        event_id=envelope.id,
        source=envelope.source,
        sequence=envelope.sequence,
        occurred_at=envelope.time,
        correlation_id=envelope.correlation_id,
        payload=_json(fact),
    )


def _late(envelope: Envelope, fact: CaseFact, reason: LateReason, now: datetime) -> LateFact:
    return LateFact(
        event_id=envelope.id,
        type=fact.TYPE,
        application_id=fact.application_id,
        source=envelope.source,
        sequence=envelope.sequence,
        reason=reason,
        payload=_json(fact),
        occurred_at=envelope.time,
        parked_at=now,
    )


def _json(fact: CaseFact) -> dict[str, Any]:
    return fact.model_dump(mode="json")


def _unreachable(error: RPCError) -> Exception:
    """`Unavailable` for what somebody can mend or what passes; anything else is the fact's own fault and buries it."""
    if is_bad_input(error):
        return error
    # The message may quote a value of the fact; the kind of the detail does not.
    details = [detail.TypeName().rpartition(".")[2] for detail in error.grpc_status.details]
    log.warning("journey.unreachable", status=error.status.name.lower(), details=details)
    return JourneyUnreachable(status=error.status.name.lower())
