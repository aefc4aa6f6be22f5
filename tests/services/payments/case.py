"""A program, cases in it, and a desk that asks payments what the journey and the doors ask."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.envelope import Fact
from contracts.events.applications import ApplicationSubmitted, CredentialRecorded, EnrollmentAccepted
from contracts.events.eligibility import ListedAward, ListedCredential, ListedProvider, ListedRound, ProgramPublished
from contracts.ids import ApplicationId, ClaimId, CredentialAwardId, EnrollmentId, PersonId
from contracts.plan import CostKind, CostLine
from contracts.steps.payments import (
    ClaimReviewed,
    EncumberFunds,
    FundsEncumberedResult,
    FundsHeld,
    FundsReleasedResult,
    HoldFunds,
    PayClaim,
    PaymentOrdered,
    ReleaseFunds,
    ReviewClaim,
)
from kit.db import Database
from services.payments.books.ledger import Proof
from services.payments.rails.installed import Rails
from services.payments.rails.payment_vouchers import VoucherRail
from services.payments.usecases import claims, disbursements, funding, program
from services.payments.usecases.proof import Money, money_of_program, prove

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
PROGRAM, ROUND, PROVIDER, OTHER = "oh-imap", "round-6", "lorain-ccc", "cleveland-state"
UNIT = "DEV01"
RAILS = Rails(VoucherRail(UNIT, "ACCOUNT-1", "Micro-credential reimbursement"))


def published(
    *,
    cents: int = 1_000_000,
    awards: dict[str, int] | None = None,
    person_cap: int | None = None,
    version: int = 1,
) -> ProgramPublished:
    """A version of the program's pack."""
    ceilings = awards or {PROVIDER: 600_000, OTHER: 600_000}
    return ProgramPublished(
        program_id=PROGRAM,
        title="A program",
        pack_version=f"{version:012x}",
        published_at=NOW + timedelta(minutes=version),
        providers=[
            ListedProvider(provider_id=name, name=name, supplier_number=f"{number:010d}")
            for number, name in enumerate(ceilings, 1)
        ],
        credentials=[
            ListedCredential(
                credential_id="cyber",
                title="Cyber",
                cost_lines=[CostLine(kind=CostKind.TUITION, price_cents=300_000)],
                issuers=[PROVIDER],
            )
        ],
        rounds=[
            ListedRound(
                round_id=ROUND,
                title="Round 6",
                appropriation_cents=cents,
                document_reference="HB 33",
                fiscal_year=2026,
                per_credential_cap_cents=300_000,
                per_person_cap_cents=person_cap,
                awards=[ListedAward(provider_id=name, ceiling_cents=c, seats={}) for name, c in ceilings.items()],
            )
        ],
    )


@dataclass
class Case:
    """One application."""

    name: str
    provider: str = PROVIDER
    person: str = ""
    id: ApplicationId = field(init=False)

    def __post_init__(self) -> None:
        self.id = ApplicationId.derive(self.name)

    @property
    def person_id(self) -> PersonId:
        return PersonId.derive(self.person or self.name)

    @property
    def enrollment_id(self) -> EnrollmentId:
        return EnrollmentId.derive(self.name)

    @property
    def claim_id(self) -> ClaimId:
        return ClaimId.derive(self.name)


@dataclass
class Desk:
    """Asks payments on behalf of everybody."""

    db: Database
    now: datetime = NOW
    cost_lines: Sequence[CostLine] = ()
    """What the plan of every case says of its cost."""

    async def hold(self, case: Case, cents: int = 300_000, **asked: Any) -> FundsHeld:
        ask = HoldFunds(
            application_id=case.id,
            person_id=case.person_id,
            program_id=asked.get("program_id", PROGRAM),
            round_id=asked.get("round_id", ROUND),
            provider_id=case.provider,
            credential_id="cyber",
            amount_cents=cents,
            hold_seconds=asked.get("hold_seconds", 3_600),
            hold_number=asked.get("hold_number", 1),
            cost_lines=asked.get("cost_lines", self.cost_lines),
        )
        return await funding.hold_funds(ask, db=self.db, now=self.now)

    async def encumber(self, case: Case, cents: int = 300_000, *, hold_number: int = 1) -> FundsEncumberedResult:
        ask = EncumberFunds(
            application_id=case.id, enrollment_id=case.enrollment_id, price_cents=cents, hold_number=hold_number
        )
        return await funding.encumber_funds(ask, db=self.db, now=self.now)

    async def release(self, case: Case, reason: str = "withdrawn") -> FundsReleasedResult:
        return await funding.release_funds(
            ReleaseFunds(application_id=case.id, reason=reason), db=self.db, now=self.now
        )

    async def learn(self, case: Case, *, price_cents: int = 300_000) -> None:
        """Application, enrollment and credential, as payments hears of them."""
        submitted = ApplicationSubmitted(
            application_id=case.id,
            person_id=case.person_id,
            partner_id="harbor-portal",
            program_id=PROGRAM,
            round_id=ROUND,
            provider_id=case.provider,
            credential_id="cyber",
            submitted_at=NOW,
            sealed_declaration="x" * 20,
            sealed_contact="x" * 20,
        )
        accepted = EnrollmentAccepted(
            application_id=case.id,
            enrollment_id=case.enrollment_id,
            provider_id=case.provider,
            credential_id="cyber",
            price_cents=price_cents,
            answered_at=NOW,
        )
        recorded = CredentialRecorded(
            application_id=case.id,
            credential_award_id=CredentialAwardId.derive(case.name),
            person_id=case.person_id,
            provider_id=case.provider,
            credential_id="cyber",
            earned_on="2026-03-09",
            recorded_at=NOW,
        )
        async with self.db.transaction() as tx:
            await program.follow_application(submitted, tx)
            await program.follow_enrollment(accepted, tx)
            await program.follow_credential(recorded, tx)

    async def review(self, case: Case, cents: int = 300_000, **given: Any) -> ClaimReviewed:
        return await claims.review_claim(claim_of(case, cents, **given), business_unit=UNIT, db=self.db, now=self.now)

    async def pay(self, case: Case, attempt: int = 1, *, claim_id: ClaimId | None = None) -> PaymentOrdered:
        ask = PayClaim(application_id=case.id, claim_id=claim_id or case.claim_id, attempt_number=attempt)
        return await disbursements.pay_claim(ask, db=self.db, now=self.now)

    async def approved(self, case: Case, cents: int = 300_000) -> Case:
        """A case up to its approved claim."""
        await self.hold(case, cents)
        await self.encumber(case, cents)
        await self.learn(case, price_cents=cents)
        await self.review(case, cents)
        return case

    async def money(self) -> Money:
        return await money_of_program(PROGRAM, db=self.db)

    async def stages(self) -> dict[str, int]:
        """Cents by stage, without the empty ones."""
        return {stage: cents for stage, cents in (await self.money()).stages.items() if cents}

    async def prove(self) -> Proof:
        async with self.db.connection() as connection:
            return await prove(connection)

    async def told(self, kind: type[Fact] | None = None) -> list[dict[str, Any]]:
        """The payloads of the facts in the outbox, in order."""
        async with self.db.connection() as connection:
            rows = await connection.fetch("SELECT type, payload FROM outbox ORDER BY id")
        facts = [Fact.registry[row["type"]].model_validate_json(row["payload"]) for row in rows]
        return [fact.model_dump() | {"type": fact.TYPE} for fact in facts if kind is None or isinstance(fact, kind)]


def claim_of(case: Case, cents: int = 300_000, **given: Any) -> ReviewClaim:
    """A clean claim, but for what is given."""
    values: dict[str, Any] = {
        "application_id": case.id,
        "claim_id": case.claim_id,
        "enrollment_id": case.enrollment_id,
        "provider_id": case.provider,
        "credential_id": "cyber",
        "invoice_number": f"INV-{case.name}",
        "invoice_on": "2026-03-10",
        "amount_cents": cents,
        "participant_charged_cents": 0,
        "credential_earned_on": "2026-03-09",
        "claim_due_at": NOW + timedelta(days=42),
        "submitted_at": NOW,
        "auto_approve_max_cents": 500_000,
    }
    return ReviewClaim.model_validate(values | given)
