"""What a run that does not end is waiting for: open cases, their histories, and whatever did not get through."""

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from cairn.stack.engines import settings_fields
from contracts.journey import workflow_id
from kit.settings import ProcessSettings

CASES_MAX = 5
EVENTS_SHOWN = 14
SCHEMAS = ("applications", "eligibility", "payments", "notifications", "workflows")
OPEN = "SELECT application_id, stage, lead, on_hold FROM applications.case_view WHERE outcome IS NULL LIMIT $1"
ENTRIES = """
SELECT type, occurred_at, text FROM applications.case_entry WHERE application_id = $1 ORDER BY occurred_at DESC LIMIT 6
"""
LATE = "SELECT type, application_id, reason, parked_at FROM workflows.late_fact ORDER BY parked_at LIMIT 20"
DEAD = "SELECT consumer, type, reason, explanation FROM {}.dead_letter WHERE state = 'open' LIMIT 5"
WAITING = "SELECT count(*) AS rows, min(created_at) AS oldest, array_agg(DISTINCT type) AS types FROM {}.outbox"


def post_mortem(variables: Mapping[str, str]) -> str:
    """A page for a failing test's message; what cannot be read is told as an error in its place."""
    try:
        return "\n".join(asyncio.run(_lines(ProcessSettings.model_validate(settings_fields(variables)))))
    except Exception as error:
        return f"no post mortem: {error!r}"


async def _lines(settings: ProcessSettings) -> list[str]:
    connection = await asyncpg.connect(settings.dsn("cairn_owner"))
    try:
        lines = [f"late: {dict(row)}" for row in await connection.fetch(LATE)]
        for schema in SCHEMAS:
            lines += [f"dead in {schema}: {dict(row)}" for row in await connection.fetch(DEAD.format(schema))]
            outbox = await connection.fetchrow(WAITING.format(schema))
            if outbox is not None and outbox["rows"]:
                lines.append(f"outbox of {schema}: {dict(outbox)}")
        for case in await connection.fetch(OPEN, CASES_MAX):
            lines.append(f"open: {dict(case)}")
            lines += [f"  entry: {dict(row)}" for row in await connection.fetch(ENTRIES, case["application_id"])]
            lines += await _history(settings, case["application_id"])
    finally:
        await connection.close()
    return lines


async def _history(settings: ProcessSettings, application_id: str) -> list[str]:
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    handle = client.get_workflow_handle(workflow_id(application_id))
    raw: Any = (await handle.describe()).raw_description
    pending = [
        f"  pending: {each.activity_type.name} {each.state} attempt {each.attempt} {each.last_failure.message[:200]}"
        for each in raw.pending_activities
    ]
    if raw.HasField("pending_workflow_task"):
        pending.append(f"  pending workflow task, attempt {raw.pending_workflow_task.attempt}")
    events = [event async for event in handle.fetch_history_events()]
    shown = [
        f"  event {each.event_id} {each.event_time.ToDatetime():%H:%M:%S.%f} {EventType.Name(each.event_type)}"
        for each in events[-EVENTS_SHOWN:]
    ]
    return pending + shown
