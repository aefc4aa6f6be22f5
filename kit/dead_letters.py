"""Records that could not be handled: kept as they came, copied to the dead-letter topic, redriven or skipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from contracts.errors import Conflict, NotFound
from contracts.ids import uuid7
from contracts.topics import Topic
from kit.db import Connection
from kit.outbox import append_record, decode_headers, encode_headers

REDRIVE_FOR = "cairn-redrive-for"
"""Header that names the one consumer a redriven record is for; every other one steps over it."""

ORIGIN_HEADERS = tuple(
    f"cairn-dead-letter-{name}" for name in ("consumer", "id", "reason", "explanation", "topic", "partition", "offset")
)
"""Who buried a record, under which number, why, and where the record stood: headers beside its own."""

_COLUMNS = """
id, consumer, topic, topic_partition, topic_offset, event_id, type, reason, explanation, record_key, headers, payload,
dead_at, state
"""
_BURY = """
INSERT INTO dead_letter (consumer, topic, topic_partition, topic_offset, event_id, type, reason, explanation,
                         record_key, headers, payload, dead_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING
RETURNING id
"""
_LIST = f"SELECT {_COLUMNS} FROM dead_letter WHERE ($1::text IS NULL OR state = $1) ORDER BY id LIMIT $2"
_SHOW = f"SELECT {_COLUMNS} FROM dead_letter WHERE id = $1"
_LOCK = f"SELECT {_COLUMNS} FROM dead_letter WHERE id = $1 FOR UPDATE"
_OPEN = """
SELECT id FROM dead_letter
WHERE state = 'open' AND ($1::text IS NULL OR consumer = $1) AND ($2::text IS NULL OR reason = $2)
ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_SETTLE = "UPDATE dead_letter SET state = $2 WHERE id = $1"
_ACT = "INSERT INTO dead_letter_act (dead_letter_id, act, actor, reason, acted_at) VALUES ($1, $2, $3, $4, $5)"
_ACTS = "SELECT act, actor, reason, acted_at FROM dead_letter_act WHERE dead_letter_id = $1 ORDER BY id"

State = Literal["open", "redriven", "skipped"]


class DeadLetterSettled(Conflict):
    """Dead letter {id} is {state} already."""

    code = "dead_letter_settled"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as Kafka gave it: a header's value may be missing or any bytes, and so may key and value."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Poison:
    """Why a record cannot be handled. Neither text quotes the record: it may hold a person's data."""

    reason: str
    explanation: str
    event_id: UUID | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did about a dead letter."""

    act: Literal["redriven", "skipped"]
    actor: str
    reason: str | None
    acted_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A buried record with its reason and where it stands."""

    id: int
    consumer: str
    record: Record
    poison: Poison
    dead_at: datetime
    state: State
    acts: tuple[Act, ...] = ()


async def bury(tx: Connection, consumer: str, record: Record, poison: Poison, *, now: datetime) -> bool:
    """Keep the record and publish a copy to the dead-letter topic; `False` where this delivery is buried already.

    A delivery is known by its place and by what it holds.
    """
    found = await tx.fetchval(
        _BURY,
        consumer,
        record.topic,
        record.partition,
        record.offset,
        poison.event_id,
        poison.type,
        poison.reason,
        poison.explanation,
        record.key,
        encode_headers(record.headers),
        record.value,
        now,
    )
    if found is None:
        return False
    place = (record.topic, str(record.partition), str(record.offset))
    origin = (consumer, str(found), poison.reason, poison.explanation, *place)
    told = [(name, value.encode()) for name, value in zip(ORIGIN_HEADERS, origin, strict=True)]
    await append_record(
        tx,
        topic=Topic.DEAD_LETTERS.value,
        record_key=record.key,
        headers=[*record.headers, *told],
        value=record.value,
        event_id=uuid7(),
        kind="dead-letter",
        now=now,
    )
    return True


async def list_dead_letters(
    tx: Connection, *, state: State | None = "open", letters_max: int = 1000
) -> list[DeadLetter]:
    """The dead letters of this schema's consumers, the oldest first; `state=None` for all of them."""
    return [_dead_letter(row) for row in await tx.fetch(_LIST, state, letters_max)]


async def show(tx: Connection, letter_id: int) -> DeadLetter:
    """One dead letter with everything that was done about it."""
    row = await tx.fetchrow(_SHOW, letter_id)
    if row is None:
        raise NotFound(kind="dead letter")
    return _dead_letter(row, [Act(**dict(act)) for act in await tx.fetch(_ACTS, letter_id)])


async def redrive(tx: Connection, letter_id: int, actor: str, now: datetime) -> DeadLetter:
    """Publish the original bytes to the original topic, for the consumer that buried them and no other."""
    letter = await _settle(tx, letter_id, "redriven", actor, None, now)
    headers = [pair for pair in letter.record.headers if pair[0] != REDRIVE_FOR]
    await append_record(
        tx,
        topic=letter.record.topic,
        record_key=letter.record.key,
        headers=[*headers, (REDRIVE_FOR, letter.consumer.encode())],
        value=letter.record.value,
        event_id=uuid7(),
        kind="redrive",
        now=now,
    )
    return letter


async def redrive_all(
    tx: Connection, *, consumer: str | None, reason: str | None, letters_max: int, actor: str, now: datetime
) -> list[DeadLetter]:
    """Redrive what is open, the oldest first: of one consumer, of one reason, or of all; at most `letters_max`."""
    found = await tx.fetch(_OPEN, consumer, reason, letters_max)
    return [await redrive(tx, row["id"], actor, now) for row in found]


async def skip(tx: Connection, letter_id: int, actor: str, reason: str, now: datetime) -> DeadLetter:
    """Give the record up, for a reason that is kept."""
    if not reason.strip():
        raise ValueError("a dead letter is skipped for a reason")
    return await _settle(tx, letter_id, "skipped", actor, reason, now)


async def _settle(
    tx: Connection,
    letter_id: int,
    act: Literal["redriven", "skipped"],
    actor: str,
    reason: str | None,
    now: datetime,
) -> DeadLetter:
    row = await tx.fetchrow(_LOCK, letter_id)
    if row is None:
        raise NotFound(kind="dead letter")
    if row["state"] != "open":
        raise DeadLetterSettled(id=letter_id, state=row["state"])
    await tx.execute(_SETTLE, letter_id, act)
    await tx.execute(_ACT, letter_id, act, actor, reason, now)
    return await show(tx, letter_id)


def _dead_letter(row: Any, acts: Sequence[Act] = ()) -> DeadLetter:
    record = Record(
        topic=row["topic"],
        partition=row["topic_partition"],
        offset=row["topic_offset"],
        key=row["record_key"],
        value=row["payload"],
        headers=decode_headers(row["headers"]),
    )
    poison = Poison(row["reason"], row["explanation"], row["event_id"], row["type"])
    return DeadLetter(row["id"], row["consumer"], record, poison, row["dead_at"], row["state"], tuple(acts))
