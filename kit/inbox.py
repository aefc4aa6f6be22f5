"""Facts are handled once: the inbox row, the handler's effects and the dead letters commit together or not at all."""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import PurePath
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from pydantic import ValidationError

from contracts import events
from contracts.envelope import Envelope, Fact, UnreadableEnvelope
from contracts.errors import CairnError, Unavailable
from kit.clock import Clock
from kit.db import Connection, Database
from kit.dead_letters import REDRIVE_FOR, Poison, Record, bury
from kit.telemetry import continue_trace, logger, span

HANDLER_ATTEMPTS_MAX = 3
HANDLER_RETRY_SECONDS = 0.05
EXPLANATION_CHARS_MAX = 500
DYING_IN_A_ROW_MAX = 5
DYING_SECONDS_MAX = 600.0
"""Facts of one type that die in a row, none further from the last than this, before the consumer waits instead: what
fails for every fact is a fault of ours, and waiting loses nothing."""
CALLED_OFF_MAX = 5
CALLED_OFF_APART_SECONDS = 3600.0
"""How often a fact's statements may exceed their time before it is buried, and how far apart two such burials are: a
fact that is too much for its handler must not stop its partition for ever, and a slow database must not bury all."""
CALLED_OFF_KEPT_MAX = 1000
KEPT = timedelta(days=180)
"""How long a handled fact is known: six times as long as a topic keeps it, so that it can come again no more."""
FORGOTTEN_AT_ONCE_MAX = 10_000

_TAKE = """
INSERT INTO inbox (consumer, event_id, handled_at)
SELECT $1, e, $3 FROM unnest($2::uuid[]) AS e ORDER BY e
ON CONFLICT DO NOTHING RETURNING event_id
"""

_FORGET = """
DELETE FROM inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM inbox WHERE handled_at < $2 AND consumer = $1 LIMIT $3
))
"""

_HANDLED = Counter("cairn_consumer_handled", "Facts handled", ["consumer", "type"])
_DUPLICATES = Counter("cairn_consumer_duplicates", "Facts that had been handled before", ["consumer"])
_DEAD = Counter("cairn_consumer_dead_lettered", "Records that could not be handled", ["consumer", "reason"])

# Importing the facts fills the registry: without it every known type would look unknown.
assert events.__all__

RELEASE_UNFIT: tuple[type[Exception], ...] = (
    asyncpg.SyntaxOrAccessError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
"""What PostgreSQL says of a statement and not of a fact: a migration, a privilege or a function is missing."""

log = logger(__name__)


class ReleaseUnfit(Unavailable):
    """The consumer {consumer} waits: its release and the database do not fit together ({what})."""

    code = "release_unfit"


class HandlerBroken(Unavailable):
    """The consumer {consumer} waits: fact after fact of one type fails ({what})."""

    code = "handler_broken"


F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True)
class Received(Generic[F]):
    """A fact with the envelope it came in."""

    envelope: Envelope
    fact: F


Handler: TypeAlias = Callable[[Received[Any], Connection], Awaitable[None]]
"""Runs inside the inbox's transaction. `Unavailable` means "later"; any other exception buries the record."""


@dataclass(frozen=True, slots=True)
class _Item:
    record: Record
    received: Received[Any] | None
    poison: Poison | None


class Inbox:
    """One consumer's inbox in one schema.

    `side_by_side`: a batch's facts with different keys are handled at the same time, those with one key in order. For
    handlers that mostly wait for something outside; they must take turns with the transaction themselves.
    """

    def __init__(
        self,
        *,
        name: str,
        database: Database,
        handlers: Mapping[type[Fact], Handler],
        clock: Clock,
        side_by_side: bool = False,
    ) -> None:
        self.name = name
        self._side_by_side = side_by_side
        self._database = database
        self._handlers = dict(handlers)
        self._clock = clock
        self._dying: dict[str, tuple[int, float]] = {}
        """By type: how many facts died in a row, and when the last one did or would have."""
        self._called_off: dict[UUID, int] = {}
        self._too_slow_at = -CALLED_OFF_APART_SECONDS

    async def take(self, records: Sequence[Record]) -> None:
        """Handle, skip or bury each record. Raises `Unavailable` where something is away: take them again later."""
        items = [item for record in records if (item := self._read(record)) is not None]
        await self._settle(self._without_too_slow(items))

    async def forget(self) -> int:
        """Forget what was handled longer ago than `KEPT`, at most `FORGOTTEN_AT_ONCE_MAX` facts; how many."""
        async with self._database.connection() as connection:
            done = await connection.execute(_FORGET, self.name, self._clock.now() - KEPT, FORGOTTEN_AT_ONCE_MAX)
        return int(done.split()[-1])

    def _read(self, record: Record) -> _Item | None:
        """The record as a fact or as poison; `None` where it is not for this consumer."""
        meant_for = [value for name, value in record.headers if name == REDRIVE_FOR]
        if meant_for and meant_for[-1] != self.name.encode():
            return None
        try:
            envelope = Envelope.from_headers(record.headers)
        except UnreadableEnvelope as error:
            # What follows the colon quotes the header.
            return _Item(record, None, Poison("envelope_unreadable", _bounded(str(error).split(":", 1)[0])))
        found = partial(Poison, event_id=envelope.id, type=_bounded(envelope.type, 200))
        fact_type = Fact.registry.get(envelope.type)
        if fact_type is None:
            return _Item(record, None, found(*_unknown(envelope.type)))
        if fact_type not in self._handlers:
            return None
        if record.value is None:
            return _Item(record, None, found("value_missing", "the record has no value"))
        try:
            return _Item(record, Received(envelope, fact_type.model_validate_json(record.value)), None)
        except ValidationError as error:
            return _Item(record, None, found(*_invalid(error, fact_type)))

    async def _settle(self, items: Sequence[_Item]) -> None:
        if not items:
            return
        try:
            await self._settle_together(items)
        except Unavailable:
            raise
        except Exception as error:
            # What broke the transaction may be a record's handler or the commit itself: halve until one is left.
            if len(items) == 1:
                await self._settle_failing(items[0], error)
                return
            middle = len(items) // 2
            await self._settle(items[:middle])
            await self._settle(items[middle:])

    async def _settle_failing(self, item: _Item, error: Exception) -> None:
        """A few more attempts, then the grave: a fault of the moment must not bury a fact."""
        if item.received is None:
            raise error
        for attempt in range(1, HANDLER_ATTEMPTS_MAX):
            await asyncio.sleep(HANDLER_RETRY_SECONDS * 2**attempt)
            try:
                await self._settle_together([item])
                return
            except Unavailable:
                raise
            except Exception as again:
                error = again
        envelope = item.received.envelope
        poison = Poison("handler_failed", _failure(error), envelope.id, envelope.type)
        self._note_death(item.record, poison)
        await self._settle_together([_Item(item.record, None, poison)])

    def _note_death(self, record: Record, poison: Poison) -> None:
        """`HandlerBroken` where too many died in a row already. What was redriven is given up one by one as before."""
        if any(name == REDRIVE_FOR for name, _ in record.headers):
            return
        kind, now = poison.type or "", time.monotonic()
        count, last = self._dying.get(kind, (0, now))
        count = count if now - last < DYING_SECONDS_MAX else 0
        self._dying[kind] = (min(count + 1, DYING_IN_A_ROW_MAX), now)
        if count >= DYING_IN_A_ROW_MAX:
            log.error("inbox.handler_broken", consumer=self.name, type=kind, explanation=poison.explanation)
            raise HandlerBroken(consumer=self.name, what=kind)

    def _without_too_slow(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """The first fact whose statements were called off too often becomes poison, if the last such was long ago."""
        if not self._called_off or time.monotonic() - self._too_slow_at < CALLED_OFF_APART_SECONDS:
            return items
        for place, item in enumerate(items):
            if item.received and self._called_off.get(item.received.envelope.id, 0) >= CALLED_OFF_MAX:
                envelope = item.received.envelope
                why = f"its statements took too long {CALLED_OFF_MAX} times"
                poison = Poison("handler_too_slow", why, envelope.id, envelope.type)
                return [*items[:place], _Item(item.record, None, poison), *items[place + 1 :]]
        return items

    async def _settle_together(self, items: Sequence[_Item]) -> None:
        handled: list[Received[Any]] = []
        buried: list[_Item] = []
        try:
            async with self._database.transaction() as tx:
                fresh = await self._mark(tx, items)
                for item in items:
                    if item.poison is not None:
                        if await bury(tx, self.name, item.record, item.poison, now=self._clock.now()):
                            buried.append(item)
                    elif item.received is not None and item.received.envelope.id in fresh:
                        fresh.discard(item.received.envelope.id)
                        handled.append(item.received)
                await self._handle_all(handled, tx)
        except RELEASE_UNFIT as error:
            # The first line speaks of tables and columns; a detail might quote a row.
            log.error("inbox.release_unfit", consumer=self.name, explanation=_bounded(str(error).partition("\n")[0]))
            raise ReleaseUnfit(consumer=self.name, what=type(error).__name__) from error
        self._count(items, handled, buried)

    async def _mark(self, tx: Connection, items: Sequence[_Item]) -> set[UUID]:
        ids = [item.received.envelope.id for item in items if item.received is not None]
        if not ids:
            return set()
        return {row["event_id"] for row in await tx.fetch(_TAKE, self.name, ids, self._clock.now())}

    async def _handle_all(self, received: Sequence[Received[Any]], tx: Connection) -> None:
        if not self._side_by_side:
            await self._in_order(received, tx)
            return
        by_key: dict[str, list[Received[Any]]] = {}
        for each in received:
            by_key.setdefault(each.fact.partition_key(), []).append(each)
        # All must have ended before the transaction is left, also when one has failed.
        ends = await asyncio.gather(*(self._in_order(each, tx) for each in by_key.values()), return_exceptions=True)
        failures = [end for end in ends if end is not None]
        if failures:
            raise next((failure for failure in failures if isinstance(failure, Unavailable)), failures[0])

    async def _in_order(self, received: Sequence[Received[Any]], tx: Connection) -> None:
        for each in received:
            await self._handle(each, tx)

    async def _handle(self, received: Received[Any], tx: Connection) -> None:
        handler = self._handlers[type(received.fact)]
        envelope = received.envelope
        with (
            continue_trace(envelope.traceparent, envelope.correlation_id, str(envelope.id)),
            span(f"{self.name} {envelope.type}", "consumer", event_id=str(envelope.id), subject_id=envelope.subject),
        ):
            try:
                await handler(received, tx)
            except asyncpg.QueryCanceledError:
                if len(self._called_off) >= CALLED_OFF_KEPT_MAX:
                    self._called_off.clear()
                self._called_off[envelope.id] = self._called_off.get(envelope.id, 0) + 1
                raise

    def _count(self, items: Sequence[_Item], handled: Sequence[Received[Any]], buried: Sequence[_Item]) -> None:
        for received in handled:
            self._dying.pop(received.envelope.type, None)
            self._called_off.pop(received.envelope.id, None)
            _HANDLED.labels(self.name, received.envelope.type).inc()
        readable = sum(item.received is not None for item in items)
        _DUPLICATES.labels(self.name).inc(readable - len(handled))
        for item in buried:
            assert item.poison is not None
            if item.poison.reason == "handler_too_slow":
                self._too_slow_at = time.monotonic()
            _DEAD.labels(self.name, item.poison.reason).inc()
            log.error(
                "dead_letter.buried",
                consumer=self.name,
                topic=item.record.topic,
                partition=item.record.partition,
                offset=item.record.offset,
                reason=item.poison.reason,
                explanation=item.poison.explanation,
            )


def _unknown(fact_type: str) -> tuple[str, str]:
    stem = fact_type.rpartition(".")[0]
    if any(known.rpartition(".")[0] == stem for known in Fact.registry):
        return "version_unknown", "the type is known, but not in this version"
    return "type_unknown", "no service of this release emits such a type"


def _invalid(error: ValidationError, fact_type: type[Fact]) -> tuple[str, str]:
    """Places and kinds of the faults; never the input, and no name that the input made up."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return "not_json", "the value is not JSON in UTF-8"
    known = set(fact_type.model_fields)
    places = [
        f"{fault['loc'][0] if fault['loc'] and fault['loc'][0] in known else '(value)'}: {fault['type']}"
        for fault in faults[:10]
    ]
    return "schema_invalid", _bounded("; ".join(places))


def _failure(error: Exception) -> str:
    """The kind of the error and where it was raised; not its message, which may quote a person's data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    code = f" ({error.code})" if isinstance(error, CairnError) else ""
    return _bounded(f"{type(error).__qualname__}{code}{place}")


def _bounded(text: str, chars_max: int = EXPLANATION_CHARS_MAX) -> str:
    """As PostgreSQL takes it: no NUL, and not without end."""
    return text.replace("\x00", "")[:chars_max]
