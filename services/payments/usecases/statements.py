"""Take bank statements: accept what continues its account, keep what does not for a person, take no line twice."""

import asyncio
import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime

from kit.db import Connection, Database
from services.payments.gateways import Exchange
from services.payments.nacha.banking_days import operator_day
from services.payments.statements import (
    STATEMENT_SUFFIXES,
    StatementAccount,
    StatementFault,
    StatementFile,
    read_statement,
)
from services.payments.statements.chain import BankStatementId, continues
from services.payments.store import statements as store
from services.payments.store.statements import Statement
from services.payments.usecases.inbound import read_each

FAULTS_KEPT_MAX = 100
BANK = "bank"
CHAIN = "account's chain"


@dataclass(slots=True)
class Taken:
    """What one file came to. `again`: its content was taken before, and nothing changed."""

    again: bool = False
    form: str = "unknown"
    accepted: list[Statement] = field(default_factory=list[Statement])
    held: list[Statement] = field(default_factory=list[Statement])
    followed: list[BankStatementId] = field(default_factory=list[BankStatementId])
    """Statements held before that now continue their account."""

    @property
    def new_lines(self) -> int:
        return sum(one.new_lines for one in self.accepted)

    @property
    def repeated_lines(self) -> int:
        return sum(one.lines - one.new_lines for one in self.accepted)


async def read_statements(*, exchange: Exchange, ours: Collection[str], db: Database, now: datetime) -> int:
    """Take the statements that wait in the inbound folder, oldest name first; returns how many."""

    async def take(name: str, content: bytes) -> None:
        await take_statement(name, content, taker=BANK, ours=ours, db=db, now=now)

    return await read_each(STATEMENT_SUFFIXES, take, exchange=exchange, db=db, now=now)


async def take_statement(
    name: str, content: bytes, *, taker: str, ours: Collection[str], db: Database, now: datetime
) -> Taken:
    """Keep the file; accept each account's statement or hold it with its fault. A file taken before changes nothing.

    `ours`: the accounts the program pays from, as `bank/*2468`.
    """
    file = await asyncio.to_thread(read_statement, content)
    digest = hashlib.sha256(content).digest()
    taken = Taken(form=file.form)
    async with db.transaction() as tx:
        await store.lock_statements(tx)
        if not await store.take_file(tx, digest, name, file, content, taker=taker, now=now):
            return Taken(again=True, form=file.form)
        if not file.ok:
            unproven = _unproven(file, digest, now=now)
            await store.add(tx, unproven, now=now)
            taken.held.append(unproven)
        # In the order of days, as they continue each other.
        for place, account in sorted(enumerate(file.accounts, 1), key=lambda one: (one[1].day, one[0])):
            await _take_account(tx, taken, file, digest, place, account, ours=ours, now=now)
        for bank, account in sorted({(one.bank, one.account) for one in taken.accepted}):
            taken.followed += await follow_chain(tx, bank, account, ours=ours, now=now)
    return taken


async def _take_account(
    tx: Connection,
    taken: Taken,
    file: StatementFile,
    digest: bytes,
    place: int,
    account: StatementAccount,
    *,
    ours: Collection[str],
    now: datetime,
) -> None:
    judgment = continues(
        account,
        file.form,
        last=await store.last(tx, account.bank, account.account),
        known=await store.known_lines(tx, [line.line_id for line in account.lines]),
        ours=ours,
    )
    statement = Statement(
        statement_id=BankStatementId.derive(digest.hex(), place),
        content_sha256=digest,
        place=place,
        form=file.form,
        bank=account.bank,
        account=account.account,
        day=account.day,
        opening_cents=account.opening_cents,
        closing_cents=account.closing_cents,
        lines=len(account.lines),
        new_lines=len(judgment.new_lines),
        state="held" if judgment.held else "accepted",
        reason=judgment.reason,
        explanation=judgment.explanation,
        faults=(),
        taken_at=now,
        decided_by=CHAIN,
    )
    await store.add(tx, statement, now=now)
    (taken.held if judgment.held else taken.accepted).append(statement)
    if not judgment.held:
        await store.add_lines(tx, statement, judgment.new_lines, now=now)


async def follow_chain(
    tx: Connection, bank: str, account: str, *, ours: Collection[str], now: datetime
) -> list[BankStatementId]:
    """Accept held statements of an account that continue it now that the missing one has come."""
    followed: list[BankStatementId] = []
    while True:
        for statement in await store.held_of(tx, bank, account):
            if await accept_held(tx, statement, by=CHAIN, ours=ours, trusted=False, now=now):
                followed.append(statement.statement_id)
                break
        else:
            return followed


async def accept_held(
    tx: Connection, statement: Statement, *, by: str, ours: Collection[str], trusted: bool, now: datetime
) -> bool:
    """Accept a held statement with its lines, from the file that was kept; False where it still does not continue."""
    file = read_statement(await store.content_of(tx, statement.content_sha256))
    account = file.accounts[statement.place - 1]
    judgment = continues(
        account,
        file.form,
        last=await store.last(tx, account.bank, account.account),
        known=await store.known_lines(tx, [line.line_id for line in account.lines]),
        ours=ours,
        trusted=trusted,
    )
    if judgment.held:
        return False
    await store.decide(tx, statement.statement_id, "accepted", new_lines=len(judgment.new_lines), by=by, now=now)
    await store.add_lines(tx, statement, judgment.new_lines, now=now)
    return True


def _unproven(file: StatementFile, digest: bytes, *, now: datetime) -> Statement:
    """What the file could not prove, as one statement that waits for a person."""
    first: StatementFault = file.faults[0]
    place = f"record {first.record}, {first.field}" if first.record else first.field
    return Statement(
        statement_id=BankStatementId.derive(digest.hex(), 0),
        content_sha256=digest,
        place=0,
        form=file.form,
        bank="",
        account="",
        day=operator_day(now),
        opening_cents=None,
        closing_cents=None,
        lines=0,
        new_lines=0,
        state="held",
        reason=first.reason,
        explanation=f"{place}: {first.explanation}",
        faults=[asdict(fault) for fault in file.faults[:FAULTS_KEPT_MAX]],
        taken_at=now,
        decided_by=CHAIN,
    )
