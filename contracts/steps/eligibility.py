"""What the journey may ask of eligibility."""

from typing import Annotated

from pydantic import Field

from contracts.events.eligibility import Eligibility, Finding
from contracts.ids import DeterminationId, PersonId
from contracts.plan import CasePlan
from contracts.steps.base import Queue, Step, StepInput, StepOutput, StepPace
from contracts.texts import Actor, Code, Instant, Sealed, Slug


class Determine(StepInput):
    """Decide eligibility on what the person declared and sent in since; `determination_number` counts from 1."""

    person_id: PersonId
    program_id: Slug
    round_id: Slug
    provider_id: Slug
    credential_id: Slug
    course_run_id: Slug | None = None
    submitted_at: Instant
    determination_number: Annotated[int, Field(ge=1, le=50)]
    pack_version: str | None = None
    """Pinned by the first determination of a case."""
    sealed_declaration: Sealed
    sealed_evidence: Annotated[list[Sealed], Field(max_length=50)] = []
    appeal_upheld_by: Actor | None = None
    """Staff who upheld the appeal: the findings stay on record, but the person is eligible by that decision."""


class Determination(StepOutput):
    """The decision with every finding; `plan` once eligible, `missing` when more information is needed."""

    determination_id: DeterminationId
    outcome: Eligibility
    findings: Annotated[list[Finding], Field(min_length=1, max_length=64)]
    missing: Annotated[list[Code], Field(max_length=32)] = []
    plan: CasePlan
    """Deadlines hold for every outcome; amounts count only when eligible."""


DETERMINE = Step("eligibility.determine.v1", Queue.ELIGIBILITY, Determine, Determination, StepPace.DECIDE)

STEPS = (DETERMINE,)
