"""What the doors of a fiscal year's close take and show."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.fiscal_year import CloseStage, CloseView
from contracts.ids import ApplicationId, TransferId
from contracts.money import BudgetCents
from contracts.steps.fiscal_year import Digest, Disposition, Year, YearEndProposal, YearEndReport
from contracts.texts import Code, Instant, Sentence, Slug
from services.payments.books.fiscal_year import ServiceBasis
from services.payments.books.ledger import Phase
from services.payments.usecases.fiscal_year import YearStatus

Person = Annotated[str, Field(max_length=100)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class ListAgreed(_Given):
    """The list you looked at, by its digest, and what you checked."""

    digest: Digest
    note: Sentence


class LineAmended(_Given):
    """What is to become of one encumbrance instead, and why."""

    encumbrance: TransferId
    disposition: Disposition
    reason: Sentence


class ApprovalShown(_Shown):
    """Two people who agreed to one list."""

    digest: Digest
    made_by: Person
    checked_by: Person
    approved_at: Instant


class YearShown(_Shown):
    """Where the books of a year stand; without a list before its close has begun."""

    program_id: Slug
    fiscal_year: Year
    phase: Phase
    ends_at: Instant | None
    proposal: YearEndProposal | None
    approvals: list[ApprovalShown]
    report: YearEndReport | None


class YearLineShown(_Shown):
    """One encumbrance that was open when its year ended."""

    transfer_id: TransferId
    application_id: ApplicationId | None
    service_on: date
    service_basis: ServiceBasis
    open_cents: BudgetCents
    disposition: Disposition
    reason: Annotated[str, Field(max_length=500)] | None
    amended_by: Person | None
    outcome: Code | None
    posted_cents: BudgetCents | None


class YearLinesShown(_Shown):
    """In the order of their ids; `next` is the `after` of the following page, absent on the last."""

    lines: Annotated[list[YearLineShown], Field(max_length=200)]
    next: TransferId | None


class CloseShown(_Shown):
    """The close after your act; `approved_by` are those who agreed to the list as it stands."""

    program_id: Slug
    fiscal_year: Year
    stage: CloseStage
    ends_at: Instant | None
    proposal: YearEndProposal | None
    approved_by: list[Person]
    report: YearEndReport | None


def year_shown(program_id: str, fiscal_year: int, status: YearStatus) -> YearShown:
    report = status.close.report if status.close else None
    return YearShown(
        program_id=program_id,
        fiscal_year=fiscal_year,
        phase=status.phase,
        ends_at=status.ends_at,
        proposal=status.proposal,
        approvals=[ApprovalShown.model_validate(one) for one in status.approvals],
        report=None if report is None else YearEndReport.model_validate(report),
    )


def lines_shown(found: Sequence[dict[str, Any]], *, page: int) -> YearLinesShown:
    """At most `page` of them; one more was asked for, to know whether there are others."""
    lines = [YearLineShown.model_validate(one) for one in found[:page]]
    return YearLinesShown(lines=lines, next=lines[-1].transfer_id if len(found) > page else None)


def close_shown(view: CloseView) -> CloseShown:
    return CloseShown.model_validate(view.model_dump())
