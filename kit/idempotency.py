"""One effect and one answer per Idempotency-Key: the answer is kept in the transaction that has the effect.

A refusal is an answer: it is kept once its transaction is rolled back, and a retry never turns a no into a yes. Only
what says nothing about the request (`FORGOTTEN`) and what passes (`Unavailable`) leaves the key free.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from contracts.errors import CairnError, Conflict, NotFound, Refused
from kit.db import Connection, Database
from kit.paging import PreconditionFailed
from kit.problems import body_of, status_of
from kit.telemetry import current_trace

KEY_FORM = r"^[\x21-\x7e]{1,128}$"
_KEY = re.compile(KEY_FORM)
_UNREAD = object()
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

CLAIM = """
INSERT INTO idempotency (principal, key_digest, fingerprint) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING true
"""
"""Returns a row for the first request of this key alone; takes `Once.claim`. A larger statement may begin with it."""
_EARLIER = "SELECT fingerprint, status, body FROM idempotency WHERE principal = $1 AND key_digest = $2"
KEEP = """
UPDATE idempotency SET status = $3, body = $4, created_at = $5
WHERE principal = $1 AND key_digest = $2 AND status IS NULL RETURNING true
"""
"""Returns a row where there was a claim to answer. A larger statement may end with it."""


def answered_first(of: str) -> str:
    """A part of a WITH, `answered`, that keeps the answers of requests whose keys nobody used: the rows of part `of`.

    Those have the columns principal, key_digest, fingerprint, status, body and at. A key that is there ends it all.
    """
    return f"""answered AS (
    INSERT INTO idempotency (principal, key_digest, fingerprint, status, body, created_at)
    SELECT principal, key_digest, fingerprint, status, body, at FROM {of} ORDER BY principal, key_digest
    RETURNING true
)"""


class IdempotencyKeyMissing(Refused):
    """The request needs an Idempotency-Key header of 1 to 128 visible ASCII characters."""

    code = "idempotency_key_missing"
    status = 400


class IdempotencyKeyReused(Refused):
    """This Idempotency-Key was used before with another request."""

    code = "idempotency_key_reused"


class RequestStillRunning(Conflict):
    """An earlier request with this Idempotency-Key is still running; ask again shortly."""

    code = "request_still_running"


@dataclass(frozen=True, slots=True)
class Once:
    """One request of one caller that must have one effect. The key itself is kept nowhere."""

    principal: str
    key: str
    fingerprint: bytes

    @property
    def key_digest(self) -> bytes:
        return hashlib.sha256(self.key.encode()).digest()

    @property
    def claim(self) -> tuple[str, bytes, bytes]:
        return self.principal, self.key_digest, self.fingerprint


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: HTTP status and body."""

    status: int
    body: bytes


FORGOTTEN = (IdempotencyKeyReused, RequestStillRunning, PreconditionFailed, NotFound)
"""Refusals that say nothing about the request itself: the same key may be tried again."""

Attempt = Callable[[Connection], Awaitable[Answer]]


def as_it_is(answer: Answer) -> Answer:
    return answer


def refusal_of(error: CairnError) -> Answer:
    """A refusal to keep and give: what was refused once stays refused for this key."""
    return Answer(status_of(error), body_of(error, request_id=current_trace().correlation_id or "none"))


async def answer_once(
    once: Once,
    act: Attempt,
    *,
    db: Database,
    now: datetime,
    local: Mapping[str, str] | None = None,
    seal: Callable[[Answer], Answer] = as_it_is,
    unseal: Callable[[Answer], Answer] = as_it_is,
) -> Answer:
    """The earlier answer to this key; or act, and keep the answer in the same transaction, a refusal after it.

    `seal` and `unseal` turn an answer into what is kept and back.
    """

    async def attempt(tx: Connection) -> Answer:
        earlier = await earlier_answer(tx, once)
        if earlier is not None:
            return unseal(earlier)
        answer = await act(tx)
        await keep_answer(tx, once, seal(answer), now=now)
        return answer

    return await attempt_once(once, attempt, db=db, now=now, local=local, seal=seal, unseal=unseal)


async def attempt_once(
    once: Once,
    attempt: Attempt,
    *,
    db: Database,
    now: datetime,
    local: Mapping[str, str] | None = None,
    seal: Callable[[Answer], Answer] = as_it_is,
    unseal: Callable[[Answer], Answer] = as_it_is,
) -> Answer:
    """As `answer_once`, for an attempt that claims the key and keeps its answer by itself."""
    try:
        async with db.transaction(local=local) as tx:
            return await attempt(tx)
    except FORGOTTEN:
        raise
    except (Refused, Conflict) as refusal:
        answer = refusal_of(refusal)
    async with db.transaction() as tx:
        # A twin may have been answered since the roll-back: then its answer is the answer.
        earlier = await earlier_answer(tx, once)
        if earlier is not None:
            return unseal(earlier)
        await keep_answer(tx, once, seal(answer), now=now)
        return answer


def once_of(*, principal: str, key: str | None, method: str, path: str, body: bytes, value: object = _UNREAD) -> Once:
    """The request as its key sees it: method, path and JSON value count; spacing and order of members do not.

    `value` spares reading a body once more whose JSON has been read.
    """
    if key is None or _KEY.fullmatch(key) is None:
        raise IdempotencyKeyMissing(pointer="/Idempotency-Key")
    # Keyed by the key: a body holds guessable personal values, and the database must not confirm a guess.
    fingerprint = hmac.digest(
        key.encode(), b"\n".join((method.encode(), path.encode(), _canonical(body, value))), "sha256"
    )
    return Once(principal=principal, key=key, fingerprint=fingerprint)


async def earlier_answer(tx: Connection, once: Once) -> Answer | None:
    """The answer this request already got, or None for the first: the first statement of its transaction.

    A twin that runs at the same time is waited for. `IdempotencyKeyReused` when the key belongs to another request,
    `RequestStillRunning` when the twin takes longer than the lock timeout.
    """
    with twin_awaited():
        if await tx.fetchval(CLAIM, *once.claim):
            return None
    return await answer_of_twin(tx, once)


@contextmanager
def twin_awaited() -> Generator[None, None, None]:
    """Around a statement that makes the claim: a wait for a twin that takes too long is `RequestStillRunning`."""
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        # A larger statement may have waited for something else.
        if '"idempotency' in (error.context or ""):
            raise RequestStillRunning from None
        raise


async def answer_of_twin(tx: Connection, once: Once) -> Answer:
    """What the request that claimed the key before was answered, as `earlier_answer` says."""
    row = await tx.fetchrow(_EARLIER, once.principal, once.key_digest)
    if row is None:
        # Between the two statements nobody deletes a row: only a twin that is rolled back now is not there.
        raise RequestStillRunning
    if not hmac.compare_digest(row["fingerprint"], once.fingerprint):
        raise IdempotencyKeyReused(pointer="/Idempotency-Key")
    if row["status"] is None:
        raise RequestStillRunning
    return Answer(row["status"], row["body"])


async def keep_answer(tx: Connection, once: Once, answer: Answer, *, now: datetime) -> None:
    """Keep the answer beside its effect; call it once, after `earlier_answer` gave None in the same transaction."""
    if not await tx.fetchval(KEEP, once.principal, once.key_digest, answer.status, answer.body, now):
        raise ValueError("there is no unanswered request to keep this answer for")


def _canonical(body: bytes, value: object) -> bytes:
    try:
        return _encode(json.loads(body) if value is _UNREAD else value).encode()
    except (ValueError, RecursionError):
        return body
