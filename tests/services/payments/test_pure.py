"""The decisions that need no database: who is served, each check of a claim, what a line does, budgets of a pack."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.applications import ClaimLine
from contracts.events.eligibility import ListedClaimRules
from contracts.ids import ApplicationId, DisbursementId, TransferId
from contracts.plan import CostKind, CostLine
from contracts.steps.payments import ClaimStatus
from services.payments.books.budgets import Standing, lower_to, raise_to, targets_of
from services.payments.books.ledger import Kind, line_row
from services.payments.books.waiting import Waiting, who_is_served
from services.payments.claims.checks import (
    CHECKS,
    ClaimFile,
    CredentialCopy,
    EarlierClaim,
    EnrollmentCopy,
    Papers,
    Remedy,
    TwinClaim,
    invoice_key,
    review,
)
from services.payments.domain import DisbursementState, ExamVoucherState, Funding, FundingState
from services.payments.rails.confirmations import Effect, judge
from services.payments.remittance import Confirmation
from tests.services.payments.case import NOW, OTHER, PROVIDER, Case, claim_of, published

ANN = Case("ann")
FUNDING = Funding(
    application_id=ANN.id,
    hold_number=1,
    person_id=ANN.person_id,
    program_id="oh-imap",
    round_id="round-6",
    provider_id=PROVIDER,
    credential_id="cyber",
    book=line_row("oh-imap", 2026),
    person_capped=False,
    amount_cents=300_000,
    hold_seconds=1,
    state=FundingState.ENCUMBERED,
    reason=None,
    hold_id=None,
    hold_transfer_id=None,
    expires_at=None,
    served=0,
    enrollment_id=ANN.enrollment_id,
    encumbrance_transfer_id=TransferId.derive("x"),
    encumbered_cents=300_000,
    released_cents=0,
    advanced_cents=0,
)
CLEAN = ClaimFile(
    claim=claim_of(ANN),
    funding=FUNDING,
    enrollment=EnrollmentCopy(ANN.enrollment_id, ANN.id, PROVIDER, "cyber", 300_000),
    credential=CredentialCopy(PROVIDER, "cyber", "2026-03-09"),
    supplier_number="0000000001",
    earlier=(),
    today=date(2026, 3, 10),
)


def claimed(**given) -> ClaimFile:
    return replace(CLEAN, claim=claim_of(ANN, **given))


def papers(listed=None, *, lines=(), **given) -> ClaimFile:
    """A clean file but for what the program and the record say."""
    on_record = {"listed": listed} if listed else {}
    return replace(claimed(lines=list(lines)), papers=Papers(**on_record, **given))


def tuition(cents: int) -> ClaimLine:
    return ClaimLine(kind=CostKind.TUITION, amount_cents=cents)


def books(cents: int) -> ClaimLine:
    return ClaimLine(kind=CostKind.BOOKS, amount_cents=cents)


def twin(cents: int, kind: str = "", provider: str = PROVIDER) -> TwinClaim:
    kinds = frozenset({CostKind(kind)}) if kind in set(CostKind) else frozenset[CostKind]()
    return TwinClaim("c", OTHER if kind == "other" else provider, cents, kinds)


LISTED = {CostKind.TUITION: 250_000, CostKind.EXAM_FEE: 50_000}
WITH_EXAM = [tuition(250_000), ClaimLine(kind=CostKind.EXAM_FEE, amount_cents=50_000)]
PLANNED = [CostLine(kind=kind, price_cents=cents) for kind, cents in LISTED.items()]
PELL = CostLine(kind=CostKind.TUITION, price_cents=300_000, funded_elsewhere_cents=1)

FAULTS = [
    (replace(CLEAN, funding=None), "no_encumbrance", ClaimStatus.REFUSED),
    (replace(CLEAN, funding=replace(FUNDING, state=FundingState.EXPIRED)), "no_encumbrance", ClaimStatus.REFUSED),
    (replace(CLEAN, funding=replace(FUNDING, enrollment_id="enr_x")), "enrollment_differs", ClaimStatus.REFUSED),
    (replace(CLEAN, credential=CredentialCopy("x", "cyber", "2026-03-09")), "provider_differs", ClaimStatus.REFUSED),
    (replace(CLEAN, supplier_number=None), "payee_unknown", ClaimStatus.REFERRED),
    (replace(CLEAN, credential=CredentialCopy(PROVIDER, "x", "2026-03-09")), "credential_differs", ClaimStatus.REFUSED),
    (claimed(credential_earned_on="2026-03-08"), "earned_on_differs", ClaimStatus.RETURNED),
    (claimed(cents=300_001), "exceeds_encumbrance", ClaimStatus.RETURNED),
    (claimed(invoice_on="2026-03-11"), "invoice_in_future", ClaimStatus.RETURNED),
    (claimed(invoice_on="10 March"), "invoice_date_unreadable", ClaimStatus.RETURNED),
    (replace(CLEAN, earlier=(EarlierClaim("c", "INV-ann", 300_000),)), "invoice_used", ClaimStatus.RETURNED),
    (replace(CLEAN, earlier=(EarlierClaim("c", "INV-ann", 299_999),)), "invoice_resembles", ClaimStatus.REFERRED),
    (replace(CLEAN, earlier=(EarlierClaim("c", "inv ANN", 300_000),)), "invoice_resembles", ClaimStatus.REFERRED),
    (claimed(submitted_at=NOW + timedelta(days=43)), "claim_late", ClaimStatus.REFUSED),
    (claimed(participant_charged_cents=1), "participant_charged", ClaimStatus.REFERRED),
    (claimed(auto_approve_max_cents=299_999), "above_self_approval", ClaimStatus.REFERRED),
    (papers(cap_cents=299_999), "exceeds_encumbrance", ClaimStatus.RETURNED),
    (papers(listed={CostKind.TUITION: 299_999}), "exceeds_encumbrance", ClaimStatus.RETURNED),
    (replace(CLEAN, funding=replace(FUNDING, advanced_cents=300_000)), "covered_by_advance", ClaimStatus.REFUSED),
    (claimed(lines=[tuition(299_999)]), "cost_lines_differ", ClaimStatus.RETURNED),
    (claimed(lines=[tuition(150_000), tuition(150_000)]), "cost_lines_differ", ClaimStatus.RETURNED),
    (papers(LISTED, lines=[tuition(300_000)]), "cost_line_exceeds_price", ClaimStatus.RETURNED),
    (papers(LISTED, lines=[tuition(250_000), books(50_000)]), "cost_line_unknown", ClaimStatus.RETURNED),
    (claimed(cost_lines=[PELL]), "funded_elsewhere", ClaimStatus.RETURNED),
    (claimed(cost_lines=[PELL], lines=[tuition(300_000)]), "funded_elsewhere", ClaimStatus.RETURNED),
    (papers(twins=(twin(200_000, "other"),)), "cost_line_claimed_before", ClaimStatus.REFERRED),
    (papers(LISTED, lines=WITH_EXAM, exam_voucher=ExamVoucherState.USED), "exam_paid_by_voucher", ClaimStatus.RETURNED),
    (
        papers(LISTED, lines=WITH_EXAM, exam_voucher=ExamVoucherState.REVEALED),
        "exam_voucher_unused",
        ClaimStatus.REFERRED,
    ),
    (papers(LISTED, exam_voucher=ExamVoucherState.REGISTERED), "exam_paid_by_voucher", ClaimStatus.RETURNED),
    (
        replace(claimed(cost_lines=PLANNED), papers=Papers(exam_voucher=ExamVoucherState.USED)),
        "exam_paid_by_voucher",
        ClaimStatus.RETURNED,
    ),
    (papers(rules=ListedClaimRules(documents=["credential", "proof"])), "documents_missing", ClaimStatus.RETURNED),
    (papers(twins=(twin(297_001, CostKind.BOOKS),), lines=[tuition(300_000)]), "claim_resembles", ClaimStatus.REFERRED),
    (papers(charged=True), "person_says_charged", ClaimStatus.REFERRED),
]


def test_a_clean_claim_passes_every_check():
    found = review(CLEAN)
    assert found.status is ClaimStatus.APPROVED
    assert [check.passed for check in found.checks] == [True] * len(CHECKS)


@pytest.mark.parametrize(("file", "reason", "status"), FAULTS, ids=[f"{r}-{n}" for n, (_, r, _) in enumerate(FAULTS)])
def test_each_fault_is_named_and_decides(file, reason, status):
    found = review(file)
    assert reason in {check.reason for check in found.checks if not check.passed}
    assert found.status is status
    assert len(found.checks) == len(CHECKS)


def test_every_check_has_a_fault_that_it_finds():
    found = {check.check for file, _, _ in FAULTS for check in review(file).checks if not check.passed}
    assert found == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize(
    "file",
    [
        papers(LISTED, lines=WITH_EXAM),
        papers({CostKind.TUITION: 300_000}, exam_voucher=ExamVoucherState.USED),
        papers(exam_voucher=ExamVoucherState.USED),
        replace(
            claimed(cents=250_000),
            papers=Papers(listed=LISTED, exam_voucher=ExamVoucherState.USED),
        ),
        replace(
            claimed(cents=250_000, lines=[tuition(250_000)]),
            papers=Papers(listed=LISTED, exam_voucher=ExamVoucherState.USED),
        ),
    ],
    ids=["no voucher", "no exam fee listed", "no cost line known", "without the fee", "tuition alone"],
)
def test_what_asks_for_no_exam_is_paid_whoever_paid_the_exam(file):
    assert review(file).status is ClaimStatus.APPROVED


def test_all_faults_are_told_and_the_gravest_decides():
    file = claimed(cents=300_001, participant_charged_cents=1, submitted_at=NOW + timedelta(days=43))
    found = review(file)
    assert {"exceeds_encumbrance", "participant_charged", "claim_late"} <= {c.reason for c in found.checks}
    assert found.status is ClaimStatus.REFUSED
    assert Remedy.NONE != Remedy.MEND


def test_invoice_numbers_that_differ_in_writing_only_are_the_same():
    assert {invoice_key(n) for n in ("INV-007", "inv 007", " Inv.007 ")} == {"INV7"}
    assert invoice_key("INV-2026-0007") == invoice_key("inv 2026/7") != invoice_key("INV-2026-0070")
    assert invoice_key("007") == invoice_key("7") != invoice_key("70")
    assert invoice_key("---") == "---"


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), max_size=15),
    st.dictionaries(st.sampled_from(["line", "a", "b", "c"]), st.integers(0, 100)),
)
def test_the_served_fit_and_nobody_overtakes_where_somebody_is_short(asked, available):
    line = [
        Waiting(ApplicationId.derive(number), ("line", award), cents) for number, (award, cents) in enumerate(asked)
    ]
    served = who_is_served(line, available)
    for row in ("line", "a", "b", "c"):
        assert sum(w.amount_cents for w in served if row in w.rows) <= available.get(row, 0)
    left = dict(available)
    short: set[str] = set()
    for waiting in line:
        if waiting in served:
            assert not short.intersection(waiting.rows)
            for row in waiting.rows:
                left[row] -= waiting.amount_cents
        else:
            lacking = {row for row in waiting.rows if left.get(row, 0) < waiting.amount_cents}
            assert lacking or short.intersection(waiting.rows)
            short |= lacking


@pytest.mark.parametrize("state", DisbursementState)
@pytest.mark.parametrize("status", ["PAID", "RETURNED"])
@pytest.mark.parametrize("number", ["P1", "P2"])
def test_only_a_sent_payment_moves(state, status, number):
    word = Confirmation(
        DisbursementId.derive(1), "V", number, date(2026, 3, 1), status, "R01" if status == "RETURNED" else None
    )
    effect = judge(state, "P1", word).effect
    assert (effect in {Effect.SETTLE, Effect.RETURN}) is (state is DisbursementState.SENT)
    late = (state, status, number) == (DisbursementState.SETTLED, "RETURNED", "P1")
    assert (effect is Effect.RETURN_LATE) is late
    if effect is Effect.REPEATED:
        assert number == "P1"
        assert (state is DisbursementState.SETTLED) is (status == "PAID")


def test_a_line_has_what_its_rounds_have():
    [first] = published(cents=500).rounds
    second = first.model_copy(update={"round_id": "round-7", "appropriation_cents": 300})
    unknown = first.model_copy(update={"round_id": "round-2", "appropriation_cents": None})
    targets = {target.row: target.cents for target in targets_of("oh-imap", [first, second, unknown])}
    assert targets["line/oh-imap/2026"] == 800
    assert "round/oh-imap/round-2" not in targets


def test_a_raise_is_named_by_what_came_before_and_a_lowering_by_its_version_too():
    target = next(iter(targets_of("oh-imap", published(cents=500).rounds)))
    up = raise_to(target, Standing(300, 1), actor="x", at=NOW)
    assert (up.kind, up.amount_cents) == (Kind.APPROPRIATE, 200)
    assert up.id != raise_to(target, Standing(300, 2), actor="x", at=NOW).id
    downs = {lower_to(target, Standing(900, 1), version=v, actor="x", at=NOW).id for v in ("a", "b")}
    assert len(downs) == 2
    assert raise_to(target, Standing(500, 1), actor="x", at=NOW) is None
    assert lower_to(target, Standing(500, 1), version="a", actor="x", at=NOW) is None
