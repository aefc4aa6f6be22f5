"""A program's fiscal year in its own time zone, and what becomes of an encumbrance that is open when the year ends.

The service date decides: what was begun in the year is the year's obligation and is carried forward for its claim;
what begins later may not be paid from the year's appropriation and lapses (ORC 131.33). Two people may agree otherwise.
"""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from contracts.errors import Conflict, Refused, Unavailable
from contracts.ids import ApplicationId, TransferId
from contracts.plan import CostKind
from contracts.steps.fiscal_year import Disposition
from services.payments.books.cost_lines import entry_ids
from services.payments.books.ledger import Kind, Scope, Transfer, carried_scope, line_row

CALENDAR_YEAR: Final = "01-01"
YEAR_END: Final = "fiscal year close"


class YearUnknown(Conflict):
    """The program has no close of fiscal year {fiscal_year} to work on."""

    code = "year_unknown"


class YearNotReady(Conflict):
    """The fiscal year cannot be shut: {why}."""

    code = "year_not_ready"


class HeldOutsideCases(Conflict):
    """{cents} cents of the line are held for no case: decide the open exam voucher charges first."""

    code = "held_outside_cases"


class CalendarUnknown(Unavailable):
    """The program has not published when its fiscal year begins, and in which time zone."""

    code = "calendar_unknown"


class NotOpenEncumbrance(Conflict):
    """There is no such encumbrance waiting for approval in this close."""

    code = "not_open_encumbrance"


class NothingToApprove(Conflict):
    """Nothing of this close waits for approval now."""

    code = "nothing_to_approve"


class ListChanged(Conflict):
    """The list has changed since: look at it again."""

    code = "list_changed"


class CloseRefused(Conflict):
    """The close did not take it: {why}."""

    code = "close_refused"


class CloseNotAnswering(Unavailable):
    """The close of the fiscal year does not answer just now."""

    code = "close_not_answering"


class ActUnreadable(Refused):
    """It cannot be told to the close: {why}."""

    code = "act_unreadable"


class ServiceBasis(StrEnum):
    """Which date is taken for the day of service."""

    COURSE_STARTED = "course_started"
    COURSE_STARTS = "course_starts"
    CREDENTIAL_EARNED = "credential_earned"
    ENCUMBERED = "encumbered"


@dataclass(frozen=True, slots=True)
class FiscalCalendar:
    """When a program's years begin. A year is named by the calendar year in which it ends."""

    start: str
    """Month and day, `07-01`."""
    zone: ZoneInfo

    def first_day(self, fiscal_year: int) -> date:
        month, day = (int(part) for part in self.start.split("-"))
        year = fiscal_year if self.start == CALENDAR_YEAR else fiscal_year - 1
        return date(year, month, min(day, calendar.monthrange(year, month)[1]))

    def last_day(self, fiscal_year: int) -> date:
        return self.first_day(fiscal_year + 1) - timedelta(days=1)

    def ends_at(self, fiscal_year: int) -> datetime:
        """The first moment after the year: midnight in the program's zone, whatever its offset that day. In UTC."""
        midnight = datetime.combine(self.first_day(fiscal_year + 1), time(), tzinfo=self.zone)
        return midnight.astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """The calendar day in the program's zone."""
        return moment.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class OpenEncumbrance:
    """Encumbered money that nothing has resolved, with what is known of the service it is for."""

    transfer_id: TransferId
    application_id: ApplicationId | None
    open_cents: int
    encumbered_at: datetime
    started_at: datetime | None
    starts_on: str | None
    earned_on: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """An open encumbrance with its service date and what is proposed for it."""

    transfer_id: TransferId
    application_id: ApplicationId | None
    open_cents: int
    service_on: date
    service_basis: ServiceBasis
    disposition: Disposition
    reason: str


def service_day(found: OpenEncumbrance, year: FiscalCalendar) -> tuple[date, ServiceBasis]:
    """The day on which the service began, by the best evidence there is.

    The reported start, else the start the college promised; a credential earned earlier than that outweighs both, and
    where nothing is known the day on which the money was committed stands in.
    """
    known: list[tuple[date, ServiceBasis]] = []
    if found.started_at is not None:
        known.append((year.day_of(found.started_at), ServiceBasis.COURSE_STARTED))
    elif found.starts_on is not None:
        known.append((date.fromisoformat(found.starts_on), ServiceBasis.COURSE_STARTS))
    if found.earned_on is not None:
        known.append((date.fromisoformat(found.earned_on), ServiceBasis.CREDENTIAL_EARNED))
    if not known:
        return year.day_of(found.encumbered_at), ServiceBasis.ENCUMBERED
    return min(known, key=lambda one: one[0])


def listed(found: OpenEncumbrance, year: FiscalCalendar, last_day: date) -> Listed:
    """What is proposed: carried where the service began by the year's last day, lapsed where it begins later."""
    day, basis = service_day(found, year)
    in_year = day <= last_day
    return Listed(
        transfer_id=found.transfer_id,
        application_id=found.application_id,
        open_cents=found.open_cents,
        service_on=day,
        service_basis=basis,
        disposition=Disposition.CARRY if in_year else Disposition.LAPSE,
        reason="service began in the year" if in_year else "service begins after the year",
    )


@dataclass(frozen=True, slots=True)
class Approved:
    """One approved line of the list, as the journal has its money now."""

    transfer_id: TransferId
    application_id: ApplicationId | None
    open_cents: int
    disposition: Disposition
    left_cents: int
    """What is still open of it."""
    scope: Scope
    cost_line: CostKind
    workflow_id: str | None
    into: TransferId | None = None
    """The id under which it enters the next year; None where that is the entry's own."""


def carried_into(book: str, encumbrance: TransferId) -> TransferId:
    """The move that carries an encumbrance of `book` into the next year's."""
    return TransferId.derive(Kind.CARRY_IN, book, encumbrance)


def as_moves(batch: Sequence[Approved], encumbrances: Mapping[ApplicationId, TransferId]) -> list[Approved]:
    """With the ids under which what is open enters the next year: the cost lines of a case stay one move.

    `encumbrances` is the move by which each case's money is encumbered.
    """
    cases: dict[ApplicationId, list[Approved]] = {}
    for one in batch:
        case = one.application_id
        if case is not None and case in encumbrances and one.left_cents > 0:
            cases.setdefault(case, []).append(one)
    into: dict[TransferId, TransferId] = {}
    for case, parts in cases.items():
        ids = entry_ids(carried_into(parts[0].scope.book, encumbrances[case]), [part.cost_line for part in parts])
        into |= {part.transfer_id: ids[part.cost_line] for part in parts}
    return [replace(one, into=into.get(one.transfer_id)) for one in batch]


def postings_of(one: Approved, program_id: str, fiscal_year: int, *, at: datetime) -> list[Transfer]:
    """Carried: out of the year and, linked to that, into the next. Lapsed: one posting. The ids name line and entry."""

    def entry(
        kind: Kind,
        scope: Scope,
        *,
        named: TransferId | None = None,
        pending: TransferId | None = None,
        link: TransferId | None = None,
    ) -> Transfer:
        return Transfer(
            id=named or TransferId.derive(kind, one.scope.book, one.transfer_id),
            kind=kind,
            scope=scope,
            amount_cents=one.left_cents,
            reason=f"fiscal year {fiscal_year} closed",
            actor=YEAR_END,
            occurred_at=at,
            pending_id=pending,
            links_to=link,
            workflow_id=one.workflow_id,
            cost_line=one.cost_line,
        )

    if one.disposition is Disposition.LAPSE:
        return [entry(Kind.LAPSE, one.scope, pending=one.transfer_id)]
    out = entry(Kind.CARRY_OUT, one.scope, pending=one.transfer_id)
    following = line_row(program_id, fiscal_year + 1)
    named = one.into or carried_into(one.scope.book, one.transfer_id)
    return [out, entry(Kind.CARRY_IN, carried_scope(one.scope, following), named=named, link=out.id)]
