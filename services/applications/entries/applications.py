"""Facts of applications: request, enrollment, exam, credential, claim, end."""

# pyright: strict
from typing import Any

from contracts.events import applications as app
from contracts.journey import Stage
from contracts.money import dollars
from services.applications.case import Entry, Lead, Moved, microseconds, place, reason, wait_name
from services.applications.entries.book import tells


@tells(app.ApplicationSubmitted)
def _(fact: app.ApplicationSubmitted, sequence: int) -> Entry:
    return Entry(
        text="The application was received.",
        place=place(10),
        stage=Stage.ELIGIBILITY,
        lead=Lead(next_party="program", next_text="The program decides eligibility."),
    )


@tells(app.DocumentReceived)
def _(fact: app.DocumentReceived, sequence: int) -> Entry:
    return Entry(text=f"Evidence was received: {fact.kind.replace('_', ' ')}.")


def _asked(respond_by: Any) -> Lead:
    return Lead(due_at=respond_by, next_party="college", next_text="The college answers the request for a place.")


@tells(app.EnrollmentRequested)
def _(fact: app.EnrollmentRequested, sequence: int) -> Entry:
    return Entry(
        text="The college was asked for a place.",
        place=place(40),
        stage=Stage.ENROLLMENT,
        lead=_asked(fact.respond_by),
    )


@tells(app.EnrollmentReminded)
def _(fact: app.EnrollmentReminded, sequence: int) -> Entry:
    return Entry(
        text=f"The college was reminded{' and staff were asked' if fact.escalated else ''}.",
        place=place(40, fact.reminder_number),
        stage=Stage.ENROLLMENT,
        lead=_asked(fact.respond_by),
    )


@tells(app.EnrollmentWaitlisted)
def _(fact: app.EnrollmentWaitlisted, sequence: int) -> Entry:
    return Entry(
        text="The college has no place now and keeps the person on its own waiting list.",
        place=place(41),
        stage=Stage.ENROLLMENT,
        begins=wait_name("enrollment_waitlist"),
        lead=Lead(
            wait=wait_name("enrollment_waitlist"),
            next_party="college",
            next_text="The college offers a place when it has one.",
        ),
    )


@tells(app.EnrollmentAccepted)
def _(fact: app.EnrollmentAccepted, sequence: int) -> Entry:
    return Entry(
        text=f"The college enrolled the person at a price of {dollars(fact.price_cents)}.",
        place=place(42),
        stage=Stage.LEARNING,
        begins=wait_name("completion"),
        lead=Lead(wait=wait_name("completion"), next_party="college", next_text="The course begins."),
    )


@tells(app.EnrollmentRefused)
def _(fact: app.EnrollmentRefused, sequence: int) -> Entry:
    why = [reason(code) for code in fact.reasons]
    return Entry(
        text="The college did not take the person.",
        reasons=why,
        place=place(42),
        stage=Stage.ENROLLMENT,
        lead=Lead(reasons=why, next_party="program", next_text="The program closes the case."),
    )


@tells(app.EnrollmentStarted)
def _(fact: app.EnrollmentStarted, sequence: int) -> Entry:
    return Entry(
        text="The person began the course.",
        place=place(50),
        stage=Stage.LEARNING,
        lead=Lead(
            wait=wait_name("completion"),
            next_party="person",
            next_text="The person completes the course; an issuer attests it.",
        ),
    )


@tells(app.MilestoneReached)
def _(fact: app.MilestoneReached, sequence: int) -> Entry:
    return Entry(text=f"Milestone reached: {fact.milestone.replace('_', ' ')}.")


@tells(app.EnrollmentWithdrawn)
def _(fact: app.EnrollmentWithdrawn, sequence: int) -> Entry:
    why = [reason(fact.reason)]
    return Entry(
        text="The person left the course.",
        reasons=why,
        place=place(55),
        stage=Stage.LEARNING,
        lead=Lead(reasons=why, next_party="program", next_text="The program closes the case."),
    )


@tells(app.CompletionAttested)
def _(fact: app.CompletionAttested, sequence: int) -> Entry:
    return Entry(
        text="A registered issuer attested completion.",
        place=place(60),
        stage=Stage.CREDENTIAL,
        lead=Lead(next_party="program", next_text="The program goes on to the exam, or records the credential."),
    )


def _exam_place(attempt_number: int, sequence: int) -> int:
    # A canceled sitting is registered again under the same attempt: our own sequence orders registration and result.
    return place(70, attempt_number * 10**9 + sequence)


@tells(app.ExamRegistered)
def _(fact: app.ExamRegistered, sequence: int) -> Entry:
    return Entry(
        text=f"The person is registered for exam attempt {fact.attempt_number}.",
        place=_exam_place(fact.attempt_number, sequence),
        stage=Stage.EXAM,
        begins=wait_name("exam_result", fact.attempt_number),
        lead=Lead(
            wait=wait_name("exam_result", fact.attempt_number),
            next_party="person",
            next_text="The person takes the exam.",
        ),
    )


@tells(app.ExamResulted)
def _(fact: app.ExamResulted, sequence: int) -> Entry:
    passed = fact.result is app.ExamResult.PASSED
    why = [] if passed else [reason(f"exam_{fact.result.value}")]
    return Entry(
        text=f"Exam attempt {fact.attempt_number}: {fact.result.value.replace('_', ' ')}.",
        reasons=why,
        place=_exam_place(fact.attempt_number, sequence),
        stage=Stage.CREDENTIAL if passed else Stage.EXAM,
        lead=Lead(
            reasons=why,
            next_party="program",
            next_text="The program records the credential." if passed else "The retake rule decides what comes next.",
        ),
    )


@tells(app.CredentialRecorded)
def _(fact: app.CredentialRecorded, sequence: int) -> Entry:
    return Entry(
        text="The credential is on record.",
        place=place(80),
        stage=Stage.CLAIM,
        begins=wait_name("claim"),
        lead=Lead(wait=wait_name("claim"), next_party="provider", next_text="The provider claims reimbursement."),
    )


@tells(app.ClaimSubmitted)
def _(fact: app.ClaimSubmitted, sequence: int) -> Entry:
    return Entry(
        text="The provider claimed reimbursement.",
        place=place(90, microseconds(fact.submitted_at)),
        stage=Stage.CLAIM,
        lead=Lead(next_party="program", next_text="The claim is matched against award, enrollment and credential."),
    )


@tells(app.ChargeAnswered)
def _(fact: app.ChargeAnswered, sequence: int) -> Entry:
    how = "charged" if fact.charged else "did not charge"
    return Entry(text=f"The person says that the provider {how} for taking part.")


@tells(app.ApplicationWithdrawn)
def _(fact: app.ApplicationWithdrawn, sequence: int) -> Entry:
    why = [reason(fact.reason)]
    return Entry(
        text="The person withdrew the application.",
        reasons=why,
        # Below an approved claim and its payment: from the approval on the provider is owed the money and is paid.
        place=place(94),
        lead=Lead(reasons=why, next_party="program", next_text="The program returns unused money and closes the case."),
    )


@tells(app.StaffActRecorded)
def _(fact: app.StaffActRecorded, sequence: int) -> Entry:
    on_hold = {app.StaffAct.HELD: True, app.StaffAct.RESUMED: False}.get(fact.act)
    moved = None
    if fact.act in (app.StaffAct.EXTENDED, app.StaffAct.RESUMED) and fact.stage is not None:
        moved = Moved(stage=fact.stage, due_at=fact.due_at, acted_at=fact.acted_at, held_since=fact.held_since)
    return Entry(text=f"Program staff: {fact.act.value}.", reasons=[reason(fact.reason)], on_hold=on_hold, moved=moved)


@tells(app.ApplicationClosed)
def _(fact: app.ApplicationClosed, sequence: int) -> Entry:
    why = [reason(code) for code in fact.reasons]
    return Entry(
        text=f"The case ended: {fact.outcome.replace('_', ' ')}.",
        reasons=why,
        place=place(120),
        stage=Stage.CLOSED,
        lead=Lead(reasons=why, next_party="nobody", next_text="Nothing more will happen."),
        outcome=fact.outcome,
        closed_at=fact.closed_at,
    )
