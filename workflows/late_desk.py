"""Facts that came when their case could not take them: staff list them, and hand one over again once it can."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from temporalio.service import RPCError

from contracts.errors import Conflict, NotFound, Refused
from contracts.ids import ApplicationId
from contracts.journey import SignaledFact, workflow_id
from contracts.texts import Actor
from kit.db import Database
from kit.settings import ProcessSettings
from kit.temporal import TemporalUnavailable, connect
from workflows import store
from workflows.desk import ActInvalid
from workflows.faults import case_is_over
from workflows.store import LateFact

TAKEN_WITHIN = timedelta(seconds=30)
_ACTOR: TypeAdapter[str] = TypeAdapter(Actor)


class CaseTakesNoFacts(Refused):
    """No journey of case {application_id} runs: the fact stays parked."""

    code = "case_takes_no_facts"
    status = 409


class LateFactRedelivered(Conflict):
    """The fact was handed over again by {actor} at {at}."""

    code = "late_fact_redelivered"


async def late_facts(settings: ProcessSettings, application_id: str | None = None) -> list[dict[str, Any]]:
    """The facts that no journey could take any more, newest first, without their payloads."""
    async with _database(settings, "cairn case late") as database, database.connection() as connection:
        found = await store.late_facts(connection, application_id)
    return [_row(late) for late in found]


async def redeliver(settings: ProcessSettings, event_id: str, actor: str) -> dict[str, Any]:
    """Hand one late fact to its case again; the fact, with who did it and when.

    Asked twice it is `LateFactRedelivered`; the journey drops an event id that it knows, so a fact counts once even
    where the row of a first attempt was lost. `CaseTakesNoFacts` while no journey of the case runs: nothing changes.
    """
    try:
        wanted, who = UUID(event_id), _ACTOR.validate_python(actor)
    except ValidationError as error:
        raise ActInvalid(why="actor: not a staff member's login name") from error
    except ValueError as error:
        raise NotFound(kind="late fact") from error
    client = await connect(settings)
    async with _database(settings, "cairn case redeliver") as database, database.transaction() as tx:
        late = await store.lock_late_fact(tx, wanted)
        if late is None:
            raise NotFound(kind="late fact")
        if late.redelivered_at is not None:
            raise LateFactRedelivered(actor=late.redelivered_by, at=late.redelivered_at.isoformat())
        handle = client.get_workflow_handle(workflow_id(ApplicationId.parse(late.application_id)))
        try:
            await handle.signal(late.type, _told(late), rpc_timeout=TAKEN_WITHIN)
        except RPCError as error:
            if case_is_over(error):
                raise CaseTakesNoFacts(application_id=late.application_id) from error
            raise TemporalUnavailable from error
        return _row(await store.mark_redelivered(tx, wanted, who, datetime.now(UTC)))


@asynccontextmanager
async def _database(settings: ProcessSettings, name: str) -> AsyncGenerator[Database]:
    database = await Database.connect(
        settings.dsn("cairn_workflows"), schema="workflows", application_name=name, connections_max=1
    )
    try:
        yield database
    finally:
        await database.close()


def _told(late: LateFact) -> SignaledFact:
    return SignaledFact(
        event_id=late.event_id,
        source=late.source,
        sequence=late.sequence,
        occurred_at=late.occurred_at,
        correlation_id=str(late.event_id),
        payload=late.payload,
    )


def _row(late: LateFact) -> dict[str, Any]:
    return {
        "event_id": str(late.event_id),
        "type": late.type,
        "application_id": late.application_id,
        "reason": late.reason,
        "occurred_at": late.occurred_at.isoformat(),
        "parked_at": late.parked_at.isoformat(),
        "redelivered_at": None if late.redelivered_at is None else late.redelivered_at.isoformat(),
        "redelivered_by": late.redelivered_by,
    }
