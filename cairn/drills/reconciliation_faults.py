"""Builds of reconciliation with one guard taken away, which the drill `reconciliation` must notice."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from cairn.drills.drill import Fault, changes_schema, drops_constraint, patches, together
from contracts.ids import DisbursementId
from kit.db import Connection
from services.payments.books.ledger import Kind
from services.payments.reconciling import Ending, ItemState, TransitItem
from services.payments.reconciling import effects as effects_module
from services.payments.reconciling.effects import Effect
from services.payments.reconciling.references import Ends, Judged
from services.payments.statements import StatementAccount, StatementLine, StatementLineId
from services.payments.statements.chain import BankStatementId, Judgment, Link
from services.payments.store import disbursements as payment_store
from services.payments.store import statements as statement_store
from services.payments.usecases import batches
from services.payments.usecases.outcomes import Outcome, apply_outcomes

_marked, _took_file, _effect = batches.mark_transmitted, statement_store.take_file, effects_module.effect_on


async def settle_when_sent(tx: Connection, batch_id: str, *, now: datetime) -> None:
    """That the file is out is taken for the bank's word."""
    await _marked(tx, batch_id, now=now)
    payments = {one.disbursement_id: one for one in await payment_store.of_batch(tx, batch_id)}
    outcomes = [
        Outcome(DisbursementId(name), Kind.SETTLE, "acknowledged", f"A{name[-12:]}", now.date())
        for name, one in payments.items()
        if one.state.value == "sent"
    ]
    await apply_outcomes(tx, outcomes, payments, actor="drill", now=now)


def any_debit_pays(item: TransitItem, lines: Sequence[StatementLine], ends: dict[str, Ends]) -> Judged:
    """Whatever the line's amount is, the payment is paid."""
    judged = Judged(item.state, debited=True)
    for line in lines:
        ends[line.line_id] = (Ending.MATCHED, "settles", 0)
        if line.amount_cents < 0 and item.state is ItemState.IN_TRANSIT:
            judged.state, judged.ending, judged.reason = ItemState.SETTLED, Ending.MATCHED, "settled"
        elif line.amount_cents > 0:
            ends[line.line_id] = (Ending.MATCHED, "returns", 0)
            judged.state, judged.ending, judged.reason = ItemState.RETURNED, Ending.MATCHED, "returned"
    return judged


def every_debit_counts(judging: Any, lines: Sequence[StatementLine], reason: str) -> None:
    """A second debit is a debit like the first."""
    for line in lines:
        judging.ends[line.line_id] = (Ending.MATCHED, "settles", 0)
    judging.spare = []


def late_return_is_news_only(state: ItemState, line: StatementLine) -> Effect:
    effect = _effect(state, line)
    return Effect.CONFIRMS_RETURN if effect is Effect.RETURNS_LATE else effect


async def take_every_file(tx: Connection, *given: Any, **named: Any) -> bool:
    await _took_file(tx, *given, **named)
    return True


def a_new_id_each_time(ids: Any, *said: str | int) -> StatementLineId:
    return StatementLineId.new()


def a_new_statement_each_time(*said: str | int) -> BankStatementId:
    return BankStatementId.new()


def accept_all(
    account: StatementAccount,
    form: str,
    *,
    last: Link | None,
    known: Collection[str],
    ours: Collection[str],
    trusted: bool = False,
) -> Judgment:
    """What a statement's balances say is not looked at."""
    return Judgment(tuple(line for line in account.lines if line.line_id not in known))


def _believe(name: str, reason: str, announced: int, found: int) -> None:
    """Control totals are read and not compared."""


UNBOUNDED = changes_schema("ALTER TABLE payment_evidence DISABLE TRIGGER payment_evidence_bounds")
NEW_IDS = patches("services.payments.statements.lines:LineIds.next", a_new_id_each_time)
NO_CHAIN = patches("services.payments.usecases.statements:continues", accept_all)
DRILL = "reconciliation"

FAULTS = (
    Fault(
        "settle-on-acknowledgement",
        "a payment settles when its file is out, not when the bank says so",
        DRILL,
        patches("services.payments.usecases.batches:mark_transmitted", settle_when_sent),
        check="most payments ever seen settled on nobody's word",
    ),
    Fault(
        "duplicate-debit-matched",
        "a second debit of a payment is matched like the first",
        DRILL,
        together(patches("services.payments.reconciling.references:_Judging._open", every_debit_counts), UNBOUNDED),
        check="payments that do not stand where the bank put them",
    ),
    Fault(
        "amount-not-compared",
        "a debit settles the payment it names, whatever its amount",
        DRILL,
        together(patches("services.payments.reconciling.matching:judge", any_debit_pays), UNBOUNDED),
        check="payments that do not stand where the bank put them",
    ),
    Fault(
        "late-return-ignored",
        "a return of a settled payment moves nothing",
        DRILL,
        patches("services.payments.reconciling.effects:effect_on", late_return_is_news_only),
        check="payments that do not stand where the bank put them",
    ),
    Fault(
        "reimport-brings-lines-again",
        "a statement that was taken before is taken again, its lines under new ids",
        DRILL,
        together(
            patches("services.payments.store.statements:take_file", take_every_file),
            patches("services.payments.usecases.statements:BankStatementId.derive", a_new_statement_each_time),
            drops_constraint("bank_statement", "bank_statement_content_sha256_place_key"),
            NEW_IDS,
            NO_CHAIN,
        ),
        check="lines, and movements at the bank",
    ),
    Fault(
        "overlap-counted-twice",
        "a line that stands in two statements is two lines",
        DRILL,
        together(NEW_IDS, NO_CHAIN),
        check="lines, and movements at the bank",
    ),
    Fault(
        "gap-not-noticed",
        "a statement is accepted although the one before it is missing",
        DRILL,
        NO_CHAIN,
        check="statements that came before the one they continue",
    ),
    Fault(
        "control-totals-not-compared",
        "a statement's control totals are read and not compared",
        DRILL,
        patches("services.payments.statements.bai2:_agree", _believe),
        check="statements kept with a wrong total",
    ),
    Fault(
        "one-person-matches",
        "one person alone matches a line by hand, and money moves",
        DRILL,
        patches("services.payments.usecases.reconciliation_acts:match_takes_two", lambda _: False),
        check="decisions that moved money with one person",
    ),
)
