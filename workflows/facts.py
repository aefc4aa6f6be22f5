"""What a journey knows from facts: of each thing told, the newest word.

Facts arrive as signals at least once and in any order. The same event counts once; an older word about the same thing
never replaces a newer one. Both memories are bounded, and so is what the signals add to the history.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from contracts.envelope import CaseFact
from contracts.events.applications import (
    ApplicationWithdrawn,
    ClaimSubmitted,
    CompletionAttested,
    DocumentReceived,
    EnrollmentAccepted,
    EnrollmentRefused,
    EnrollmentStarted,
    EnrollmentWaitlisted,
    EnrollmentWithdrawn,
    ExamRegistered,
    ExamResulted,
    MilestoneReached,
)
from contracts.events.payments import (
    ClaimRevoked,
    DisbursementRepaired,
    DisbursementReturned,
    DisbursementSettled,
    FundsLapsed,
    HoldExpired,
    HoldPlaced,
    PaymentPurpose,
)
from contracts.ids import ApplicationId, ClaimId, DisbursementId
from contracts.journey import SignaledFact
from contracts.texts import Sealed

EVENTS_REMEMBERED_MAX = 1_000
"""Event ids kept to recognize duplicates. A case hears some twenty facts; the bound only limits a runaway sender, and
past it the sequence still keeps an old word from replacing a new one."""
SUBJECTS_MAX = 200
"""Different things one case may be told about (documents, milestones, attempts, payments …)."""
EVIDENCE_MAX = 50

F = TypeVar("F", bound=CaseFact)

SUBJECTS: Mapping[type[CaseFact], Callable[[Any], str]] = {
    ApplicationWithdrawn: lambda fact: "withdrawal",
    DocumentReceived: lambda fact: f"document {fact.document_id}",
    HoldPlaced: lambda fact: "hold",
    HoldExpired: lambda fact: "hold",
    FundsLapsed: lambda fact: "lapse",
    EnrollmentAccepted: lambda fact: "college's answer",
    EnrollmentWaitlisted: lambda fact: "college's answer",
    EnrollmentRefused: lambda fact: "college's answer",
    EnrollmentStarted: lambda fact: "start",
    MilestoneReached: lambda fact: f"milestone {fact.milestone}",
    EnrollmentWithdrawn: lambda fact: "leaving the course",
    CompletionAttested: lambda fact: "completion",
    ExamRegistered: lambda fact: f"exam {fact.attempt_number}",
    ExamResulted: lambda fact: f"exam {fact.attempt_number}",
    ClaimSubmitted: lambda fact: "claim",
    ClaimRevoked: lambda fact: "claim revoked",
    DisbursementSettled: lambda fact: f"disbursement {fact.disbursement_id}",
    DisbursementReturned: lambda fact: f"disbursement {fact.disbursement_id}",
    DisbursementRepaired: lambda fact: f"disbursement {fact.disbursement_id}",
}
"""The facts a journey listens to, and what each is the newest word about."""


def is_heard(fact: CaseFact) -> bool:
    """Whether a journey has to be told. What its own steps answered already is not told again: signals cost."""
    if isinstance(fact, DisbursementSettled | DisbursementReturned | DisbursementRepaired):
        # An advance is paid beside the journey, which waits for the payment of its claim alone.
        return fact.purpose is PaymentPurpose.CLAIM
    return type(fact) in SUBJECTS and (not isinstance(fact, HoldPlaced) or fact.from_waiting_list)


class KnownFacts:
    """The newest word about each thing the case was told."""

    def __init__(self, application_id: ApplicationId) -> None:
        self._application_id = application_id
        self._events: dict[Any, None] = {}
        self._newest: dict[str, tuple[int, CaseFact | None]] = {}

    def hear(self, fact_type: str, told: SignaledFact) -> str:
        """Take one fact in; the answer is the line for the case's history, empty where nothing is new."""
        if told.event_id in self._events:
            return ""
        self._events[told.event_id] = None
        if len(self._events) > EVENTS_REMEMBERED_MAX:
            del self._events[next(iter(self._events))]
        fact = _read(fact_type, told.payload)
        if fact is None or not is_heard(fact):
            return f"ignored {_short(fact_type)}: not a fact the journey listens to"
        if fact.application_id != self._application_id:
            return f"ignored {_short(fact_type)}: about another case"
        subject = SUBJECTS[type(fact)](fact)
        sequence, _ = self._newest.get(subject, (0, None))
        if told.sequence <= sequence:
            return f"ignored {_short(fact_type)}: something newer is known"
        if subject not in self._newest and len(self._newest) >= SUBJECTS_MAX:
            return f"ignored {_short(fact_type)}: the case was told too much"
        self._newest[subject] = (told.sequence, fact)
        return f"{_short(fact_type)}{_detail(subject)}"

    def forget_hold(self) -> None:
        """A new hold is asked for: what was told of the one before does not count for it."""
        sequence, _ = self._newest.get("hold", (0, None))
        self._newest["hold"] = (sequence, None)

    def _word(self, subject: str, kind: type[F]) -> F | None:
        _, fact = self._newest.get(subject, (0, None))
        return fact if isinstance(fact, kind) else None

    @property
    def withdrawn(self) -> ApplicationWithdrawn | None:
        return self._word("withdrawal", ApplicationWithdrawn)

    @property
    def evidence(self) -> list[Sealed]:
        """The evidence of every document, in the order in which it was received: the last `EVIDENCE_MAX`."""
        received = sorted(
            (sequence, fact.sealed_evidence)
            for sequence, fact in self._newest.values()
            if isinstance(fact, DocumentReceived)
        )
        return [evidence for _, evidence in received[-EVIDENCE_MAX:]]

    @property
    def hold_placed(self) -> HoldPlaced | None:
        return self._word("hold", HoldPlaced)

    @property
    def lapsed(self) -> FundsLapsed | None:
        """The fiscal year closed over the case's money."""
        return self._word("lapse", FundsLapsed)

    @property
    def answer(self) -> EnrollmentAccepted | EnrollmentWaitlisted | EnrollmentRefused | None:
        """The college's newest answer."""
        _, fact = self._newest.get("college's answer", (0, None))
        return fact if isinstance(fact, EnrollmentAccepted | EnrollmentWaitlisted | EnrollmentRefused) else None

    @property
    def left_course(self) -> EnrollmentWithdrawn | None:
        return self._word("leaving the course", EnrollmentWithdrawn)

    @property
    def completion(self) -> CompletionAttested | None:
        return self._word("completion", CompletionAttested)

    def exam(self, attempt: int) -> ExamRegistered | ExamResulted | None:
        """The newest word about one attempt: its registration, then its result."""
        _, fact = self._newest.get(f"exam {attempt}", (0, None))
        return fact if isinstance(fact, ExamRegistered | ExamResulted) else None

    def claim_beside(self, reviewed: set[ClaimId]) -> ClaimSubmitted | None:
        """The newest claim, unless it was reviewed already."""
        claim = self._word("claim", ClaimSubmitted)
        return None if claim is None or claim.claim_id in reviewed else claim

    @property
    def revoked(self) -> ClaimRevoked | None:
        """People refused the claim after it had been approved."""
        return self._word("claim revoked", ClaimRevoked)

    def payment(
        self, disbursement_id: DisbursementId
    ) -> DisbursementSettled | DisbursementReturned | DisbursementRepaired | None:
        """The newest word about one payment."""
        _, fact = self._newest.get(f"disbursement {disbursement_id}", (0, None))
        return fact if isinstance(fact, DisbursementSettled | DisbursementReturned | DisbursementRepaired) else None


def _read(fact_type: str, payload: dict[str, Any]) -> CaseFact | None:
    for kind in SUBJECTS:
        if fact_type == kind.TYPE:
            try:
                return kind.model_validate(payload)
            except ValidationError:
                return None
    return None


def _short(fact_type: str) -> str:
    """`cairn.applications.exam.registered.v1` → `exam registered`; an unknown name is nobody's to repeat."""
    known = any(fact_type == kind.TYPE for kind in SUBJECTS)
    return " ".join(fact_type.split(".")[2:-1]).replace("_", " ") if known else "an unknown message"


def _detail(subject: str) -> str:
    kind, _, which = subject.partition(" ")
    return f" ({which})" if kind in {"milestone", "exam", "document", "disbursement"} else ""
