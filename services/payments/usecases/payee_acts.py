"""The acts on payees as a command does them: each in a transaction of its own."""

from datetime import datetime

from kit.db import Database
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.payees.payees import CallBack, Change, Hold
from services.payments.usecases import payees, screening
from services.payments.usecases.payees import Proposal


async def propose(
    provider_id: str, proposal: Proposal, *, maker: str, numbers: AccountNumbers, db: Database, now: datetime
) -> Change:
    """Propose how a payee is to be paid."""
    async with db.transaction() as tx:
        return await payees.propose_change(tx, provider_id, proposal, maker=maker, numbers=numbers, now=now)


async def call_back(
    provider_id: str, change_id: str, called: CallBack, *, by: str, db: Database, now: datetime
) -> Change:
    """Add the call-back to a change that the bank notified."""
    async with db.transaction() as tx:
        return await payees.record_call_back(tx, provider_id, change_id, called, by=by, now=now)


async def approve(
    provider_id: str, change_id: str, *, checker: str, cooling_off_days: int, db: Database, now: datetime
) -> Change:
    """Make a change good that somebody else proposed."""
    async with db.transaction() as tx:
        return await payees.approve_change(
            tx, provider_id, change_id, checker=checker, cooling_off_days=cooling_off_days, now=now
        )


async def withdraw(provider_id: str, change_id: str, *, by: str, db: Database, now: datetime) -> Change:
    """Give up a change that was not approved."""
    async with db.transaction() as tx:
        return await payees.withdraw_change(tx, provider_id, change_id, by=by, now=now)


async def hold(provider_id: str, reason: str, *, by: str, db: Database, now: datetime) -> Hold:
    """Hold a payee's payments by hand."""
    async with db.transaction() as tx:
        return await screening.hold_payee(tx, provider_id, reason, by=by, now=now)


async def release(provider_id: str, hold_id: str, reason: str | None, *, by: str, db: Database, now: datetime) -> Hold:
    """With a reason: propose the release; without: approve what somebody else proposed."""
    async with db.transaction() as tx:
        if reason is None:
            return await screening.approve_release(tx, provider_id, hold_id, checker=by, now=now)
        return await screening.propose_release(tx, provider_id, hold_id, reason, maker=by, now=now)


async def screen_list(content: bytes, list_name: str, *, by: str, db: Database, now: datetime) -> tuple[int, list[str]]:
    """Take a screening list in; how many lines, and who is held now."""
    async with db.transaction() as tx:
        return await screening.take_screening_list(tx, content, list_name, imported_by=by, now=now)
