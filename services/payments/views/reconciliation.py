"""What the doors show of reconciliation: what is in transit, what is open and how old, what waits for whom."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import DisbursementId
from contracts.money import BudgetCents, PositiveCents
from contracts.texts import Code, Instant, Sentence
from services.payments.reconciling import MEANINGS, ItemVerdict
from services.payments.reconciling.decisions import DecisionKind, ReconciliationActId
from services.payments.statements import StatementLineId
from services.payments.statements.chain import BankStatementId
from services.payments.store.reconciliation_acts import Act
from services.payments.store.reconciliation_page import OpenLine, OpenWord
from services.payments.store.statements import Statement
from services.payments.usecases.reconciliation_page import Page

SHOWN_MAX = 500
EXPLANATION_CHARS_MAX = 500

Movement = Annotated[int, Field(description="US cents, negative where money left the account")]
BankingDays = Annotated[int, Field(ge=0, description="Banking days")]
Meaning = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=0)]
Person = Annotated[str, Field(max_length=100)]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class InTransitShown(_Shown):
    """Money in transit, counted in three places; `adds_up` where they agree."""

    payments: Count
    ledger_cents: BudgetCents
    entries_cents: BudgetCents
    expected_cents: BudgetCents
    confirmed_payments: Count
    confirmed_cents: BudgetCents
    adds_up: bool


class CandidateShown(_Shown):
    """A payment or batch that a person may find behind a line."""

    id: Annotated[str, Field(max_length=100)]
    days: Count
    reason: Code


class OpenLineShown(_Shown):
    """A line of a statement that has not ended."""

    line_id: StatementLineId
    account: Annotated[str, Field(max_length=8)]
    day: date
    amount_cents: Movement
    reference: Annotated[str, Field(max_length=64)]
    description: Annotated[str, Field(max_length=120)]
    reason: Code
    meaning: Meaning
    difference_cents: int
    age_days: BankingDays
    disbursement_ids: list[str]
    candidates: list[CandidateShown]


class OpenPaymentShown(_Shown):
    """A payment whose word from the bank is missing or does not fit."""

    disbursement_id: DisbursementId
    sent_on: date
    amount_cents: PositiveCents
    reason: Code
    meaning: Meaning
    age_days: BankingDays


class AgedShown(_Shown):
    """Open lines and payments of one age."""

    age: Annotated[str, Field(max_length=40)]
    lines: Count
    lines_cents: BudgetCents
    payments: Count
    payments_cents: BudgetCents


class HeldShown(_Shown):
    """A statement that waits for a person, or for the one that is missing before it."""

    statement_id: BankStatementId
    account: Annotated[str, Field(max_length=8)]
    day: date
    reason: Code
    explanation: Annotated[str, Field(max_length=EXPLANATION_CHARS_MAX)]


class DecisionShown(_Shown):
    """A decision that waits for its second person."""

    act_id: ReconciliationActId
    kind: Code
    about: Annotated[str, Field(max_length=40)]
    reason: Annotated[str, Field(max_length=500)]
    made_by: Annotated[str, Field(max_length=100)]


class RejectedShown(_Shown):
    """A line of an ACH or confirmation file that was not applied; closing its alert ends it. Line 0: the whole file."""

    alert_id: Annotated[str, Field(max_length=40)]
    file_name: Annotated[str, Field(max_length=255)]
    line_number: Count
    reason: Code
    explanation: Annotated[str, Field(max_length=EXPLANATION_CHARS_MAX)]
    disbursement_id: DisbursementId | None
    age_days: BankingDays


class WhyGiven(BaseModel):
    """Why, for whoever reads it later."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Sentence


class LineMatched(WhyGiven):
    """Which payment is behind the line."""

    disbursement_id: DisbursementId


class ActShown(_Shown):
    """A decision with its people; it is `waiting` until a second person agreed, where it needs one."""

    act_id: ReconciliationActId
    kind: DecisionKind
    line_id: StatementLineId | None
    statement_id: BankStatementId | None
    disbursement_id: DisbursementId | None
    reason: Sentence
    state: Literal["waiting", "done", "withdrawn"]
    needs_check: bool
    made_by: Person
    made_at: Instant
    checked_by: Person | None
    checked_at: Instant | None
    withdrawn_by: Person | None
    withdrawn_at: Instant | None


class ReconciliationShown(_Shown):
    """Everything that is open; at most 500 lines and 500 payments, the oldest first, with how many there are."""

    as_of: date
    in_transit: InTransitShown
    open_lines: Count
    open_payments: Count
    lines: list[OpenLineShown]
    payments: list[OpenPaymentShown]
    aging: list[AgedShown]
    held: list[HeldShown]
    waiting: list[DecisionShown]
    rejected: list[RejectedShown]


def reconciliation_shown(page: Page) -> ReconciliationShown:
    return ReconciliationShown(
        as_of=page.as_of,
        in_transit=InTransitShown(**asdict(page.in_transit), adds_up=page.in_transit.adds_up),
        open_lines=len(page.lines),
        open_payments=len(page.payments),
        lines=[_line(one, days) for one, days in page.lines[:SHOWN_MAX]],
        payments=[_payment(one) for one in page.payments[:SHOWN_MAX]],
        aging=[
            AgedShown(
                age=one.name,
                lines=one.lines,
                lines_cents=one.lines_cents,
                payments=one.payments,
                payments_cents=one.payments_cents,
            )
            for one in page.aging
        ],
        held=[_held(one) for one in page.held],
        waiting=[_decision(one) for one in page.waiting],
        rejected=[_rejected(one, days) for one, days in page.rejected],
    )


def act_shown(act: Act) -> ActShown:
    return ActShown.model_validate(act, from_attributes=True)


def _line(one: OpenLine, days: int) -> OpenLineShown:
    return OpenLineShown(
        line_id=one.line.line_id,
        account=one.line.account,
        day=one.line.day,
        amount_cents=one.line.amount_cents,
        reference=one.line.reference or one.line.trace,
        description=one.line.description,
        reason=one.reason,
        meaning=MEANINGS[one.reason],
        difference_cents=one.difference_cents,
        age_days=days,
        disbursement_ids=list(one.disbursement_ids),
        candidates=[CandidateShown.model_validate(candidate) for candidate in one.candidates],
    )


def _payment(one: ItemVerdict) -> OpenPaymentShown:
    return OpenPaymentShown(
        disbursement_id=DisbursementId(one.item.disbursement_id),
        sent_on=one.item.sent_on,
        amount_cents=one.item.amount_cents,
        reason=one.reason,
        meaning=MEANINGS[one.reason],
        age_days=one.age_days,
    )


def _held(one: Statement) -> HeldShown:
    return HeldShown(
        statement_id=one.statement_id,
        account=one.account,
        day=one.day,
        reason=one.reason,
        explanation=one.explanation[:EXPLANATION_CHARS_MAX],
    )


def _rejected(one: OpenWord, days: int) -> RejectedShown:
    return RejectedShown(
        alert_id=one.alert_id,
        file_name=one.file_name[:255],
        line_number=one.line_number,
        reason=one.reason,
        explanation=one.explanation[:EXPLANATION_CHARS_MAX],
        disbursement_id=None if one.disbursement_id is None else DisbursementId(one.disbursement_id),
        age_days=days,
    )


def _decision(one: Act) -> DecisionShown:
    return DecisionShown(
        act_id=one.act_id,
        kind=one.kind,
        about=one.line_id or one.statement_id or "",
        reason=one.reason,
        made_by=one.made_by,
    )
