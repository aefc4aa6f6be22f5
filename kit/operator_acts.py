"""What operators did by hand, kept beside what it changed: who, when, to what and why. Rows are only ever added."""

from dataclasses import dataclass
from datetime import datetime

from contracts.errors import Refused
from kit.db import Connection

ACTOR_CHARS_MAX, REASON_CHARS_MAX = 100, 1000

_KEEP = "INSERT INTO operator_act (act, subject, actor, reason, acted_at) VALUES ($1, $2, $3, $4, $5)"


class ActUnexplained(Refused):
    """An act needs an actor of 1 to {actor_chars_max} characters and a reason of 1 to {reason_chars_max}."""

    code = "act_unexplained"


@dataclass(frozen=True)
class By:
    """Who acts by hand, when and why."""

    actor: str
    reason: str
    at: datetime


async def keep_act(tx: Connection, act: str, subject: str, by: By) -> None:
    """Record the act in the transaction of its effect; `ActUnexplained` where nobody or no reason is named."""
    actor, reason = by.actor.strip(), by.reason.strip()
    if not 0 < len(actor) <= ACTOR_CHARS_MAX or not 0 < len(reason) <= REASON_CHARS_MAX:
        raise ActUnexplained(actor_chars_max=ACTOR_CHARS_MAX, reason_chars_max=REASON_CHARS_MAX)
    await tx.execute(_KEEP, act, subject, actor, reason, by.at)
