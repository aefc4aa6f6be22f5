"""What others may know of a pack: the fact that a program was published."""

from datetime import datetime

from contracts.events.eligibility import (
    ListedAward,
    ListedCourseRun,
    ListedCredential,
    ListedProvider,
    ListedRound,
    ProgramPublished,
)
from contracts.plan import CostLine, ExamPolicy, Milestone
from contracts.program import Credential, Pack, Round


def published(pack: Pack, pack_version: str, *, now: datetime) -> ProgramPublished:
    """The fact, with everything the other services copy."""
    return ProgramPublished(
        program_id=pack.program.id,
        title=pack.program.title,
        pack_version=pack_version,
        published_at=now,
        providers=[
            ListedProvider(provider_id=entry.id, name=entry.name, supplier_number=entry.supplier_number)
            for entry in pack.providers
        ],
        credentials=[_credential(entry) for entry in pack.credentials],
        course_runs=[
            ListedCourseRun(
                course_run_id=run.id,
                provider_id=run.provider_id,
                credential_id=run.credential_id,
                starts_on=run.starts_on.isoformat(),
                ends_on=run.ends_on.isoformat(),
                modality=run.modality,
            )
            for run in pack.course_runs
        ],
        rounds=[_round(entry, pack) for entry in pack.rounds],
    )


def _credential(entry: Credential) -> ListedCredential:
    return ListedCredential(
        credential_id=entry.id,
        title=entry.title,
        cost_lines=[CostLine(kind=line.kind, price_cents=line.price_cents) for line in entry.cost_lines],
        exam=ExamPolicy.model_validate(entry.exam.model_dump()) if entry.exam else None,
        milestones=[Milestone(code=one.code, required=one.required) for one in entry.milestones],
        issuers=entry.issuers,
        stack_of=entry.stack_of,
    )


def _round(entry: Round, pack: Pack) -> ListedRound:
    return ListedRound(
        round_id=entry.id,
        title=entry.title,
        appropriation_cents=entry.appropriation_cents,
        document_reference=entry.document_reference,
        fiscal_year=entry.fiscal_year,
        accepting_from=entry.people_window.opens,
        accepting_until=entry.people_window.closes,
        per_credential_cap_cents=entry.per_credential_cap_cents,
        per_person_cap_cents=entry.per_person.cents,
        awards=[
            ListedAward(provider_id=award.provider_id, ceiling_cents=award.ceiling_cents, seats=award.seats)
            for award in pack.awards
            if award.round_id == entry.id
        ],
    )
