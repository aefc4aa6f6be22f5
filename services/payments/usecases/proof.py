"""Prove the books, and say where the money of a program stands."""

from dataclasses import dataclass

from contracts.errors import NotFound
from kit.db import Connection, Database
from services.payments.books.ledger import STAGES, Proof
from services.payments.store import ledger as ledger_store
from services.payments.store import program as program_store
from services.payments.store.ledger import Balance
from services.payments.store.program import Alert

PROOF_SECONDS_MAX = 600.0
PROOF_SETTINGS = {
    "statement_timeout": str(int(PROOF_SECONDS_MAX * 1000)),
    # A million entries are joined with themselves in about as much; more of them go to temporary files.
    "work_mem": "64MB",
}
"""What the transaction of a proof may take of the server, in time and memory."""


@dataclass(frozen=True, slots=True)
class Money:
    """A program's money by stage, over all its budget lines, and row by row."""

    program_id: str
    appropriated_cents: int
    stages: dict[str, int]
    """Cents by stage; their sum is `appropriated_cents`."""
    rows: tuple[Balance, ...]
    """Lines, rounds and provider awards."""
    alerts: tuple[Alert, ...]


async def prove(tx: Connection) -> Proof:
    """Refold the whole journal and compare every balance row with it."""
    return await ledger_store.prove(tx)


async def prove_books(*, db: Database) -> Proof:
    """The same on a connection of its own, with the time that a long journal takes."""
    async with db.transaction(local=PROOF_SETTINGS) as tx:
        return await ledger_store.prove(tx, timeout=PROOF_SECONDS_MAX)


async def money_of_program(program_id: str, *, db: Database) -> Money:
    """Where each cent of the program is; `NotFound` for a program nobody published."""
    async with db.transaction() as tx:
        # One moment for all rows: lines, rounds and awards must agree with each other.
        await ledger_store.read_one_moment(tx)
        if not await program_store.knows_program(tx, program_id):
            raise NotFound(kind="program")
        rows = await ledger_store.program_balances(tx, program_id)
        alerts = await program_store.alerts(tx, program_id)
    lines = [row for row in rows if row.level == "line"]
    return Money(
        program_id=program_id,
        appropriated_cents=sum(line.appropriated_cents for line in lines),
        stages={stage.value: sum(line.stages[stage.value] for line in lines) for stage in STAGES},
        rows=tuple(rows),
        alerts=tuple(alerts),
    )
