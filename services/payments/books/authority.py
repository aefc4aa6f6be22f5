"""Budget documents: the papers that set, allot, move and withdraw money, and the postings each one stands for.

A publication of the program pack is a document too, the legislature's; it moves a row by the difference to what the
publication before it said, so that a transfer made in between is not undone. Source: ORC 126.07, 131.33.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from contracts.errors import Conflict, Refused
from contracts.ids import Id, TransferId
from services.payments.books.ledger import Kind, Scope, Transfer

YEARS: Final = range(2000, 2201)
_ROW = re.compile(
    r"^(?P<level>line|round|award)/(?P<program>[a-z0-9][a-z0-9-]{0,63})/(?P<part>[a-z0-9][a-z0-9-]{0,63})"
    r"(/(?P<provider>[a-z0-9][a-z0-9-]{0,63}))?$"
)


class BudgetDocumentId(Id, prefix="bud"):
    """One paper that moves budget authority."""


class DocumentKind(StrEnum):
    """What a budget document does."""

    APPROPRIATION = "appropriation"
    """New money for a budget line."""
    WITHDRAWAL = "withdrawal"
    """Money taken back from a line, a round or an award, where it is not committed."""
    ALLOTMENT = "allotment"
    """Room for a round or an award within the line."""
    TRANSFER = "transfer"
    """Money moved between two lines, two rounds or two awards."""


class DocumentState(StrEnum):
    """Proposed by one person; approved, and posted in the same transaction, or refused by another."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


class RowUnfit(Refused):
    """{why}"""

    code = "row_unfit"


class DocumentDecided(Conflict):
    """The budget document was decided before."""

    code = "document_decided"


class DocumentKnown(Conflict):
    """A document of this reference moves the same money already."""

    code = "document_known"


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A balance row that a document may name: a line, a round, a provider award."""

    id: str
    level: str
    program_id: str
    part: str
    """The fiscal year of a line, the round of the others."""
    provider_id: str | None

    @property
    def fiscal_year(self) -> int | None:
        return int(self.part) if self.level == "line" else None


@dataclass(frozen=True, slots=True)
class BudgetDocument:
    """One document with its two people; `refusal` is a code of the ledger's or the checker's own words."""

    document_id: BudgetDocumentId
    program_id: str
    kind: DocumentKind
    reference: str
    amount_cents: int
    from_row: str | None
    to_row: str | None
    reason: str
    state: DocumentState
    made_by: str
    made_at: datetime
    checked_by: str | None = None
    checked_at: datetime | None = None
    refusal: str | None = None

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(row for row in (self.from_row, self.to_row) if row is not None)


def read_row(row: str, program_id: str, *, pointer: str) -> BudgetRow:
    """The row of this program that the text names; `RowUnfit` where it names none."""
    found = _ROW.fullmatch(row)
    if found is None or (found["level"] == "award") is not (found["provider"] is not None):
        why = "a row is line/<program>/<year>, round/<program>/<round> or award/<program>/<round>/<provider>"
        raise RowUnfit(why=why, pointer=pointer)
    if found["program"] != program_id:
        raise RowUnfit(why="the row belongs to another program", pointer=pointer)
    if found["level"] == "line" and not (found["part"].isdecimal() and int(found["part"]) in YEARS):
        raise RowUnfit(why=f"a line's fiscal year is {YEARS[0]} to {YEARS[-1]}", pointer=pointer)
    return BudgetRow(row, found["level"], program_id, found["part"], found["provider"])


def check_rows(kind: DocumentKind, from_row: BudgetRow | None, to_row: BudgetRow | None) -> None:
    """A document names the rows its kind takes, of levels that fit; `RowUnfit` otherwise."""
    if (from_row is not None) is not (kind in {DocumentKind.WITHDRAWAL, DocumentKind.TRANSFER}):
        raise RowUnfit(why="a withdrawal or a transfer, and nothing else, says from where", pointer="/from_row")
    if (to_row is not None) is (kind is DocumentKind.WITHDRAWAL):
        raise RowUnfit(why="everything but a withdrawal says to where", pointer="/to_row")
    if to_row is None:
        return
    if kind is DocumentKind.APPROPRIATION and to_row.level != "line":
        raise RowUnfit(why="money is appropriated to a line", pointer="/to_row")
    if kind is DocumentKind.ALLOTMENT and to_row.level == "line":
        raise RowUnfit(why="an allotment goes to a round or an award", pointer="/to_row")
    if from_row is not None and from_row.level != to_row.level:
        raise RowUnfit(why="a transfer stays at one level", pointer="/to_row")
    if from_row == to_row:
        raise RowUnfit(why="a transfer goes to another row", pointer="/to_row")


def transfers_of(document: BudgetDocument, books: Mapping[str, str], *, checker: str, at: datetime) -> list[Transfer]:
    """What the ledger is asked when the document is approved; `books` tells the line that guards each row."""
    asked: list[Transfer] = []
    for kind, row in (
        (Kind.WITHDRAW_APPROPRIATION, document.from_row),
        (Kind.APPROPRIATE, document.to_row),
    ):
        if row is not None:
            asked.append(
                Transfer(
                    id=TransferId.derive("budget document", document.document_id, kind),
                    kind=kind,
                    scope=Scope(book=books[row], **{row.split("/", 1)[0]: row}),
                    amount_cents=document.amount_cents,
                    reason=document.reference,
                    actor=checker,
                    occurred_at=at,
                )
            )
    return asked
