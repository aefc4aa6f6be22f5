"""What the page of reconciliation shows beyond the matcher's result: totals, endings, open lines, accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from kit.db import Connection
from services.payments.statements import StatementLine
from services.payments.store.statements import line_of

# One moment for everything the page adds up.
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
TOTALS = """
SELECT
    (SELECT coalesce(sum(in_transit_cents), 0) FROM balance WHERE level = 'line')::bigint AS ledger_cents,
    (SELECT count(*) FROM disbursement WHERE state = 'sent') AS payments,
    (SELECT coalesce(sum(e.amount_cents), 0) FROM payment_entry AS e JOIN disbursement AS d USING (disbursement_id)
        WHERE d.state = 'sent')::bigint AS entries_cents
"""
ENDINGS = """
SELECT state, reason, count(*) AS lines, sum(amount_cents)::bigint AS cents FROM statement_line
GROUP BY state, reason ORDER BY array_position(ARRAY['open', 'explained', 'matched'], state), reason
"""
OPEN = "SELECT * FROM statement_line WHERE state = 'open' ORDER BY day, line_id LIMIT $1"
REJECTED = """
SELECT r.alert_id, f.file_name, r.line_number, r.reason, r.explanation, a.disbursement_id, f.read_at
FROM payment_alert AS a JOIN confirmation_rejected AS r USING (alert_id)
JOIN confirmation_file AS f USING (content_sha256)
WHERE a.closed_by IS NULL ORDER BY f.read_at, f.file_name, r.line_number LIMIT $1
"""
ACCOUNTS = """
SELECT DISTINCT ON (bank, account) bank, account, form, day, closing_cents FROM bank_statement
WHERE state = 'accepted' ORDER BY bank, account, day DESC, chain_number DESC
"""
TALLY = """
SELECT
    (SELECT count(*) FROM disbursement WHERE settlement_evidence LIKE 'statement line %') AS settled_by_statement,
    (SELECT count(*) FROM disbursement WHERE settlement_evidence LIKE 'confirmation %') AS settled_by_confirmation,
    (SELECT count(DISTINCT disbursement_id) FROM payment_evidence AS e JOIN statement_line AS l USING (line_id)
        WHERE l.reason = 'settles_in_parts') AS paid_in_parts,
    (SELECT count(*) / 2 FROM statement_line WHERE reason = 'duplicate_reversed') AS duplicates_reversed,
    (SELECT count(*) FROM statement_line WHERE reason = 'matched_by_person') AS matched_by_people,
    (SELECT count(*) FROM payment_evidence WHERE effect IN ('returns', 'confirms_return')) AS returned,
    (SELECT count(*) FROM payment_evidence WHERE effect = 'returns_late') AS returned_late,
    (SELECT count(*) FROM bank_statement WHERE state = 'accepted') AS statements,
    (SELECT count(*) FROM bank_statement WHERE state = 'accepted' AND decided_at > taken_at) AS followed,
    (SELECT count(*) FROM bank_statement WHERE place = 0) AS unproven,
    (SELECT coalesce(sum(lines - new_lines), 0) FROM bank_statement WHERE state = 'accepted') AS lines_repeated,
    (SELECT count(*) FROM statement_line) AS lines,
    (SELECT coalesce(sum(amount_cents), 0) FROM statement_line)::bigint AS moved_cents,
    (SELECT coalesce(sum(disbursed_cents), 0) FROM balance WHERE level = 'line')::bigint AS disbursed_cents
"""
RETURNED_LATE = """
SELECT DISTINCT d.provider_id FROM disbursement AS d JOIN payment_evidence AS e USING (disbursement_id)
WHERE e.effect = 'returns_late' AND d.state = 'returned' ORDER BY d.provider_id
"""


@dataclass(frozen=True, slots=True)
class Sums:
    """Money in transit as the ledger has it, and as the files' entries add up to it."""

    ledger_cents: int
    payments: int
    entries_cents: int


@dataclass(frozen=True, slots=True)
class Ended:
    """So many lines ended this way; `cents` is what they did to the balance."""

    state: str
    reason: str
    lines: int
    cents: int


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line that waits; `candidates` are `{id, days, reason}`."""

    line: StatementLine
    bank: str
    reason: str
    difference_cents: int
    disbursement_ids: Sequence[str]
    candidates: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class OpenWord:
    """A line of an ACH or confirmation file that was not applied; closing its alert ends it. Line 0: the whole file."""

    alert_id: str
    file_name: str
    line_number: int
    reason: str
    explanation: str
    disbursement_id: str | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """Where an account stands by its last accepted statement."""

    bank: str
    account: str
    form: str
    day: date
    closing_cents: int


async def one_moment(tx: Connection) -> None:
    """What follows in this transaction reads one moment; it must come first."""
    await tx.execute(SNAPSHOT)


async def sums(tx: Connection) -> Sums:
    row = await tx.fetchrow(TOTALS)
    assert row is not None
    return Sums(**dict(row))


async def endings(tx: Connection) -> list[Ended]:
    return [Ended(**dict(row)) for row in await tx.fetch(ENDINGS)]


async def open_lines(tx: Connection, count_max: int) -> list[OpenLine]:
    """Lines that wait for a rule or a person, the oldest first."""
    return [
        OpenLine(
            line=line_of(row),
            bank=row["bank"],
            reason=row["reason"],
            difference_cents=row["difference_cents"],
            disbursement_ids=row["disbursement_ids"],
            candidates=row["candidates"],
        )
        for row in await tx.fetch(OPEN, count_max)
    ]


async def open_words(tx: Connection, count_max: int) -> list[OpenWord]:
    """Rejected lines that nobody has dealt with, the oldest first."""
    return [OpenWord(**dict(row)) for row in await tx.fetch(REJECTED, count_max)]


async def accounts(tx: Connection) -> list[Account]:
    return [Account(**dict(row)) for row in await tx.fetch(ACCOUNTS)]


async def tally(tx: Connection) -> dict[str, int]:
    """What the bank and the finance system made of the payments and statements, counted."""
    row = await tx.fetchrow(TALLY)
    assert row is not None
    return {name: int(count) for name, count in row.items()}


async def payees_returned_late(tx: Connection) -> list[str]:
    """Payees whose payments came back after settlement and wait for a repair."""
    return [row["provider_id"] for row in await tx.fetch(RETURNED_LATE)]
