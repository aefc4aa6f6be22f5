"""Webhook endpoints, the policy of delivering to them, and what notifications remembers of a case."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from contracts.envelope import CaseFact
from contracts.errors import Conflict, Refused
from contracts.events.applications import ApplicationSubmitted, EnrollmentRequested
from contracts.events.eligibility import ApplicationDetermined
from contracts.ids import ApplicationId, EnrollmentId, PersonId

ENDPOINTS_PER_PROVIDER_MAX = 10
REPLAY_MESSAGES_MAX = 10_000
LOGGED_AT_ONCE_MAX = 10_000
"""Messages that get their place in a provider's log by one look at it; the rest by the next looks."""
ROTATION_OVERLAP = timedelta(hours=24)
"""How long the old signing secret still signs beside the new one."""

WAITS_BETWEEN_ATTEMPTS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
    timedelta(hours=16),
    timedelta(hours=24),
    timedelta(hours=24),
)
"""Ten attempts over about 75 hours."""
ATTEMPTS_MAX = len(WAITS_BETWEEN_ATTEMPTS) + 1
JITTER_SHARE = 0.1
"""Each wait is stretched by up to this share, so that what failed together does not come back together."""

LEASE = timedelta(seconds=30)
"""How long an attempt owns its delivery: well past the longest attempt, so that only a dead process loses it."""
FAILURES_BEFORE_SLOW_LANE = 3
SLOW_DOWN_STATUSES = frozenset({429, 502, 503, 504})
SLOW_DOWN_DEFAULT = timedelta(seconds=10)
SLOW_DOWN_MAX = timedelta(hours=24)
GONE_STATUS = 410


class WebhookAddressRefused(Refused):
    """This address cannot receive webhooks: {why}."""

    code = "webhook_address_refused"


class TooManyEndpoints(Refused):
    """A provider has at most {limit} live webhook endpoints."""

    code = "too_many_webhook_endpoints"


class EndpointExists(Conflict):
    """This address is already a live webhook endpoint of yours: {endpoint_id}."""

    code = "webhook_endpoint_exists"


class EndpointIsDisabled(Conflict):
    """This webhook endpoint is disabled ({reason}); register the address again."""

    code = "webhook_endpoint_disabled"


class RotationRunning(Conflict):
    """The previous rotation still runs: two secrets are live until {until}."""

    code = "webhook_secret_rotation_running"


class UnknownReplayStart(Refused):
    """There is no message of yours to start the replay from."""

    code = "unknown_replay_start"


class EndpointStatus(StrEnum):
    UNVERIFIED = "unverified"
    """Its owner has not yet echoed the challenge; messages wait."""
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a provider, with its signing secrets in the clear only while a message is signed."""

    endpoint_id: str
    provider_id: str
    url: str
    status: EndpointStatus
    challenge: str
    created_at: datetime
    disabled_reason: str | None = None
    verified_at: datetime | None = None
    disabled_at: datetime | None = None
    previous_secret_until: datetime | None = None
    failures_in_a_row: int = 0
    slowed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The endpoint answered: its status, how long it asks us to wait, and whether it echoed the challenge."""

    status: int
    retry_after: timedelta | None = None
    echoed_challenge: bool = False


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer came; `error` is a code: `timeout`, `connection_failed`, `name_not_answering`, `address_refused`…"""

    error: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint took the message."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The message is due again at `due_at`; the whole endpoint rests until `slowed_until`."""

    error: str
    due_at: datetime
    slowed_until: datetime | None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """No attempt is left, or the endpoint is gone for good (`disable`)."""

    error: str
    disable: bool


def judge(
    result: Answered | Unanswered, *, attempt_number: int, needs_echo: bool, now: datetime, jitter: float
) -> Delivered | TryAgain | GivenUp:
    """What follows from one attempt. `jitter` is between 0 and 1. A redirect is a failure like any other status."""
    slowed_until: datetime | None = None
    if isinstance(result, Answered):
        if 200 <= result.status < 300 and (result.echoed_challenge or not needs_echo):
            return Delivered()
        error = "challenge_not_echoed" if 200 <= result.status < 300 else f"status_{result.status}"
        if result.status == GONE_STATUS:
            return GivenUp(error="gone", disable=True)
        if result.status in SLOW_DOWN_STATUSES or result.retry_after is not None:
            slowed_until = now + min(result.retry_after or SLOW_DOWN_DEFAULT, SLOW_DOWN_MAX)
    else:
        error = result.error
    if attempt_number >= ATTEMPTS_MAX:
        return GivenUp(error=error, disable=False)
    wait = WAITS_BETWEEN_ATTEMPTS[attempt_number - 1] * (1 + JITTER_SHARE * jitter)
    due_at = now + wait
    return TryAgain(error, due_at if slowed_until is None else max(due_at, slowed_until), slowed_until)


class Missing(StrEnum):
    """What a fact still needs before anybody can be told of it."""

    CASE = "case"
    ENROLLMENT = "enrollment"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class CaseFile:
    """What notifications knows of one case from the facts so far; None is what no fact has told yet."""

    application_id: ApplicationId
    person_id: PersonId | None = None
    partner_id: str | None = None
    program_id: str | None = None
    provider_id: str | None = None
    credential_id: str | None = None
    language: str | None = None
    sealed_contact: str | None = None
    enrollment_id: EnrollmentId | None = None
    enrollment_provider_id: str | None = None
    course_run_id: str | None = None
    award_cents: int | None = None
    pack_version: str | None = None
    """The version of the program pack under which the case was decided."""
    exam_attempts_max: int | None = None
    exam_retake_wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The words for one case's program, provider and credential, and the credential's exam policy."""

    program_title: str
    provider_name: str
    credential_title: str
    exam_attempts_max: int | None = None
    exam_retake_wait: timedelta | None = None
    provider_has_contact: bool = False
    """The program lists where the provider's office gets letters."""


def learn(case: CaseFile, fact: CaseFact) -> CaseFile:
    """The case file with what this fact adds; the same file where it adds nothing."""
    if isinstance(fact, ApplicationSubmitted):
        return replace(
            case,
            person_id=fact.person_id,
            partner_id=fact.partner_id,
            program_id=fact.program_id,
            provider_id=fact.provider_id,
            credential_id=fact.credential_id,
            language=fact.language,
            sealed_contact=fact.sealed_contact,
        )
    if isinstance(fact, EnrollmentRequested):
        return replace(
            case,
            enrollment_id=fact.enrollment_id,
            enrollment_provider_id=fact.provider_id,
            course_run_id=fact.course_run_id,
            award_cents=fact.award_cents,
        )
    if isinstance(fact, ApplicationDetermined) and fact.pack_version is not None:
        return replace(
            case,
            pack_version=fact.pack_version,
            exam_attempts_max=fact.exam.attempts_max if fact.exam else None,
            exam_retake_wait=fact.exam.retake_wait if fact.exam else None,
        )
    return case


NOTICE_WAITS: Sequence[timedelta] = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
)
"""Eight attempts over about 21 hours to hand a notice to the mail system."""
NOTICE_ATTEMPTS_MAX = len(NOTICE_WAITS) + 1


def notice_due_again(attempt_number: int, *, now: datetime, jitter: float) -> datetime | None:
    """When to try a notice again after this attempt failed; None when it was the last."""
    if attempt_number >= NOTICE_ATTEMPTS_MAX:
        return None
    return now + NOTICE_WAITS[attempt_number - 1] * (1 + JITTER_SHARE * jitter)
