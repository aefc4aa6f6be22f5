"""Reconcile in the database: match what is open, post what the bank's lines prove, leave the rest to people.

A turn posts in parts that share no payment. What a part reads decides what it does, and every transfer's id is derived
from its payment: a turn that is killed, or run again, changes nothing that is done.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta

from contracts.ids import DisbursementId, TransferId
from kit.db import Connection, Database
from services.payments.books.cost_lines import parts_of
from services.payments.books.ledger import Kind
from services.payments.domain import DisbursementState, PostingFailed
from services.payments.nacha.banking_days import operator_day
from services.payments.reconciling import (
    POSTED,
    Effect,
    Ending,
    Evidence,
    LineVerdict,
    evidence_in,
    matched,
    reconcile,
)
from services.payments.reconciling.parts import in_parts
from services.payments.remittance import read_vouchers
from services.payments.store import funding as funding_store
from services.payments.store import reconciliation as store
from services.payments.store import statements as statement_store
from services.payments.store.disbursements import Disbursement
from services.payments.usecases.disbursements import payment_move
from services.payments.usecases.outcomes import Outcome, apply_outcomes, payments_of_words
from services.payments.usecases.return_effects import NO_CODE, heard_again

RECONCILIATION = "reconciliation"
LINES_PER_TURN_MAX = 200_000
PART_SIZE = 1_000
"""Lines and pieces of evidence in one transaction, but for what has to end together."""
ITEMS_MAX = 500_000
BATCHES_PER_TURN_MAX = 200
REACH = timedelta(days=120)
"""How long after its last change a settled or returned payment may still be spoken of by the bank."""
RETURN_CODES = {"AC01": "R03", "AC04": "R02", "AC06": "R16", "AM04": "R01", "MD07": "R15", "MS03": "R31"}
"""ISO 20022 external return reasons as the Nacha codes that say the same."""
KINDS = {Effect.SETTLES: Kind.SETTLE, Effect.RETURNS: Kind.RETURN, Effect.RETURNS_LATE: Kind.RETURN_LATE}


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn came to, in lines, and the payments it moved in the ledger."""

    looked_at: int = 0
    ended: int = 0
    settled: int = 0
    returned: int = 0
    refused: int = 0
    """Lines that the ledger did not follow."""

    def __add__(self, other: "Turn") -> "Turn":
        return Turn(*(ours + theirs for ours, theirs in zip(astuple(self), astuple(other), strict=True)))


async def reconcile_open(*, db: Database, now: datetime) -> Turn:
    """Match the lines that are open with payments and file entries; post settlements and returns; end lines.

    What was found is posted part by part, each in a transaction of its own that looks again at its lines and payments.
    """
    async with db.transaction() as tx:
        await statement_store.lock_statements(tx)
        await _keep_entries(tx)
        lines = await store.open_lines(tx, LINES_PER_TURN_MAX)
        if not lines:
            return Turn()
        items = await store.items(tx, since=now - REACH, count_max=ITEMS_MAX)
        entries = await store.entries(tx, [item.disbursement_id for item in items])
    result = await asyncio.to_thread(reconcile, items, entries, lines, as_of=operator_day(now))
    turn = Turn(looked_at=len(lines))
    candidates = {str(line.line.line_id) for line in matched(result)}
    for part, found in in_parts(result.lines, evidence_in(result), PART_SIZE):
        async with db.transaction() as tx:
            await statement_store.lock_statements(tx)
            turn += await _end(tx, part, found, candidates, now=now)
    return turn


async def _end(
    tx: Connection, part: Sequence[LineVerdict], found: Sequence[Evidence], candidates: set[str], *, now: datetime
) -> Turn:
    """Post what these lines prove and end them, but for those that somebody has ended since they were read."""
    still = await store.still_open(tx, [line.line.line_id for line in part])
    gone = {one.disbursement_id for one in found if one.line.line_id not in still}
    applied = Applied()
    found = _without([one for one in found if one.line.line_id in still], gone, applied)
    await apply_evidence(tx, found, by=RECONCILIATION, now=now, applied=applied)
    ended = candidates - applied.undone
    verdicts = [_verdict(line, ended, applied.refused) for line in part if line.line.line_id in still]
    await store.end_lines(tx, verdicts, by=RECONCILIATION, now=now)
    return Turn(
        ended=sum(one.ending is not Ending.OPEN for one in verdicts),
        settled=applied.settled,
        returned=applied.returned,
        refused=len(applied.refused),
    )


@dataclass(slots=True)
class Applied:
    """What became of evidence: payments moved, lines that were put off, lines that the ledger refused."""

    settled: int = 0
    returned: int = 0
    undone: set[str] = field(default_factory=set[str])
    """Lines that end nothing: their payment moved meanwhile, or the ledger refused."""
    refused: set[str] = field(default_factory=set[str])


async def apply_evidence(
    tx: Connection, found: Sequence[Evidence], *, by: str, now: datetime, applied: Applied | None = None
) -> Applied:
    """Post what the lines prove, keep them as evidence, tell the cases.

    A payment that is not where the matcher saw it, and one that the ledger refuses to move, keeps its lines open.
    """
    applied = applied or Applied()
    payments = await payments_of_words(tx, sorted({one.disbursement_id for one in found}), now=now)
    found = _without(found, {one.disbursement_id for one in found if not _still_fits(one, payments)}, applied)
    while True:
        outcomes = _outcomes(found, payments)
        try:
            # One posting that the ledger refuses must not undo the others.
            async with store.savepoint(tx):
                transfers = await apply_outcomes(tx, outcomes, dict(payments), actor=by, now=now)
            break
        except PostingFailed as failed:
            refused = await _refused(tx, outcomes, payments, failed, now=now)
            before = set(applied.undone)
            found = _without(found, refused, applied)
            applied.refused |= applied.undone - before
    await store.add_evidence(tx, [(one, _posted(one, transfers)) for one in found], by=by, now=now)
    for one in found:
        if one.effect is Effect.CONFIRMS_RETURN and (code := nacha_code(one.line.return_code)) != NO_CODE:
            await heard_again(tx, payments[DisbursementId(one.disbursement_id)], code, now=now)
    applied.settled = sum(kind is Kind.SETTLE for _, kind in transfers)
    applied.returned = len(transfers) - applied.settled
    return applied


def _without(found: Sequence[Evidence], disbursement_ids: set[str], applied: Applied) -> Sequence[Evidence]:
    """The evidence of other payments. A line of several payments ends with all of them or with none."""
    lines = {one.line.line_id for one in found if one.disbursement_id in disbursement_ids}
    applied.undone |= lines
    return [one for one in found if one.line.line_id not in lines]


def _still_fits(one: Evidence, payments: Mapping[DisbursementId, Disbursement]) -> bool:
    """Whether the payment still stands where this evidence takes it from."""
    payment = payments.get(DisbursementId(one.disbursement_id))
    match one.effect:
        case Effect.SETTLES | Effect.RETURNS:
            return payment is not None and payment.state is DisbursementState.SENT
        case Effect.RETURNS_LATE:
            return payment is not None and payment.state is DisbursementState.SETTLED
        case Effect.CONFIRMS | Effect.CONFIRMS_RETURN:
            return payment is not None


def _outcomes(found: Sequence[Evidence], payments: Mapping[DisbursementId, Disbursement]) -> list[Outcome]:
    """One outcome a payment: of several parts the last one settles it."""
    last = {
        one.disbursement_id: one
        for one in sorted(found, key=lambda one: (one.line.day, one.line.line_id))
        if one.effect in POSTED
    }
    return [
        Outcome(
            disbursement_id=DisbursementId(one.disbursement_id),
            kind=KINDS[one.effect],
            evidence=f"statement line {one.line.line_id}",
            payment_number=payments[DisbursementId(one.disbursement_id)].payment_number or one.line.line_id,
            day=one.line.day,
            return_code=None if one.effect is Effect.SETTLES else nacha_code(one.line.return_code),
        )
        for one in last.values()
    ]


async def _refused(
    tx: Connection,
    outcomes: Sequence[Outcome],
    payments: Mapping[DisbursementId, Disbursement],
    failed: PostingFailed,
    *,
    now: datetime,
) -> set[str]:
    """The payments behind the posting that the ledger refused."""
    fundings = await funding_store.expended(tx, [one.application_id for one in payments.values()])
    found: set[str] = set()
    for one in outcomes:
        payment = payments[one.disbursement_id]
        funding = fundings[payment.application_id]
        move = payment_move(funding, payment, one.kind, actor=RECONCILIATION, reason="", now=now)
        if failed.facts["transfer_id"] in parts_of(move.id):
            found.add(one.disbursement_id)
    if not found:
        raise failed
    return found


def _posted(one: Evidence, transfers: Mapping[tuple[DisbursementId, Kind], TransferId]) -> TransferId | None:
    if one.effect not in POSTED:
        return None
    return transfers[DisbursementId(one.disbursement_id), KINDS[one.effect]]


def nacha_code(code: str | None) -> str:
    """The bank's reason for a return as a letter and two digits."""
    if code is None:
        return NO_CODE
    return code if len(code) == 3 and code[0].isalpha() and code[1:].isdigit() else RETURN_CODES.get(code, NO_CODE)


def _verdict(line: LineVerdict, ended: set[str], refused: set[str]) -> LineVerdict:
    """A line ends only where its payment followed. What is no payment of the program is for a person to say."""
    if line.line.line_id in refused:
        return replace(line, ending=Ending.OPEN, reason="books_refused")
    if line.reason == "other_activity" or (line.ending is Ending.MATCHED and line.line.line_id not in ended):
        return replace(line, ending=Ending.OPEN)
    return line


async def _keep_entries(tx: Connection) -> None:
    """The entries of payment-voucher files, read from the very bytes that went out."""
    for batch_id, content in await store.batches_without_entries(tx, BATCHES_PER_TURN_MAX):
        file = read_vouchers(content)
        await store.add_entries(tx, batch_id, [(one.disbursement_id, one.amount_cents) for one in file.payments])
