"""What the command line asks of reconciliation: take statements, match, decide, read the page."""

from kit.clock import SystemClock
from services.payments.desk.opening import officer, opened
from services.payments.reconciling.decisions import Decision
from services.payments.settings import PaymentsSettings
from services.payments.usecases import reconciliation_acts as acts
from services.payments.usecases.reconciliation import Turn, reconcile_open
from services.payments.usecases.reconciliation_page import Page, page_of, tally_of
from services.payments.usecases.statements import Taken, take_statement


async def import_statement(settings: PaymentsSettings, name: str, content: bytes, *, taker: str) -> tuple[Taken, Turn]:
    """`cairn statement import`: take the file, and match what it brings."""
    now = SystemClock().now()
    async with opened(settings) as db:
        taken = await take_statement(name, content, taker=taker, ours=settings.our_accounts, db=db, now=now)
        return taken, await reconcile_open(db=db, now=now)


async def reconciled_page(settings: PaymentsSettings) -> Page:
    """`cairn reconcile`: match what is open, then read the page."""
    now = SystemClock().now()
    async with opened(settings) as db:
        await reconcile_open(db=db, now=now)
        return await page_of(db=db, now=now)


async def tally(settings: PaymentsSettings) -> tuple[dict[str, int], list[str]]:
    """Counts of what bank and finance system made of the payments; payees whose late returns wait for a repair."""
    async with opened(settings) as db:
        return await tally_of(db=db)


async def decide(settings: PaymentsSettings, decision: Decision, *, maker: str) -> acts.Act:
    """`cairn reconcile explain|match|unmatch|accept|dismiss`."""
    async with opened(settings) as db:
        return await acts.decide_one(decision, maker=officer(maker), db=db, now=SystemClock().now())


async def agree(settings: PaymentsSettings, act_id: str, *, checker: str) -> acts.Act:
    """`cairn reconcile agree`: the second person."""
    now = SystemClock().now()
    async with opened(settings) as db:
        act = await acts.agree(act_id, checker=officer(checker), ours=settings.our_accounts, db=db, now=now)
        await reconcile_open(db=db, now=SystemClock().now())
        return act


async def withdraw(settings: PaymentsSettings, act_id: str, *, by: str) -> acts.Act:
    """`cairn reconcile withdraw`."""
    async with opened(settings) as db:
        return await acts.withdraw(act_id, by=officer(by), db=db, now=SystemClock().now())
