"""What the budget doors take and show: documents, the waiting list's places, the close of a year."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import ApplicationId
from contracts.money import BudgetCents, PositiveCents
from contracts.texts import Code, Instant, Reference, Sentence, Slug
from services.payments.books.authority import BudgetDocument, BudgetDocumentId, DocumentKind, DocumentState
from services.payments.usecases.standing import Standing

RowName = Annotated[str, Field(min_length=8, max_length=250)]
PERSON = Field(max_length=100)


class NewDocument(BaseModel):
    """A budget document: its reference in the budget office's files, what it moves, and why."""

    model_config = ConfigDict(extra="forbid")

    program_id: Slug
    kind: DocumentKind
    reference: Reference
    amount_cents: Annotated[BudgetCents, Field(gt=0)]
    from_row: RowName | None = None
    """`line/<program>/<year>`, `round/<program>/<round>` or `award/<program>/<round>/<provider>`."""
    to_row: RowName | None = None
    reason: Sentence


class DocumentRefused(BaseModel):
    """Why the second person does not agree."""

    model_config = ConfigDict(extra="forbid")

    reason: Sentence


class DocumentShown(BaseModel):
    """A budget document with its two people; `refusal` says why it was not posted."""

    model_config = ConfigDict(frozen=True)

    document_id: BudgetDocumentId
    program_id: Slug
    kind: DocumentKind
    reference: Reference
    amount_cents: BudgetCents
    from_row: RowName | None
    to_row: RowName | None
    reason: Sentence
    state: DocumentState
    made_by: Annotated[str, PERSON]
    made_at: Instant
    checked_by: Annotated[str, PERSON] | None
    checked_at: Instant | None
    refusal: Sentence | None


class DocumentsShown(BaseModel):
    """The newest first; `next` is the `before` of the following page, absent on the last."""

    model_config = ConfigDict(frozen=True)

    documents: Annotated[list[DocumentShown], Field(max_length=100)]
    next: BudgetDocumentId | None


class PlaceShown(BaseModel):
    """Why a case waits for money, since when, and how many stand before it at the limit it waits for."""

    model_config = ConfigDict(frozen=True)

    application_id: ApplicationId
    reason: Code
    amount_cents: PositiveCents
    waiting_since: Instant
    ahead: Annotated[int, Field(ge=0)]


def place_shown(place: Standing) -> PlaceShown:
    return PlaceShown(
        application_id=ApplicationId(place.application_id),
        reason=place.reason,
        amount_cents=place.amount_cents,
        waiting_since=place.waiting_since,
        ahead=place.ahead,
    )


def document_shown(document: BudgetDocument) -> DocumentShown:
    return DocumentShown(
        document_id=document.document_id,
        program_id=document.program_id,
        kind=document.kind,
        reference=document.reference,
        amount_cents=document.amount_cents,
        from_row=document.from_row,
        to_row=document.to_row,
        reason=document.reason,
        state=document.state,
        made_by=document.made_by,
        made_at=document.made_at,
        checked_by=document.checked_by,
        checked_at=document.checked_at,
        refusal=document.refusal,
    )


def documents_shown(documents: list[BudgetDocument], *, page: int) -> DocumentsShown:
    """At most `page` of them; one more was asked for, to know whether there are others."""
    shown = [document_shown(one) for one in documents[:page]]
    return DocumentsShown(documents=shown, next=shown[-1].document_id if len(documents) > page else None)
