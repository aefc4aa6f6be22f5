"""Hand due notices to the mail system: open the address, render, send, record."""

import asyncio
import random
from dataclasses import dataclass

from contracts.errors import Refused
from contracts.events.notifications import ClaimDefectsNotified, NoticeFailed, NoticeSent
from contracts.personal import Contact
from kit import outbox
from kit.clock import Clock
from kit.db import Database
from kit.telemetry import continue_trace, logger, span
from kit.vault import Vault
from services.notifications.domain import LEASE, notice_due_again
from services.notifications.gateways.mail import MailSystem
from services.notifications.letters import Letters
from services.notifications.store import notices as store
from services.notifications.store.notices import DueNotice

CONTACT = "contact"

log = logger(__name__)


class OfficeUnlisted(Refused):
    """The program lists no address of the office of {provider_id} any more."""

    code = "office_unlisted"


@dataclass(frozen=True, slots=True)
class NoticeDesk:
    """What sending a notice takes."""

    db: Database
    vault: Vault
    letters: Letters
    mail: MailSystem
    clock: Clock


async def send_due_notices(desk: NoticeDesk, *, slots: int) -> int:
    """Send what is due, `slots` at a time; answers how many were tried."""
    now = desk.clock.now()
    # One statement: it commits by itself.
    async with desk.db.connection() as connection:
        due = await store.take_due_notices(connection, limit=slots, now=now, lease=LEASE)
    done = await asyncio.gather(*(_send_one(desk, notice) for notice in due), return_exceptions=True)
    for fault in done:
        # What could not be recorded keeps its lease until it runs out, and is then sent again under the same id.
        if isinstance(fault, BaseException):
            raise fault
    return len(due)


async def _send_one(desk: NoticeDesk, due: DueNotice) -> None:
    trace = due.trace
    with continue_trace(trace.traceparent, trace.correlation_id, trace.causation_id), span("notice", "client"):
        try:
            await _hand_over(desk, due)
        except Refused as refusal:
            await _record_failed(desk, due, refusal.code)
        except Exception as error:
            # A fault of the moment or of a template: never a reason to lose the notice before its last attempt.
            await _try_later(desk, due, error)
        else:
            await _record_sent(desk, due)


async def _hand_over(desk: NoticeDesk, due: DueNotice) -> None:
    given_name, address = await _addressee(desk, due)
    letter = desk.letters.write(due.program_id, due.template, due.language, due.particulars, given_name=given_name)
    await desk.mail.hand_over(
        letter,
        to=address,
        sender=desk.letters.sender(due.program_id),
        language=due.language,
        notice_id=due.notice_id,
    )


async def _addressee(desk: NoticeDesk, due: DueNotice) -> tuple[str, str]:
    """Whom the letter greets, and where it goes."""
    if due.office is not None:
        if due.office.email is None:
            raise OfficeUnlisted(provider_id=due.office.provider_id)
        return str(due.particulars["provider_name"]), due.office.email
    # Committed before the letter goes: an address that was read is in the audit log even if the sending fails.
    async with desk.db.connection() as connection:
        opened = await desk.vault.open(
            connection,
            due.person_id,
            due.sealed_contact,
            label=CONTACT,
            purpose="notice",
            request_id=str(due.notice_id),
        )
    contact = Contact.model_validate_json(opened)
    return contact.given_name, contact.email


async def _record_sent(desk: NoticeDesk, due: DueNotice) -> None:
    now = desk.clock.now()
    fact: NoticeSent | ClaimDefectsNotified
    if due.office is not None:
        fact = ClaimDefectsNotified(
            application_id=due.application_id,
            claim_id=due.office.claim_id,
            provider_id=due.office.provider_id,
            way="letter",
            notified_at=now,
        )
    else:
        fact = NoticeSent(
            application_id=due.application_id,
            notice_id=due.notice_id,
            template=due.template,
            language=due.language,
            sent_at=now,
        )
    async with desk.db.connection() as connection:
        await store.end_sent(connection, due, outbox.draft(fact, now=now))


async def _record_failed(desk: NoticeDesk, due: DueNotice, reason: str) -> None:
    now = desk.clock.now()
    async with desk.db.transaction() as tx:
        if not await store.end_failed(tx, due, failure=reason):
            return
        # What a provider was not told, payments misses by itself and calls people for.
        if due.office is None:
            fact = NoticeFailed(
                application_id=due.application_id,
                notice_id=due.notice_id,
                template=due.template,
                reason=reason,
                failed_at=now,
            )
            await outbox.append(tx, fact, now=now)
    log.error("notice_failed", notice_id=due.notice_id, template=due.template, reason=reason)


async def _try_later(desk: NoticeDesk, due: DueNotice, error: Exception) -> None:
    code = getattr(error, "code", "notice_faulty")
    log.warning(
        "notice_postponed", notice_id=due.notice_id, template=due.template, reason=code, error=type(error).__name__
    )
    due_at = notice_due_again(due.attempt_number, now=desk.clock.now(), jitter=random.random())  # noqa: S311
    if due_at is None:
        await _record_failed(desk, due, code)
        return
    async with desk.db.transaction() as tx:
        await store.postpone_notice(tx, due, due_at=due_at)
