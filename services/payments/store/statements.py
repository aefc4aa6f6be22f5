"""Statement files as they came, the statements in them, and their lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from kit.db import Connection
from services.payments.statements import Kind, StatementFile, StatementLine, StatementLineId
from services.payments.statements.chain import BankStatementId, Link

# One after the other: each statement is judged by the one accepted before it.
LOCK_STATEMENTS = "SELECT pg_advisory_xact_lock(7119)"
TAKE_FILE = """
INSERT INTO statement_file (content_sha256, file_name, form, content, taken_by, taken_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (content_sha256) DO NOTHING RETURNING file_name
"""
CONTENT = "SELECT content FROM statement_file WHERE content_sha256 = $1"
LAST = """
SELECT day, closing_cents, form FROM bank_statement
WHERE bank = $1 AND account = $2 AND state = 'accepted' ORDER BY day DESC, chain_number DESC LIMIT 1
"""
KNOWN_LINES = "SELECT line_id FROM statement_line WHERE line_id = ANY ($1::text[])"
ADD = """
INSERT INTO bank_statement (
    statement_id, content_sha256, place, form, bank, account, day, opening_cents, closing_cents, lines, new_lines,
    state, reason, explanation, faults, chain_number, taken_at, decided_by, decided_at
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
    CASE WHEN $12 = 'accepted' THEN nextval('bank_statement_chain') END, $16, $17, $16
)
"""
DECIDE = """
UPDATE bank_statement SET state = $2, reason = $3, explanation = $4, new_lines = $5, decided_by = $6, decided_at = $7,
    chain_number = CASE WHEN $2 = 'accepted' THEN nextval('bank_statement_chain') END
WHERE statement_id = $1 AND state = 'held'
"""
ADD_LINES = """
INSERT INTO statement_line (
    line_id, statement_id, bank, account, day, value_on, amount_cents, bank_reference, reference, trace, company_id,
    kind, return_code, description, record, batch_reference, taken_at
)
SELECT l.line_id, $1, $2, $3, l.day, l.value_on, l.amount_cents, l.bank_reference, l.reference, l.trace, l.company_id,
    l.kind, l.return_code, l.description, l.record, l.batch_reference, $4
FROM unnest(
    $5::text[], $6::date[], $7::date[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
    $14::text[], $15::text[], $16::integer[], $17::text[]
) AS l(
    line_id, day, value_on, amount_cents, bank_reference, reference, trace, company_id, kind, return_code, description,
    record, batch_reference
)
"""
_STATEMENT = """statement_id, content_sha256, place, form, bank, account, day, opening_cents, closing_cents, lines,
    new_lines, state, reason, explanation, faults, taken_at, decided_by"""
HELD = f"SELECT {_STATEMENT} FROM bank_statement WHERE state = 'held' ORDER BY day, statement_id LIMIT $1"
HELD_OF = f"""
SELECT {_STATEMENT} FROM bank_statement
WHERE state = 'held' AND place > 0 AND bank = $1 AND account = $2 ORDER BY day, opening_cents, statement_id
"""
ONE = f"SELECT {_STATEMENT} FROM bank_statement WHERE statement_id = $1 FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Statement:
    """One account's statement in a file; `faults` are `{record, field, reason, explanation}`."""

    statement_id: BankStatementId
    content_sha256: bytes
    place: int
    form: str
    bank: str
    account: str
    day: date
    opening_cents: int | None
    closing_cents: int | None
    lines: int
    new_lines: int
    state: str
    reason: str
    explanation: str
    faults: Sequence[dict[str, Any]]
    taken_at: datetime
    decided_by: str


async def lock_statements(tx: Connection) -> None:
    """Wait for whoever takes statements or reconciles, until the transaction ends."""
    await tx.execute(LOCK_STATEMENTS)


async def take_file(
    tx: Connection, sha256: bytes, name: str, file: StatementFile, content: bytes, *, taker: str, now: datetime
) -> bool:
    """False where a file of the same content was taken before, under whatever name."""
    return await tx.fetchval(TAKE_FILE, sha256, name, file.form, content, taker, now) is not None


async def content_of(tx: Connection, sha256: bytes) -> bytes:
    content = await tx.fetchval(CONTENT, sha256)
    assert isinstance(content, bytes)
    return content


async def last(tx: Connection, bank: str, account: str) -> Link | None:
    """Where the account stands."""
    row = await tx.fetchrow(LAST, bank, account)
    return Link(row["day"], row["closing_cents"], row["form"]) if row else None


async def known_lines(tx: Connection, ids: Sequence[str]) -> set[str]:
    """Those of `ids` that were taken before."""
    return {row["line_id"] for row in await tx.fetch(KNOWN_LINES, list(ids))}


async def add(tx: Connection, one: Statement, *, now: datetime) -> None:
    await tx.execute(
        ADD,
        one.statement_id,
        one.content_sha256,
        one.place,
        one.form,
        one.bank,
        one.account,
        one.day,
        one.opening_cents,
        one.closing_cents,
        one.lines,
        one.new_lines,
        one.state,
        one.reason,
        one.explanation,
        list(one.faults),
        now,
        one.decided_by,
    )


async def decide(
    tx: Connection,
    statement_id: str,
    state: str,
    *,
    reason: str = "",
    explanation: str = "",
    new_lines: int = 0,
    by: str,
    now: datetime,
) -> None:
    """What becomes of a held statement."""
    await tx.execute(DECIDE, statement_id, state, reason, explanation, new_lines, by, now)


async def add_lines(tx: Connection, statement: Statement, lines: Sequence[StatementLine], *, now: datetime) -> None:
    """Lines that no earlier statement brought; they are open until something ends them."""
    await tx.execute(
        ADD_LINES,
        statement.statement_id,
        statement.bank,
        statement.account,
        now,
        [line.line_id for line in lines],
        [line.day for line in lines],
        [line.value_on for line in lines],
        [line.amount_cents for line in lines],
        [line.bank_reference for line in lines],
        [line.reference for line in lines],
        [line.trace for line in lines],
        [line.company_id for line in lines],
        [line.kind.value for line in lines],
        [line.return_code for line in lines],
        [line.description for line in lines],
        [line.record for line in lines],
        [line.batch_reference for line in lines],
    )


async def held(tx: Connection, count_max: int) -> list[Statement]:
    """Statements that wait for a person or for the one that is missing before them."""
    return [statement_of(dict(row)) for row in await tx.fetch(HELD, count_max)]


async def held_of(tx: Connection, bank: str, account: str) -> list[Statement]:
    return [statement_of(dict(row)) for row in await tx.fetch(HELD_OF, bank, account)]


async def statement(tx: Connection, statement_id: str) -> Statement | None:
    row = await tx.fetchrow(ONE, statement_id)
    return statement_of(dict(row)) if row else None


def statement_of(row: dict[str, Any]) -> Statement:
    row["statement_id"] = BankStatementId(row["statement_id"])
    return Statement(**row)


def line_of(row: Any) -> StatementLine:
    """A row of `statement_line` as the matcher takes it."""
    return StatementLine(
        line_id=StatementLineId(row["line_id"]),
        account=row["account"],
        day=row["day"],
        value_on=row["value_on"],
        amount_cents=row["amount_cents"],
        bank_reference=row["bank_reference"],
        reference=row["reference"],
        trace=row["trace"],
        company_id=row["company_id"],
        kind=Kind(row["kind"]),
        return_code=row["return_code"],
        description=row["description"],
        record=row["record"],
        batch_reference=row["batch_reference"],
    )
