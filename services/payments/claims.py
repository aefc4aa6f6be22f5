"""A claim's checks: each says whether it passed and why; all run, none stops the others.

Sources: ORC 122.1711 (paid when the credential is earned), OAC 126-3-01 (proper invoice, prompt pay), the duplicate
rule of the state's finance system (business unit, invoice number, supplier, amount).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from contracts.events.payments import ClaimCheck
from contracts.money import dollars
from contracts.steps.payments import ClaimStatus, ReviewClaim
from services.payments.domain import Funding, FundingState

PROMPT_PAY_DAYS = 30
APPROVERS_ABOVE_THRESHOLD = 2


class Remedy(StrEnum):
    """What a failed check asks for."""

    MEND = "mend"
    """The provider can send a mended claim."""
    PEOPLE = "people"
    """People have to decide."""
    NONE = "none"
    """Nothing can make this claim good."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a check failed and what would help."""

    reason: str
    text: str
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class EnrollmentCopy:
    """The accepted enrollment, as the provider answered it."""

    enrollment_id: str
    application_id: str
    provider_id: str
    credential_id: str
    price_cents: int


@dataclass(frozen=True, slots=True)
class CredentialCopy:
    """The credential on record."""

    provider_id: str
    credential_id: str
    earned_on: str


@dataclass(frozen=True, slots=True)
class EarlierClaim:
    """Another claim of the same supplier with the same or a similar invoice number that was not turned down."""

    claim_id: str
    invoice_number: str
    claimed_cents: int


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """Everything a claim is matched against."""

    claim: ReviewClaim
    funding: Funding | None
    enrollment: EnrollmentCopy
    credential: CredentialCopy
    supplier_number: str | None
    earlier: Sequence[EarlierClaim]
    today: date


Check = Callable[[ClaimFile], Failure | None]


def award_stands(file: ClaimFile) -> Failure | None:
    """The program's money is still encumbered for this case."""
    if file.funding is None or file.funding.state is not FundingState.ENCUMBERED:
        return Failure("no_encumbrance", "No money is encumbered for this case.", Remedy.NONE)
    return None


def enrollment_is_the_funded_one(file: ClaimFile) -> Failure | None:
    """The claim speaks of the accepted enrollment that the money was encumbered for."""
    enrolled = file.enrollment.application_id == file.claim.application_id
    funded = file.funding is not None and file.funding.enrollment_id == file.claim.enrollment_id
    if not (enrolled and funded):
        return Failure("enrollment_differs", "The claim names another enrollment than the funded one.", Remedy.NONE)
    return None


def provider_is_the_enrolled_one(file: ClaimFile) -> Failure | None:
    """The provider who claims is the one who enrolled and taught."""
    if {file.enrollment.provider_id, file.credential.provider_id} != {file.claim.provider_id}:
        return Failure("provider_differs", "The claim comes from another provider than the enrollment.", Remedy.NONE)
    return None


def payee_is_known(file: ClaimFile) -> Failure | None:
    """The provider has a supplier number in the finance system."""
    if file.supplier_number is None:
        return Failure("payee_unknown", "The provider is not on the program's list of payees.", Remedy.PEOPLE)
    return None


def credential_is_on_record(file: ClaimFile) -> Failure | None:
    """The credential that was funded is the one that was earned, on the day the claim says."""
    if file.credential.credential_id != file.claim.credential_id:
        return Failure("credential_differs", "The credential on record is not the one claimed for.", Remedy.NONE)
    if file.credential.earned_on != file.claim.credential_earned_on:
        return Failure("earned_on_differs", "The credential on record was earned on another day.", Remedy.MEND)
    return None


def price_is_within_the_encumbrance(file: ClaimFile) -> Failure | None:
    """No more than the enrollment's price, nor than what is encumbered."""
    encumbered = file.funding.encumbered_cents if file.funding else 0
    most = min(encumbered, file.enrollment.price_cents)
    if file.claim.amount_cents > most:
        return Failure("exceeds_encumbrance", f"At most {dollars(most)} can be claimed.", Remedy.MEND)
    return None


def invoice_is_dated(file: ClaimFile) -> Failure | None:
    """The invoice has a date, not in the future."""
    try:
        invoiced = date.fromisoformat(file.claim.invoice_on)
    except ValueError:
        return Failure("invoice_date_unreadable", "The invoice's date is not a day.", Remedy.MEND)
    if invoiced > file.today:
        return Failure("invoice_in_future", "The invoice is dated in the future.", Remedy.MEND)
    return None


def invoice_is_new(file: ClaimFile) -> Failure | None:
    """The provider has not used the invoice number for this amount before."""
    claim = file.claim
    same = [e for e in file.earlier if e.invoice_number == claim.invoice_number.strip()]
    if any(e.claimed_cents == claim.amount_cents for e in same):
        return Failure("invoice_used", "This invoice number and amount were claimed before.", Remedy.MEND)
    return None


def invoice_resembles_no_other(file: ClaimFile) -> Failure | None:
    """No other claim of the provider has an invoice number that differs only in writing, or only in the amount."""
    claim = file.claim
    exact = (claim.invoice_number.strip(), claim.amount_cents)
    if any((e.invoice_number, e.claimed_cents) != exact for e in file.earlier):
        return Failure("invoice_resembles", "Another claim has almost the same invoice number.", Remedy.PEOPLE)
    return None


def claim_is_in_time(file: ClaimFile) -> Failure | None:
    """It came within the program's window after the credential."""
    if file.claim.submitted_at > file.claim.claim_due_at:
        return Failure("claim_late", "The claim came after its deadline.", Remedy.NONE)
    return None


def participant_was_not_charged(file: ClaimFile) -> Failure | None:
    """The provider may not charge the person for taking part (ORC 122.1711)."""
    if file.claim.participant_charged_cents > 0:
        return Failure("participant_charged", "The provider reports that it charged the participant.", Remedy.PEOPLE)
    return None


def amount_may_approve_itself(file: ClaimFile) -> Failure | None:
    """Above the threshold two people approve."""
    if file.claim.amount_cents > file.claim.auto_approve_max_cents:
        return Failure("above_self_approval", "Two people approve a claim of this amount.", Remedy.PEOPLE)
    return None


CHECKS: tuple[Check, ...] = (
    award_stands,
    enrollment_is_the_funded_one,
    provider_is_the_enrolled_one,
    payee_is_known,
    credential_is_on_record,
    price_is_within_the_encumbrance,
    invoice_is_dated,
    invoice_is_new,
    invoice_resembles_no_other,
    claim_is_in_time,
    participant_was_not_charged,
    amount_may_approve_itself,
)


@dataclass(frozen=True, slots=True)
class Review:
    """The decision on a claim with every check."""

    status: ClaimStatus
    checks: tuple[ClaimCheck, ...]


def review(file: ClaimFile) -> Review:
    """Run every check and decide: approve, return for mending, refer to people, or refuse."""
    results = [(check, check(file)) for check in CHECKS]
    checks = tuple(_reported(check, failure) for check, failure in results)
    failures = [failure for _, failure in results if failure is not None]
    if file.claim.refused_by is not None:
        refusal = ClaimCheck(
            check="staff_decision", passed=False, reason="refused_by_staff", text="Staff refused the claim."
        )
        return Review(ClaimStatus.REFUSED, (*checks, refusal))
    remedies = {failure.remedy for failure in failures}
    if Remedy.NONE in remedies:
        return Review(ClaimStatus.REFUSED, checks)
    if Remedy.MEND in remedies:
        return Review(ClaimStatus.RETURNED, checks)
    if Remedy.PEOPLE in remedies and len(set(file.claim.approved_by)) < approvers_needed(failures):
        return Review(ClaimStatus.REFERRED, checks)
    return Review(ClaimStatus.APPROVED, checks)


def approvers_needed(failures: Sequence[Failure]) -> int:
    """How many different people must approve: two above the threshold, one for anything else in doubt."""
    above = any(failure.reason == "above_self_approval" for failure in failures)
    return APPROVERS_ABOVE_THRESHOLD if above else 1


def invoice_key(invoice_number: str) -> str:
    """An invoice number without what people vary: case, punctuation, leading zeros."""
    return re.sub(r"[^0-9A-Z]", "", invoice_number.upper()).lstrip("0") or invoice_number.strip().upper()


def prompt_pay_due(submitted_at: datetime) -> datetime:
    """When a proper invoice is due: thirty days after it came (OAC 126-3-01)."""
    return submitted_at + timedelta(days=PROMPT_PAY_DAYS)


def _reported(check: Check, failure: Failure | None) -> ClaimCheck:
    name = check.__name__
    if failure is None:
        text = (check.__doc__ or name).strip()
        return ClaimCheck(check=name, passed=True, reason="passed", text=text)
    return ClaimCheck(check=name, passed=False, reason=failure.reason, text=failure.text)
