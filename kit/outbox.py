"""Facts leave in the transaction that made them true: rows here, published by the relay afterwards."""

import json
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zlib import crc32

from contracts.envelope import FACT_BYTES_MAX, Envelope, Fact, schema_uri, source_of
from contracts.errors import Refused
from contracts.ids import uuid7
from contracts.topics import topic_of
from kit.db import Connection
from kit.telemetry import TraceContext, current_trace

SHARDS = 8
"""Fixed for the life of a schema: another number would let two relays publish one key out of order."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

RawHeaders = Sequence[tuple[str, bytes | None]]

# The row of outbox_sequence stays locked until commit, so facts of one key get ids in the order they become visible.
# Keys are locked in one order, or two writers of the same two keys would deadlock.
_APPEND = """
WITH given AS (
    SELECT * FROM unnest($2::smallint[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::bytea[])
        WITH ORDINALITY AS g(shard, key, topic, event_id, type, headers, payload, position)
), counted AS (
    SELECT key, count(*) AS facts FROM given GROUP BY key ORDER BY key
), reached AS (
    INSERT INTO outbox_sequence AS s (source, key, last) SELECT $1, key, facts FROM counted ORDER BY key
    ON CONFLICT (source, key) DO UPDATE SET last = s.last + excluded.last
    RETURNING s.key, s.last
), numbered AS (
    SELECT g.*, r.last - c.facts + row_number() OVER (PARTITION BY g.key ORDER BY g.position) AS sequence
    FROM given AS g JOIN counted AS c ON c.key = g.key JOIN reached AS r ON r.key = g.key
)
INSERT INTO outbox (shard, key, topic, event_id, type, sequence, record_key, headers, payload, created_at)
SELECT shard, key, topic, event_id, type, sequence, convert_to(key, 'UTF8'), headers, payload, $9
FROM numbered ORDER BY position
RETURNING event_id, sequence
"""


def append_one(of: str) -> str:
    """Two parts of a WITH that append one fact if there is a row in its part `of`; takes `Draft.values`."""
    return f"""numbered AS (
    INSERT INTO outbox_sequence AS s (source, key, last) SELECT $1::text, $2::text, 1 FROM {of}
    ON CONFLICT (source, key) DO UPDATE SET last = s.last + 1
    RETURNING last
), appended AS (
    INSERT INTO outbox (shard, key, topic, event_id, type, sequence, record_key, headers, payload, created_at)
    SELECT $3::smallint, $2, $4, $5::uuid, $6, last, convert_to($2, 'UTF8'), $7, $8::bytea, $9::timestamptz
    FROM numbered RETURNING sequence
)"""


def append_first(of: str) -> str:
    """Two parts of a WITH that append the first fact of many keys: the rows of part `of`, one a key.

    Those have the columns source, key, shard, topic, event_id, type, headers, payload, created_at and position (their
    order). A key that has facts already ends it all.
    """
    return f"""numbered AS (
    INSERT INTO outbox_sequence (source, key, last) SELECT source, key, 1 FROM {of} ORDER BY source, key
), appended AS (
    INSERT INTO outbox (shard, key, topic, event_id, type, sequence, record_key, headers, payload, created_at)
    SELECT shard, key, topic, event_id, type, 1, convert_to(key, 'UTF8'), headers, payload, created_at
    FROM {of} ORDER BY position
)"""


_APPEND_ONE = f"WITH always AS (SELECT), {append_one('always')} SELECT sequence FROM appended"

_APPEND_RECORD = """
INSERT INTO outbox (shard, key, topic, event_id, type, record_key, headers, payload, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


class FactTooLarge(Refused):
    """A fact of type {type} takes {bytes} bytes; the most is {bytes_max}."""

    code = "fact_too_large"


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact that is about to be appended: its envelope but for the sequence, and the values of its row."""

    envelope: Envelope
    values: tuple[Any, ...]


async def append(tx: Connection, fact: Fact, *, now: datetime) -> Envelope:
    """Record that `fact` happened, in the caller's transaction."""
    drafted = draft(fact, now=now)
    sequence: int = await tx.fetchval(_APPEND_ONE, *drafted.values)
    return drafted.envelope.model_copy(update={"sequence": sequence})


def draft(fact: Fact, *, now: datetime) -> Draft:
    """`fact` as `append_one` takes it; the trace is the caller's."""
    envelope = _envelope(fact, now, current_trace())
    key = envelope.subject
    values = (
        envelope.source,
        key,
        shard_of(key),
        topic_of(envelope.type).value,
        envelope.id,
        envelope.type,
        encode_headers(_without_sequence(envelope)),
        _payload(fact),
        now,
    )
    return Draft(envelope, values)


async def append_all(
    tx: Connection, facts: Sequence[Fact], *, now: datetime, traces: Sequence[TraceContext] | None = None
) -> list[Envelope]:
    """Record facts of one service, in this order and in one statement; the trace is the caller's, or each its own."""
    if not facts:
        return []
    sources = {source_of(fact.TYPE) for fact in facts}
    if len(sources) != 1:
        raise ValueError(f"facts of several owners in one outbox: {sorted(sources)}")
    source = sources.pop()
    if traces is None:
        traces = [current_trace()] * len(facts)
    drafts: dict[UUID, Envelope] = {}
    payloads: list[bytes] = []
    for fact, trace in zip(facts, traces, strict=True):
        payloads.append(_payload(fact))
        envelope = _envelope(fact, now, trace)
        drafts[envelope.id] = envelope
    keys = [envelope.subject for envelope in drafts.values()]
    rows = await tx.fetch(
        _APPEND,
        source,
        [shard_of(key) for key in keys],
        keys,
        [topic_of(envelope.type).value for envelope in drafts.values()],
        list(drafts),
        [envelope.type for envelope in drafts.values()],
        [encode_headers(_without_sequence(envelope)) for envelope in drafts.values()],
        payloads,
        now,
    )
    sequences: dict[UUID, int] = {row["event_id"]: row["sequence"] for row in rows}
    return [draft.model_copy(update={"sequence": sequences[event_id]}) for event_id, draft in drafts.items()]


async def append_record(
    tx: Connection,
    *,
    topic: str,
    record_key: bytes | None,
    headers: RawHeaders,
    value: bytes | None,
    event_id: UUID,
    kind: str,
    now: datetime,
) -> None:
    """Publish a record byte for byte (a dead letter, a redriven one): nothing is numbered and nothing is parsed."""
    key = "" if record_key is None else record_key.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    await tx.execute(
        _APPEND_RECORD, shard_of(key), key, topic, event_id, kind, record_key, encode_headers(headers), value, now
    )


def shard_of(key: str) -> int:
    """The shard of a key: stable across processes and releases."""
    return crc32(key.encode()) % SHARDS


def encode_headers(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """Headers as JSON `[[name, base64 or null], …]`: a value may be any bytes, or none."""
    return _encode(
        [[name, None if value is None else b2a_base64(value, newline=False).decode()] for name, value in headers]
    )


def decode_headers(text: str) -> list[tuple[str, bytes | None]]:
    """What `encode_headers` wrote."""
    pairs: list[list[Any]] = json.loads(text)
    return [(name, None if value is None else b64decode(value)) for name, value in pairs]


def _envelope(fact: Fact, now: datetime, trace: TraceContext) -> Envelope:
    event_id = uuid7()
    return Envelope(
        id=event_id,
        type=fact.TYPE,
        source=source_of(fact.TYPE),
        time=now.astimezone(UTC),
        subject=fact.partition_key(),
        dataschema=schema_uri(fact.TYPE),
        sequence=0,
        traceparent=trace.traceparent,
        correlation_id=trace.correlation_id or str(event_id),
        causation_id=trace.causation_id,
    )


def _payload(fact: Fact) -> bytes:
    payload = fact.model_dump_json(by_alias=True).encode()
    if len(payload) > FACT_BYTES_MAX:
        # Refused here, where the caller can still do something, and not when the broker refuses it.
        raise FactTooLarge(type=fact.TYPE, bytes=len(payload), bytes_max=FACT_BYTES_MAX)
    return payload


def _without_sequence(envelope: Envelope) -> RawHeaders:
    return [pair for pair in envelope.to_headers() if pair[0] != "ce_sequence"]
