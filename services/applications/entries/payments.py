"""Facts of payments: money set aside, exam vouchers, claims decided, payments."""

# pyright: strict
from typing import Any

from contracts.envelope import CaseFact
from contracts.events import payments as pay
from contracts.journey import Stage
from contracts.money import dollars
from services.applications.case import Entry, Lead, Reason, microseconds, place, reason, wait_name
from services.applications.entries.book import tells


@tells(pay.HoldPlaced)
def _(fact: pay.HoldPlaced, sequence: int) -> Entry:
    return Entry(
        text=f"{dollars(fact.amount_cents)} set aside{' from the waiting list' if fact.from_waiting_list else ''}.",
        place=place(30, sequence),
        stage=Stage.ENROLLMENT,
        lead=Lead(next_party="program", next_text="The program asks the college for a place."),
        committed_cents=fact.amount_cents,
    )


@tells(pay.HoldWaitlisted)
def _(fact: pay.HoldWaitlisted, sequence: int) -> Entry:
    why = [reason(fact.reason)]
    return Entry(
        text="Money is short; the case is on the waiting list.",
        reasons=why,
        place=place(30, sequence),
        stage=Stage.WAITING_LIST,
        begins=wait_name("waiting_list", sequence),
        lead=Lead(
            reasons=why,
            wait=wait_name("waiting_list", sequence),
            next_party="program",
            next_text="Cases on the waiting list are served in turn as money returns.",
        ),
    )


@tells(pay.HoldRefused)
def _(fact: pay.HoldRefused, sequence: int) -> Entry:
    why = [reason(fact.reason)]
    return Entry(
        text="No money can be set aside.",
        reasons=why,
        place=place(30, sequence),
        stage=Stage.AWARD,
        lead=Lead(reasons=why, next_party="program", next_text="The program closes the case."),
    )


@tells(pay.HoldExpired)
def _(fact: pay.HoldExpired, sequence: int) -> Entry:
    return Entry(
        text=f"{dollars(fact.released_cents)} set aside were not used in time and went back.",
        committed_cents=-fact.released_cents,
    )


@tells(pay.FundsReleased)
def _(fact: pay.FundsReleased, sequence: int) -> Entry:
    return Entry(
        text=f"{dollars(fact.released_cents)} of unused money went back.",
        reasons=[reason(fact.reason)],
        committed_cents=-fact.released_cents,
    )


@tells(pay.FundsLapsed)
def _(fact: pay.FundsLapsed, sequence: int) -> Entry:
    had = f"{dollars(fact.lapsed_cents)} lapsed" if fact.lapsed_cents else "nothing can be paid from it any more"
    return Entry(
        text=f"Fiscal year {fact.fiscal_year} closed: {had}.",
        reasons=[reason(fact.reason)],
        committed_cents=-fact.lapsed_cents,
    )


@tells(pay.FundsEncumbered)
def _(fact: pay.FundsEncumbered, sequence: int) -> Entry:
    return Entry(
        text=f"{dollars(fact.encumbered_cents)} are committed to the enrollment.", committed_cents=-fact.released_cents
    )


@tells(pay.ExamVoucherIssued)
def _(fact: pay.ExamVoucherIssued, sequence: int) -> Entry:
    return Entry(
        text=f"An exam voucher was issued for attempt {fact.attempt_number}.",
        place=place(70, fact.attempt_number * 10**9),
        stage=Stage.EXAM,
        begins=wait_name("exam_registration", fact.attempt_number),
        lead=Lead(
            wait=wait_name("exam_registration", fact.attempt_number),
            not_after=fact.expires_at,
            next_party="person",
            next_text="The person registers for the exam.",
        ),
    )


@tells(pay.ExamVoucherReclaimed)
def _(fact: pay.ExamVoucherReclaimed, sequence: int) -> Entry:
    return Entry(text="An exam voucher that was not used was taken back.")


@tells(pay.ExamVoucherExpired)
def _(fact: pay.ExamVoucherExpired, sequence: int) -> Entry:
    return Entry(text=f"The exam voucher for attempt {fact.attempt_number} was not used in time and expired.")


def _claim_entry(
    fact: pay.ClaimReturned | pay.ClaimReferred | pay.ClaimRefused,
    text: str,
    party: str,
    what: str,
    *,
    wait: str | None = None,
) -> Entry:
    why = [Reason(code=check.reason, text=check.text) for check in fact.checks if not check.passed]
    return Entry(
        text=text,
        reasons=why,
        place=place(90, microseconds(fact.decided_at)),
        stage=Stage.CLAIM,
        lead=Lead(reasons=why, wait=wait, next_party=party, next_text=what),
    )


@tells(pay.ClaimReturned)
def _(fact: pay.ClaimReturned, sequence: int) -> Entry:
    return _claim_entry(
        fact,
        "The claim was returned for repair.",
        "provider",
        "The provider mends the claim.",
        wait=wait_name("claim"),
    )


@tells(pay.ClaimReferred)
def _(fact: pay.ClaimReferred, sequence: int) -> Entry:
    return _claim_entry(fact, "The claim was referred to staff.", "program", "Staff decide the claim.")


@tells(pay.ClaimRefused)
def _(fact: pay.ClaimRefused, sequence: int) -> Entry:
    return _claim_entry(fact, "The claim was refused.", "program", "The program closes the case.")


@tells(pay.ClaimApproved)
def _(fact: pay.ClaimApproved, sequence: int) -> Entry:
    return Entry(
        text=f"The claim was approved for {dollars(fact.approved_cents)}.",
        place=place(95),
        stage=Stage.REIMBURSEMENT,
        lead=Lead(not_after=fact.due_at, next_party="program", next_text="The program pays the provider."),
    )


@tells(pay.ClaimEscalated)
def _(fact: pay.ClaimEscalated, sequence: int) -> Entry:
    return Entry(text=f"The claim has to be decided, or its defects named, by {fact.notice_due_at:%Y-%m-%d}.")


@tells(pay.AdvanceGranted)
def _(fact: pay.AdvanceGranted, sequence: int) -> Entry:
    return Entry(text=f"{dollars(fact.amount_cents)} of the price are paid to the provider in advance.")


@tells(pay.ClaimChargeAsked)
def _(fact: pay.ClaimChargeAsked, sequence: int) -> Entry:
    return Entry(text="The person is asked whether the provider charged; the payment waits for the answer.")


@tells(pay.ClaimChargeUnanswered)
def _(fact: pay.ClaimChargeUnanswered, sequence: int) -> Entry:
    return Entry(text="The person did not say whether the provider charged; the payment goes on.")


@tells(pay.ClaimStopped)
def _(fact: pay.ClaimStopped, sequence: int) -> Entry:
    return _payment_entry(
        fact, sequence, "The payment is stopped.", reasons=[reason(fact.reason)], what="Staff decide the claim."
    )


@tells(pay.ClaimResumed)
def _(fact: pay.ClaimResumed, sequence: int) -> Entry:
    return _payment_entry(fact, sequence, "The stopped payment goes on.", due_at=fact.due_at)


@tells(pay.ClaimRevoked)
def _(fact: pay.ClaimRevoked, sequence: int) -> Entry:
    return _payment_entry(
        fact,
        sequence,
        "The claim was refused after its payment was stopped.",
        reasons=[reason(fact.reason)],
        what="The program closes the case.",
    )


def _payment_entry(fact: CaseFact, sequence: int, text: str, **effect: Any) -> Entry:
    what = effect.pop("what", "The program pays the provider.")
    lead = Lead(
        reasons=effect.get("reasons", []), not_after=effect.pop("due_at", None), next_party="program", next_text=what
    )
    # One source wrote all of these, so its own sequence orders them.
    return Entry(text=text, place=place(100, sequence), stage=Stage.REIMBURSEMENT, lead=lead, **effect)


@tells(pay.DisbursementOrdered)
def _(fact: pay.DisbursementOrdered, sequence: int) -> Entry:
    if fact.purpose is pay.PaymentPurpose.ADVANCE:
        return Entry(text=f"An advance of {dollars(fact.amount_cents)} was ordered.")
    return _payment_entry(fact, sequence, f"A payment of {dollars(fact.amount_cents)} was ordered.", due_at=fact.due_at)


@tells(pay.DisbursementSent)
def _(fact: pay.DisbursementSent, sequence: int) -> Entry:
    if fact.purpose is pay.PaymentPurpose.ADVANCE:
        return Entry(text="The advance was sent.")
    return _payment_entry(fact, sequence, "The payment was sent.", what="The finance system confirms the payment.")


@tells(pay.DisbursementSettled)
def _(fact: pay.DisbursementSettled, sequence: int) -> Entry:
    if fact.purpose is pay.PaymentPurpose.ADVANCE:
        return Entry(
            text=f"The provider was paid {dollars(fact.amount_cents)} in advance.",
            payment_id=fact.disbursement_id,
            payment={"settled_cents": fact.amount_cents},
        )
    return _payment_entry(
        fact,
        sequence,
        f"The provider was paid {dollars(fact.amount_cents)}.",
        payment_id=fact.disbursement_id,
        payment={"settled_cents": fact.amount_cents},
        what="The program closes the case.",
    )


@tells(pay.DisbursementReturned)
def _(fact: pay.DisbursementReturned, sequence: int) -> Entry:
    if fact.purpose is pay.PaymentPurpose.ADVANCE:
        return Entry(
            text=f"The advance came back ({fact.return_code}); the money stays payable.",
            payment_id=fact.disbursement_id,
            payment={"returned": True},
        )
    return _payment_entry(
        fact,
        sequence,
        f"The payment came back ({fact.return_code}); the money stays payable.",
        reasons=[Reason(code="payment_returned", text=f"The bank returned the payment with code {fact.return_code}.")],
        payment_id=fact.disbursement_id,
        payment={"returned": True},
        what="The payee's details are mended and the payment is made again.",
    )


@tells(pay.DisbursementRepaired)
def _(fact: pay.DisbursementRepaired, sequence: int) -> Entry:
    if fact.purpose is pay.PaymentPurpose.ADVANCE:
        return Entry(text="What made the advance come back is mended.")
    return _payment_entry(fact, sequence, "What made the payment come back is mended.")
