"""The case read model: where each case stands, and its timeline."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncpg import Record

from contracts.envelope import Envelope
from kit.db import Connection
from services.applications.case import Entry

# Registers keep the highest place, sums add up and a wait began at its earliest moment, so the order of arrival does
# not matter. The entry's key makes a fact count once; the update sees the newest row even where another fact of the
# case is being followed right now.
_FOLLOW = """
WITH entered AS (
    INSERT INTO case_entry (
        application_id, source, sequence, event_id, partner_id, type, occurred_at, text, reasons, details
    )
    SELECT application_id, $2, $3, $4, partner_id, $5, $6, $7, $8::jsonb, $9::jsonb
    FROM case_view WHERE application_id = $1
    ON CONFLICT (application_id, source, sequence) DO NOTHING
    RETURNING application_id
)
UPDATE case_view AS c
SET stage = CASE WHEN $11::text IS NOT NULL AND $10::bigint > c.stage_place THEN $11 ELSE c.stage END,
    stage_place = CASE WHEN $11::text IS NOT NULL THEN greatest(c.stage_place, $10) ELSE c.stage_place END,
    lead = CASE WHEN $10 > c.lead_place THEN $12::jsonb ELSE c.lead END,
    lead_place = greatest(c.lead_place, $10),
    outcome = coalesce(c.outcome, $14::text),
    closed_at = coalesce(c.closed_at, $15::timestamptz),
    findings = CASE WHEN $17::integer > c.findings_number THEN $16::jsonb ELSE c.findings END,
    waits = CASE WHEN $17 > c.findings_number THEN $13::jsonb ELSE c.waits END,
    findings_number = greatest(c.findings_number, $17),
    began = CASE
        WHEN $22::text IS NULL THEN c.began
        ELSE c.began || jsonb_build_object($22, least((c.began ->> $22)::timestamptz, $6))
    END,
    moved = CASE WHEN $23::jsonb IS NOT NULL AND $3 > c.moved_sequence THEN $23 ELSE c.moved END,
    moved_sequence = CASE WHEN $23 IS NOT NULL THEN greatest(c.moved_sequence, $3) ELSE c.moved_sequence END,
    awarded_cents = c.awarded_cents + $18::bigint,
    payments = CASE
        WHEN $19::text IS NULL THEN c.payments
        ELSE c.payments || jsonb_build_object($19, coalesce(c.payments -> $19, '{}') || $20::jsonb)
    END,
    on_hold = CASE WHEN $21::boolean IS NOT NULL AND $3 > c.on_hold_sequence THEN $21 ELSE c.on_hold END,
    on_hold_sequence = CASE
        WHEN $21 IS NOT NULL THEN greatest(c.on_hold_sequence, $3) ELSE c.on_hold_sequence
    END,
    facts = c.facts + 1
FROM entered
WHERE c.application_id = entered.application_id
RETURNING c.application_id
"""

_IS_KNOWN = "SELECT true FROM case_view WHERE application_id = $1"

_COLUMNS = """
application_id, partner_id, program_id, round_id, provider_id, credential_id, submitted_at, stage, lead, waits,
began, moved, outcome, closed_at, findings, awarded_cents, payments, on_hold
"""

_FIND = f"SELECT {_COLUMNS} FROM case_view WHERE application_id = $1 AND partner_id = $2"

_LIST_OF_PARTNER = f"""
SELECT {_COLUMNS} FROM case_view
WHERE partner_id = $1 AND ($2::text IS NULL OR stage = $2) AND ($3::text IS NULL OR application_id > $3)
ORDER BY application_id LIMIT $4
"""

_LIST_ALL = f"""
SELECT {_COLUMNS} FROM case_view
WHERE ($1::text IS NULL OR stage = $1) AND ($2::text IS NULL OR program_id = $2)
    AND ($3::text IS NULL OR provider_id = $3) AND ($4::text IS NULL OR application_id > $4)
ORDER BY application_id LIMIT $5
"""

_COUNT_BY_STAGE = """
SELECT stage, outcome, count(*) AS cases, sum(awarded_cents)::bigint AS awarded_cents FROM case_view
WHERE $1::text IS NULL OR program_id = $1
GROUP BY stage, outcome ORDER BY stage, outcome
"""

_TIMELINE = """
SELECT source, sequence, type, occurred_at, text, reasons, details FROM case_entry
WHERE application_id = $1 ORDER BY occurred_at, source, sequence LIMIT $2
"""

ENTRIES_MAX = 1000
"""More lines than any case has; past it the timeline is cut."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """Where one case stands."""

    application_id: str
    partner_id: str
    program_id: str
    round_id: str
    provider_id: str
    credential_id: str
    submitted_at: datetime
    stage: str
    lead: dict[str, Any] | None
    waits: dict[str, Any] | None
    began: dict[str, str]
    moved: dict[str, Any] | None
    outcome: str | None
    closed_at: datetime | None
    findings: list[dict[str, Any]] | None
    awarded_cents: int
    payments: dict[str, dict[str, Any]]
    on_hold: bool


@dataclass(frozen=True, slots=True)
class StageCount:
    stage: str
    outcome: str | None
    cases: int
    awarded_cents: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    source: str
    sequence: int
    type: str
    occurred_at: datetime
    text: str
    reasons: list[dict[str, Any]]
    details: dict[str, Any]


async def follow(tx: Connection, application_id: str, envelope: Envelope, entry: Entry) -> bool:
    """Add the entry to the timeline and move the case; False where the fact was followed before or has no case."""
    followed = await tx.fetchval(
        _FOLLOW,
        application_id,
        envelope.source,
        envelope.sequence,
        envelope.id,
        envelope.type,
        envelope.time,
        entry.text,
        [reason.model_dump(mode="json", exclude_none=True) for reason in entry.reasons],
        entry.details,
        entry.place or 0,
        entry.stage,
        entry.lead.model_dump(mode="json") if entry.lead else None,
        entry.waits.model_dump(mode="json") if entry.waits else None,
        entry.outcome,
        entry.closed_at,
        [finding.model_dump(mode="json") for finding in entry.findings] if entry.findings is not None else None,
        entry.findings_number,
        entry.committed_cents,
        entry.payment_id,
        entry.payment,
        entry.on_hold,
        entry.begins,
        entry.moved.model_dump(mode="json") if entry.moved else None,
    )
    return followed is not None


async def is_known(tx: Connection, application_id: str) -> bool:
    return await tx.fetchval(_IS_KNOWN, application_id) is True


async def find(tx: Connection, application_id: str, *, partner_id: str) -> CaseRow | None:
    row = await tx.fetchrow(_FIND, application_id, partner_id)
    return CaseRow(**dict(row)) if row else None


async def list_of_partner(
    tx: Connection, partner_id: str, *, stage: str | None, after: str | None, limit: int
) -> list[CaseRow]:
    return [_case(row) for row in await tx.fetch(_LIST_OF_PARTNER, partner_id, stage, after, limit)]


async def list_all(
    tx: Connection,
    *,
    stage: str | None,
    program_id: str | None,
    provider_id: str | None,
    after: str | None,
    limit: int,
) -> list[CaseRow]:
    return [_case(row) for row in await tx.fetch(_LIST_ALL, stage, program_id, provider_id, after, limit)]


async def count_by_stage(tx: Connection, *, program_id: str | None) -> list[StageCount]:
    return [StageCount(**dict(row)) for row in await tx.fetch(_COUNT_BY_STAGE, program_id)]


async def timeline(tx: Connection, application_id: str) -> list[EntryRow]:
    """The lines of one case, in order of time; within one source its own sequence decides ties."""
    return [EntryRow(**dict(row)) for row in await tx.fetch(_TIMELINE, application_id, ENTRIES_MAX)]


def _case(row: Record) -> CaseRow:
    return CaseRow(**dict(row))
