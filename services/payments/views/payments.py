"""What the doors of payments take and show. No exam code but in the one answer that reveals it."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.events.payments import ClaimCheck
from contracts.ids import ApplicationId, ClaimId, DisbursementId, ExamVoucherId, PaymentBatchId
from contracts.money import BudgetCents, Cents, PositiveCents
from contracts.steps.payments import ClaimStatus
from contracts.texts import Code, Instant, Sentence, Slug
from services.payments.domain import BatchState, PayeeRepairId
from services.payments.payees.payees import Rail
from services.payments.store.batches import Batch
from services.payments.store.claims import Claim
from services.payments.store.disbursements import Repair
from services.payments.usecases.proof import Money


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class Nothing(BaseModel):
    """An empty body: there is nothing to tell beyond the address and the key."""

    model_config = ConfigDict(extra="forbid")


class NewRepair(BaseModel):
    """What made the payee's payments come back is mended: say on what evidence."""

    model_config = ConfigDict(extra="forbid")

    evidence: Sentence


class MoneyByStage(_Shown):
    """Cents by stage; they add up to `appropriated_cents`."""

    appropriated_cents: BudgetCents
    available_cents: BudgetCents
    held_cents: BudgetCents
    encumbered_cents: BudgetCents
    payable_cents: BudgetCents
    in_transit_cents: BudgetCents
    disbursed_cents: BudgetCents
    lapsed_cents: BudgetCents


class BudgetRow(MoneyByStage):
    """A budget line, a round or a provider award."""

    row: Annotated[str, Field(max_length=300)]
    level: Annotated[str, Field(pattern=r"^(line|round|award)$")]


class BudgetAlert(_Shown):
    """The books could not follow the published program."""

    row: Annotated[str, Field(max_length=300)]
    code: Code
    published_cents: BudgetCents
    appropriated_cents: BudgetCents
    raised_at: Instant


class BudgetShown(MoneyByStage):
    """Where each cent of a program is."""

    program_id: Slug
    rows: list[BudgetRow]
    alerts: list[BudgetAlert]


class ClaimShown(_Shown):
    """A claim as it was decided, with every check."""

    claim_id: ClaimId
    application_id: ApplicationId
    status: ClaimStatus
    claimed_cents: PositiveCents
    approved_cents: Cents
    invoice_number: Annotated[str, Field(max_length=64)]
    checks: list[ClaimCheck]
    decided_at: Instant
    due_at: Instant | None
    due_from: date | None
    """The thirty days count from this day, on which an earlier claim came whose defects were told late."""
    notice_due_at: Instant | None
    """By when you are told what a returned claim lacks."""
    notice_sent_at: Instant | None
    """When you were first told."""


class BatchShown(_Shown):
    """A batch with its control totals."""

    batch_id: PaymentBatchId
    state: BatchState
    rail: Rail
    payments: Annotated[int, Field(ge=0)]
    prenotes: Annotated[int, Field(ge=0)]
    total_cents: BudgetCents
    made_by: Annotated[str, Field(max_length=100)]
    checked_by: Annotated[str, Field(max_length=100)] | None
    file_name: Annotated[str, Field(max_length=100)] | None
    content_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None


class NewBatch(BaseModel):
    """By which rail the batch's payments leave."""

    model_config = ConfigDict(extra="forbid")

    rail: Rail = Rail.PAYMENT_VOUCHER


class RepairShown(_Shown):
    """A payee's repair; `repaired` are the payments that may be made again."""

    repair_id: PayeeRepairId
    provider_id: Slug
    made_by: Annotated[str, Field(max_length=100)]
    repaired: list[DisbursementId]


class CodeShown(_Shown):
    """The exam code, shown this once. Do not keep it where others can read it."""

    exam_voucher_id: ExamVoucherId
    code: Annotated[str, Field(min_length=4, max_length=128)]


def budget_shown(money: Money) -> BudgetShown:
    return BudgetShown.model_validate(
        {
            "program_id": money.program_id,
            "appropriated_cents": money.appropriated_cents,
            **{f"{stage}_cents": cents for stage, cents in money.stages.items()},
            "rows": [
                {
                    "row": row.id,
                    "level": row.level,
                    "appropriated_cents": row.appropriated_cents,
                    **{f"{stage}_cents": cents for stage, cents in row.stages.items()},
                }
                for row in money.rows
            ],
            "alerts": [
                {
                    "row": alert.balance_id,
                    "code": alert.code,
                    "published_cents": alert.published_cents,
                    "appropriated_cents": alert.appropriated_cents,
                    "raised_at": alert.raised_at,
                }
                for alert in money.alerts
            ],
        }
    )


def claim_shown(claim: Claim) -> ClaimShown:
    return ClaimShown(
        claim_id=claim.claim_id,
        application_id=claim.application_id,
        status=claim.status,
        claimed_cents=claim.claimed_cents,
        approved_cents=claim.approved_cents,
        invoice_number=claim.invoice_number,
        checks=list(claim.checks),
        decided_at=claim.decided_at,
        due_at=claim.due_at,
        due_from=claim.due_from,
        notice_due_at=claim.notice_due_at,
        notice_sent_at=claim.notice_sent_at,
    )


def batch_shown(batch: Batch) -> BatchShown:
    return BatchShown(
        batch_id=batch.batch_id,
        state=batch.state,
        rail=batch.rail,
        payments=batch.payments,
        prenotes=batch.prenotes,
        total_cents=batch.total_cents,
        made_by=batch.made_by,
        checked_by=batch.checked_by,
        file_name=batch.file_name,
        content_sha256=batch.content_sha256.hex() if batch.content_sha256 else None,
    )


def repair_shown(repair: Repair, repaired: list[DisbursementId]) -> RepairShown:
    return RepairShown(
        repair_id=repair.repair_id, provider_id=repair.provider_id, made_by=repair.made_by, repaired=repaired
    )
