"""Facts of one made-up case, and how tests hand them to notifications."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.envelope import CaseFact
from contracts.events.applications import (
    ApplicationClosed,
    ApplicationSubmitted,
    CredentialRecorded,
    EnrollmentReminded,
    EnrollmentRequested,
    ExamResult,
    ExamResulted,
)
from contracts.events.eligibility import (
    ListedCredential,
    ListedProvider,
    ListedRound,
    ProgramPublished,
)
from contracts.events.payments import (
    ClaimApproved,
    ClaimCheck,
    ClaimReturned,
    DisbursementSettled,
    ExamVoucherIssued,
    HoldPlaced,
)
from contracts.ids import (
    ApplicationId,
    ClaimId,
    CredentialAwardId,
    DisbursementId,
    EnrollmentId,
    ExamVoucherId,
    HoldId,
    PersonId,
    uuid7,
)
from contracts.plan import CostKind, CostLine, ExamPolicy
from kit.db import Connection, Database
from services.notifications.messages import Links
from services.notifications.usecases.telling import publish_program, tell

NOW = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)
LINKS = Links("https://api.cairn.example")
PROVIDER = "lorain-ccc"
CREDENTIAL = "cybersecurity"


class Case:
    """The facts of one case, made on demand."""

    def __init__(self, *, language: str = "en", sealed_contact: str = "x" * 40, person_id: PersonId | None = None):
        self.id = ApplicationId.new()
        self.person_id = person_id or PersonId.new()
        self.enrollment_id = EnrollmentId.derive(self.id)
        self.claim_id = ClaimId.derive(self.id)
        self.language = language
        self.sealed_contact = sealed_contact

    def submitted(self) -> ApplicationSubmitted:
        return ApplicationSubmitted(
            application_id=self.id,
            person_id=self.person_id,
            partner_id="harbor-portal",
            program_id="oh-imap",
            round_id="round-6",
            provider_id=PROVIDER,
            credential_id=CREDENTIAL,
            language=self.language,
            submitted_at=NOW,
            sealed_declaration="d" * 40,
            sealed_contact=self.sealed_contact,
        )

    def held(self) -> HoldPlaced:
        return HoldPlaced(
            application_id=self.id,
            hold_id=HoldId.derive(self.id),
            amount_cents=300_000,
            from_waiting_list=False,
            expires_at=NOW + timedelta(days=90),
            placed_at=NOW,
        )

    def requested(self) -> EnrollmentRequested:
        return EnrollmentRequested(
            application_id=self.id,
            enrollment_id=self.enrollment_id,
            provider_id=PROVIDER,
            credential_id=CREDENTIAL,
            course_run_id="cyber-spring",
            award_cents=300_000,
            respond_by=NOW + timedelta(days=14),
        )

    def reminded(self, number: int = 1) -> EnrollmentReminded:
        return EnrollmentReminded(
            application_id=self.id,
            enrollment_id=self.enrollment_id,
            provider_id=PROVIDER,
            credential_id=CREDENTIAL,
            reminder_number=number,
            respond_by=NOW + timedelta(days=14),
        )

    def voucher(self, attempt: int = 1) -> ExamVoucherIssued:
        return ExamVoucherIssued(
            application_id=self.id,
            exam_voucher_id=ExamVoucherId.derive(self.id, attempt),
            exam_id="sec-plus",
            attempt_number=attempt,
            expires_at=NOW + timedelta(days=180),
            issued_at=NOW,
        )

    def failed(self, attempt: int = 1) -> ExamResulted:
        return ExamResulted(
            application_id=self.id,
            exam_id="sec-plus",
            attempt_number=attempt,
            result=ExamResult.FAILED,
            resulted_at=NOW,
        )

    def recorded(self) -> CredentialRecorded:
        return CredentialRecorded(
            application_id=self.id,
            credential_award_id=CredentialAwardId.derive(self.id),
            person_id=self.person_id,
            provider_id=PROVIDER,
            credential_id=CREDENTIAL,
            earned_on="2026-07-24",
            recorded_at=NOW,
        )

    def approved(self) -> ClaimApproved:
        return ClaimApproved(
            application_id=self.id,
            claim_id=self.claim_id,
            provider_id=PROVIDER,
            claimed_cents=300_000,
            checks=[ClaimCheck(check="price", passed=True, reason="within_award", text="The price is in the award.")],
            decided_at=NOW,
            approved_cents=300_000,
            due_at=NOW + timedelta(days=30),
        )

    def returned(self) -> ClaimReturned:
        return ClaimReturned(
            application_id=self.id,
            claim_id=self.claim_id,
            provider_id=PROVIDER,
            claimed_cents=123_456,
            checks=[
                ClaimCheck(check="papers", passed=False, reason="documents_missing", text="Missing: proof of payment."),
                ClaimCheck(check="price", passed=True, reason="passed", text="The price is in the award."),
                ClaimCheck(check="invoice", passed=False, reason="invoice_used", text="It was claimed before."),
            ],
            decided_at=NOW,
        )

    def settled(self) -> DisbursementSettled:
        return DisbursementSettled(
            application_id=self.id,
            disbursement_id=DisbursementId.derive(self.id),
            claim_id=self.claim_id,
            provider_id=PROVIDER,
            amount_cents=300_000,
            payment_number="P-1",
            paid_on="2026-08-01",
            settled_at=NOW,
        )

    def closed(self, outcome: str = "reimbursed", stage: str = "reimbursement") -> ApplicationClosed:
        return ApplicationClosed(application_id=self.id, outcome=outcome, stage=stage, reasons=[], closed_at=NOW)

    def story(self) -> list[CaseFact]:
        """A whole case, in the order it happens."""
        return [
            self.submitted(),
            self.held(),
            self.requested(),
            self.reminded(),
            self.voucher(1),
            self.failed(1),
            self.voucher(2),
            self.recorded(),
            self.approved(),
            self.settled(),
            self.closed(),
        ]


def program(*, contact_email: str | None = None, version: int = 0) -> ProgramPublished:
    """The program of the case, as published."""
    exam = ExamPolicy(exam_id="sec-plus", attempts_max=2, retake_wait=timedelta(days=14), usable_for=timedelta(days=60))
    return ProgramPublished(
        program_id="oh-imap",
        title="Individual Microcredential Assistance Program",
        pack_version=f"{version:012x}",
        published_at=NOW + timedelta(minutes=version),
        providers=[
            ListedProvider(
                provider_id=PROVIDER,
                name="Lorain County Community College",
                supplier_number="0000000001",
                contact_email=contact_email,
            )
        ],
        credentials=[
            ListedCredential(
                credential_id=CREDENTIAL,
                title="Cybersecurity",
                cost_lines=[CostLine(kind=CostKind.TUITION, price_cents=300_000)],
                exam=exam,
                issuers=["lorain-ccc"],
            )
        ],
        rounds=[ListedRound(round_id="round-6", title="Round 6", fiscal_year=2026, per_credential_cap_cents=300_000)],
    )


async def publish(db: Database, fact: ProgramPublished | None = None) -> None:
    async with db.transaction() as tx:
        await publish_program(fact or program(), tx=tx, links=LINKS, now=NOW)


async def take_in(
    db: Database, fact: CaseFact, *, event_id: UUID | None = None, at: datetime = NOW, now: datetime = NOW
) -> UUID:
    """Hand one fact over in a transaction of its own, as the inbox does."""
    event_id = event_id or uuid7()
    async with db.transaction() as tx:
        await tell(fact, event_id=event_id, occurred_at=at, tx=tx, links=LINKS, now=now)
    return event_id


async def rows(db: Database, query: str, *values: object) -> list[dict[str, object]]:
    connection: Connection
    async with db.connection() as connection:
        return [dict(row) for row in await connection.fetch(query, *values)]
