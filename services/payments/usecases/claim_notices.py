"""The notice of a returned claim's defects: kept when it went, called for when it did not.

A provider is told within fifteen days (ORC 126.30, OAC 126-3-01) by its webhook, by a letter to the contact that the
program lists, or by people on paper.
"""

from datetime import date, datetime, timedelta

from contracts.errors import Conflict, NotFound, Refused
from contracts.events.notifications import ClaimDefectsNotified
from contracts.steps.payments import ClaimStatus
from kit.db import Connection, Database
from services.payments.claims.prompt_pay import day_in, end_of
from services.payments.domain import person
from services.payments.store import claim_notices as store
from services.payments.store import claim_rules
from services.payments.store import claims as claim_store
from services.payments.store.claims import Claim
from services.payments.usecases.screening import alert

CLAIM_UNTOLD = "claim_untold"
UNTOLD_AFTER = timedelta(days=1)
CALLS_PER_SWEEP_MAX = 200


class ClaimNotReturned(Conflict):
    """The claim was not returned: there is no defect to tell."""

    code = "claim_not_returned"


class NoticeDayImpossible(Refused):
    """A notice goes on the day on which the claim was returned, or later, and not in the future."""

    code = "notice_day_impossible"


async def follow_notification(fact: ClaimDefectsNotified, tx: Connection) -> None:
    """Keep when the provider was told by the machine."""
    await store.told(tx, fact.claim_id, fact.notified_at, fact.way)


async def record_notice(claim_id: str, *, told_on: date, document: str, by: str, db: Database, now: datetime) -> Claim:
    """Keep a notice that people sent on paper; an earlier one stays the notice that counts.

    Raises `NotFound`, `ClaimNotReturned`, `NoticeDayImpossible`.
    """
    async with db.transaction() as tx:
        claim = await claim_store.claim(tx, claim_id)
        if claim is None:
            raise NotFound(kind="claim")
        if claim.status is not ClaimStatus.RETURNED:
            raise ClaimNotReturned
        zone = (await claim_rules.rules_of(tx, claim.program_id or "")).time_zone
        if not day_in(zone, claim.decided_at) <= told_on <= day_in(zone, now):
            raise NoticeDayImpossible
        told_at = min(end_of(told_on, zone), now)
        await store.told(tx, claim_id, told_at, "document", document=document, by=person(by))
        found = await claim_store.claim(tx, claim_id)
    assert found is not None
    return found


async def call_for_untold(*, db: Database, now: datetime) -> int:
    """Call finance staff where a returned claim's provider was not told within a day; returns how many."""
    async with db.transaction() as tx:
        untold = await store.call(tx, now - UNTOLD_AFTER, CALLS_PER_SWEEP_MAX, now=now)
        for one in untold:
            explanation = (
                f"claim {one.claim_id} was returned and nothing told the provider: write to it by"
                f" {one.notice_due_at:%Y-%m-%d %H:%M} UTC, then `cairn claims notified {one.claim_id}`;"
                " after that day the claim that mends it is due thirty days after this one came"
            )
            await alert(tx, CLAIM_UNTOLD, explanation, provider_id=one.provider_id, key=one.claim_id, now=now)
    return len(untold)
