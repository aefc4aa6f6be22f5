"""What is on record: published programs, and the receipt of each determination."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from contracts.events.eligibility import Eligibility
from contracts.ids import ApplicationId, DeterminationId, PersonId
from contracts.steps.eligibility import Determination


@dataclass(frozen=True, slots=True)
class PublishedProgram:
    """A program and the version that new cases are decided by."""

    program_id: str
    title: str
    pack_version: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A determination on the record, its inputs still sealed."""

    application_id: ApplicationId
    determination_number: int
    person_id: PersonId
    program_id: str
    pack_version: str
    effective_on: date
    answer: Determination
    rule_versions: Mapping[str, int]
    sealed_inputs: list[str]
    inputs_sha256: bytes
    decided_at: datetime

    @property
    def is_eligible(self) -> bool:
        return self.answer.outcome is Eligibility.ELIGIBLE

    @property
    def respond_by(self) -> datetime | None:
        """Until when the person may send what is missing, or appeal; None once eligible."""
        deadlines = self.answer.plan.deadlines
        within = {
            Eligibility.ELIGIBLE: None,
            Eligibility.INELIGIBLE: deadlines.appeal,
            Eligibility.MORE_INFORMATION: deadlines.more_information,
        }[self.answer.outcome]
        return None if within is None else self.decided_at + within


@dataclass(frozen=True, slots=True)
class Replay:
    """A receipt decided again by its own pack version; `differences` is empty where both agree."""

    determination_id: DeterminationId
    pack_version: str
    differences: list[str]

    @property
    def agrees(self) -> bool:
        return not self.differences
