"""Asks payments what the journey, the doors and the clocks ask about claims: for the drill `claims`."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from cairn.drills.books import AT, PROGRAM
from cairn.drills.sent_payments import CREDENTIAL, PROVIDER, RAILS, ROUND_ID, UNIT, program_with, send
from contracts.events.applications import ApplicationSubmitted, ChargeAnswered, CredentialRecorded, EnrollmentAccepted
from contracts.events.eligibility import ListedApprovalLevel, ListedClaimRules, ListedInterestRate
from contracts.ids import ApplicationId, ClaimId, CredentialAwardId, EnrollmentId, PersonId
from contracts.steps.payments import ClaimReviewed, EncumberFunds, HoldFunds, PayClaim, ReviewClaim
from kit.db import Database
from services.payments.domain import NothingToPay
from services.payments.remittance import Confirmation, write_confirmations
from services.payments.usecases import funding, program
from services.payments.usecases.batches import build_batch, withdraw_batch
from services.payments.usecases.charges import follow_charge_answer
from services.payments.usecases.claims import review_claim
from services.payments.usecases.confirmations import take_confirmations
from services.payments.usecases.disbursements import disbursement_id_of, pay_claim

CENTS = 300_000
APPROPRIATED_CENTS = 100 * CENTS
RULES = ListedClaimRules(
    charge_answer_days=5,
    approval_levels=[
        ListedApprovalLevel(up_to_cents=100_000, approvers=0),
        ListedApprovalLevel(up_to_cents=9_999_999_999, approvers=2),
    ],
    interest_rates=[ListedInterestRate(calendar_year=2026, basis_points=700, source="ORC 5703.47")],
)


@dataclass
class Desk:
    """One program with room for a hundred cases."""

    db: Database

    async def publish(self) -> None:
        fact = program_with(APPROPRIATED_CENTS).model_copy(update={"claim_rules": RULES})
        async with self.db.transaction() as tx:
            await program.follow_program(fact, tx, now=AT)

    async def earned(self, name: str, *, person: str = "") -> ApplicationId:
        """A case up to its credential."""
        case, who = ApplicationId.derive(name), PersonId.derive(person or name)
        hold = HoldFunds(
            application_id=case,
            person_id=who,
            program_id=PROGRAM,
            round_id=ROUND_ID,
            provider_id=PROVIDER,
            credential_id=CREDENTIAL,
            amount_cents=CENTS,
            hold_seconds=3_600,
        )
        await funding.hold_funds(hold, db=self.db, now=AT)
        enrollment = EnrollmentId.derive(name)
        encumber = EncumberFunds(application_id=case, enrollment_id=enrollment, price_cents=CENTS)
        await funding.encumber_funds(encumber, db=self.db, now=AT)
        about = {"application_id": case, "provider_id": PROVIDER, "credential_id": CREDENTIAL}
        submitted = ApplicationSubmitted.model_validate(
            {
                **about,
                "person_id": who,
                "partner_id": "drill-portal",
                "program_id": PROGRAM,
                "round_id": ROUND_ID,
                "submitted_at": AT,
                "sealed_declaration": "x" * 20,
                "sealed_contact": "x" * 20,
            }
        )
        accepted = EnrollmentAccepted.model_validate(
            {**about, "enrollment_id": enrollment, "price_cents": CENTS, "answered_at": AT}
        )
        recorded = CredentialRecorded.model_validate(
            {
                **about,
                "person_id": who,
                "credential_award_id": CredentialAwardId.derive(name),
                "earned_on": f"{AT:%Y-%m-%d}",
                "recorded_at": AT,
            }
        )
        async with self.db.transaction() as tx:
            await program.follow_application(submitted, tx)
            await program.follow_enrollment(accepted, tx)
            await program.follow_credential(recorded, tx)
        return case

    async def claim(self, name: str, **given: Any) -> ClaimReviewed:
        """A clean claim of the case, but for what is given; small enough to approve itself."""
        values: dict[str, Any] = {
            "application_id": ApplicationId.derive(name),
            "claim_id": ClaimId.derive(name),
            "enrollment_id": EnrollmentId.derive(name),
            "provider_id": PROVIDER,
            "credential_id": CREDENTIAL,
            "invoice_number": f"INV-{name}",
            "invoice_on": f"{AT:%Y-%m-%d}",
            "amount_cents": CENTS,
            "participant_charged_cents": 0,
            "credential_earned_on": f"{AT:%Y-%m-%d}",
            "claim_due_at": AT + timedelta(days=42),
            "submitted_at": AT,
            "auto_approve_max_cents": CENTS,
        }
        ask = ReviewClaim.model_validate(values | given)
        return await review_claim(ask, business_unit=UNIT, db=self.db, now=AT)

    async def order(self, name: str) -> None:
        ask = PayClaim(application_id=ApplicationId.derive(name), claim_id=ClaimId.derive(name), attempt_number=1)
        await pay_claim(ask, db=self.db, now=AT)

    async def says(self, name: str, *, charged: bool) -> None:
        fact = ChargeAnswered(application_id=ApplicationId.derive(name), charged=charged, answered_at=AT)
        async with self.db.transaction() as tx:
            await follow_charge_answer(fact, tx, now=AT)

    async def payments_ready(self) -> int:
        """How many payments a batch would take now; the batch is taken apart again."""
        try:
            async with self.db.transaction() as tx:
                batch = await build_batch(tx, maker="finance/anna", rails=RAILS, now=AT)
        except NothingToPay:
            return 0
        async with self.db.transaction() as tx:
            await withdraw_batch(tx, batch.batch_id, by="finance/anna", now=AT)
        return batch.payments

    async def pay_on(self, name: str, day: date) -> None:
        """Send what is ready, and have the finance system say that this payment was made on `day`."""
        await send(self.db, now=AT)
        payment = disbursement_id_of(ClaimId.derive(name), 1)
        word = Confirmation(payment, "V1", "P1", day, "PAID", None)
        await take_confirmations("drill.pcf", write_confirmations([word], AT), db=self.db, now=AT)
