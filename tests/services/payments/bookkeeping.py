"""Books for the tests: those of the drills, opened with as much as a test asks for."""

from cairn.drills.books import AT as NOW
from cairn.drills.books import AWARD, LINE, ROUND, appropriation, person, scope_of, transfer
from services.payments.books.ledger import Transfer

__all__ = ["AWARD", "LINE", "NOW", "ROUND", "appropriation", "opened", "person", "scope_of", "transfer"]


def opened(cents: int, *, award_cents: int | None = None) -> list[Transfer]:
    """Line, round and award, with money."""
    return [
        appropriation(LINE, cents),
        appropriation(ROUND, cents),
        appropriation(AWARD, cents if award_cents is None else award_cents),
    ]
