"""The enrollment's states: what may follow what, told over every state."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Conflict
from contracts.ids import ApplicationId, EnrollmentId, PersonId
from services.applications.domain import (
    AnswerKind,
    CollegeAnswer,
    DayNotPlausible,
    Enrollment,
    EnrollmentState,
    SsnNotValid,
    answered,
    closed_with_case,
    completed,
    left,
    reached,
    read_ssn,
    require_birth_date,
    require_day_begun,
    started,
)

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
NEW = Enrollment(
    enrollment_id=EnrollmentId.new(),
    application_id=ApplicationId.new(),
    person_id=PersonId.new(),
    partner_id="harbor",
    program_id="oh-imap",
    provider_id="lorain-ccc",
    credential_id="coding",
    course_run_id=None,
    award_cents=100,
    respond_by=NOW,
    requested_at=NOW,
)
ACTS = {
    "accept": lambda e: answered(e, CollegeAnswer(AnswerKind.ACCEPTED, 100), now=NOW),
    "accept for less": lambda e: answered(e, CollegeAnswer(AnswerKind.ACCEPTED, 50), now=NOW),
    "waitlist": lambda e: answered(e, CollegeAnswer(AnswerKind.WAITLISTED), now=NOW),
    "refuse": lambda e: answered(e, CollegeAnswer(AnswerKind.REFUSED, reasons=("no_seats",)), now=NOW),
    "start": lambda e: started(e, now=NOW),
    "milestone": lambda e: reached(e, "week_1", listed=frozenset({"week_1"})),
    "leave": lambda e: left(e, "moved", now=NOW),
    "complete": lambda e: completed(e, "2026-03-10", required_milestones=("week_1",), now=NOW),
    "close": lambda e: replace(closed_with_case(e, now=NOW), case_open=False),
}
FOLLOWS = {
    "requested": {"accepted", "waitlisted", "refused", "lapsed"},
    "waitlisted": {"accepted", "refused", "lapsed"},
    "accepted": {"started", "withdrawn"},
    "started": {"completed", "withdrawn"},
    "completed": set(),
    "refused": set(),
    "lapsed": set(),
    "withdrawn": set(),
}


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=12))
def test_any_acts_in_any_order_keep_to_the_states(acts: list[str]) -> None:
    enrollment = NEW
    for name in acts:
        try:
            after = ACTS[name](enrollment)
        except Conflict:
            continue
        assert after.state == enrollment.state or after.state in FOLLOWS[enrollment.state]
        # Said once more, nothing changes.
        assert ACTS[name](after) == after
        if not enrollment.case_open:
            assert after == enrollment
        assert after.state is not EnrollmentState.COMPLETED or "week_1" in after.milestones
        enrollment = after
    assert enrollment.state not in {EnrollmentState.COMPLETED, EnrollmentState.STARTED} or enrollment.started_at


@pytest.mark.parametrize("text", ["219-09-9123", "219099123"])
def test_a_social_security_number_is_read_with_or_without_hyphens(text: str) -> None:
    assert read_ssn(text) == "219099123"


@pytest.mark.parametrize(
    "text", ["", "000-12-3456", "123-00-3456", "123-45-0000", "12345678", "1234567890", "١٢٣٤٥٦٧٨٩", "123--45-678"]
)
def test_what_is_no_social_security_number_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SsnNotValid) as caught:
        read_ssn(text)
    assert not text or text not in str(caught.value)


def test_days_are_judged_by_the_calendar_that_is_furthest_ahead() -> None:
    require_day_begun("2026-03-11", which="x", now=NOW)
    with pytest.raises(DayNotPlausible):
        require_day_begun("2026-03-12", which="x", now=NOW)
    require_birth_date(date(1926, 1, 1), now=NOW)
    for day in (date(1905, 12, 31), (NOW + timedelta(days=2)).date()):
        with pytest.raises(DayNotPlausible):
            require_birth_date(day, now=NOW)
