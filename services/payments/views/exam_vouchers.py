"""What the doors show of the stock of exam vouchers, and take of the charges for lots. Never a code."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import ApplicationId, ExamVoucherId
from contracts.money import BudgetCents
from contracts.texts import Code, Instant, Reference, Slug
from services.payments.exam_vouchers.charges import ChargeState
from services.payments.store.exam_stock import Alert, LotStanding
from services.payments.store.lot_charges import LotCharge
from services.payments.store.reveal_attempts import RevealAttempt
from services.payments.usecases.exam_stock import Stock

LotId = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$")]
Count = Annotated[int, Field(ge=0)]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class ExamStock(_Shown):
    """One exam's codes that could still be given."""

    exam_id: Slug
    available: Count
    usable: Count
    """Of these, the ones that stay usable long enough."""
    allocated_recently: Count
    """In the last thirty days."""
    supply_days: Count | None
    at_risk: Count
    """Codes that will expire before they are needed."""
    at_risk_cents: BudgetCents


class LotShown(_Shown):
    """A lot and what became of its codes; the codes by state add up to `codes`, their cost to `cost_cents`."""

    lot_id: LotId
    exam_id: Slug
    vendor: str
    codes: Count
    unit_cost_cents: BudgetCents
    cost_cents: BudgetCents
    states: dict[str, Count]
    expires_at: Instant
    expiry_zone: str
    retires_at: Instant | None
    charged_to: str | None
    """The budget line that bears the cost; absent where these books do not."""


class StockAlert(_Shown):
    """What staff were told of an exam's stock."""

    exam_id: Slug
    code: Code
    codes: Count
    cents: BudgetCents
    raised_at: Instant
    ended_at: Instant | None


class StockShown(_Shown):
    """Every exam's stock, lot by lot."""

    exams: list[ExamStock]
    lots: list[LotShown]
    alerts: list[StockAlert]


class RevealAttemptShown(_Shown):
    """Who asked to see which code, and what became of it. Never the code."""

    exam_voucher_id: ExamVoucherId
    application_id: ApplicationId
    attempt_number: Count
    principal: str
    outcome: Code
    attempted_at: Instant


class NewLotCharge(BaseModel):
    """Charge a lot's cost to the exam fees of a budget line, on the vendor's invoice."""

    model_config = ConfigDict(extra="forbid")

    lot_id: LotId
    program_id: Slug
    fiscal_year: Annotated[int, Field(ge=2000, le=2200)]
    invoice_number: Reference


class LotChargeNamed(BaseModel):
    """Which charge is meant."""

    model_config = ConfigDict(extra="forbid")

    lot_id: LotId


class LotPayment(LotChargeNamed):
    """A payment of the vendor's invoice, by its number in the finance system."""

    payment_number: Reference


class LotSettlement(LotChargeNamed):
    """The bank's line that ends a payment: a debit settles it, a credit returns it."""

    line_id: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,100}$")]


class LotChargeShown(_Shown):
    """Where the cost of a lot stands."""

    lot_id: LotId
    attempt_number: Annotated[int, Field(ge=1)]
    state: ChargeState
    refusal: str | None
    """Of a refused charge: what the ledger said, `over_program` or `closed`."""
    row: str
    cents: BudgetCents
    invoice_number: str
    made_by: str
    checked_by: str | None
    payment_number: str | None
    """Once the bank has paid it."""
    paid_on: date | None


def stock_shown(stock: Stock) -> StockShown:
    return StockShown(
        exams=[ExamStock.model_validate(one, from_attributes=True) for one in stock.exams],
        lots=[lot_shown(lot, stock.charges.get(lot.lot_id)) for lot in stock.lots],
        alerts=[alert_shown(one) for one in stock.alerts],
    )


def lot_shown(lot: LotStanding, charge: LotCharge | None) -> LotShown:
    return LotShown(
        lot_id=lot.lot_id,
        exam_id=lot.exam_id,
        vendor=lot.vendor,
        codes=lot.codes,
        unit_cost_cents=lot.unit_cost_cents,
        cost_cents=lot.cost_cents,
        states=dict(sorted(lot.states.items())),
        expires_at=lot.expires_at,
        expiry_zone=lot.expiry_zone,
        retires_at=lot.retires_at,
        charged_to=charge.book if charge else None,
    )


def alert_shown(alert: Alert) -> StockAlert:
    return StockAlert.model_validate(alert, from_attributes=True)


def charge_shown(charge: LotCharge) -> LotChargeShown:
    return LotChargeShown(
        lot_id=charge.lot_id,
        attempt_number=charge.attempt_number,
        state=charge.state,
        refusal=charge.refusal,
        row=charge.book,
        cents=charge.cents,
        invoice_number=charge.invoice_number,
        made_by=charge.made_by,
        checked_by=charge.checked_by,
        payment_number=charge.payment_number,
        paid_on=charge.paid_on,
    )


def attempt_shown(one: RevealAttempt) -> RevealAttemptShown:
    """A request to see a code as staff read it."""
    return RevealAttemptShown.model_validate(one, from_attributes=True)
