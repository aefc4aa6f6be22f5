"""The page for the person who reconciles: what agrees, what is open and how old it is, what waits for whom."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime

from kit.db import Database
from services.payments.nacha.banking_days import operator_day
from services.payments.reconciling import (
    BUCKETS,
    LAST_BUCKET,
    Ending,
    ItemState,
    ItemVerdict,
    age,
    bucket,
    reconcile,
)
from services.payments.store import reconciliation as store
from services.payments.store import reconciliation_acts as act_store
from services.payments.store import reconciliation_page as page_store
from services.payments.store import statements as statement_store
from services.payments.store.reconciliation_acts import Act
from services.payments.store.reconciliation_page import Account, Ended, OpenLine, OpenWord
from services.payments.store.statements import Statement
from services.payments.usecases.reconciliation import ITEMS_MAX, LINES_PER_TURN_MAX, REACH

HELD_SHOWN_MAX = 200
ACTS_SHOWN_MAX = 200
REJECTED_SHOWN_MAX = 500


@dataclass(frozen=True, slots=True)
class InTransit:
    """Money in transit, counted in three places that know nothing of each other."""

    payments: int
    ledger_cents: int
    """The balance rows of all budget lines."""
    entries_cents: int
    """The entries of the files that went out."""
    expected_cents: int
    """What the bank's statement still has to show."""
    confirmed_payments: int
    confirmed_cents: int
    """Settled on the finance system's word; the bank's line is still to come."""

    @property
    def adds_up(self) -> bool:
        return self.ledger_cents == self.entries_cents == self.expected_cents


@dataclass(frozen=True, slots=True)
class Aged:
    """One bucket of banking days: open lines and open payments, with their cents."""

    name: str
    lines: int
    lines_cents: int
    payments: int
    payments_cents: int


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that is open, with its age in banking days to `as_of`, and what the rest came to."""

    as_of: date
    in_transit: InTransit
    lines: tuple[tuple[OpenLine, int], ...]
    payments: tuple[ItemVerdict, ...]
    aging: tuple[Aged, ...]
    endings: tuple[Ended, ...]
    held: tuple[Statement, ...]
    waiting: tuple[Act, ...]
    accounts: tuple[Account, ...]
    rejected: tuple[tuple[OpenWord, int], ...] = ()
    """Lines of ACH and confirmation files that were not applied and whose alert nobody has closed; at most 500."""

    @property
    def nothing_is_open(self) -> bool:
        return self.in_transit.adds_up and not (
            self.lines or self.payments or self.held or self.waiting or self.rejected
        )


async def page_of(*, db: Database, now: datetime) -> Page:
    """Read the page; it changes nothing. Every sum on it is of one moment."""
    as_of = operator_day(now)
    async with db.transaction() as tx:
        await page_store.one_moment(tx)
        sums = await page_store.sums(tx)
        endings = await page_store.endings(tx)
        lines = await page_store.open_lines(tx, LINES_PER_TURN_MAX)
        items = await store.items(tx, since=now - REACH, count_max=ITEMS_MAX)
        entries = await store.entries(tx, [item.disbursement_id for item in items])
        held = await statement_store.held(tx, HELD_SHOWN_MAX)
        waiting = await act_store.waiting(tx, ACTS_SHOWN_MAX)
        accounts = await page_store.accounts(tx)
        rejected = await page_store.open_words(tx, REJECTED_SHOWN_MAX)
    result = await asyncio.to_thread(reconcile, items, entries, [one.line for one in lines], as_of=as_of)
    payments = [one for one in result.items if one.ending is Ending.OPEN]
    expected = sum(item.amount_cents for item in items if item.state is ItemState.IN_TRANSIT)
    confirmed = [item for item in items if item.state is ItemState.SETTLED and item.debit_due]
    aged_lines = tuple((one, age(one.line.day, as_of)) for one in lines)
    return Page(
        as_of=as_of,
        in_transit=InTransit(
            payments=sums.payments,
            ledger_cents=sums.ledger_cents,
            entries_cents=sums.entries_cents,
            expected_cents=expected,
            confirmed_payments=len(confirmed),
            confirmed_cents=sum(item.amount_cents for item in confirmed),
        ),
        lines=aged_lines,
        payments=tuple(sorted(payments, key=lambda one: (-one.age_days, one.item.disbursement_id))),
        aging=_aging(aged_lines, payments),
        endings=tuple(endings),
        held=tuple(held),
        waiting=tuple(waiting),
        accounts=tuple(accounts),
        rejected=tuple((one, age(operator_day(one.read_at), as_of)) for one in rejected),
    )


async def tally_of(*, db: Database) -> tuple[dict[str, int], list[str]]:
    """What bank and finance system made of the payments, counted; payees whose late returns wait for a repair."""
    async with db.transaction() as tx:
        await page_store.one_moment(tx)
        return await page_store.tally(tx), await page_store.payees_returned_late(tx)


def _aging(lines: tuple[tuple[OpenLine, int], ...], payments: list[ItemVerdict]) -> tuple[Aged, ...]:
    names = [*(name for _, name in BUCKETS), LAST_BUCKET]
    rows = {name: [0, 0, 0, 0] for name in names}
    for one, days in lines:
        row = rows[bucket(days)]
        row[0], row[1] = row[0] + 1, row[1] + abs(one.line.amount_cents)
    for payment in payments:
        row = rows[bucket(payment.age_days)]
        row[2], row[3] = row[2] + 1, row[3] + payment.item.amount_cents
    return tuple(Aged(name, *rows[name]) for name in names)
