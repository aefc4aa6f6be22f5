"""The drill `claims`: an invoice is paid once in whatever writing, two people approve, a charged person stops the
money, interest runs from the right day; and builds that let one of these go."""

import asyncio
from datetime import date, timedelta
from typing import Any

from cairn.drills.books import AT
from cairn.drills.claims_desk import CENTS, RULES, Desk
from cairn.drills.drill import Drill, Fault, Trial, changes_schema, edits_function, patches, together
from cairn.drills.sent_payments import PROVIDER
from contracts.steps.payments import ClaimStatus
from services.payments.claims import checks
from services.payments.claims.prompt_pay import Interest, day_in
from services.payments.claims.prompt_pay import interest as interest_on
from services.payments.usecases.charges import close_unanswered
from services.payments.usecases.late_payments import record_interest, what_is_late
from services.payments.usecases.proof import prove

RACERS = 24
RACERS_LEAST = 4
DAYS_LATE = 10
OWED_CENTS = 575
"""300,000 cents at 7 percent for ten days: 575.34."""


async def run(trial: Trial) -> None:
    """One promise after the other, each on cases of its own; then the books."""
    desk = Desk(await trial.ground.open())
    await desk.publish()
    await _one_invoice(trial, desk)
    await _in_other_writing(trial, desk)
    await _nearly_the_same(trial, desk)
    await _two_people(trial, desk)
    await _doubted_meanwhile(trial, desk)
    await _was_charged(trial, desk)
    await _was_charged_meanwhile(trial, desk)
    await _late(trial, desk)
    async with desk.db.connection() as connection:
        trial.equal("the books are right", True, (await prove(connection)).is_right)


async def _one_invoice(trial: Trial, desk: Desk) -> None:
    names = [f"racer {number}" for number in range(trial.count(RACERS, least=RACERS_LEAST))]
    for name in names:
        await desk.earned(name)
    trial.chance.shuffle(names)
    answers = await asyncio.gather(*(desk.claim(name, invoice_number="INV-1") for name in names))
    approved = [answer for answer in answers if answer.status is ClaimStatus.APPROVED]
    trial.equal("claims approved under one invoice", 1, len(approved))


async def _in_other_writing(trial: Trial, desk: Desk) -> None:
    for name in ("plain", "disguised"):
        await desk.earned(name)
    await desk.claim("plain", invoice_number="INV-2026-0417")
    disguised = await desk.claim("disguised", invoice_number="inv 2026/417")
    trial.equal("the same invoice in other writing", ClaimStatus.REFERRED, disguised.status)


async def _nearly_the_same(trial: Trial, desk: Desk) -> None:
    for name in ("once", "twice"):
        await desk.earned(name, person="one person")
    await desk.claim("once")
    twice = await desk.claim("twice", amount_cents=CENTS - CENTS // 100)
    reasons = {check.reason for check in twice.checks if not check.passed}
    trial.equal("a claim within one percent goes to a person", True, "claim_resembles" in reasons)


async def _two_people(trial: Trial, desk: Desk) -> None:
    await desk.earned("large")
    large = {"auto_approve_max_cents": CENTS - 1}
    for approved_by in ([], ["ada"], ["ada", PROVIDER]):
        seen = (await desk.claim("large", approved_by=approved_by, **large)).status
        trial.equal(f"a large claim approved by {len(approved_by)}", ClaimStatus.REFERRED, seen)
    last = (await desk.claim("large", approved_by=["ada", "ben"], **large)).status
    trial.equal("a large claim approved by two people", ClaimStatus.APPROVED, last)


async def _doubted_meanwhile(trial: Trial, desk: Desk) -> None:
    """A twin comes while people look at the claim for its size; then the second of them approves its size."""
    for name in ("before", "after"):
        await desk.earned(name, person="another person")
    large = {"auto_approve_max_cents": CENTS - 1}
    await desk.claim("before", **large)
    await desk.claim("before", approved_by=["ada"], **large)
    await desk.claim("after")
    seen = (await desk.claim("before", approved_by=["ada", "ben"], **large)).status
    trial.equal("a large claim whose twin came after the first approval", ClaimStatus.REFERRED, seen)
    last = (await desk.claim("before", approved_by=["ada", "ben"], review_number=2, **large)).status
    trial.equal("the same claim, approved with its twin before people", ClaimStatus.APPROVED, last)


async def _was_charged(trial: Trial, desk: Desk) -> None:
    await desk.earned("charged")
    await desk.claim("charged")
    await desk.order("charged")
    trial.equal("payments ready before the person answered", 0, await desk.payments_ready())
    await desk.says("charged", charged=True)
    await close_unanswered(db=desk.db, now=AT + timedelta(days=RULES.charge_answer_days))
    trial.equal("payments ready after the person said yes", 0, await desk.payments_ready())


async def _was_charged_meanwhile(trial: Trial, desk: Desk) -> None:
    """The person says yes while people look at the claim for its size; they approve its size."""
    await desk.earned("meanwhile")
    large = {"auto_approve_max_cents": CENTS - 1}
    await desk.claim("meanwhile", **large)
    await desk.says("meanwhile", charged=True)
    await desk.claim("meanwhile", approved_by=["ada", "ben"], **large)
    await desk.order("meanwhile")
    trial.equal("payments ready after a yes that nobody was asked about", 0, await desk.payments_ready())


async def _late(trial: Trial, desk: Desk) -> None:
    await desk.earned("late")
    due_at = (await desk.claim("late")).due_at
    assert due_at is not None
    await desk.order("late")
    await desk.says("late", charged=False)
    await desk.pay_on("late", day_in(RULES.time_zone, due_at) + timedelta(days=DAYS_LATE))
    await record_interest(db=desk.db, now=AT)
    found = await what_is_late(db=desk.db, now=AT)
    trial.equal("interest on ten late days", [OWED_CENTS], [one.cents for one in found.interest])


def _without(*names: str) -> tuple[checks.Check, ...]:
    return tuple(check for check in checks.CHECKS if check.__name__ not in names)


def from_the_due_day(unpaid_cents: int, due_on: date, paid_on: date, rates: Any) -> Interest | None:
    """The due day itself costs a day's interest."""
    return interest_on(unpaid_cents, due_on - timedelta(days=1), paid_on, rates)


def as_written(invoice_number: str) -> str:
    return invoice_number.strip()


async def hear_nothing(tx: Any, claim: Any, *, now: Any) -> None:
    """The person's word is kept and nothing follows."""


def nothing_is_open(*_: Any) -> bool:
    return False


def nothing_came_up(*_: Any) -> frozenset[str]:
    return frozenset()


def one_is_enough(claim: Any, rules: Any) -> int:
    return 1


DRILLS = (
    Drill(
        "claims",
        "An invoice is paid once in whatever writing, two people approve, a charged person stops the money,"
        " interest runs from the right day.",
        run,
    ),
)
FAULTS = (
    Fault(
        "claim-duplicate-rule-dropped",
        "The duplicate rule of the finance system is checked neither by the match nor by the table.",
        "claims",
        together(
            patches("services.payments.claims.checks:CHECKS", _without("invoice_is_new", "invoice_resembles_no_other")),
            changes_schema("DROP INDEX claim_never_twice"),
        ),
        "claims approved under one invoice",
    ),
    Fault(
        "claim-invoice-not-normalized",
        "An invoice number is compared as it was written.",
        "claims",
        patches("services.payments.store.claims:invoice_key", as_written),
        "the same invoice in other writing",
    ),
    Fault(
        "claim-near-duplicate-unseen",
        "A claim of nearly the same amount for the same person and credential is not looked for.",
        "claims",
        patches("services.payments.claims.checks:CHECKS", _without("claim_has_no_twin")),
        "a claim within one percent goes to a person",
    ),
    Fault(
        "claim-one-approver-suffices",
        "One person approves what takes two.",
        "claims",
        patches("services.payments.claims.checks:approvers_by_amount", one_is_enough),
        "a large claim approved by 1",
    ),
    Fault(
        "claim-later-doubt-approved-unseen",
        "Whoever approved a claim has also approved what came up afterwards.",
        "claims",
        patches("services.payments.usecases.claims:_came_up_since", nothing_came_up),
        "a large claim whose twin came after the first approval",
    ),
    Fault(
        "claim-paid-before-the-answer",
        "A payment is batched while the person has not been heard.",
        "claims",
        edits_function("claim_may_be_paid", "q.answer IS NULL", "q.answer = 'charged'"),
        "payments ready before the person answered",
    ),
    Fault(
        "claim-charged-yes-ignored",
        "The person says that the provider charged, and the payment goes on.",
        "claims",
        patches("services.payments.usecases.charges:_stop", hear_nothing),
        "payments ready after the person said yes",
    ),
    Fault(
        "claim-charged-yes-approved-unseen",
        "Whoever approves a claim for its size has also approved that the person was charged.",
        "claims",
        patches("services.payments.usecases.claims:not_answered_by", nothing_is_open),
        "payments ready after a yes that nobody was asked about",
    ),
    Fault(
        "claim-interest-from-the-due-day",
        "Interest begins on the day on which the payment was still in time.",
        "claims",
        patches("services.payments.usecases.late_payments:interest", from_the_due_day),
        "interest on ten late days",
    ),
)
