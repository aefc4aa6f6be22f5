"""From facts to notices: which facts a person hears of, in which template, with which particulars. Pure.

A provider's office hears by letter what its claim lacks, also where it has no webhook endpoint (ORC 126.30).
Particulars are codes, amounts, instants and titles; the person's name and address are never among them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode

from contracts.envelope import CaseFact
from contracts.events.applications import (
    ApplicationClosed,
    ApplicationSubmitted,
    CredentialRecorded,
    EnrollmentAccepted,
    EnrollmentWaitlisted,
    ExamResult,
    ExamResulted,
)
from contracts.events.eligibility import ApplicationDetermined, Eligibility
from contracts.events.payments import ClaimChargeAsked, ClaimReturned, ExamVoucherIssued, HoldPlaced, HoldWaitlisted
from contracts.journey import CloseReason, Outcome
from services.notifications.domain import CaseFile, Listing, Missing

Particulars: TypeAlias = dict[str, Any]
"""JSON values only: instants and days travel as ISO 8601 text."""

ADD_TO_PROFILE = "https://www.linkedin.com/profile/add"


@dataclass(frozen=True, slots=True)
class NoticeDraft:
    """One notice to one person, or to a provider's office, before it has an address."""

    template: str
    language: str
    particulars: Particulars
    defects: ClaimReturned | None = None
    """Set where it goes to the provider: the claim whose defects it names."""


_Told: TypeAlias = tuple[str, Particulars] | None


def _received(fact: ApplicationSubmitted, listing: Listing) -> _Told:
    return "application_received", {"submitted_at": fact.submitted_at.isoformat()}


def _determined(fact: ApplicationDetermined, listing: Listing) -> _Told:
    respond_by = fact.respond_by.isoformat() if fact.respond_by else None
    if fact.outcome is Eligibility.MORE_INFORMATION:
        return "more_information_needed", {"missing": list(fact.missing), "respond_by": respond_by}
    if fact.outcome is Eligibility.INELIGIBLE:
        reasons = [
            {"code": finding.reason, "text": finding.text, "citation": finding.citation}
            for finding in fact.findings
            if finding.result == "not_met"
        ]
        return "not_eligible", {"reasons": reasons, "respond_by": respond_by}
    # Eligible alone promises nothing: the person hears of it with the money, or with the waiting list.
    return None


def _funds_held(fact: HoldPlaced, listing: Listing) -> _Told:
    return "funds_held", {"amount_cents": fact.amount_cents, "from_waiting_list": fact.from_waiting_list}


def _waiting(fact: HoldWaitlisted, listing: Listing) -> _Told:
    return "found_eligible_waiting", {"amount_cents": fact.amount_cents}


def _enrolled(fact: EnrollmentAccepted, listing: Listing) -> _Told:
    return "enrolled", {"starts_on": fact.starts_on}


def _college_waitlisted(fact: EnrollmentWaitlisted, listing: Listing) -> _Told:
    return "college_waiting_list", {}


def _exam_voucher(fact: ExamVoucherIssued, listing: Listing) -> _Told:
    return "exam_voucher_ready", {"attempt_number": fact.attempt_number, "expires_at": fact.expires_at.isoformat()}


def _exam_resulted(fact: ExamResulted, listing: Listing) -> _Told:
    if fact.result not in {ExamResult.FAILED, ExamResult.NO_SHOW}:
        return None
    # After the last attempt there is no retake to announce; the end of the case says so.
    if listing.exam_attempts_max is None or fact.attempt_number >= listing.exam_attempts_max:
        return None
    wait = listing.exam_retake_wait
    retake_from = (fact.resulted_at + wait).isoformat() if wait is not None else fact.resulted_at.isoformat()
    return "exam_failed_retake", {
        "no_show": fact.result is ExamResult.NO_SHOW,
        "attempts_left": listing.exam_attempts_max - fact.attempt_number,
        "retake_from": retake_from,
    }


def _credential(fact: CredentialRecorded, listing: Listing) -> _Told:
    return "credential_recorded", {
        "earned_on": fact.earned_on,
        "add_to_profile_url": add_to_profile_url(fact, listing),
    }


def _charge_asked(fact: ClaimChargeAsked, listing: Listing) -> _Told:
    return "were_you_charged", {"answer_by": fact.answer_by.isoformat()}


REASONS_OF_OTHERS = frozenset({Outcome.REIMBURSED, Outcome.WITHDRAWN, Outcome.CLAIM_LAPSED, Outcome.CLAIM_REFUSED})
"""Outcomes whose reasons are the provider's business, or what the person said."""


def _closed(fact: ApplicationClosed, listing: Listing) -> _Told:
    if CloseReason.APPLICANT_DECEASED in fact.reasons:
        return None
    reasons = [] if fact.outcome in REASONS_OF_OTHERS else list(fact.reasons)
    return "application_closed", {"outcome": fact.outcome, "reasons": reasons}


_TELLERS: Mapping[type[CaseFact], Callable[[Any, Listing], _Told]] = {
    ApplicationSubmitted: _received,
    ApplicationDetermined: _determined,
    HoldPlaced: _funds_held,
    HoldWaitlisted: _waiting,
    EnrollmentAccepted: _enrolled,
    EnrollmentWaitlisted: _college_waitlisted,
    ExamVoucherIssued: _exam_voucher,
    ExamResulted: _exam_resulted,
    CredentialRecorded: _credential,
    ClaimChargeAsked: _charge_asked,
    ApplicationClosed: _closed,
}

FACTS: tuple[type[CaseFact], ...] = (*_TELLERS, ClaimReturned)
"""Every fact that the person, or the provider by letter, may hear of."""

LANGUAGE_OF_PROVIDERS = "en"


def notice_for(fact: CaseFact, case: CaseFile, listing: Listing | None) -> NoticeDraft | Missing | None:
    """The notice this fact makes for the case's person, or its provider; None where there is nothing to tell."""
    teller = _TELLERS.get(type(fact))
    if teller is None and not isinstance(fact, ClaimReturned):
        return None
    if case.language is None or case.sealed_contact is None:
        return Missing.CASE
    if listing is None:
        return Missing.PROGRAM
    if isinstance(fact, ClaimReturned):
        return _defects_letter(fact, case, listing)
    assert teller is not None
    told = teller(fact, listing)
    if told is None:
        return None
    template, particulars = told
    return NoticeDraft(template, case.language, {**_titles(case, listing), **particulars})


def _defects_letter(fact: ClaimReturned, case: CaseFile, listing: Listing) -> NoticeDraft | None:
    """Where the program lists no office to write to, payments calls people for the notice."""
    if not listing.provider_has_contact:
        return None
    particulars = {
        "claim_id": str(fact.claim_id),
        "claimed_cents": fact.claimed_cents,
        "defects": [check.text for check in fact.checks if not check.passed],
    }
    return NoticeDraft("claim_returned", LANGUAGE_OF_PROVIDERS, {**_titles(case, listing), **particulars}, defects=fact)


def _titles(case: CaseFile, listing: Listing) -> Particulars:
    return {
        "application_id": str(case.application_id),
        "program_title": listing.program_title,
        "provider_name": listing.provider_name,
        "credential_title": listing.credential_title,
    }


def add_to_profile_url(fact: CredentialRecorded, listing: Listing) -> str:
    """A link that offers the credential for a professional profile; nothing is sent unless the person follows it."""
    year, month, _ = fact.earned_on.split("-")
    fields = {
        "startTask": "CERTIFICATION_NAME",
        "name": listing.credential_title,
        "organizationName": listing.provider_name,
        "issueYear": year,
        "issueMonth": str(int(month)),
        "certId": str(fact.credential_award_id),
    }
    return f"{ADD_TO_PROFILE}?{urlencode(fields)}"
