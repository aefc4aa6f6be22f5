"""Turn facts into webhook messages and notices, inside the transaction that takes the fact in."""

from datetime import datetime
from uuid import UUID

from contracts.envelope import CaseFact, Fact
from contracts.events.eligibility import ProgramPublished
from contracts.ids import ApplicationId, NoticeId, WebhookMessageId
from kit.db import Connection
from kit.telemetry import current_trace
from services.notifications.domain import CaseFile, Listing, Missing, learn
from services.notifications.messages import Links, WebhookDraft, body_of, webhook_for
from services.notifications.notices import NoticeDraft, notice_for
from services.notifications.store import cases, deliveries, endpoints
from services.notifications.store import notices as notice_store


async def tell(
    fact: CaseFact, *, event_id: UUID, occurred_at: datetime, tx: Connection, links: Links, now: datetime
) -> None:
    """Tell the case's person and college what this fact means for them, now or once the missing piece is known."""
    before = await cases.lock_case(tx, fact.application_id)
    case = learn(before, fact)
    if case != before:
        await cases.save_case(tx, case)
    listing = await cases.listing_of(tx, case)
    this = cases.WaitingFact(event_id, fact.TYPE, fact.model_dump(mode="json"), occurred_at, current_trace())
    missing = await _tell_one(fact, this, case, listing, tx=tx, links=links, now=now)
    if missing is not None:
        await cases.park_fact(tx, case.application_id, this, missing)
    # What waited for this fact can only have been caused by it, so it is told after it.
    if case != before:
        await _tell_parked(case, listing, tx=tx, links=links, now=now)


async def publish_program(fact: ProgramPublished, *, tx: Connection, links: Links, now: datetime) -> None:
    """Copy a program's names, and tell what waited for them."""
    if not await cases.list_program(tx, fact):
        return
    for application_id in await cases.cases_waiting_for_program(tx, fact.program_id):
        await _tell_waiting_case(application_id, tx=tx, links=links, now=now)


async def _tell_waiting_case(application_id: ApplicationId, *, tx: Connection, links: Links, now: datetime) -> None:
    case = await cases.lock_case(tx, application_id)
    await _tell_parked(case, await cases.listing_of(tx, case), tx=tx, links=links, now=now)


async def _tell_parked(case: CaseFile, listing: Listing | None, *, tx: Connection, links: Links, now: datetime) -> None:
    for parked in await cases.parked_facts(tx, case.application_id):
        fact = Fact.registry[parked.type].model_validate(parked.payload)
        assert isinstance(fact, CaseFact)
        missing = await _tell_one(fact, parked, case, listing, tx=tx, links=links, now=now)
        if missing is None:
            await cases.unpark_fact(tx, parked.event_id)
        else:
            await cases.park_fact(tx, case.application_id, parked, missing)


async def _tell_one(
    fact: CaseFact,
    came: cases.WaitingFact,
    case: CaseFile,
    listing: Listing | None,
    *,
    tx: Connection,
    links: Links,
    now: datetime,
) -> Missing | None:
    """Write what can be written; both ids come from the fact's id, so a second telling changes nothing."""
    webhook = webhook_for(fact, case, links, occurred_at=came.occurred_at)
    if isinstance(webhook, WebhookDraft):
        await endpoints.share_provider(tx, webhook.provider_id)
        await deliveries.write_message(
            tx,
            WebhookMessageId.derive(str(came.event_id)),
            case.application_id,
            provider_id=webhook.provider_id,
            message_type=webhook.message.type,
            body=body_of(webhook.message),
            defects_of=webhook.defects_of,
            trace=came.trace,
            now=now,
        )
    notice = notice_for(fact, case, listing)
    if isinstance(notice, NoticeDraft):
        await notice_store.write_notice(
            tx,
            NoticeId.derive(str(came.event_id)),
            case.application_id,
            notice,
            trace=came.trace,
            now=now,
        )
    return next((result for result in (webhook, notice) if isinstance(result, Missing)), None)
