"""The case read model: the same facts in any order, any number of times, give the same case."""

import random
from datetime import timedelta
from typing import Any

import pytest

from contracts.envelope import CaseFact, Fact
from contracts.errors import NotFound
from contracts.events import applications as app
from contracts.events import eligibility as elg
from contracts.events import notifications as ntf
from contracts.events import payments as pay
from contracts.ids import (
    ApplicationId,
    AttestationId,
    ClaimId,
    CredentialAwardId,
    DeterminationId,
    DisbursementId,
    DocumentId,
    EnrollmentId,
    ExamVoucherId,
    HoldId,
    NoticeId,
    PaymentBatchId,
    PersonId,
    StaffActId,
)
from kit.inbox import Received
from services.applications.entries import ENTRIES
from tests.services.applications.cast import NOW, PROGRAM, Cast, application, received

WAITS = elg.PlannedWaits(
    waiting_list=timedelta(days=60),
    enrollment_waitlist=timedelta(days=21),
    completion=timedelta(days=180),
    exam_registration=timedelta(days=30),
    exam_result=timedelta(days=45),
    claim=timedelta(days=42),
)

FINDING = {"criterion": "income", "text": "The income is not known.", "citation": "ORC 122.66"}


def whole_path(application_id: ApplicationId) -> list[CaseFact]:
    """A case from request to payment, with everything on the way that can go wrong and be mended."""
    return [*to_the_award(application_id), *to_the_credential(application_id), *to_the_end(application_id)]


def to_the_award(application_id: ApplicationId) -> list[CaseFact]:
    """Asked for what is missing, then eligible, waiting for money, served."""
    case: dict[str, Any] = {"application_id": application_id}
    unknown = elg.Finding(result="unknown", reason="income_unknown", **FINDING)
    met = elg.Finding(result="met", reason="low_income", **FINDING)
    determined = {**case, "determination_id": DeterminationId.new(), "decided_at": NOW}
    more, eligible = elg.Eligibility.MORE_INFORMATION, elg.Eligibility.ELIGIBLE
    return [
        app.ApplicationSubmitted(
            **case, person_id=PersonId.new(), partner_id="harbor", program_id="oh-imap", round_id="r6",
            provider_id="lorain-ccc", credential_id="cybersecurity", submitted_at=NOW, sealed_declaration="s" * 20,
            sealed_contact="s" * 20,
        ),
        elg.ApplicationDetermined(
            **determined, determination_number=1, outcome=more, findings=[unknown], missing=["income"], respond_by=NOW
        ),
        ntf.NoticeSent(**case, notice_id=NoticeId.new(), template="more_information", language="en", sent_at=NOW),
        app.DocumentReceived(
            **case, document_id=DocumentId.new(), kind="income", sealed_evidence="s" * 20, received_at=NOW
        ),
        elg.ApplicationDetermined(
            **determined, determination_number=2, outcome=eligible, findings=[met], award_cents=280_000, waits=WAITS
        ),
        pay.HoldWaitlisted(**case, reason="over_award", amount_cents=280_000, waitlisted_at=NOW),
        pay.HoldPlaced(
            **case, hold_id=HoldId.new(), amount_cents=280_000, from_waiting_list=True, expires_at=NOW, placed_at=NOW
        ),
    ]  # fmt: skip


def to_the_credential(application_id: ApplicationId) -> list[CaseFact]:
    """Reminded, waitlisted and accepted; held by staff and resumed; an exam canceled, failed and passed."""
    case: dict[str, Any] = {"application_id": application_id}
    place = {
        **case, "enrollment_id": EnrollmentId.new(), "provider_id": "lorain-ccc", "credential_id": "cybersecurity",
    }  # fmt: skip
    exam = {**case, "exam_id": "sec-exam"}
    return [
        app.EnrollmentRequested(**place, award_cents=280_000, respond_by=NOW),
        app.EnrollmentReminded(**place, reminder_number=1, respond_by=NOW),
        app.EnrollmentWaitlisted(**place, answered_at=NOW),
        app.EnrollmentAccepted(**place, price_cents=250_000, answered_at=NOW),
        pay.FundsEncumbered(**case, encumbered_cents=250_000, released_cents=30_000, encumbered_at=NOW),
        app.EnrollmentStarted(**place, started_at=NOW),
        app.MilestoneReached(**place, milestone="week_1", reached_at=NOW),
        app.StaffActRecorded(
            **case, act_id=StaffActId.new(), act=app.StaffAct.HELD, actor="jo", reason="complaint", acted_at=NOW
        ),
        app.StaffActRecorded(
            **case, act_id=StaffActId.new(), act=app.StaffAct.RESUMED, actor="jo", reason="settled", acted_at=NOW,
            stage="learning", due_at=NOW + timedelta(days=400), held_since=NOW,
        ),
        app.CompletionAttested(
            **place, attestation_id=AttestationId.new(), issuer_id="lorain-ccc", completed_on="2026-03-01",
            attested_at=NOW,
        ),
        pay.ExamVoucherIssued(
            **exam, exam_voucher_id=ExamVoucherId.new(), attempt_number=1, expires_at=NOW, issued_at=NOW
        ),
        app.ExamRegistered(**exam, attempt_number=1, registration="R1", registered_at=NOW),
        app.ExamResulted(**exam, attempt_number=1, result=app.ExamResult.CANCELED, resulted_at=NOW),
        app.ExamRegistered(**exam, attempt_number=1, registration="R1b", registered_at=NOW),
        app.ExamResulted(**exam, attempt_number=1, result=app.ExamResult.FAILED, resulted_at=NOW),
        pay.ExamVoucherIssued(
            **exam, exam_voucher_id=ExamVoucherId.new(), attempt_number=2, expires_at=NOW, issued_at=NOW
        ),
        app.ExamRegistered(**exam, attempt_number=2, registration="R2", registered_at=NOW),
        app.ExamResulted(**exam, attempt_number=2, result=app.ExamResult.PASSED, resulted_at=NOW),
        app.CredentialRecorded(
            **case, credential_award_id=CredentialAwardId.new(), person_id=PersonId.new(), provider_id="lorain-ccc",
            credential_id="cybersecurity", earned_on="2026-03-01", recorded_at=NOW,
        ),
    ]  # fmt: skip


def to_the_end(application_id: ApplicationId) -> list[CaseFact]:
    """A claim returned and mended, a payment that came back and was made again."""
    claim, mended = ClaimId.new(), ClaimId.new()
    first_payment, second_payment = DisbursementId.new(), DisbursementId.new()
    case: dict[str, Any] = {"application_id": application_id}
    claimed = {**case, "provider_id": "lorain-ccc", "claimed_cents": 250_000}
    paid = {**case, "claim_id": mended, "provider_id": "lorain-ccc", "amount_cents": 250_000}
    invoice: dict[str, Any] = {
        "enrollment_id": EnrollmentId.new(), "invoice_number": "I1", "invoice_on": "2026-03-01",
        "participant_charged_cents": 0, "submitted_at": NOW,
    }  # fmt: skip
    failed = pay.ClaimCheck(check="invoice", passed=False, reason="invoice_unreadable", text="It is unreadable.")
    fine = pay.ClaimCheck(check="invoice", passed=True, reason="invoice_matches", text="The invoice matches.")
    return [
        app.ClaimSubmitted(
            **case, claim_id=claim, provider_id="lorain-ccc", amount_cents=250_000, **invoice
        ),
        pay.ClaimReturned(**claimed, claim_id=claim, checks=[failed], decided_at=NOW + timedelta(seconds=1)),
        app.ClaimSubmitted(
            **case, claim_id=mended, provider_id="lorain-ccc", amount_cents=250_000,
            **{**invoice, "submitted_at": NOW + timedelta(seconds=2)},
        ),
        pay.ClaimApproved(
            **claimed, claim_id=mended, checks=[fine], decided_at=NOW, approved_cents=250_000, due_at=NOW
        ),
        pay.DisbursementOrdered(
            **paid, disbursement_id=first_payment, attempt_number=1, due_at=NOW, ordered_at=NOW
        ),
        pay.DisbursementSent(**paid, disbursement_id=first_payment, batch_id=PaymentBatchId.new(), sent_at=NOW),
        pay.DisbursementSettled(
            **paid, disbursement_id=first_payment, payment_number="P1", paid_on="2026-03-01", settled_at=NOW
        ),
        pay.DisbursementReturned(**paid, disbursement_id=first_payment, return_code="R03", returned_at=NOW),
        pay.DisbursementRepaired(**paid, disbursement_id=first_payment, repaired_at=NOW),
        pay.DisbursementOrdered(
            **paid, disbursement_id=second_payment, attempt_number=2, due_at=NOW, ordered_at=NOW
        ),
        pay.DisbursementSent(**paid, disbursement_id=second_payment, batch_id=PaymentBatchId.new(), sent_at=NOW),
        pay.DisbursementSettled(
            **paid, disbursement_id=second_payment, payment_number="P2", paid_on="2026-03-02", settled_at=NOW
        ),
        app.ApplicationClosed(**case, outcome="reimbursed", stage="reimbursement", reasons=[], closed_at=NOW),
    ]  # fmt: skip


def sequenced(facts: list[CaseFact]) -> list[Received[Any]]:
    """Each source counts its own facts; times differ by a millisecond."""
    counts: dict[str, int] = {}
    made: list[Received[Any]] = []
    for position, fact in enumerate(facts):
        source = fact.TYPE.split(".")[1]
        counts[source] = counts.get(source, 0) + 1
        made.append(received(fact, sequence=counts[source], at=NOW + timedelta(milliseconds=position)))
    return made


async def view_of(cast: Cast, application_id: ApplicationId) -> tuple[dict[str, Any], dict[str, Any]]:
    view = (await cast.partner.get(f"/v1/applications/{application_id}")).json()
    timeline = (await cast.partner.get(f"/v1/applications/{application_id}/timeline")).json()
    return view, timeline


def anonymous(value: Any, application_id: ApplicationId) -> str:
    return str(value).replace(application_id, "app")


async def test_every_fact_about_a_case_has_a_line(cast: Cast) -> None:
    told = set(ENTRIES) | {elg.ProgramPublished, ntf.WebhookDelivered}
    assert set(Fact.registry.values()) == told


async def test_the_whole_path_ends_paid_and_tells_every_step(cast: Cast) -> None:
    application_id = await cast.submit(credential_id="cybersecurity")
    seen: list[tuple[str, str | None, int]] = []
    for one in sequenced(whole_path(application_id)):
        await cast.follow([one])
        view = (await cast.partner.get(f"/v1/applications/{application_id}")).json()
        step = (view["stage"], view["next"]["party"] if view["next"] else None, view["awarded_cents"])
        if not seen or seen[-1] != step:
            seen.append(step)
    assert seen == [
        ("eligibility", "program", 0),
        ("information", "person", 0),
        ("award", "program", 0),
        ("waiting_list", "program", 0),
        ("enrollment", "program", 280_000),
        ("enrollment", "college", 280_000),
        ("learning", "college", 280_000),
        ("learning", "college", 250_000),
        ("learning", "person", 250_000),
        ("learning", "program", 250_000),
        ("learning", "person", 250_000),
        ("credential", "program", 250_000),
        ("exam", "person", 250_000),
        ("exam", "program", 250_000),
        ("exam", "person", 250_000),
        ("exam", "program", 250_000),
        ("exam", "person", 250_000),
        ("credential", "program", 250_000),
        ("claim", "provider", 250_000),
        ("claim", "program", 250_000),
        ("claim", "provider", 250_000),
        ("claim", "program", 250_000),
        ("reimbursement", "program", 250_000),
        ("closed", None, 250_000),
    ]
    view, timeline = await view_of(cast, application_id)
    assert (view["outcome"], view["paid_cents"], view["missing"]) == ("reimbursed", 250_000, [])
    assert len(timeline["items"]) == len(whole_path(application_id))
    text = str(timeline)
    assert not [private for private in ("ssss", "R1b", "'P2'", "'jo'", "'I1'") if private in text]


async def test_what_is_missing_by_when_and_why_is_in_the_view(cast: Cast) -> None:
    application_id = await cast.submit()
    await cast.follow(sequenced(whole_path(application_id)[:2]))
    view, timeline = await view_of(cast, application_id)
    assert view["missing"] == ["income"]
    assert view["due_at"] == "2026-03-10T15:00:00Z"
    assert view["reasons"] == [{"code": "income_unknown", "text": "The income is not known.", "citation": "ORC 122.66"}]
    assert timeline["items"][1]["reasons"] == view["reasons"]
    assert timeline["items"][1]["details"]["findings"][0]["criterion"] == "income"


async def test_a_refused_case_says_every_reason_with_its_source(cast: Cast) -> None:
    application_id = await cast.submit()
    against = elg.Finding(
        criterion="residency",
        result="not_met",
        reason="not_a_resident",
        text="No resident.",
        citation="ORC 122.1710",
    )
    determined = elg.ApplicationDetermined(
        application_id=application_id,
        determination_id=DeterminationId.new(),
        determination_number=1,
        outcome=elg.Eligibility.INELIGIBLE,
        findings=[against],
        respond_by=NOW,
        decided_at=NOW,
    )
    closed = app.ApplicationClosed(
        application_id=application_id, outcome="ineligible", stage="appeal", reasons=["not_a_resident"], closed_at=NOW
    )
    await cast.follow([received(closed, sequence=2), received(determined, sequence=1)])
    view, _ = await view_of(cast, application_id)
    assert (view["stage"], view["outcome"], view["next"]) == ("closed", "ineligible", None)
    assert view["reasons"] == [{"code": "not_a_resident", "text": "No resident.", "citation": "ORC 122.1710"}]


@pytest.mark.parametrize(
    ("until", "stage", "what"),
    [
        (pay.ClaimReturned, "claim", "The program returns unused money and closes the case."),
        (pay.ClaimApproved, "reimbursement", "The program pays the provider."),
        (pay.DisbursementSent, "reimbursement", "The finance system confirms the payment."),
    ],
)
async def test_a_withdrawal_ends_a_case_only_where_no_claim_is_approved(
    cast: Cast, until: type[CaseFact], stage: str, what: str
) -> None:
    for seed in range(3):
        application_id = await cast.submit(person_ssn=f"219-09-70{seed:02}")
        claim = to_the_end(application_id)
        facts = claim[: [type(one) for one in claim].index(until) + 1]
        facts.append(app.ApplicationWithdrawn(application_id=application_id, reason="moved_away", withdrawn_at=NOW))
        shuffled = sequenced(facts)
        random.Random(seed).shuffle(shuffled)
        await cast.follow(shuffled)
        view, _ = await view_of(cast, application_id)
        assert (view["stage"], view["next"]["text"]) == (stage, what), f"seed {seed}"


@pytest.mark.parametrize("seed", range(6))
async def test_shuffled_and_repeated_facts_give_the_same_case(cast: Cast, seed: int) -> None:
    print(f"seed {seed}")
    shuffle = random.Random(seed)
    straight = await cast.submit(credential_id="cybersecurity")
    mixed = await cast.submit(credential_id="cybersecurity", person_ssn="219-09-5555")
    facts = whole_path(straight)
    cut = len(facts) if seed % 2 == 0 else shuffle.randrange(5, len(facts))
    in_order = sequenced(facts[:cut])
    await cast.follow(in_order)
    other = [Received(one.envelope, one.fact.model_copy(update={"application_id": mixed})) for one in in_order] * 3
    shuffle.shuffle(other)
    await cast.follow(other)
    expected, got = await view_of(cast, straight), await view_of(cast, mixed)
    for one in (expected[0], got[0]):
        del one["links"]
    assert anonymous(got, mixed) == anonymous(expected, straight)


async def test_a_fact_of_an_unknown_case_is_not_swallowed(cast: Cast) -> None:
    stray = sequenced(whole_path(ApplicationId.new())[:1])
    with pytest.raises(NotFound):
        await cast.follow(stray)


async def test_a_newer_pack_replaces_the_listing_and_an_older_one_does_not(cast: Cast) -> None:
    coding_only = PROGRAM.model_copy(
        update={"credentials": PROGRAM.credentials[:1], "published_at": NOW, "pack_version": "b" * 12}
    )
    await cast.follow([received(coding_only, sequence=2), received(PROGRAM, sequence=1)])
    await cast.submit()
    answer = await cast.partner.post("/v1/applications", application(credential_id="cybersecurity"))
    assert answer.json()["errors"][0]["pointer"] == "/credential_id"
