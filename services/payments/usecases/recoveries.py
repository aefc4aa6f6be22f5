"""Take down what a provider pays back: one person on a bank's line or a document; another approves, which posts it.

Each entry moves money back from the one by which it was paid, and never more than that brought: netting and paying back
are taken off the same debt.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from contracts.errors import NotFound
from kit.db import Connection, Database
from services.payments.books.ledger import Kind
from services.payments.claims.recoveries import (
    MoreThanOwed,
    NotMoneyIn,
    RecoveryDecided,
    RecoveryId,
    RecoveryWaits,
    spread,
)
from services.payments.domain import two_people
from services.payments.store import advances as refund_store
from services.payments.store import funding as funding_store
from services.payments.store import recoveries as store
from services.payments.store.advances import OwedPart
from services.payments.store.recoveries import Recovery
from services.payments.usecases.bank_evidence import end_by, open_line
from services.payments.usecases.postings import move_of, post_moves
from services.payments.usecases.waiting import serve_waiting


async def propose_recovery(
    tx: Connection,
    refund_id: str,
    *,
    cents: int,
    line_id: str | None,
    document: str | None,
    maker: str,
    now: datetime,
) -> Recovery:
    """A provider paid back so much of an agreed refund, as a line of the bank or else a document shows.

    Raises `NotFound`, `MoreThanOwed`, `RecoveryWaits`; of the line `NotMoneyIn`, `AmountsDiffer`, `LineEnded`.
    """
    await _owed(tx, refund_id, cents)
    if line_id is not None and (await open_line(tx, line_id, cents)).amount_cents < 0:
        raise NotMoneyIn
    recovery = Recovery(RecoveryId.new(), refund_id, cents, line_id, document, "proposed", maker, None)
    if not await store.add(tx, recovery, now=now):
        raise RecoveryWaits
    return recovery


async def approve_recovery(
    tx: Connection, refund_id: str, recovery_id: str, *, checker: str, now: datetime
) -> Recovery:
    """Post it: disbursed becomes available again, oldest debt first. Refused to whoever proposed it."""
    recovery = await _open(tx, refund_id, recovery_id)
    two_people(checker, recovery.made_by)
    owed = await _owed(tx, refund_id, recovery.cents)
    # The cases first, the book after: whoever pays or withdraws one of them locks in the same order.
    cases = [part.application_id for part in owed]
    fundings = await funding_store.expended(tx, cases)
    fundings |= await funding_store.encumbered_once(tx, cases)
    line = await open_line(tx, recovery.line_id, recovery.cents) if recovery.line_id is not None else None
    reason = f"recovery {recovery_id}"
    shares = [(part, cents) for part, cents in zip(owed, spread(recovery.cents, [p.cents for p in owed]), strict=True)]
    moves = [
        move_of(
            fundings[part.application_id],
            Kind.RECOVER,
            cents,
            of=part.settle_transfer_id,
            reason=reason,
            at=now,
            actor=checker,
            key=f"{part.settle_transfer_id} {recovery_id}",
        )
        for part, cents in shares
        if cents
    ]
    await post_moves(tx, moves)
    for part, cents in shares:
        if cents:
            await store.take_off(tx, part.settle_transfer_id, cents)
    if line is not None:
        await end_by(tx, line, "recovery", moves[0].id, by=checker, now=now)
    await store.posted(tx, recovery_id, checker=checker, now=now)
    for book in sorted({move.whole.scope.book for move in moves}):
        await serve_waiting(tx, book, now=now)
    return replace(recovery, state="posted", checked_by=checker)


async def withdraw_recovery(tx: Connection, refund_id: str, recovery_id: str) -> Recovery:
    """Take back what nobody has approved."""
    recovery = await _open(tx, refund_id, recovery_id)
    await store.withdrawn(tx, recovery_id)
    return replace(recovery, state="withdrawn")


async def _open(tx: Connection, refund_id: str, recovery_id: str) -> Recovery:
    recovery = await store.find(tx, refund_id, recovery_id)
    if recovery is None:
        raise NotFound(kind="recovery")
    if recovery.state != "proposed":
        raise RecoveryDecided(state=recovery.state)
    return recovery


async def _owed(tx: Connection, refund_id: str, cents: int) -> Sequence[OwedPart]:
    """The open parts of the refund, locked, oldest first; `MoreThanOwed` where they are less than `cents`."""
    refund = await refund_store.refund(tx, refund_id)
    if refund is None:
        raise NotFound(kind="refund")
    owed = [part for part in await refund_store.owed_by(tx, refund.provider_id) if part.refund_id == refund_id]
    if sum(part.cents for part in owed) < cents:
        raise MoreThanOwed(owed_cents=sum(part.cents for part in owed), cents=cents)
    return owed


async def propose_one(
    refund_id: str,
    *,
    cents: int,
    line_id: str | None,
    document: str | None,
    maker: str,
    db: Database,
    now: datetime,
) -> Recovery:
    """`propose_recovery` in a transaction of its own."""
    async with db.transaction() as tx:
        return await propose_recovery(
            tx, refund_id, cents=cents, line_id=line_id, document=document, maker=maker, now=now
        )


async def approve_one(refund_id: str, recovery_id: str, *, checker: str, db: Database, now: datetime) -> Recovery:
    """`approve_recovery` in a transaction of its own."""
    async with db.transaction() as tx:
        return await approve_recovery(tx, refund_id, recovery_id, checker=checker, now=now)
