"""The shapes inside sealed values. They exist in the clear only in memory, between one open and its use."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.money import Cents
from contracts.texts import Code

Count = Annotated[int, Field(strict=True, ge=1, le=30)]


class _Personal(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Employment(_Personal):
    """One week of work, as unemployment law asks for it (ORC 4141.01)."""

    week_ending: date
    services_performed: bool
    pay_cents: Cents
    separation_involuntary: bool | None = None
    weekly_benefit_amount_cents: Cents | None = None


class Income(_Personal):
    """Ohio adjusted gross income (ORC 5747.01(A)) of one tax year and the family it supports."""

    tax_year: Annotated[int, Field(ge=2000, le=2200)]
    ohio_agi_cents: Annotated[int, Field(strict=True, ge=-(10**12), le=10**12)]
    family_size: Count


class OtherFunding(_Personal):
    """Other money for one cost line."""

    cost_kind: Code
    source: Annotated[str, Field(min_length=1, max_length=100)]
    amount_cents: Cents


class Declaration(_Personal):
    """What the person declared for the determination; what is None was not told."""

    state_of_residence: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    income: Income | None = None
    employment: Employment | None = None
    other_funding: Annotated[list[OtherFunding], Field(max_length=16)] | None = None


class Contact(_Personal):
    """Where and how to reach the person."""

    given_name: Annotated[str, Field(min_length=1, max_length=100)]
    email: Annotated[str, Field(pattern=r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}$")]
