"""Applications and enrollments: what may happen to them, in which order, and what is refused with which reason."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from contracts.errors import Conflict, Forbidden, Refused
from contracts.events.applications import ExamResult
from contracts.ids import ApplicationId, EnrollmentId, PersonId
from contracts.steps.applications import Awaited, LapseCase

LATEST_ZONE = timedelta(hours=14)
"""The furthest a calendar may be ahead of UTC: a day that has begun anywhere is not in the future."""


class NotListed(Refused):
    """The program lists no {kind} of that name."""

    code = "not_listed"


class CourseRunElsewhere(Refused):
    """That course run belongs to another provider or another credential."""

    code = "course_run_elsewhere"


class SsnNotValid(Refused):
    """That is not a social security number: nine digits, of which no group is all zeros."""

    code = "ssn_not_valid"


class DayNotPlausible(Refused):
    """The day {which} cannot be right: {why}."""

    code = "day_not_plausible"


class ApplicationAlreadyOpen(Conflict):
    """This person already has an open application for this credential{earlier}."""

    code = "application_already_open"


class CaseClosed(Conflict):
    """The case has ended; nothing more can happen to it."""

    code = "case_closed"


class AlreadyAnswered(Conflict):
    """The enrollment was already answered, with: {answer}."""

    code = "already_answered"


class OutOfOrder(Conflict):
    """An enrollment that is {state} cannot be {act}."""

    code = "out_of_order"


class MilestonesMissing(Conflict):
    """Completion cannot be attested before these milestones are reported: {missing}."""

    code = "milestones_missing"


class AlreadyReported(Conflict):
    """Something else was already reported for this {subject}."""

    code = "already_reported"


class ExamAttemptOutOfOrder(Conflict):
    """Attempt {attempt_number} cannot be {act}: {why}."""

    code = "exam_attempt_out_of_order"


class ChargeAnsweredBefore(Conflict):
    """The person answered the question about charges before; the first answer stands."""

    code = "charge_answered_before"


class CredentialNotRecorded(Conflict):
    """The credential is not on record yet; only an earned credential can be claimed."""

    code = "credential_not_recorded"


class PriceExceedsAward(Refused):
    """The price is more than the award of {award_cents} cents, and the person may not be charged."""

    code = "price_exceeds_award"


class AnswerIncomplete(Refused):
    """An answer of {answer} needs {missing}."""

    code = "answer_incomplete"


class NoSuchExam(Refused):
    """The credential has no exam of that name."""

    code = "no_such_exam"


class PersonNotVisible(Forbidden):
    """An enrollment that is {state} no longer entitles the college to the person's details."""

    code = "person_not_visible"


class EnrollmentState(StrEnum):
    REQUESTED = "requested"
    WAITLISTED = "waitlisted"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    LAPSED = "lapsed"
    STARTED = "started"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"


UNANSWERED = frozenset({EnrollmentState.REQUESTED, EnrollmentState.WAITLISTED})
ENDED = frozenset({EnrollmentState.REFUSED, EnrollmentState.LAPSED, EnrollmentState.WITHDRAWN})


class AnswerKind(StrEnum):
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Application:
    """One person's request for one credential at one provider."""

    application_id: ApplicationId
    person_id: PersonId
    partner_id: str
    program_id: str
    round_id: str
    provider_id: str
    credential_id: str
    course_run_id: str | None
    county: str | None
    language: str
    publish_name: bool
    submitted_at: datetime
    withdrawn_at: datetime | None = None
    withdrawn_reason: str | None = None
    closed_at: datetime | None = None
    outcome: str | None = None
    lapsed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None and self.withdrawn_at is None and self.lapsed_at is None

    def require_open(self) -> None:
        if not self.is_open:
            raise CaseClosed()


def withdrawn(application: Application, reason: str, *, now: datetime) -> Application:
    """The application once the person gave it up; unchanged where that was already said."""
    if application.withdrawn_at is not None:
        return application
    application.require_open()
    return replace(application, withdrawn_at=now, withdrawn_reason=reason)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the program lists of an application's choices; `course_run_fits` is None where none was named."""

    program: bool
    round: bool
    provider: bool
    credential: bool
    course_run_fits: bool | None


def require_listed(listing: Listing, *, course_run_id: str | None) -> None:
    """Every choice is one that the program lists; eligibility decides later whether they go together."""
    for kind in ("program", "round", "provider", "credential"):
        if not getattr(listing, kind):
            raise NotListed(kind=kind, pointer=f"/{kind}_id")
    if course_run_id is not None:
        if listing.course_run_fits is None:
            raise NotListed(kind="course run", pointer="/course_run_id")
        if not listing.course_run_fits:
            raise CourseRunElsewhere(pointer="/course_run_id")


@dataclass(frozen=True, slots=True)
class CollegeAnswer:
    """What a college says to an enrollment request."""

    kind: AnswerKind
    price_cents: int | None = None
    starts_on: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrollment:
    """One person's place in one course run, asked of a college; `case_open` is the application's, at load time."""

    enrollment_id: EnrollmentId
    application_id: ApplicationId
    person_id: PersonId
    partner_id: str
    program_id: str
    provider_id: str
    credential_id: str
    course_run_id: str | None
    award_cents: int
    respond_by: datetime
    requested_at: datetime
    state: EnrollmentState = EnrollmentState.REQUESTED
    answer: CollegeAnswer | None = None
    answered_at: datetime | None = None
    started_at: datetime | None = None
    milestones: tuple[str, ...] = ()
    reminders: int = 0
    completed_on: str | None = None
    withdrawn_reason: str | None = None
    ended_at: datetime | None = None
    case_open: bool = True


def _require_open(enrollment: Enrollment) -> None:
    if not enrollment.case_open or enrollment.state is EnrollmentState.LAPSED:
        raise CaseClosed()


def answered(enrollment: Enrollment, answer: CollegeAnswer, *, now: datetime) -> Enrollment:
    """The enrollment after the college's answer; unchanged where that answer was already given."""
    if enrollment.answer == answer:
        return enrollment
    _require_open(enrollment)
    if enrollment.state not in UNANSWERED:
        raise AlreadyAnswered(answer=enrollment.answer.kind if enrollment.answer else enrollment.state)
    if answer.kind is AnswerKind.ACCEPTED:
        if answer.price_cents is None:
            raise AnswerIncomplete(answer=answer.kind, missing="price_cents", pointer="/price_cents")
        if answer.price_cents > enrollment.award_cents:
            raise PriceExceedsAward(award_cents=enrollment.award_cents, pointer="/price_cents")
    if answer.kind is AnswerKind.REFUSED and not answer.reasons:
        raise AnswerIncomplete(answer=answer.kind, missing="reasons", pointer="/reasons")
    return replace(
        enrollment,
        state=EnrollmentState(answer.kind.value),
        answer=answer,
        answered_at=now,
        ended_at=now if answer.kind is AnswerKind.REFUSED else None,
    )


def started(enrollment: Enrollment, *, now: datetime) -> Enrollment:
    """The enrollment once the person began the course; unchanged where that was already reported."""
    if enrollment.started_at is not None:
        return enrollment
    _require_open(enrollment)
    if enrollment.state is not EnrollmentState.ACCEPTED:
        raise OutOfOrder(state=enrollment.state, act="started")
    return replace(enrollment, state=EnrollmentState.STARTED, started_at=now)


def reached(enrollment: Enrollment, milestone: str, *, listed: frozenset[str]) -> Enrollment:
    """The enrollment with one more milestone; unchanged where that was already reported."""
    if milestone in enrollment.milestones:
        return enrollment
    _require_open(enrollment)
    if milestone not in listed:
        raise NotListed(kind="milestone", pointer="/milestone")
    if enrollment.state is not EnrollmentState.STARTED:
        raise OutOfOrder(state=enrollment.state, act="moved to a milestone")
    return replace(enrollment, milestones=(*enrollment.milestones, milestone))


def left(enrollment: Enrollment, reason: str, *, now: datetime) -> Enrollment:
    """The enrollment once the college reports that the person left; unchanged where that was already reported."""
    if enrollment.state is EnrollmentState.WITHDRAWN and enrollment.withdrawn_reason is not None:
        if enrollment.withdrawn_reason == reason:
            return enrollment
        raise AlreadyReported(subject="withdrawal")
    _require_open(enrollment)
    if enrollment.state not in (EnrollmentState.ACCEPTED, EnrollmentState.STARTED):
        raise OutOfOrder(state=enrollment.state, act="withdrawn")
    return replace(enrollment, state=EnrollmentState.WITHDRAWN, withdrawn_reason=reason, ended_at=now)


def completed(
    enrollment: Enrollment, completed_on: str, *, required_milestones: Sequence[str], now: datetime
) -> Enrollment:
    """The enrollment after an attested completion; unchanged where the same was already attested."""
    if enrollment.state is EnrollmentState.COMPLETED:
        if enrollment.completed_on == completed_on:
            return enrollment
        raise AlreadyReported(subject="completion")
    _require_open(enrollment)
    if enrollment.state is not EnrollmentState.STARTED:
        raise OutOfOrder(state=enrollment.state, act="completed")
    missing = [milestone for milestone in required_milestones if milestone not in enrollment.milestones]
    if missing:
        raise MilestonesMissing(missing=", ".join(missing))
    require_day_begun(completed_on, which="completed_on", now=now)
    return replace(enrollment, state=EnrollmentState.COMPLETED, completed_on=completed_on, ended_at=now)


def closed_with_case(enrollment: Enrollment, *, now: datetime) -> Enrollment:
    """What becomes of the enrollment when its case ends: an unanswered one lapses, a running one is withdrawn."""
    if enrollment.state in UNANSWERED:
        return replace(enrollment, state=EnrollmentState.LAPSED, ended_at=now)
    if enrollment.state in (EnrollmentState.ACCEPTED, EnrollmentState.STARTED):
        return replace(enrollment, state=EnrollmentState.WITHDRAWN, ended_at=now)
    return enrollment


def require_person_visible(enrollment: Enrollment) -> None:
    """A college may read the person's details while it has, or may yet give, a place."""
    if enrollment.state in ENDED or not enrollment.case_open:
        raise PersonNotVisible(state=enrollment.state if enrollment.state in ENDED else "over")


@dataclass(frozen=True, slots=True)
class ExamAttempt:
    """One attempt at a certification exam."""

    exam_id: str
    attempt_number: int
    registration: str
    registered_at: datetime
    result: ExamResult | None = None
    resulted_at: datetime | None = None


def registered(
    attempts: dict[int, ExamAttempt], *, exam_id: str, attempt_number: int, registration: str, now: datetime
) -> ExamAttempt:
    """The attempt once registered; unchanged where that was already reported. `attempts` are this exam's, by number."""
    earlier = attempts.get(attempt_number)
    if earlier is not None and earlier.result is not ExamResult.CANCELED:
        if earlier.registration != registration:
            raise AlreadyReported(subject="exam registration", pointer="/registration")
        return earlier
    if earlier is not None and earlier.registration == registration:
        return earlier
    if attempt_number > 1:
        before = attempts.get(attempt_number - 1)
        if before is None or before.result in (None, ExamResult.CANCELED):
            raise ExamAttemptOutOfOrder(
                attempt_number=attempt_number, act="registered", why="the attempt before has no result"
            )
        if before.result is ExamResult.PASSED:
            raise ExamAttemptOutOfOrder(
                attempt_number=attempt_number, act="registered", why="the exam is already passed"
            )
    return ExamAttempt(exam_id, attempt_number, registration, now)


def resulted(attempt: ExamAttempt | None, *, attempt_number: int, result: ExamResult, now: datetime) -> ExamAttempt:
    """The attempt with its result; unchanged where that was already reported."""
    if attempt is None:
        raise ExamAttemptOutOfOrder(attempt_number=attempt_number, act="given a result", why="it was not registered")
    if attempt.result is result:
        return attempt
    if attempt.result is not None:
        raise AlreadyReported(subject="exam attempt", pointer="/result")
    return replace(attempt, result=result, resulted_at=now)


@dataclass(frozen=True, slots=True)
class Reported:
    """What was reported of a case, as far as a deadline may ask for it."""

    documents: int
    enrollment: Enrollment | None
    attempt: ExamAttempt | None
    """The exam attempt that is asked about."""
    claims: frozenset[str]


def was_reported(ask: LapseCase, reported: Reported) -> bool:
    """Whether what the case waits for came before its deadline was put on the record."""
    enrollment, attempt = reported.enrollment, reported.attempt
    match ask.awaited:
        case Awaited.EVIDENCE:
            return reported.documents > ask.documents_known
        case Awaited.COLLEGE_ANSWER:
            return enrollment is not None and enrollment.answer is not None
        case Awaited.SEAT:
            return enrollment is not None and enrollment.state not in UNANSWERED
        case Awaited.COMPLETION:
            return enrollment is not None and enrollment.state in (EnrollmentState.COMPLETED, EnrollmentState.WITHDRAWN)
        case Awaited.EXAM_REGISTRATION:
            return attempt is not None and attempt.result is not ExamResult.CANCELED
        case Awaited.EXAM_RESULT:
            return attempt is not None and attempt.result not in (None, ExamResult.CANCELED)
        case Awaited.CLAIM:
            return not reported.claims <= set(ask.claims_known)


def read_ssn(text: str) -> str:
    """Nine digits out of `123-45-6789` or `123456789`; `SsnNotValid` names no digit of it."""
    parts = re.fullmatch(r"(\d{3})-?(\d{2})-?(\d{4})", text, re.ASCII)
    if parts is None or any(int(group) == 0 for group in parts.groups()):
        raise SsnNotValid(pointer="/person/ssn")
    return "".join(parts.groups())


def require_birth_date(birth_date: date, *, now: datetime) -> None:
    """A living applicant was born between 120 years ago and today."""
    if not now.year - 120 <= birth_date.year or birth_date > (now + LATEST_ZONE).date():
        raise DayNotPlausible(which="of birth", why="it is not in the last 120 years", pointer="/person/birth_date")


def require_day_begun(day: str, *, which: str, now: datetime, pointer: str | None = None) -> None:
    """`day` (YYYY-MM-DD) has begun somewhere on earth."""
    if date.fromisoformat(day) > (now + LATEST_ZONE).date():
        raise DayNotPlausible(which=which, why="it is in the future", pointer=pointer)
