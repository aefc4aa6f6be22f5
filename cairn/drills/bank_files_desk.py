"""The finance office of the drill `bank-files`: a program, payments that are owed, two people, and a bank's folder."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cairn.drills.drill import Trial
from contracts.events.applications import ApplicationSubmitted, ChargeAnswered, CredentialRecorded, EnrollmentAccepted
from contracts.events.eligibility import ListedAward, ListedCredential, ListedProvider, ListedRound, ProgramPublished
from contracts.ids import ApplicationId, ClaimId, CredentialAwardId, DisbursementId, EnrollmentId, PersonId
from contracts.plan import CostKind, CostLine
from contracts.steps.payments import EncumberFunds, HoldFunds, PayClaim, ReviewClaim
from kit.db import Database
from services.payments.nacha import SAMPLE_ORIGINATOR
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.payees.payees import CallBack, Rail
from services.payments.rails.ach import AchRail
from services.payments.rails.installed import Rails
from services.payments.rails.payment_vouchers import VoucherRail
from services.payments.store.batches import Batch
from services.payments.usecases import charges, claims, disbursements, funding, program
from services.payments.usecases.batches import approve_batch, build_batch
from services.payments.usecases.payees import NewAccount, Proposal, approve_change, propose_change
from services.payments.usecases.proof import money_of_program

AT = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
PROGRAM, ROUND, UNIT = "bank-files", "round-1", "DEV01"
PROVIDER, MOVING = "lorain-ccc", "cleveland-state"
MAKER, CHECKER = "finance/anna", "finance/ben"
CENTS = 250_000
COOLING_DAYS = 10
NUMBER = "00112233445566"


def rails_of(seed: int) -> Rails:
    """Both rails, the account numbers under a key of this seed."""
    numbers = AccountNumbers(hashlib.sha256(str(seed).encode()).digest())
    ach = AchRail(SAMPLE_ORIGINATOR, numbers, ZoneInfo("America/New_York"))
    return Rails(VoucherRail(UNIT, "ACCOUNT-1", "Reimbursement"), ach)


@dataclass
class Desk:
    """Makes payments owed, and sends them."""

    trial: Trial
    db: Database
    folder: Path
    rails: Rails = field(init=False)
    made: int = 0

    def __post_init__(self) -> None:
        self.rails = rails_of(self.trial.seed)

    async def open_program(self, cents: int, *, numbers_from: int = 1, published_at: datetime = AT) -> None:
        """A program with two payees; again with others' supplier numbers, as a later version of its pack may list."""
        listed = [
            ListedProvider(provider_id=name, name=name, supplier_number=f"{number:010d}")
            for number, name in enumerate((PROVIDER, MOVING), numbers_from)
        ]
        fact = ProgramPublished(
            program_id=PROGRAM,
            title="A program",
            pack_version="0123456789ab",
            published_at=published_at,
            providers=listed,
            credentials=[
                ListedCredential(
                    credential_id="cyber",
                    title="Cyber",
                    cost_lines=[CostLine(kind=CostKind.TUITION, price_cents=CENTS)],
                    issuers=[PROVIDER],
                )
            ],
            rounds=[
                ListedRound(
                    round_id=ROUND,
                    title="Round 1",
                    appropriation_cents=cents,
                    document_reference="HB 1",
                    fiscal_year=2026,
                    per_credential_cap_cents=CENTS,
                    per_person_cap_cents=None,
                    awards=[ListedAward(provider_id=one.provider_id, ceiling_cents=cents, seats={}) for one in listed],
                )
            ],
        )
        async with self.db.transaction() as tx:
            await program.follow_program(fact, tx, now=AT)

    async def owe(self, count: int, provider: str = PROVIDER) -> list[DisbursementId]:
        """So many approved claims with their payments ordered."""
        return [await self._owe_one(provider) for _ in range(count)]

    async def _owe_one(self, provider: str) -> DisbursementId:
        self.made += 1
        name = f"{self.trial.seed} {self.made}"
        case, enrollment = ApplicationId.derive(name), EnrollmentId.derive(name)
        claim, person = ClaimId.derive(name), PersonId.derive(name)
        hold = HoldFunds(
            application_id=case,
            person_id=person,
            program_id=PROGRAM,
            round_id=ROUND,
            provider_id=provider,
            credential_id="cyber",
            amount_cents=CENTS,
            hold_seconds=3_600,
        )
        await funding.hold_funds(hold, db=self.db, now=AT)
        encumber = EncumberFunds(application_id=case, enrollment_id=enrollment, price_cents=CENTS)
        await funding.encumber_funds(encumber, db=self.db, now=AT)
        await self._tell(case, person, enrollment, provider, name)
        review = ReviewClaim(
            application_id=case,
            claim_id=claim,
            enrollment_id=enrollment,
            provider_id=provider,
            credential_id="cyber",
            invoice_number=f"INV-{self.made:06d}",
            invoice_on="2026-03-10",
            amount_cents=CENTS,
            participant_charged_cents=0,
            credential_earned_on="2026-03-09",
            claim_due_at=AT + timedelta(days=42),
            submitted_at=AT,
            auto_approve_max_cents=CENTS,
        )
        await claims.review_claim(review, business_unit=UNIT, db=self.db, now=AT)
        pay = PayClaim(application_id=case, claim_id=claim, attempt_number=1)
        return (await disbursements.pay_claim(pay, db=self.db, now=AT)).disbursement_id

    async def _tell(
        self, case: ApplicationId, person: PersonId, enrollment: EnrollmentId, provider: str, name: str
    ) -> None:
        submitted = ApplicationSubmitted(
            application_id=case,
            person_id=person,
            partner_id="a-portal",
            program_id=PROGRAM,
            round_id=ROUND,
            provider_id=provider,
            credential_id="cyber",
            submitted_at=AT,
            sealed_declaration="x" * 20,
            sealed_contact="x" * 20,
        )
        accepted = EnrollmentAccepted(
            application_id=case,
            enrollment_id=enrollment,
            provider_id=provider,
            credential_id="cyber",
            price_cents=CENTS,
            answered_at=AT,
        )
        recorded = CredentialRecorded(
            application_id=case,
            credential_award_id=CredentialAwardId.derive(name),
            person_id=person,
            provider_id=provider,
            credential_id="cyber",
            earned_on="2026-03-09",
            recorded_at=AT,
        )
        uncharged = ChargeAnswered(application_id=case, charged=False, answered_at=AT)
        async with self.db.transaction() as tx:
            await charges.follow_charge_answer(uncharged, tx, now=AT)
            await program.follow_application(submitted, tx)
            await program.follow_enrollment(accepted, tx)
            await program.follow_credential(recorded, tx)

    async def move_to_ach(self, provider: str, *, checker: str = CHECKER) -> None:
        """The payee asks for another account; nothing leaves the old way meanwhile."""
        account = NewAccount("Cleveland State", "041099999", NUMBER, "checking")
        called = CallBack("Pat Doe", "+1 440 555 0100", AT)
        proposal = Proposal(rail=Rail.ACH, account=account, old_stays=False, call_back=called)
        assert self.rails.ach is not None
        async with self.db.transaction() as tx:
            change = await propose_change(tx, provider, proposal, maker=MAKER, numbers=self.rails.ach.numbers, now=AT)
        async with self.db.transaction() as tx:
            await approve_change(tx, provider, change.change_id, checker=checker, cooling_off_days=COOLING_DAYS, now=AT)

    async def build(self, rail: Rail = Rail.PAYMENT_VOUCHER, *, now: datetime = AT) -> Batch:
        async with self.db.transaction() as tx:
            return await build_batch(tx, maker=MAKER, rails=self.rails, rail=rail, now=now)

    async def approve(self, batch: Batch, *, checker: str = CHECKER, now: datetime = AT) -> Batch:
        async with self.db.transaction() as tx:
            return await approve_batch(tx, batch.batch_id, checker=checker, rails=self.rails, now=now)

    async def stages(self) -> dict[str, int]:
        """Cents by stage, without the empty ones."""
        money = await money_of_program(PROGRAM, db=self.db)
        return {stage: cents for stage, cents in money.stages.items() if cents}
