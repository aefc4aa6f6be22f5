"""Books for the tests: one line, one round, one award, persons, and the transfers that move money in them."""

from datetime import UTC, datetime

from contracts.ids import TransferId
from services.payments.ledger import Kind, Scope, Transfer, award_row, line_row, person_row, round_row

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
LINE = line_row("oh-imap", 2026)
ROUND = round_row("oh-imap", "round-6")
AWARD = award_row("oh-imap", "round-6", "lorain-ccc")


def person(name: str) -> str:
    return person_row("oh-imap", "round-6", name)


def scope_of(person_name: str | None = None, award: str = AWARD) -> Scope:
    return Scope(LINE, LINE, ROUND, award, person(person_name) if person_name else None)


def transfer(
    name: str, kind: Kind, cents: int, *, scope: Scope | None = None, pending: TransferId | None = None
) -> Transfer:
    """A transfer whose id belongs to `name`."""
    return Transfer(
        id=TransferId.derive(name),
        kind=kind,
        scope=scope or scope_of(),
        amount_cents=cents,
        reason="test",
        actor="test",
        occurred_at=NOW,
        pending_id=pending,
    )


def appropriation(row: str, cents: int, name: str = "") -> Transfer:
    """Money for one balance row."""
    level = row.split("/", 1)[0]
    scope = Scope(LINE, **{level: row})
    return transfer(f"appropriate {row} {name}", Kind.APPROPRIATE, cents, scope=scope)


def opened(cents: int, *, award_cents: int | None = None) -> list[Transfer]:
    """Line, round and award, with money."""
    return [
        appropriation(LINE, cents),
        appropriation(ROUND, cents),
        appropriation(AWARD, cents if award_cents is None else award_cents),
    ]
