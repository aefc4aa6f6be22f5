"""What others may know of a pack: the fact that a program was published."""

from datetime import datetime

from contracts.events.eligibility import (
    ListedAdvance,
    ListedApprovalLevel,
    ListedAward,
    ListedClaimRules,
    ListedCourseRun,
    ListedCredential,
    ListedInterestRate,
    ListedProvider,
    ListedRound,
    ListedWaitingList,
    ProgramPublished,
)
from contracts.plan import CostLine, ExamPolicy, Milestone
from contracts.program import Credential, Pack, Program, Round


def published(pack: Pack, pack_version: str, *, now: datetime) -> ProgramPublished:
    """The fact, with everything the other services copy."""
    return ProgramPublished(
        program_id=pack.program.id,
        title=pack.program.title,
        pack_version=pack_version,
        published_at=now,
        providers=[
            ListedProvider(
                provider_id=entry.id,
                name=entry.name,
                supplier_number=entry.supplier_number,
                standing=entry.standing,
                contact_email=entry.contact_email,
            )
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
        fiscal_year_start=pack.program.fiscal_year_start,
        time_zone=pack.program.time_zone,
        waiting_list=ListedWaitingList(
            order=[turn.value for turn in pack.program.waiting_list.order],
            smaller_may_pass=pack.program.waiting_list.smaller_may_pass,
        ),
        claim_rules=_claim_rules(pack.program),
    )


def _claim_rules(program: Program) -> ListedClaimRules:
    return ListedClaimRules(
        time_zone=program.time_zone,
        per_month_max=program.claim.per_month_max,
        documents=program.claim.documents,
        charge_answer_days=program.claim.charge_answer_days,
        approval_levels=[ListedApprovalLevel.model_validate(one.model_dump()) for one in program.approvals.levels],
        advances=[ListedAdvance.model_validate(one.model_dump(mode="json")) for one in program.advances],
        interest_rates=[ListedInterestRate.model_validate(one.model_dump()) for one in program.interest_rates],
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
