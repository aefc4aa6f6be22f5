"""What the command line asks of reconciliation: take statements, match, decide, read the page."""

from typing import Literal

from kit.clock import SystemClock
from services.payments.desk.opening import opened
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


async def decide_line(
    settings: PaymentsSettings,
    kind: Literal["explain", "match", "unmatch"],
    line_id: str,
    reason: str,
    *,
    maker: str,
    disbursement_id: str = "",
) -> acts.Act:
    """`cairn reconcile explain|match|unmatch`."""
    now = SystemClock().now()
    async with opened(settings) as db:
        match kind:
            case "explain":
                return await acts.explain_line(line_id, reason, maker=maker, db=db, now=now)
            case "match":
                return await acts.match_line(line_id, disbursement_id, reason, maker=maker, db=db, now=now)
            case "unmatch":
                return await acts.undo_line(line_id, reason, maker=maker, db=db, now=now)


async def decide_statement(
    settings: PaymentsSettings, kind: Literal["accept", "dismiss"], statement_id: str, reason: str, *, maker: str
) -> acts.Act:
    """`cairn reconcile accept|dismiss`."""
    now = SystemClock().now()
    async with opened(settings) as db:
        decide = acts.accept_statement if kind == "accept" else acts.dismiss_statement
        return await decide(statement_id, reason, maker=maker, db=db, now=now)


async def agree(settings: PaymentsSettings, act_id: str, *, checker: str) -> acts.Act:
    """`cairn reconcile agree`: the second person."""
    async with opened(settings) as db:
        act = await acts.agree(act_id, checker=checker, ours=settings.our_accounts, db=db, now=SystemClock().now())
        await reconcile_open(db=db, now=SystemClock().now())
        return act


async def withdraw(settings: PaymentsSettings, act_id: str) -> acts.Act:
    """`cairn reconcile withdraw`."""
    async with opened(settings) as db:
        return await acts.withdraw(act_id, db=db)
