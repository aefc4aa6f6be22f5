"""What the HTTP doors of eligibility show."""

from collections.abc import Sequence
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from contracts.events.eligibility import Eligibility, Finding
from contracts.ids import ApplicationId, DeterminationId
from contracts.plan import CostLine
from contracts.program import CourseRun, Credential, Law, Pack, PersonGate, Stack, Window
from services.eligibility.packs import LoadedPack
from services.eligibility.receipts import PublishedProgram, Receipt, Replay


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProgramShown(_Shown):
    """A program and the version that new cases are decided by."""

    program_id: str
    title: str
    pack_version: str
    published_at: datetime


class ProgramList(_Shown):
    programs: list[ProgramShown]


class SeatsShown(_Shown):
    """What a provider may teach in a round."""

    provider_id: str
    provider_name: str
    seats: dict[str, int]


class RoundShown(_Shown):
    """A round; `not_published` names what is unknown rather than absent."""

    round_id: str
    title: str
    fiscal_year: int
    people_window: Window
    provider_window: Window
    per_credential_cap_cents: int
    person_gate: PersonGate
    starts_by: date | None
    not_published: list[str]
    sources: list[str]
    offers: list[SeatsShown]


class CatalogShown(_Shown):
    """The current version of a program: its law, its rounds, and what it funds."""

    program_id: str
    title: str
    pack_version: str
    laws: list[Law]
    rounds: list[RoundShown]
    credentials: list[Credential]
    stacks: list[Stack]
    course_runs: list[CourseRun]


class DeterminationShown(_Shown):
    """A decision with every finding, the rules that made it, and the digest of its sealed inputs."""

    determination_id: DeterminationId
    determination_number: int
    outcome: Eligibility
    findings: list[Finding]
    missing: list[str]
    respond_by: datetime | None
    award_cents: int
    cost_lines: list[CostLine]
    program_id: str
    pack_version: str
    effective_on: date
    rule_versions: dict[str, int]
    inputs_sha256: str
    decided_at: datetime


class DeterminationList(_Shown):
    """The determinations of one application, first to last."""

    application_id: ApplicationId
    determinations: list[DeterminationShown]


class ReplayShown(_Shown):
    """A determination decided again by its own pack version."""

    determination_id: DeterminationId
    pack_version: str
    agrees: bool
    differences: list[str]


def programs_shown(rows: Sequence[PublishedProgram]) -> ProgramList:
    return ProgramList(
        programs=[
            ProgramShown(
                program_id=row.program_id,
                title=row.title,
                pack_version=row.pack_version,
                published_at=row.published_at,
            )
            for row in rows
        ]
    )


def catalog_shown(loaded: LoadedPack) -> CatalogShown:
    pack = loaded.pack
    return CatalogShown(
        program_id=pack.program.id,
        title=pack.program.title,
        pack_version=loaded.version,
        laws=pack.program.laws,
        rounds=_rounds(pack),
        credentials=pack.credentials,
        stacks=pack.stacks,
        course_runs=pack.course_runs,
    )


def _rounds(pack: Pack) -> list[RoundShown]:
    names = {provider.id: provider.name for provider in pack.providers}
    return [
        RoundShown(
            round_id=entry.id,
            title=entry.title,
            fiscal_year=entry.fiscal_year,
            people_window=entry.people_window,
            provider_window=entry.provider_window,
            per_credential_cap_cents=entry.per_credential_cap_cents,
            person_gate=entry.person_gate,
            starts_by=entry.starts_by,
            not_published=entry.not_published,
            sources=entry.sources,
            offers=[
                SeatsShown(provider_id=award.provider_id, provider_name=names[award.provider_id], seats=award.seats)
                for award in pack.awards
                if award.round_id == entry.id
            ],
        )
        for entry in pack.rounds
    ]


def determinations_shown(application_id: ApplicationId, receipts: Sequence[Receipt]) -> DeterminationList:
    return DeterminationList(application_id=application_id, determinations=[_determination(one) for one in receipts])


def _determination(receipt: Receipt) -> DeterminationShown:
    answer = receipt.answer
    return DeterminationShown(
        determination_id=answer.determination_id,
        determination_number=receipt.determination_number,
        outcome=answer.outcome,
        findings=answer.findings,
        missing=answer.missing,
        respond_by=receipt.respond_by,
        award_cents=answer.plan.award_cents,
        cost_lines=answer.plan.cost_lines,
        program_id=receipt.program_id,
        pack_version=receipt.pack_version,
        effective_on=receipt.effective_on,
        rule_versions=dict(receipt.rule_versions),
        inputs_sha256=receipt.inputs_sha256.hex(),
        decided_at=receipt.decided_at,
    )


def replay_shown(replay: Replay) -> ReplayShown:
    return ReplayShown(
        determination_id=replay.determination_id,
        pack_version=replay.pack_version,
        agrees=replay.agrees,
        differences=replay.differences,
    )
