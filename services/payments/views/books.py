"""How rows, statements and forecasts of the books are shown."""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.money import BudgetCents
from services.payments.books.account_statement import AccountStatement
from services.payments.books.forecast import Basis, Forecast, Outlook, Risk
from services.payments.books.ledger import STAGES
from services.payments.store.ledger import Balance

Share = Annotated[float, Field(ge=0, le=1)]
Row = Annotated[str, Field(max_length=300)]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class MonthEndShown(_Shown):
    """A budget line at the end of a month; available, committed, spent and lapsed add up to what was appropriated."""

    month: date
    """Its first day."""
    appropriated_cents: BudgetCents
    available_cents: BudgetCents
    committed_cents: BudgetCents
    spent_cents: BudgetCents
    lapsed_cents: BudgetCents


class OutlookShown(_Shown):
    """A provider award at the end of the fiscal year, as far as its record tells."""

    award: Row
    appropriated_cents: BudgetCents
    spent_cents: BudgetCents
    open_cents: BudgetCents
    """Held or encumbered."""
    expected_cents: BudgetCents
    """Of what is open, what is expected to be spent in time."""
    lapsing_cents: BudgetCents
    utilisation: Share
    risk: Risk
    basis: Basis
    """Whose record the expectation rests on; `none`: nothing was resolved yet."""


class ForecastShown(_Shown):
    """Where a budget line will end, if what is open goes on as what was open before did."""

    line: Row
    as_of: date
    year_end: date
    appropriated_cents: BudgetCents
    spent_cents: BudgetCents
    committed_cents: BudgetCents
    expected_cents: BudgetCents
    lapsing_cents: BudgetCents
    utilisation: Share
    burn_down: list[MonthEndShown]
    providers: list[OutlookShown]
    """The one with most to lapse first."""


def forecast_shown(found: Forecast) -> ForecastShown:
    used = found.spent_cents + found.committed_cents
    return ForecastShown(
        line=found.line,
        as_of=found.as_of,
        year_end=found.year_end,
        appropriated_cents=found.appropriated_cents,
        spent_cents=found.spent_cents,
        committed_cents=found.committed_cents,
        expected_cents=found.expected_cents,
        lapsing_cents=found.lapsing_cents,
        utilisation=used / found.appropriated_cents if found.appropriated_cents else 0.0,
        burn_down=[
            MonthEndShown(
                month=end.month,
                appropriated_cents=end.appropriated_cents,
                available_cents=end.available_cents,
                committed_cents=end.committed_cents,
                spent_cents=end.spent_cents,
                lapsed_cents=end.lapsed_cents,
            )
            for end in found.burn_down
        ],
        providers=[_outlook(one) for one in found.outlooks],
    )


def _outlook(one: Outlook) -> OutlookShown:
    return OutlookShown(
        award=one.award,
        appropriated_cents=one.appropriated_cents,
        spent_cents=one.spent_cents,
        open_cents=one.open_cents,
        expected_cents=one.expected_cents,
        lapsing_cents=one.lapsing_cents,
        utilisation=one.utilisation,
        risk=one.risk,
        basis=one.basis,
    )


def row_shown(row: Balance) -> dict[str, Any]:
    """A balance row: cents by stage, and what they add up to."""
    stages = {f"{stage.value}_cents": row.stages[stage.value] for stage in STAGES}
    return {"row": row.id, "phase": row.phase.value, "appropriated_cents": row.appropriated_cents, **stages}


def statement_shown(found: AccountStatement, first: date, last: date) -> dict[str, Any]:
    """Opening balance, movements by kind, closing balance; cents by stage."""
    return {
        "row": found.row,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "opening": found.opening,
        "opening_appropriated_cents": found.opening_appropriated_cents,
        "movements": [
            {"kind": one.kind, "from": one.debit, "to": one.credit, "entries": one.entries, "cents": one.cents}
            for one in found.movements
        ],
        "closing": found.closing,
        "closing_appropriated_cents": found.closing_appropriated_cents,
    }
