"""What a determination looks at, and the words it is made of. No I/O; time and ids are arguments."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import NotFound, Refused
from contracts.events.eligibility import Eligibility, Finding
from contracts.ids import ApplicationId
from contracts.money import Cents
from contracts.personal import Declaration
from contracts.plan import CasePlan, CostLine, Deadlines, ExamPolicy, Milestone
from contracts.program import Award, CourseRun, Credential, Pack, PovertyGuideline, Provider, Round
from contracts.texts import Actor, Instant, Slug
from services.eligibility.evidence import weigh

T = TypeVar("T")

PIECE_BYTES_MAX = 12_000


class ProgramUnknown(NotFound):
    """There is no program {program_id}, or no version {pack_version} of it."""

    code = "program_unknown"


class DeterminationUnknown(NotFound):
    """There is no such determination."""

    code = "determination_unknown"


class ToldUnreadable(Refused):
    """The {what} that was sealed for this case does not have the shape of what a person tells."""

    code = "told_unreadable"


class ReceiptBroken(Refused):
    """The sealed inputs of determination {determination_id} do not have the digest that was recorded."""

    code = "receipt_broken"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Commitment(_Frozen):
    """What the program already promised the person: one earlier eligible case that has not fallen through."""

    application_id: ApplicationId
    round_id: Slug
    credential_id: Slug
    award_cents: Cents


class Inputs(_Frozen):
    """Everything a determination reads besides the pack. The receipt keeps it sealed under the person's key."""

    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    """Makes the digest say nothing: a state and an income would be found by trying them all."""
    round_id: Slug
    provider_id: Slug
    credential_id: Slug
    course_run_id: Slug | None = None
    submitted_at: Instant
    decided_at: Instant
    declaration: Declaration
    evidence: list[Declaration] = []
    commitments: list[Commitment] = []
    appeal_upheld_by: Actor | None = None

    def clear_bytes(self) -> bytes:
        """What is sealed, and what the digest is taken of."""
        return self.model_dump_json(exclude_none=True).encode()


def digest(inputs: bytes) -> bytes:
    """The SHA-256 that the receipt shows for its sealed inputs."""
    return hashlib.sha256(inputs).digest()


def pieces(clear: bytes) -> list[bytes]:
    """`clear` cut so that each piece can be sealed; fifty documents do not fit into one."""
    return [clear[start : start + PIECE_BYTES_MAX] for start in range(0, len(clear), PIECE_BYTES_MAX)]


def _by_id(entries: Sequence[T], wanted: str | None) -> T | None:
    return next((entry for entry in entries if getattr(entry, "id") == wanted), None)  # noqa: B009


class Matter:
    """One case before the rules: the pack, the inputs, and what they name."""

    def __init__(self, pack: Pack, pack_version: str, inputs: Inputs) -> None:
        self.pack = pack
        self.pack_version = pack_version
        self.inputs = inputs
        self.told = weigh(inputs.declaration, inputs.evidence)
        self.round: Round | None = _by_id(pack.rounds, inputs.round_id)
        self.provider: Provider | None = _by_id(pack.providers, inputs.provider_id)
        self.credential: Credential | None = _by_id(pack.credentials, inputs.credential_id)
        self.course_run: CourseRun | None = _by_id(pack.course_runs, inputs.course_run_id)
        named = (inputs.round_id, inputs.provider_id)
        self.award: Award | None = next((a for a in pack.awards if (a.round_id, a.provider_id) == named), None)

    def local_day(self, at: datetime) -> date:
        """The calendar day where the program is."""
        return at.astimezone(ZoneInfo(self.pack.program.time_zone)).date()

    @property
    def effective_on(self) -> date:
        """The day whose poverty guideline holds, by the program's setting."""
        by_submission = self.pack.program.income_test.guideline_on == "submitted"
        return self.local_day(self.inputs.submitted_at if by_submission else self.inputs.decided_at)

    @property
    def guideline(self) -> PovertyGuideline | None:
        """The newest guideline that is in effect on the day; none before the first."""
        in_effect = [row for row in self.pack.poverty_guidelines if row.effective_from <= self.effective_on]
        return max(in_effect, key=lambda row: row.effective_from, default=None)

    def cost_lines(self) -> list[CostLine]:
        """The credential's price by line, each with what other money pays of it; nothing pays beyond a line's price."""
        if self.credential is None:
            return []
        elsewhere: dict[str, int] = {}
        for funding in self.told.declaration.other_funding or []:
            elsewhere[funding.cost_kind] = elsewhere.get(funding.cost_kind, 0) + funding.amount_cents
        return [
            CostLine(
                kind=line.kind,
                price_cents=line.price_cents,
                funded_elsewhere_cents=min(line.price_cents, elsewhere.get(line.kind, 0)),
            )
            for line in self.credential.cost_lines
        ]

    def award_cents(self) -> int:
        """What the program would pay: the cost that remains, at most the round's cap for one credential."""
        remaining = sum(line.price_cents - line.funded_elsewhere_cents for line in self.cost_lines())
        return min(remaining, self.round.per_credential_cap_cents) if self.round else 0


class Result:
    """The four results of a criterion."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Judged:
    """One criterion's answer; `missing` names what the person may still send when the answer is unknown."""

    result: str
    reason: str
    text: str
    missing: tuple[str, ...] = ()


def met(reason: str, text: str) -> Judged:
    return Judged(Result.MET, reason, text)


def not_met(reason: str, text: str) -> Judged:
    return Judged(Result.NOT_MET, reason, text)


def unknown(reason: str, text: str, *missing: str) -> Judged:
    return Judged(Result.UNKNOWN, reason, text, missing)


def not_applicable(reason: str, text: str) -> Judged:
    return Judged(Result.NOT_APPLICABLE, reason, text)


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision with every finding, the plan it pins and the version of every rule that made it."""

    outcome: Eligibility
    findings: list[Finding]
    missing: list[str]
    plan: CasePlan
    effective_on: date
    rule_versions: Mapping[str, int]


def plan_for(matter: Matter, *, eligible: bool, priority_group: int | None = None) -> CasePlan:
    """The plan the case pins: amounts only when eligible, deadlines for every outcome."""
    program, credential = matter.pack.program, matter.credential
    automatic = [level.up_to_cents for level in program.approvals.levels if level.approvers == 0]
    exam = credential.exam if credential else None
    return CasePlan(
        program_id=program.id,
        round_id=matter.inputs.round_id,
        pack_version=matter.pack_version,
        award_cents=matter.award_cents() if eligible else 0,
        cost_lines=matter.cost_lines() if eligible else [],
        deadlines=Deadlines.model_validate(program.deadlines.model_dump()),
        exam=ExamPolicy.model_validate(exam.model_dump()) if exam else None,
        milestones=[Milestone(code=m.code, required=m.required) for m in credential.milestones] if credential else [],
        claim_auto_approve_max_cents=max(automatic, default=0),
        priority_group=priority_group if eligible else None,
        time_zone=program.time_zone,
    )
