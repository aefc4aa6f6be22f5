"""What a published program means for the books: which balance rows get, or give back, how much."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.events.eligibility import ListedRound
from contracts.ids import TransferId
from services.payments.books.ledger import Kind, Scope, Transfer, award_row, line_row, person_row, round_row

NO_DOCUMENT = "no document reference published"


@dataclass(frozen=True, slots=True)
class Target:
    """What one balance row should be appropriated, and on the strength of which document."""

    book: str
    level: str
    row: str
    cents: int
    document: str

    @property
    def scope(self) -> Scope:
        return Scope(book=self.book, **{self.level: self.row})


@dataclass(frozen=True, slots=True)
class Standing:
    """What a balance row has been appropriated so far, in how many postings."""

    cents: int = 0
    postings: int = 0


def targets_of(program_id: str, rounds: Sequence[ListedRound]) -> list[Target]:
    """Lines first, then rounds and awards. A round whose appropriation is not published has no money to hold."""
    lines: dict[str, int] = defaultdict(int)
    documents: dict[str, list[str]] = defaultdict(list)
    below: list[Target] = []
    for listed in rounds:
        if listed.appropriation_cents is None:
            continue
        book = line_row(program_id, listed.fiscal_year)
        document = listed.document_reference or NO_DOCUMENT
        lines[book] += listed.appropriation_cents
        documents[book].append(document)
        row = round_row(program_id, listed.round_id)
        below.append(Target(book, "round", row, listed.appropriation_cents, document))
        below.extend(
            Target(book, "award", award_row(program_id, listed.round_id, a.provider_id), a.ceiling_cents, document)
            for a in listed.awards
        )
    widest = [Target(book, "line", book, cents, "; ".join(documents[book])[:500]) for book, cents in lines.items()]
    return widest + below


def raise_to(target: Target, standing: Standing, *, actor: str, at: datetime) -> Transfer | None:
    """The posting that raises a row to its target; None where it has as much.

    Its id names the row and how many postings came before: of two that start from the same standing one wins, and the
    other is a replay (same target) or a conflict (another).
    """
    if target.cents <= standing.cents:
        return None
    return Transfer(
        id=TransferId.derive("appropriation", target.row, standing.postings + 1),
        kind=Kind.APPROPRIATE,
        scope=target.scope,
        amount_cents=target.cents - standing.cents,
        reason=target.document,
        actor=actor,
        occurred_at=at,
    )


def lower_to(target: Target, standing: Standing, *, version: str, actor: str, at: datetime) -> Transfer | None:
    """The posting that takes back what is above the target; refused by the ledger where that is committed.

    A refusal is for ever under its id, so the pack version is part of it: the next version may try again.
    """
    if target.cents >= standing.cents:
        return None
    return Transfer(
        id=TransferId.derive("withdrawal", target.row, standing.postings + 1, version),
        kind=Kind.WITHDRAW_APPROPRIATION,
        scope=target.scope,
        amount_cents=standing.cents - target.cents,
        reason=target.document,
        actor=actor,
        occurred_at=at,
    )


def person_target(book: str, program_id: str, round_id: str, person_id: str, cap_cents: int) -> Target:
    """A person's cap in a round, as the balance row that a hold must fit into. It is raised, never taken back."""
    row = person_row(program_id, round_id, person_id)
    return Target(book, "person", row, cap_cents, f"cap per person of {round_id}")
