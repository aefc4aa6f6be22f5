"""When a further attempt may be paid for: proof that the one before failed, a wait, a number of attempts.

The policy is the one of the pack version under which the case was decided; the journey brings it along.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from contracts.events.applications import ExamResult

PROOFS = frozenset({ExamResult.FAILED, ExamResult.NO_SHOW})
"""Results that end an attempt without the exam being passed. A canceled sitting ends none: its voucher serves again."""


@dataclass(frozen=True, slots=True)
class RetakePolicy:
    """What the case's own pack version says of retakes."""

    attempts_max: int
    wait: timedelta
    pack_version: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended, and when."""

    result: ExamResult
    resulted_at: datetime


class RetakeRefusal(StrEnum):
    """Why no exam voucher is given for a further attempt."""

    ATTEMPTS_USED_UP = "attempts_used_up"
    NO_EARLIER_ATTEMPT = "no_earlier_attempt"
    NOT_FAILED = "not_failed"
    """The attempt before was passed, or its sitting was canceled."""
    NO_RESULT_YET = "no_result_yet"
    TOO_EARLY = "too_early"


PASSES: frozenset[RetakeRefusal] = frozenset({RetakeRefusal.NO_RESULT_YET, RetakeRefusal.TOO_EARLY})
"""What time mends: the request may be made again."""


def refusal_of(
    attempt_number: int,
    policy: RetakePolicy | None,
    *,
    earlier_allocated: bool,
    earlier: AttemptResult | None,
    now: datetime,
) -> RetakeRefusal | None:
    """Why attempt `attempt_number` gets no exam voucher; None where it may have one. The first attempt always may."""
    if policy is not None and attempt_number > policy.attempts_max:
        return RetakeRefusal.ATTEMPTS_USED_UP
    if attempt_number == 1:
        return None
    if not earlier_allocated:
        return RetakeRefusal.NO_EARLIER_ATTEMPT
    if earlier is None:
        return RetakeRefusal.NO_RESULT_YET
    if earlier.result not in PROOFS:
        return RetakeRefusal.NOT_FAILED
    if policy is not None and now < earlier.resulted_at + policy.wait:
        return RetakeRefusal.TOO_EARLY
    return None
