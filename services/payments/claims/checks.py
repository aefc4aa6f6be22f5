"""A claim's checks: each says whether it passed and why; all run, none stops the others.

Sources: ORC 122.1711 (paid when the credential is earned), OAC 126-3-01 (proper invoice, prompt pay), the duplicate
rule of the state's finance system (business unit, invoice number, supplier, amount).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from contracts.events.eligibility import ListedClaimRules
from contracts.events.payments import ClaimCheck
from contracts.money import dollars
from contracts.plan import CostKind
from contracts.steps.payments import ClaimStatus, ReviewClaim
from services.payments.domain import ExamVoucherState, Funding, FundingState, person

APPROVERS_ABOVE_THRESHOLD = 2
SPENT_ON_EXAM = frozenset({ExamVoucherState.REGISTERED, ExamVoucherState.USED})


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
class TwinClaim:
    """Another claim for the same person and credential that was not turned down, whichever provider's."""

    claim_id: str
    provider_id: str
    claimed_cents: int
    kinds: frozenset[CostKind]
    """Its cost lines; none where it does not say."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What the program and the record say about a claim, beside the documents of the case."""

    rules: ListedClaimRules = field(default_factory=ListedClaimRules)
    listed: Mapping[CostKind, int] = field(default_factory=dict[CostKind, int])
    """The credential's price by cost line as the program lists it; empty where it lists none."""
    cap_cents: int | None = None
    """The round's cap for one credential."""
    twins: Sequence[TwinClaim] = ()
    charged: bool | None = None
    """The person's own word; None while it has not come."""
    exam_voucher: ExamVoucherState | None = None
    """The exam voucher that the person has from the program's stock; None without one, or where it came to nothing."""
    payee_recorders: frozenset[str] = frozenset()
    """Who recorded changes of the payee: they approve none of its claims."""


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
    papers: Papers = field(default_factory=Papers)

    @property
    def encumbered_cents(self) -> int:
        """What was committed to the enrollment, an advance on it included."""
        return self.funding.encumbered_cents if self.funding else 0

    @property
    def advanced_cents(self) -> int:
        """What was paid, or is payable, ahead of this claim."""
        return self.funding.advanced_cents if self.funding else 0

    @property
    def approvers(self) -> tuple[str, ...]:
        """The different people who approved and may: not the provider, nor whoever recorded the payee's changes."""
        barred = {person(self.claim.provider_id), *(person(name) for name in self.papers.payee_recorders)}
        return tuple(sorted({person(name) for name in self.claim.approved_by} - barred))


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
    """No more than the enrollment's price and the credential's listed cost, nor than the cap and the encumbrance."""
    limits = [file.encumbered_cents, file.enrollment.price_cents]
    if file.papers.listed:
        limits.append(sum(file.papers.listed.values()))
    if file.papers.cap_cents is not None:
        limits.append(file.papers.cap_cents)
    most = min(limits)
    if file.claim.amount_cents > most:
        return Failure("exceeds_encumbrance", f"At most {dollars(most)} can be claimed.", Remedy.MEND)
    return None


def claim_exceeds_its_advance(file: ClaimFile) -> Failure | None:
    """Something is left to pay after the advance."""
    if file.claim.amount_cents <= file.advanced_cents:
        return Failure("covered_by_advance", "The advance covers the whole claim; nothing is left to pay.", Remedy.NONE)
    return None


def cost_lines_add_up(file: ClaimFile) -> Failure | None:
    """The cost lines, where the claim names them, are its amount, each at most its price."""
    lines = claimed_by_line(file.claim)
    if not lines:
        return None
    if sum(lines.values()) != file.claim.amount_cents or len(lines) != len(file.claim.lines):
        return Failure("cost_lines_differ", "The cost lines do not add up to the amount claimed.", Remedy.MEND)
    for kind, price in file.papers.listed.items():
        if lines.get(kind, 0) > price:
            text = f"At most {dollars(price)} can be claimed for {kind}."
            return Failure("cost_line_exceeds_price", text, Remedy.MEND)
    if file.papers.listed and not lines.keys() <= file.papers.listed.keys():
        return Failure("cost_line_unknown", "The credential has no such cost line.", Remedy.MEND)
    return None


def cost_lines_are_not_funded_elsewhere(file: ClaimFile) -> Failure | None:
    """No cent of a cost line that other money pays, and no line that the program paid before for this person."""
    claim, plan = file.claim, file.claim.cost_lines
    lines = claimed_by_line(claim)
    left = {line.kind: line.price_cents - line.funded_elsewhere_cents for line in plan}
    for line in plan:
        if line.funded_elsewhere_cents and lines.get(line.kind, 0) > left[line.kind]:
            text = f"Other money pays {dollars(line.funded_elsewhere_cents)} of {line.kind}."
            return Failure("funded_elsewhere", text, Remedy.MEND)
    if plan and not lines and claim.amount_cents > sum(left.values()):
        text = f"At most {dollars(sum(left.values()))} are not paid by others."
        return Failure("funded_elsewhere", text, Remedy.MEND)
    for twin in file.papers.twins:
        if not lines or not twin.kinds or lines.keys() & twin.kinds:
            text = "The same cost line of this person and credential stands in another claim."
            return Failure("cost_line_claimed_before", text, Remedy.PEOPLE)
    return None


def exam_is_not_paid_already(file: ClaimFile) -> Failure | None:
    """No exam fee where the exam voucher came from the program's stock: the program paid for the exam with it."""
    if file.papers.exam_voucher is None or file.claim.amount_cents <= _cents_without_exam(file):
        return None
    if file.papers.exam_voucher in SPENT_ON_EXAM:
        text = "The exam was paid with the program's exam voucher: claim without its fee."
        return Failure("exam_paid_by_voucher", text, Remedy.MEND)
    text = "The person has an exam voucher of the program that was not used for this exam."
    return Failure("exam_voucher_unused", text, Remedy.PEOPLE)


def documents_are_attached(file: ClaimFile) -> Failure | None:
    """Every document the program asks for; the credential on record and the numbered invoice are two of them."""
    there = {one.kind for one in file.claim.documents} | {"credential", "invoice"}
    missing = [kind for kind in file.papers.rules.documents if kind not in there]
    if missing:
        return Failure("documents_missing", f"Missing: {', '.join(missing).replace('_', ' ')}.", Remedy.MEND)
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


def claim_has_no_twin(file: ClaimFile) -> Failure | None:
    """No other claim of the provider for this person and credential is within one percent of the amount."""
    claim = file.claim
    for twin in file.papers.twins:
        apart = abs(twin.claimed_cents - claim.amount_cents)
        if twin.provider_id == claim.provider_id and apart * 100 <= max(twin.claimed_cents, claim.amount_cents):
            text = "The provider has another claim of nearly this amount for the same person and credential."
            return Failure("claim_resembles", text, Remedy.PEOPLE)
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
    if file.papers.charged:
        return Failure("person_says_charged", "The person says that the provider charged.", Remedy.PEOPLE)
    return None


def amount_may_approve_itself(file: ClaimFile) -> Failure | None:
    """Above the threshold people approve, as many as the program's levels say."""
    if file.claim.amount_cents > file.claim.auto_approve_max_cents:
        people = approvers_by_amount(file.claim, file.papers.rules)
        return Failure("above_self_approval", f"Claims of this amount need {people} approvals.", Remedy.PEOPLE)
    return None


CHECKS: tuple[Check, ...] = (
    award_stands,
    enrollment_is_the_funded_one,
    provider_is_the_enrolled_one,
    payee_is_known,
    credential_is_on_record,
    price_is_within_the_encumbrance,
    claim_exceeds_its_advance,
    cost_lines_add_up,
    cost_lines_are_not_funded_elsewhere,
    exam_is_not_paid_already,
    documents_are_attached,
    invoice_is_dated,
    invoice_is_new,
    invoice_resembles_no_other,
    claim_has_no_twin,
    claim_is_in_time,
    participant_was_not_charged,
    amount_may_approve_itself,
)


@dataclass(frozen=True, slots=True)
class Review:
    """The decision on a claim with every check."""

    status: ClaimStatus
    checks: tuple[ClaimCheck, ...]
    approvers_needed: int = 0
    """How many different people have to approve it; none where rules alone may."""
    doubts: frozenset[str] = frozenset()
    """Why people have to decide, where nothing has to be mended before."""


def review(file: ClaimFile) -> Review:
    """Run every check and decide: approve, return for mending, refer to people, or refuse."""
    results = [(check, check(file)) for check in CHECKS]
    checks = tuple(_reported(check, failure) for check, failure in results)
    failures = [failure for _, failure in results if failure is not None]
    needed = approvers_needed(file, failures)
    if file.claim.refused_by is not None:
        refusal = ClaimCheck(
            check="staff_decision", passed=False, reason="refused_by_staff", text="Staff refused the claim."
        )
        return Review(ClaimStatus.REFUSED, (*checks, refusal), needed)
    remedies = {failure.remedy for failure in failures}
    if Remedy.NONE in remedies:
        return Review(ClaimStatus.REFUSED, checks, needed)
    if Remedy.MEND in remedies:
        return Review(ClaimStatus.RETURNED, checks, needed)
    doubts = frozenset(failure.reason for failure in failures)
    if len(file.approvers) < needed:
        return Review(ClaimStatus.REFERRED, checks, needed, doubts)
    return Review(ClaimStatus.APPROVED, checks, needed, doubts)


def approvers_needed(file: ClaimFile, failures: Sequence[Failure]) -> int:
    """How many different people must approve: by the amount where it is above the threshold, one in any other doubt."""
    doubts = [failure for failure in failures if failure.remedy is Remedy.PEOPLE]
    if any(failure.reason == "above_self_approval" for failure in doubts):
        return approvers_by_amount(file.claim, file.papers.rules)
    return 1 if doubts else 0


def approvers_by_amount(claim: ReviewClaim, rules: ListedClaimRules) -> int:
    """How many people approve a claim above the threshold; two where the program's levels say nothing."""
    return approvers_by_level(claim.amount_cents, rules) if rules.approval_levels else APPROVERS_ABOVE_THRESHOLD


def approvers_by_level(cents: int, rules: ListedClaimRules) -> int:
    """What the program's approval levels say of an amount in review: at least one, two above the highest level."""
    for level in rules.approval_levels:
        if cents <= level.up_to_cents:
            return max(1, level.approvers)
    return APPROVERS_ABOVE_THRESHOLD if rules.approval_levels else 1


def claimed_by_line(claim: ReviewClaim) -> dict[CostKind, int]:
    """What is claimed for each cost line; empty where the claim does not say: then it is for all of them."""
    return {line.kind: line.amount_cents for line in claim.lines}


def _cents_without_exam(file: ClaimFile) -> int:
    """How much of the claim can be for anything but the exam; all of it where no cost line is known."""
    if lines := claimed_by_line(file.claim):
        return sum(cents for kind, cents in lines.items() if kind is not CostKind.EXAM_FEE)
    if plan := file.claim.cost_lines:
        left = (one.price_cents - one.funded_elsewhere_cents for one in plan if one.kind is not CostKind.EXAM_FEE)
        return sum(left)
    listed = file.papers.listed
    return (
        sum(cents for kind, cents in listed.items() if kind is not CostKind.EXAM_FEE)
        if listed
        else (file.claim.amount_cents)
    )


def invoice_key(invoice_number: str) -> str:
    """An invoice number without what people vary: case, punctuation, the zeros that lead a number."""
    # Before the punctuation goes: it tells where a number begins.
    unpadded = re.sub(r"(?<![0-9])0+(?=[0-9])", "", invoice_number.upper())
    return re.sub(r"[^0-9A-Z]", "", unpadded) or invoice_number.strip().upper()


def _reported(check: Check, failure: Failure | None) -> ClaimCheck:
    name = check.__name__
    if failure is None:
        text = (check.__doc__ or name).strip()
        return ClaimCheck(check=name, passed=True, reason="passed", text=text)
    return ClaimCheck(check=name, passed=False, reason=failure.reason, text=failure.text)
