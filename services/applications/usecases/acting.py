"""Who a transaction acts for, and one effect with one answer per Idempotency-Key."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from contracts.errors import CairnError, Conflict, NotFound, Refused
from kit.db import Connection, Database
from kit.http import answer_of, refusal_of
from kit.idempotency import (
    Answer,
    IdempotencyKeyReused,
    Once,
    RequestStillRunning,
    earlier_answer,
    keep_answer,
)
from kit.paging import PreconditionFailed
from services.applications.domain import Application

_FORGOTTEN = (IdempotencyKeyReused, RequestStillRunning, PreconditionFailed, NotFound)
"""Refusals that say nothing about the request itself: the same key may be tried again."""

AS_STAFF = {"cairn.actor": "staff"}


def service_dsn(dsn: str) -> str:
    """A DSN whose every connection acts for the service itself: for its steps and consumers, never for a door."""
    return f"{dsn}{'&' if '?' in dsn else '?'}cairn.actor=service"


def as_partner(partner_id: str) -> dict[str, str]:
    return {"cairn.partner_id": partner_id}


def as_intake(applications: Sequence[Application]) -> dict[str, str]:
    """May insert these applications, each for its own partner, and see nothing."""
    return {"cairn.intake": "".join(f"{a.application_id} {a.partner_id}," for a in applications)}


def as_provider(provider_id: str) -> dict[str, str]:
    return {"cairn.provider_id": provider_id}


def as_issuer(issuer_id: str) -> dict[str, str]:
    return {"cairn.issuer_id": issuer_id}


def as_verifier(verification_token: str) -> dict[str, str]:
    return {"cairn.verification_token": verification_token}


@dataclass(frozen=True, slots=True)
class Call:
    """One write request of one caller: its id (a partner, provider or issuer), its key for once-only, the moment."""

    caller_id: str
    once: Once
    now: datetime


async def answer_once(
    call: Call,
    effect: Callable[[Connection], Awaitable[BaseModel]],
    *,
    status: int,
    db: Database,
    local: dict[str, str],
) -> Answer:
    """The earlier answer to this key; or have the effect, and keep its answer in the same transaction."""

    async def attempt(tx: Connection) -> Answer:
        earlier = await earlier_answer(tx, call.once)
        if earlier is not None:
            return earlier
        answer = answer_of(await effect(tx), status)
        await keep_answer(tx, call.once, answer, now=call.now)
        return answer

    return await attempt_once(call, attempt, db=db, local=local)


async def attempt_once(
    call: Call, attempt: Callable[[Connection], Awaitable[Answer]], *, db: Database, local: dict[str, str]
) -> Answer:
    """Make an attempt that claims the key and keeps its answer by itself.

    A refusal is kept too, once its transaction is rolled back: a retry never turns a no into a yes.
    """
    try:
        async with db.transaction(local=local) as tx:
            return await attempt(tx)
    except _FORGOTTEN:
        raise
    except (Refused, Conflict) as refusal:
        return await _keep_refusal(call, refusal, db=db)


async def _keep_refusal(call: Call, refusal: CairnError, *, db: Database) -> Answer:
    async with db.transaction() as tx:
        # A twin may have been answered since the roll-back: then its answer is the answer.
        earlier = await earlier_answer(tx, call.once)
        if earlier is not None:
            return earlier
        answer = refusal_of(refusal)
        await keep_answer(tx, call.once, answer, now=call.now)
        return answer
