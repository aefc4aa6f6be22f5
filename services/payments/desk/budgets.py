"""What the command line asks of budgets: documents, and where a fiscal year's books stand.

A person is known by one name at every door (`finance/<login>`): whoever proposes here may not approve over HTTP.
"""

from collections.abc import AsyncIterator
from typing import Any

from pydantic import ValidationError

from contracts.errors import Refused
from kit.clock import SystemClock
from services.payments.books.authority import BudgetDocumentId, DocumentState
from services.payments.desk.opening import officer, opened
from services.payments.gateways import TemporalCloses
from services.payments.settings import PaymentsSettings
from services.payments.usecases import fiscal_year
from services.payments.usecases.answered import budgets, fiscal_years
from services.payments.views.budgets import NewDocument

LINES_PER_PAGE = 1_000


class DocumentUnreadable(Refused):
    """The budget document cannot be read: {why}."""

    code = "document_unreadable"


async def propose_document(settings: PaymentsSettings, values: dict[str, Any], *, actor: str) -> dict[str, Any]:
    """Put a document before a second person; the document."""
    try:
        asked = NewDocument.model_validate(values)
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise DocumentUnreadable(why=why) from error
    async with opened(settings) as db:
        shown = await budgets.propose_at_desk(asked, maker=officer(actor), db=db, now=SystemClock().now())
    return shown.model_dump(mode="json")


async def approve_document(settings: PaymentsSettings, document_id: str, *, actor: str) -> dict[str, Any]:
    """Approve what somebody else proposed; its state is `refused` where the money is committed."""
    async with opened(settings) as db:
        shown = await budgets.approve_at_desk(
            _document(document_id), checker=officer(actor), db=db, now=SystemClock().now()
        )
    return shown.model_dump(mode="json")


async def refuse_document(settings: PaymentsSettings, document_id: str, reason: str, *, actor: str) -> dict[str, Any]:
    """Refuse what somebody else proposed, with the reason."""
    async with opened(settings) as db:
        shown = await budgets.refuse_at_desk(
            _document(document_id), reason, checker=officer(actor), db=db, now=SystemClock().now()
        )
    return shown.model_dump(mode="json")


async def list_documents(
    settings: PaymentsSettings, program_id: str, *, state: str | None, before: str | None
) -> dict[str, Any]:
    """One page of a program's documents, the newest first."""
    wanted = DocumentState(state) if state else None
    async with opened(settings) as db:
        shown = await budgets.list_documents(program_id, state=wanted, before=before, db=db)
    return shown.model_dump(mode="json")


async def books_of_year(settings: PaymentsSettings, program_id: str, year: int) -> dict[str, Any]:
    """Phase, last moment, list in sums, who agreed, report."""
    async with opened(settings) as db:
        status = await fiscal_year.status_of_year(program_id, year, db=db)
    return {
        "program_id": program_id,
        "fiscal_year": year,
        "phase": status.phase.value,
        "ends_at": status.ends_at.isoformat() if status.ends_at else None,
        "proposal": status.proposal.model_dump(mode="json") if status.proposal else None,
        "approvals": [one | {"approved_at": one["approved_at"].isoformat()} for one in status.approvals],
        "report": status.close.report if status.close else None,
    }


async def list_of_year(settings: PaymentsSettings, program_id: str, year: int) -> AsyncIterator[dict[str, Any]]:
    """Every line of the list, page by page."""
    after = ""
    async with opened(settings) as db:
        while True:
            page = await fiscal_year.lines_of_close(program_id, year, after=after, count_max=LINES_PER_PAGE, db=db)
            for line in page:
                yield line | {"service_on": line["service_on"].isoformat()}
            if len(page) < LINES_PER_PAGE:
                return
            after = page[-1]["transfer_id"]


async def approve_year(
    settings: PaymentsSettings, program_id: str, year: int, *, actor: str, digest: str, note: str
) -> dict[str, Any]:
    """Agree to the list with this digest, as one of two people; the close afterwards."""
    view = await fiscal_years.approve_at_desk(
        program_id, year, actor=actor, digest=digest, note=note, closes=TemporalCloses(settings)
    )
    return view.model_dump(mode="json")


async def amend_year(
    settings: PaymentsSettings,
    program_id: str,
    year: int,
    *,
    actor: str,
    encumbrance: str,
    disposition: str,
    reason: str,
) -> dict[str, Any]:
    """Carry what was to lapse, or the other way round; the close afterwards."""
    view = await fiscal_years.amend_at_desk(
        program_id,
        year,
        actor=actor,
        encumbrance=encumbrance,
        disposition=disposition,
        reason=reason,
        closes=TemporalCloses(settings),
    )
    return view.model_dump(mode="json")


def _document(document_id: str) -> BudgetDocumentId:
    try:
        return BudgetDocumentId.parse(document_id)
    except ValueError as error:
        raise DocumentUnreadable(why=str(error)) from error
