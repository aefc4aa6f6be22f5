"""Who a transaction acts for, and one effect with one answer per Idempotency-Key."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from kit import idempotency
from kit.db import Connection, Database
from kit.http import answer_of
from kit.idempotency import Answer, Once
from services.applications.domain import Application

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
    """The earlier answer to this key; or have the effect, and keep its answer, or the refusal."""

    async def act(tx: Connection) -> Answer:
        return answer_of(await effect(tx), status)

    return await idempotency.answer_once(call.once, act, db=db, now=call.now, local=local)


async def attempt_once(
    call: Call, attempt: Callable[[Connection], Awaitable[Answer]], *, db: Database, local: dict[str, str]
) -> Answer:
    """Make an attempt that claims the key and keeps its answer by itself."""
    return await idempotency.attempt_once(call.once, attempt, db=db, now=call.now, local=local)
