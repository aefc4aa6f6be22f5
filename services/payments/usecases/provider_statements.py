"""A provider's statement for a period, folded from the journal, with the interest it is owed beside it."""

from dataclasses import dataclass
from datetime import date, timedelta

from contracts.errors import NotFound, Refused
from kit.db import Database
from services.payments.claims.prompt_pay import start_of
from services.payments.claims.provider_statement import ProviderStatement, statement_of
from services.payments.store import claim_rules, late_payments
from services.payments.store import provider_statements as store
from services.payments.store.late_payments import Obligation

DAYS_MAX = 732
MOVEMENTS_MAX = 20_000


class PeriodUnreadable(Refused):
    """A statement covers 1 to {days_max} days, and ends no earlier than it begins."""

    code = "period_unreadable"


class PeriodTooFull(Refused):
    """The period has more than {movements_max} entries: ask for a shorter one."""

    code = "period_too_full"


@dataclass(frozen=True, slots=True)
class PeriodStatement:
    """A provider's statement with the interest on late payments of the period, which is not in the ledger."""

    provider_id: str
    first: date
    last: date
    ledger: ProviderStatement
    interest: list[Obligation]


async def statement_for(provider_id: str, first: date, last: date, *, db: Database) -> PeriodStatement:
    """The statement from the first day to the last, both in the program's time zone.

    Raises `PeriodUnreadable`, `NotFound`, and `PeriodTooFull`: a statement is whole, or it is none.
    """
    if not timedelta(0) <= last - first < timedelta(days=DAYS_MAX):
        raise PeriodUnreadable(days_max=DAYS_MAX)
    async with db.transaction() as tx:
        awards, books = await store.awards_of(tx, provider_id)
        programs = await claim_rules.programs_of(tx, provider_id)
        if not programs:
            raise NotFound(kind="provider")
        zone = (await claim_rules.rules_of(tx, programs[0])).time_zone
        since, until = start_of(first, zone), start_of(last + timedelta(days=1), zone)
        opening = await store.owed_before(tx, books, awards, since)
        found = await store.movements(tx, books, awards, since, until, MOVEMENTS_MAX + 1)
        interest = await late_payments.obligations(tx, MOVEMENTS_MAX + 1, provider_id, first=first, last=last)
        if max(len(found), len(interest)) > MOVEMENTS_MAX:
            raise PeriodTooFull(movements_max=MOVEMENTS_MAX)
    return PeriodStatement(provider_id, first, last, statement_of(opening, found), interest)
