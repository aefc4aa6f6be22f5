"""The journey's contract: its id, its signals and updates, its search attributes, its stages and outcomes."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.events.applications import ApplicationSubmitted
from contracts.ids import ApplicationId
from contracts.texts import Actor, Code, Instant, Sentence, Slug

WORKFLOW_TYPE = "FundingJourney"
DETAILS_QUERY = "case"


def workflow_id(application_id: ApplicationId) -> str:
    """`application/<application_id>`: one workflow per application, for ever."""
    return f"application/{application_id}"


class Stage(StrEnum):
    """Where a case stands; the search attribute `CaseStage` and the case read model show the same word."""

    ELIGIBILITY = "eligibility"
    INFORMATION = "information"
    """Something is missing and the person was asked for it."""
    APPEAL = "appeal"
    """Found ineligible; the appeal window is open."""
    AWARD = "award"
    WAITING_LIST = "waiting_list"
    ENROLLMENT = "enrollment"
    LEARNING = "learning"
    EXAM = "exam"
    CREDENTIAL = "credential"
    CLAIM = "claim"
    REIMBURSEMENT = "reimbursement"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How a case ended."""

    REIMBURSED = "reimbursed"
    INELIGIBLE = "ineligible"
    INCOMPLETE = "incomplete"
    NO_FUNDS = "no_funds"
    ENROLLMENT_REFUSED = "enrollment_refused"
    ENROLLMENT_LAPSED = "enrollment_lapsed"
    NOT_COMPLETED = "not_completed"
    EXAM_NOT_PASSED = "exam_not_passed"
    CLAIM_LAPSED = "claim_lapsed"
    CLAIM_REFUSED = "claim_refused"
    WITHDRAWN = "withdrawn"
    CLOSED_BY_STAFF = "closed_by_staff"


SEARCH_KEYWORDS = (
    "CaseStage",
    "CaseOutcome",
    "ProgramId",
    "RoundId",
    "ProviderId",
    "CredentialId",
    "County",
    "HoldReason",
    "Assignee",
)
SEARCH_DATETIMES = ("DueAt", "SubmittedAt")
SEARCH_INTS = ("AmountCents",)
SEARCH_BOOLS = ("NeedsStaff",)


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StartJourney(_Message):
    """The workflow's input: the fact that began it."""

    event_id: UUID
    submitted: ApplicationSubmitted


class SignaledFact(_Message):
    """A fact on its way into a journey; the signal's name is the fact's type."""

    event_id: UUID
    source: str
    sequence: int
    occurred_at: Instant
    correlation_id: str
    payload: dict[str, Any]


class HoldReason(StrEnum):
    DOCUMENTS_IN_DOUBT = "documents_in_doubt"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    PROVIDER_UNDER_REVIEW = "provider_under_review"
    COMPLAINT = "complaint"
    LEGAL = "legal"
    OTHER = "other"


class StaffHold(_Message):
    """Stop the case where it stands; nothing moves until it is resumed, but a payment that was already sent."""

    actor: Actor
    reason: HoldReason
    note: Sentence


class StaffResume(_Message):
    """Let a held case go on."""

    actor: Actor
    note: Sentence


class StaffExtend(_Message):
    """Give the current wait more time: `until` is the new deadline, later than now and within two years."""

    actor: Actor
    until: Instant
    note: Sentence


class Decision(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"
    RETRY = "retry"


class StaffDecide(_Message):
    """Answer the question the case has put to staff (`NeedsStaff`): `question` must name the open one."""

    actor: Actor
    question: Code
    decision: Decision
    reason: Code
    note: Sentence


class CloseReason(StrEnum):
    APPLICANT_DECEASED = "applicant_deceased"
    DUPLICATE = "duplicate"
    FRAUD = "fraud"
    PROVIDER_CLOSED = "provider_closed"
    PROGRAM_ENDED = "program_ended"
    OTHER = "other"


class StaffClose(_Message):
    """End the case now; unused money is released. Refused once a payment is on its way."""

    actor: Actor
    reason: CloseReason
    note: Sentence


class StaffAssign(_Message):
    """Say whose desk the case is on: the search attribute `Assignee`; nobody's where `assignee` is left out."""

    actor: Actor
    assignee: Actor | None = None
    note: Sentence


UPDATE_HOLD, UPDATE_RESUME, UPDATE_EXTEND, UPDATE_DECIDE, UPDATE_CLOSE, UPDATE_ASSIGN = (
    "hold",
    "resume",
    "extend",
    "decide",
    "close",
    "assign",
)


class CaseView(_Message):
    """What the `case` query answers and the Temporal UI shows as current details."""

    application_id: ApplicationId
    stage: Stage
    outcome: Outcome | None
    program_id: Slug
    due_at: Instant | None
    held: HoldReason | None
    assignee: Actor | None = None
    question: Code | None
    history: list[str]
