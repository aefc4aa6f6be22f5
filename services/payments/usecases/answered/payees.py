"""What the doors of payees do and read: one effect and one answer per Idempotency-Key, in one transaction."""

from datetime import date, datetime

from kit.db import Connection, Database
from kit.idempotency import Answer
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.usecases import payees, screening
from services.payments.usecases.answered.asked import Asked
from services.payments.views.payees import (
    AlertsShown,
    CallBackGiven,
    ChangeShown,
    HoldShown,
    NewChange,
    PayeeShown,
    PayeesShown,
    ScreeningGiven,
    ScreeningShown,
    alert_shown,
    change_shown,
    hold_shown,
    payee_listed,
    payee_shown,
)


async def propose_change(asked: Asked, provider_id: str, body: NewChange, *, numbers: AccountNumbers) -> Answer:
    """Propose how a payee is to be paid."""

    async def act(tx: Connection) -> ChangeShown:
        change = await payees.propose_change(
            tx, provider_id, body.proposal(), maker=asked.by, numbers=numbers, now=asked.now
        )
        return change_shown(change)

    return await asked.answer(act)


async def record_call_back(asked: Asked, provider_id: str, change_id: str, body: CallBackGiven) -> Answer:
    """Add the call-back to a change that the bank notified."""

    async def act(tx: Connection) -> ChangeShown:
        called = body.evidence()
        change = await payees.record_call_back(tx, provider_id, change_id, called, by=asked.by, now=asked.now)
        return change_shown(change)

    return await asked.answer(act)


async def approve_change(asked: Asked, provider_id: str, change_id: str, *, cooling_off_days: int) -> Answer:
    """Make a change good that somebody else proposed."""

    async def act(tx: Connection) -> ChangeShown:
        change = await payees.approve_change(
            tx, provider_id, change_id, checker=asked.by, cooling_off_days=cooling_off_days, now=asked.now
        )
        return change_shown(change)

    return await asked.answer(act)


async def withdraw_change(asked: Asked, provider_id: str, change_id: str) -> Answer:
    """Give up a change that was not approved."""

    async def act(tx: Connection) -> ChangeShown:
        return change_shown(await payees.withdraw_change(tx, provider_id, change_id, by=asked.by, now=asked.now))

    return await asked.answer(act)


async def hold_payee(asked: Asked, provider_id: str, reason: str) -> Answer:
    """Hold a payee's payments by hand."""

    async def act(tx: Connection) -> HoldShown:
        return hold_shown(await screening.hold_payee(tx, provider_id, reason, by=asked.by, now=asked.now))

    return await asked.answer(act)


async def propose_release(asked: Asked, provider_id: str, hold_id: str, reason: str) -> Answer:
    """Say why a hold may go."""

    async def act(tx: Connection) -> HoldShown:
        hold = await screening.propose_release(tx, provider_id, hold_id, reason, maker=asked.by, now=asked.now)
        return hold_shown(hold)

    return await asked.answer(act)


async def approve_release(asked: Asked, provider_id: str, hold_id: str) -> Answer:
    """Release a hold that somebody else proposed to release."""

    async def act(tx: Connection) -> HoldShown:
        return hold_shown(await screening.approve_release(tx, provider_id, hold_id, checker=asked.by, now=asked.now))

    return await asked.answer(act)


async def import_screening_list(asked: Asked, body: ScreeningGiven) -> Answer:
    """Take a screening list in; every payee on it is held."""

    async def act(tx: Connection) -> ScreeningShown:
        lines, held = await screening.take_screening_list(
            tx, body.csv.encode(), body.list_name, imported_by=asked.by, now=asked.now
        )
        return ScreeningShown(list_name=body.list_name, lines=lines, held=held)

    return await asked.answer(act)


async def read_payees(*, settles_on: date, db: Database, now: datetime) -> PayeesShown:
    """Every payee, and what a payment made now would do."""
    found = await payees.payees(settles_on=settles_on, db=db, now=now)
    return PayeesShown(payees=[payee_listed(payee, way) for payee, way in found])


async def read_payee(provider_id: str, *, settles_on: date, db: Database, now: datetime) -> PayeeShown:
    """One payee with its accounts, changes and holds."""
    return payee_shown(await payees.dossier(provider_id, settles_on=settles_on, db=db, now=now))


async def read_alerts(*, db: Database) -> AlertsShown:
    """What finance staff have to look at."""
    return AlertsShown(alerts=[alert_shown(one) for one in await screening.open_alerts(db=db)])
