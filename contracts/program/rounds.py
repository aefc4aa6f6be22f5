"""The dated rounds (`rounds.toml`) and the poverty guidelines their income test reads (`poverty_guidelines.toml`)."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.money import BudgetCents, PositiveCents
from contracts.program.gates import GateWay
from contracts.program.parts import Citation, Entry, Percent, Title
from contracts.texts import Code, Instant, Slug


class PersonGate(Entry):
    """Whom a round is for: people who pass any one of the ways; with none named, every resident."""

    any_of: Annotated[list[GateWay], Field(max_length=8)] = []
    evidence: Annotated[list[Code], Field(max_length=16)] = []


class Utilisation(Entry):
    """An earlier recipient must have drawn `percent` of its award in the reference round."""

    basis: Literal["reimbursed", "requested"]
    percent: Percent
    reference_round: Slug | None = None


class Window(Entry):
    """From `opens` up to, not including, `closes`; what is absent is not published or open-ended."""

    opens: Instant | None = None
    closes: Instant | None = None

    @model_validator(mode="after")
    def _opens_first(self) -> Self:
        if self.opens and self.closes and self.opens >= self.closes:
            raise ValueError("closes at or before it opens")
        return self


class PersonLimits(Entry):
    """What one person may get in one round."""

    cents: PositiveCents | None = None
    count: Annotated[int, Field(ge=1, le=100)] | None = None


class Round(Entry):
    """A dated window of the program with its money, its caps and its person gate (`rounds.toml`)."""

    id: Slug
    title: Title
    fiscal_year: Annotated[int, Field(ge=2000, le=2200)]
    provider_window: Window = Window()
    """When training providers apply."""
    people_window: Window = Window()
    """When people apply; a round that never opens takes nobody."""
    awarded_on: date | None = None
    appropriation_cents: BudgetCents | None = None
    document_reference: Citation | None = None
    per_provider_cap_cents: BudgetCents | None = None
    per_credential_cap_cents: PositiveCents
    per_person: PersonLimits = PersonLimits()
    overcommit_percent: Annotated[int, Field(ge=100, le=300)] = 100
    """Award ceilings together may reach this share of the appropriation."""
    starts_by: date | None = None
    """The last day on which a course may start."""
    person_gate: PersonGate = PersonGate()
    renewal: Utilisation | None = None
    not_published: Annotated[list[Code], Field(max_length=16)] = []
    sources: Annotated[list[Citation], Field(max_length=16)] = []

    @model_validator(mode="after")
    def _unknown_is_absent(self) -> Self:
        for name in self.not_published:
            if name not in type(self).model_fields:
                raise ValueError(f"not_published names {name}, which no round has")
            if getattr(self, name) not in (None, Window()):
                raise ValueError(f"{name} is set although not_published names it")
        return self


class PovertyGuideline(Entry):
    """One year's poverty guidelines: the line by family size, then for each person more (`poverty_guidelines.toml`)."""

    year: Annotated[int, Field(ge=1965, le=2200)]
    notice: Citation
    effective_from: date
    by_family_size_cents: Annotated[list[PositiveCents], Field(min_length=8, max_length=8)]
    each_more_cents: PositiveCents

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.by_family_size_cents != sorted(set(self.by_family_size_cents)):
            raise ValueError("the line must rise with the size of the family")
        return self

    def line_cents(self, family_size: int) -> int:
        """The poverty line of a family of `family_size` (1 or more), in cents a year."""
        listed = len(self.by_family_size_cents)
        more = max(0, family_size - listed) * self.each_more_cents
        return self.by_family_size_cents[min(family_size, listed) - 1] + more
