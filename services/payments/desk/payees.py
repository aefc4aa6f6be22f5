"""What the command line asks about payees: list, show, propose, approve, hold, release, screen, alerts."""

from kit.clock import SystemClock
from services.payments.desk.opening import officer, opened
from services.payments.nacha.banking_days import after
from services.payments.payees.payees import CallBack
from services.payments.rails.settings import numbers_of, rails_of
from services.payments.settings import PaymentsSettings
from services.payments.usecases import payee_acts, screening
from services.payments.usecases.answered import payees
from services.payments.usecases.payees import Proposal
from services.payments.views.payees import (
    AlertsShown,
    ChangeShown,
    HoldShown,
    PayeeShown,
    PayeesShown,
    change_shown,
    hold_shown,
)


async def list_payees(settings: PaymentsSettings) -> PayeesShown:
    """`cairn payees list`."""
    now = SystemClock().now()
    ach = rails_of(settings).ach
    async with opened(settings) as db:
        settles_on = ach.settles_on(now) if ach else after(now.date(), 1)
        return await payees.read_payees(settles_on=settles_on, db=db, now=now)


async def show_payee(settings: PaymentsSettings, provider_id: str) -> PayeeShown:
    """`cairn payees show`."""
    now = SystemClock().now()
    ach = rails_of(settings).ach
    async with opened(settings) as db:
        settles_on = ach.settles_on(now) if ach else after(now.date(), 1)
        return await payees.read_payee(provider_id, settles_on=settles_on, db=db, now=now)


async def propose_change(
    settings: PaymentsSettings, provider_id: str, proposal: Proposal, *, maker: str
) -> ChangeShown:
    """`cairn payees propose`."""
    numbers = numbers_of(settings)
    async with opened(settings) as db:
        return change_shown(
            await payee_acts.propose(
                provider_id, proposal, maker=officer(maker), numbers=numbers, db=db, now=SystemClock().now()
            )
        )


async def call_back(
    settings: PaymentsSettings, provider_id: str, change_id: str, called: CallBack, *, by: str
) -> ChangeShown:
    """`cairn payees call-back`."""
    async with opened(settings) as db:
        return change_shown(
            await payee_acts.call_back(provider_id, change_id, called, by=officer(by), db=db, now=SystemClock().now())
        )


async def approve_change(settings: PaymentsSettings, provider_id: str, change_id: str, *, checker: str) -> ChangeShown:
    """`cairn payees approve`."""
    days = settings.payee_cooling_off_days
    async with opened(settings) as db:
        return change_shown(
            await payee_acts.approve(
                provider_id, change_id, checker=officer(checker), cooling_off_days=days, db=db, now=SystemClock().now()
            )
        )


async def withdraw_change(settings: PaymentsSettings, provider_id: str, change_id: str, *, by: str) -> ChangeShown:
    """`cairn payees withdraw`."""
    async with opened(settings) as db:
        return change_shown(
            await payee_acts.withdraw(provider_id, change_id, by=officer(by), db=db, now=SystemClock().now())
        )


async def hold_payee(settings: PaymentsSettings, provider_id: str, reason: str, *, by: str) -> HoldShown:
    """`cairn payees hold`."""
    async with opened(settings) as db:
        return hold_shown(await payee_acts.hold(provider_id, reason, by=officer(by), db=db, now=SystemClock().now()))


async def release_payee(
    settings: PaymentsSettings, provider_id: str, hold_id: str, reason: str | None, *, by: str
) -> HoldShown:
    """`cairn payees release`."""
    async with opened(settings) as db:
        return hold_shown(
            await payee_acts.release(provider_id, hold_id, reason, by=officer(by), db=db, now=SystemClock().now())
        )


async def screen_payees(
    settings: PaymentsSettings, list_name: str, content: bytes, *, by: str
) -> tuple[int, list[str]]:
    """`cairn payees screen`."""
    async with opened(settings) as db:
        return await payee_acts.screen_list(content, list_name, by=officer(by), db=db, now=SystemClock().now())


async def payment_alerts(settings: PaymentsSettings) -> AlertsShown:
    """`cairn payees alerts`."""
    async with opened(settings) as db:
        return await payees.read_alerts(db=db)


async def close_alert(settings: PaymentsSettings, alert_id: str, *, by: str) -> None:
    """`cairn payees close-alert`."""
    async with opened(settings) as db:
        await screening.close_alert(alert_id, by=officer(by), db=db, now=SystemClock().now())
