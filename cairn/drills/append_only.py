"""The drill `append-only`: nobody changes what the journal says, nor writes past the posting function."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg

from cairn.drills.books import AWARD, LINE, PROGRAM, appropriation, books_are_proven, hold, opened
from cairn.drills.drill import Drill, Fault, Trial, changes_schema, edits_function
from kit.db import Database
from services.payments.books.ledger import Scope, line_row
from services.payments.store import ledger as store

JOURNALS = ("transfer", "transfer_2026", "transfer_2027")
NEXT_LINE = line_row(PROGRAM, 2027)

CHANGES = tuple(
    statement.format(journal)
    for journal in JOURNALS
    for statement in ("UPDATE {} SET amount_cents = 1", "DELETE FROM {}", "TRUNCATE {}")
)
WRITES = (
    "UPDATE balance SET available_cents = available_cents + 1, appropriated_cents = appropriated_cents + 1",
    "INSERT INTO balance (id, book, level) VALUES ('line/x/1', 'line/x/1', 'line')",
    "DELETE FROM balance",
    "INSERT INTO posting_rule VALUES ('gift', 'authority', 'disbursed', false)",
    "UPDATE posting_rule SET credit = 'disbursed'",
    "SELECT open_journal(2040)",
    "DROP TABLE transfer_2026",
)


async def run(trial: Trial) -> None:
    """Every way of writing, by the service's role and by the owner, in the year that was there and in a new one."""
    db = await trial.ground.open(connections_max=2)
    async with db.transaction() as tx:
        await store.post(tx, [*opened(10_000), hold("one", 4_000)])
        new_year = replace(appropriation(LINE, 5_000, "next"), scope=Scope(NEXT_LINE, line=NEXT_LINE))
        await store.post(tx, [new_year])
    owner = await trial.ground.owner()
    for statement in CHANGES:
        trial.equal(f"owner: {statement}", "refused", await _tried(owner, statement))
    trial.equal(
        "statements the service's role may run", [], [one for one in (*CHANGES, *WRITES) if await _may(db, one)]
    )
    async with db.connection() as connection:
        entries = await connection.fetchval("SELECT count(*) FROM transfer")
        row = (await store.balances(connection, [AWARD]))[AWARD]
    trial.equal("entries afterwards", 5, entries)
    trial.equal("available and held afterwards", (6_000, 4_000), (row.available_cents, row.stages["held"]))
    await books_are_proven(trial, db)


async def _tried(owner: Any, statement: str) -> str:
    """What the owner meets; whatever happens is undone."""
    undone = owner.transaction()
    await undone.start()
    try:
        await owner.execute(statement)
    except asyncpg.InsufficientPrivilegeError as refusal:
        return "refused" if "append-only" in str(refusal) else str(refusal)
    finally:
        await undone.rollback()
    return "done"


async def _may(db: Database, statement: str) -> bool:
    class _Undo(Exception):
        pass

    try:
        async with db.transaction() as tx:
            await tx.execute(statement)
            raise _Undo
    except asyncpg.InsufficientPrivilegeError:
        return False
    except _Undo:
        return True


def _grants(privileges: Sequence[str]) -> str:
    return "; ".join(f"GRANT {privilege} TO cairn_payments" for privilege in privileges)


DRILLS = (
    Drill(
        "append-only",
        "the journal takes no UPDATE, DELETE or TRUNCATE, and nothing but the posting function writes the books",
        run,
        test_scale=1.0,
    ),
)
FAULTS = (
    Fault(
        "journal-trigger-disabled",
        "The journal's own refusal of changes is switched off.",
        "append-only",
        changes_schema("ALTER TABLE transfer DISABLE TRIGGER transfer_append_only"),
        check="owner: UPDATE transfer SET amount_cents = 1",
    ),
    Fault(
        "new-year-can-be-emptied",
        "A new year's part of the journal has no trigger against TRUNCATE.",
        "append-only",
        edits_function(
            "open_journal",
            "BEFORE TRUNCATE ON %I FOR EACH STATEMENT",
            "AFTER INSERT ON %I FOR EACH STATEMENT WHEN (false)",
        ),
        check="owner: TRUNCATE transfer_2027",
    ),
    Fault(
        "service-writes-balances",
        "The service's role may write balance rows itself.",
        "append-only",
        changes_schema(_grants(["UPDATE ON balance"])),
        check="statements the service's role may run",
    ),
)
