"""The doors: who may do what, two people in every path, one effect per key, a code shown once."""

import asyncio
import re
import uuid
from datetime import date, datetime, timedelta

import pytest

from contracts.ids import ExamVoucherId, PaymentBatchId
from services.payments.books.authority import BudgetDocumentId
from services.payments.claims.advances import RefundId
from services.payments.claims.recoveries import RecoveryId
from services.payments.domain import PayeeRepairId
from services.payments.payees.payees import PayeeChangeId, PayeeHoldId
from services.payments.reconciling.decisions import ReconciliationActId
from services.payments.remittance import Confirmation, write_confirmations
from services.payments.statements import StatementLineId
from services.payments.statements.chain import BankStatementId
from services.payments.store.vouchers import Lot
from services.payments.usecases.confirmations import take_confirmations
from services.payments.usecases.vouchers import import_lot, issue_exam_voucher
from tests.services.payments.callers import KEYS, Caller, operations
from tests.services.payments.case import NOW, PROVIDER, Case
from tests.services.payments.reconciled import CENTS, Books
from tests.services.payments.usecases.test_vouchers import LOT, IssueExamVoucher

BATCH, DOCUMENT = PaymentBatchId.derive("x"), BudgetDocumentId.derive("x")
LINE, STATEMENT, ACT = StatementLineId.derive("x"), BankStatementId.derive("x"), ReconciliationActId.derive("x")
CHANGE, HOLD = PayeeChangeId.derive("x"), PayeeHoldId.derive("x")
REFUND = f"/v1/advance-refunds/{RefundId.derive('x')}"
DOORS = [
    ("GET", "/v1/reconciliation", {"anna", "ben"}),
    ("POST", f"/v1/reconciliation/lines/{LINE}/explanation", {"anna", "ben"}),
    ("POST", f"/v1/reconciliation/lines/{LINE}/match", {"anna", "ben"}),
    ("POST", f"/v1/reconciliation/lines/{LINE}/unmatch", {"anna", "ben"}),
    ("POST", f"/v1/reconciliation/statements/{STATEMENT}/acceptance", {"anna", "ben"}),
    ("POST", f"/v1/reconciliation/statements/{STATEMENT}/dismissal", {"anna", "ben"}),
    ("POST", f"/v1/reconciliation/decisions/{ACT}/approval", {"anna", "ben"}),
    ("POST", f"/v1/reconciliation/decisions/{ACT}/withdrawal", {"anna", "ben"}),
    ("GET", "/v1/fiscal-years/oh-imap/2026", {"anna", "ben", "staff"}),
    ("GET", "/v1/fiscal-years/oh-imap/2026/lines", {"anna", "ben", "staff"}),
    ("POST", "/v1/fiscal-years/oh-imap/2026/approval", {"anna", "ben"}),
    ("POST", "/v1/fiscal-years/oh-imap/2026/amendment", {"anna", "ben"}),
    ("POST", "/v1/advance-refunds", {"anna", "ben"}),
    ("POST", f"{REFUND}/approval", {"anna", "ben"}),
    ("POST", f"{REFUND}/recoveries", {"anna", "ben"}),
    (
        "POST",
        f"{REFUND}/recoveries/{RecoveryId.derive('x')}/approval",
        {"anna", "ben"},
    ),
    (
        "POST",
        f"{REFUND}/recoveries/{RecoveryId.derive('x')}/withdrawal",
        {"anna", "ben"},
    ),
    ("GET", "/v1/claim-reviews", {"anna", "ben"}),
    ("POST", f"/v1/claims/{Case('x').claim_id}/decision", {"anna", "ben"}),
    ("POST", "/v1/claim-requests", {"provider", "other_provider"}),
    ("GET", "/v1/statements?from=2026-03-01&to=2026-03-31", {"provider", "other_provider"}),
    ("POST", "/v1/payment-batches", {"anna", "ben"}),
    ("POST", f"/v1/payment-batches/{BATCH}/approval", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/repairs", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/repairs/{PayeeRepairId.derive('x')}/approval", {"anna", "ben"}),
    ("POST", f"/v1/payment-batches/{BATCH}/withdrawal", {"anna", "ben"}),
    ("GET", "/v1/payees", {"anna", "ben"}),
    ("GET", f"/v1/payees/{PROVIDER}", {"anna", "ben"}),
    ("GET", "/v1/payment-alerts", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/changes", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/changes/{CHANGE}/call-back", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/changes/{CHANGE}/approval", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/changes/{CHANGE}/withdrawal", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/holds", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/holds/{HOLD}/release", {"anna", "ben"}),
    ("POST", f"/v1/payees/{PROVIDER}/holds/{HOLD}/release/approval", {"anna", "ben"}),
    ("POST", "/v1/screening-lists", {"anna", "ben"}),
    ("GET", "/v1/budgets/oh-imap", {"anna", "ben", "staff"}),
    ("GET", "/v1/budgets/oh-imap/forecast", {"anna", "ben", "staff"}),
    ("POST", "/v1/budget-documents", {"anna", "ben"}),
    ("POST", f"/v1/budget-documents/{DOCUMENT}/approval", {"anna", "ben"}),
    ("POST", f"/v1/budget-documents/{DOCUMENT}/refusal", {"anna", "ben"}),
    ("GET", "/v1/budget-documents?program_id=oh-imap", {"anna", "ben", "staff"}),
    ("GET", f"/v1/waiting-list/{Case('x').id}", {"partner", "other_partner", "staff"}),
    ("GET", f"/v1/claims/{Case('x').claim_id}", {"provider", "other_provider"}),
    ("POST", f"/v1/exam-vouchers/{ExamVoucherId.derive('x')}/reveal", {"partner", "other_partner"}),
    ("GET", "/v1/exam-voucher-stock", {"anna", "ben", "staff"}),
    ("POST", "/v1/exam-voucher-charges", {"anna", "ben"}),
    ("POST", "/v1/exam-voucher-charges/approval", {"anna", "ben"}),
    ("POST", "/v1/exam-voucher-charges/withdrawal", {"anna", "ben"}),
    ("POST", "/v1/exam-voucher-charges/payment", {"anna", "ben"}),
    ("POST", "/v1/exam-voucher-charges/payment/withdrawal", {"anna", "ben"}),
    ("POST", "/v1/exam-voucher-charges/payment/approval", {"anna", "ben"}),
    ("POST", "/v1/exam-voucher-charges/payment/settlement", {"anna", "ben"}),
]


@pytest.mark.parametrize(("method", "path", "allowed"), DOORS, ids=[path for _, path, _ in DOORS])
async def test_each_door_opens_to_its_callers_only(desk, callers, method, path, allowed):
    body = {"evidence": "call-back"} if path.endswith("repairs") else {}
    for name, caller in callers.items():
        answer = await (caller.get(path) if method == "GET" else caller.post(path, body))
        assert (answer.status_code != 403) is (name in allowed), name
        assert answer.status_code < 500
    nobody = Caller(callers["anna"].http, "cairn_nobody")
    assert (await (nobody.get(path) if method == "GET" else nobody.post(path, body))).status_code == 401


def test_each_door_of_payments_is_tried_with_every_caller():
    untried = [
        f"{method} {template}"
        for method, template in operations()
        if not any(
            method == known and re.fullmatch(re.sub(r"\{[^/]+\}", "[^/]+", template), path.partition("?")[0])
            for known, path, _ in DOORS
        )
    ]
    assert untried == []


async def ordered(desk, name="ann"):
    return await desk.pay(await desk.approved(Case(name)))


@pytest.mark.parametrize("maker", ["anna", "ben"])
@pytest.mark.parametrize("checker", ["anna", "ben"])
async def test_two_people_make_and_check_a_batch_and_a_repair(desk, callers, maker, checker):
    payment = await ordered(desk)
    made = await callers[maker].post("/v1/payment-batches")
    assert made.status_code == 201
    batch = made.json()
    assert (batch["state"], batch["payments"], batch["total_cents"]) == ("built", 1, 300_000)
    approved = await callers[checker].post(f"/v1/payment-batches/{batch['batch_id']}/approval")
    if maker == checker:
        assert (approved.status_code, approved.json()["code"]) == (403, "maker_is_checker")
        return
    assert (approved.status_code, approved.json()["state"]) == (201, "approved")
    back = Confirmation(payment.disbursement_id, "V1", "P1", date(2026, 3, 11), "RETURNED", "R03")
    await take_confirmations("a.pcf", write_confirmations([back], NOW), db=desk.db, now=NOW)
    repair = (await callers[maker].post(f"/v1/payees/{PROVIDER}/repairs", {"evidence": "call-back"})).json()
    door = f"/v1/payees/{PROVIDER}/repairs/{repair['repair_id']}/approval"
    assert (await callers[maker].post(door)).status_code == 403
    assert (await callers[checker].post(door)).json()["repaired"] == [payment.disbursement_id]
    assert (await callers[checker].post(door)).status_code == 409


async def test_an_account_is_changed_by_call_back_and_two_people_and_shown_masked(desk, callers):
    number = "00998877665544"
    body = {
        "rail": "ach",
        "account": {
            "holder_name": "Lorain College",
            "routing_number": "041099999",
            "account_number": number,
            "account_type": "checking",
        },
        "call_back": {
            "person": "Pat Doe",
            "number_on_file": "+1 440 555 0100",
            "called_at": (NOW - timedelta(hours=1)).isoformat(),
        },
    }
    wrong = {**body, "account": {**body["account"], "routing_number": "041099998"}}
    for refused in (wrong, {**body, "account": {**body["account"], "account_number": f"{number}-{number}"}}):
        answer = await callers["anna"].post(f"/v1/payees/{PROVIDER}/changes", refused)
        assert (answer.status_code, answer.json()["code"]) == (422, "account_faulty")
        assert number not in answer.text
    assert (await callers["anna"].post(f"/v1/payees/{PROVIDER}/changes", {"rail": "ach"})).status_code == 422
    made = await callers["anna"].post(f"/v1/payees/{PROVIDER}/changes", body)
    assert (made.status_code, made.json()["state"]) == (201, "proposed")
    door = f"/v1/payees/{PROVIDER}/changes/{made.json()['change_id']}/approval"
    assert (await callers["anna"].post(door)).json()["code"] == "maker_is_checker"
    approved = await callers["ben"].post(door)
    assert (approved.json()["state"], approved.json()["checked_by"]) == ("approved", "finance/ben")
    shown = await callers["ben"].get(f"/v1/payees/{PROVIDER}")
    [account] = shown.json()["accounts"]
    assert (account["account"], account["state"], shown.json()["pays"]) == ("****5544", "active", "payment_voucher")
    assert datetime.fromisoformat(account["usable_at"]) == NOW + timedelta(days=10)
    for answer in (made, approved, shown):
        assert number not in answer.text
    listed = (await callers["anna"].get("/v1/payees")).json()["payees"]
    assert {one["provider_id"]: one["rail"] for one in listed}[PROVIDER] == "ach"


async def test_the_same_key_at_once_makes_one_batch(desk, callers):
    await ordered(desk)
    answers = await asyncio.gather(*(callers["anna"].post("/v1/payment-batches", key="one") for _ in range(8)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert (await callers["ben"].post("/v1/payment-batches")).status_code == 409


async def test_the_budget_adds_up_row_by_row(desk, callers):
    await desk.hold(Case("ann"))
    shown = (await callers["staff"].get("/v1/budgets/oh-imap")).json()
    assert (shown["held_cents"], shown["available_cents"]) == (300_000, 700_000)
    for row in (shown, *shown["rows"]):
        stages = ("available", "held", "encumbered", "payable", "in_transit", "disbursed", "lapsed")
        assert sum(row[f"{stage}_cents"] for stage in stages) == row["appropriated_cents"]
    assert [row["level"] for row in shown["rows"]] == ["line", "round", "award", "award"]
    assert (await callers["staff"].get("/v1/budgets/nowhere")).status_code == 404


async def test_a_forecast_says_what_will_be_left(desk, callers):
    await desk.hold(Case("held"), 100_000)
    shown = (await callers["staff"].get("/v1/budgets/oh-imap/forecast")).json()
    assert (shown["line"], shown["year_end"]) == ("line/oh-imap/2026", "2026-06-30")
    assert shown["committed_cents"] == 100_000
    assert shown["spent_cents"] + shown["expected_cents"] + shown["lapsing_cents"] == 1_000_000
    assert {one["risk"] for one in shown["providers"]} == {"high"}
    assert (await callers["staff"].get("/v1/budgets/oh-imap/forecast?fiscal_year=2031")).status_code == 404


async def test_a_provider_reads_its_claim_with_every_check(desk, callers):
    case = await desk.approved(Case("ann"))
    shown = await callers["provider"].get(f"/v1/claims/{case.claim_id}")
    assert (shown.json()["status"], shown.json()["approved_cents"]) == ("approved", 300_000)
    assert all(check["passed"] for check in shown.json()["checks"])
    assert (await callers["other_provider"].get(f"/v1/claims/{case.claim_id}")).status_code == 404


async def test_a_code_is_shown_once_and_kept_in_no_answer(desk, callers, db):
    case = Case("ann")
    await desk.learn(case)
    lot: Lot = LOT
    await import_lot(lot, ["CANARY-4417"], keys=KEYS, db=db, now=NOW)
    ask = IssueExamVoucher(
        application_id=case.id, person_id=case.person_id, exam_id="cyber-exam", attempt_number=1, usable_seconds=60
    )
    voucher = (await issue_exam_voucher(ask, db=db, now=NOW)).exam_voucher_id
    door = f"/v1/exam-vouchers/{voucher}/reveal"
    assert (await callers["other_partner"].post(door)).status_code == 404
    shown = await callers["partner"].post(door, key="mine")
    assert (shown.status_code, shown.json()["code"]) == (201, "CANARY-4417")
    assert shown.headers["cache-control"] == "no-store"
    assert (await callers["partner"].post(door, key="mine")).json() == shown.json()
    again = await callers["partner"].post(door)
    assert (again.status_code, again.json()["code"]) == (409, "already_revealed")
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM idempotency") == 0


async def test_a_budget_document_is_proposed_and_approved_by_two_people(desk, callers):
    paper = {
        "program_id": "oh-imap",
        "kind": "appropriation",
        "reference": "OBM-7",
        "amount_cents": 50_000,
        "to_row": "line/oh-imap/2026",
        "reason": "controlling board",
    }
    key = uuid.uuid4().hex
    made = await callers["anna"].post("/v1/budget-documents", paper, key=key)
    assert (made.status_code, made.json()["state"]) == (201, "proposed")
    assert (await callers["anna"].post("/v1/budget-documents", paper, key=key)).json() == made.json()
    address = f"/v1/budget-documents/{made.json()['document_id']}"
    own = await callers["anna"].post(f"{address}/approval")
    assert (own.status_code, own.json()["code"]) == (403, "maker_is_checker")
    approved = await callers["ben"].post(f"{address}/approval")
    assert (approved.status_code, approved.json()["state"]) == (201, "approved")
    again = await callers["ben"].post(f"{address}/refusal", {"reason": "too late"})
    assert (again.status_code, again.json()["code"]) == (409, "document_decided")
    listed = (await callers["staff"].get("/v1/budget-documents?program_id=oh-imap&state=approved")).json()
    assert [one["reference"] for one in listed["documents"]] == ["OBM-7"]
    assert listed["next"] is None


async def test_the_stock_is_shown_and_a_lot_is_charged_by_two_people(desk, callers):
    await import_lot(LOT, ["CANARY-1", "CANARY-2"], keys=KEYS, db=desk.db, now=NOW)
    charge = {"lot_id": "vendor/1", "program_id": "oh-imap", "fiscal_year": 2026, "invoice_number": "INV-9"}
    named = {"lot_id": "vendor/1"}
    key = uuid.uuid4().hex
    first, again = [await callers["anna"].post("/v1/exam-voucher-charges", charge, key=key) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    assert (await callers["ben"].post("/v1/exam-voucher-charges", charge)).json()["code"] == "lot_already_charged"
    own = await callers["anna"].post("/v1/exam-voucher-charges/approval", named)
    assert (own.status_code, own.json()["code"]) == (403, "maker_is_checker")
    approved = await callers["ben"].post("/v1/exam-voucher-charges/approval", named)
    assert (approved.status_code, approved.json()["cents"]) == (201, 50_000)
    paid, address = named | {"payment_number": "P1"}, "/v1/exam-voucher-charges/payment"
    assert (await callers["anna"].post(address, paid)).status_code == 201
    assert (await callers["ben"].post(address, paid | {"payment_number": "P2"})).json()["code"] == "request_differs"
    assert (await callers["anna"].post(f"{address}/approval", paid)).json()["code"] == "maker_is_checker"
    assert (await callers["ben"].post(f"{address}/approval", paid)).json()["state"] == "in_transit"
    assert (await callers["ben"].post(f"{address}/withdrawal", named)).json()["code"] == "lot_payment_missing"
    assert (await callers["ben"].post("/v1/exam-voucher-charges/withdrawal", named)).json()[
        "code"
    ] == "lot_payment_open"
    books = Books(desk)
    books.bank.debit(50_000, "VENDOR 1")
    await books.take()
    await books.turn()
    line = {"line_id": (await books.page()).lines[0][0].line.line_id}
    settled = (await callers["anna"].post(f"{address}/settlement", named | line)).json()
    assert (settled["state"], settled["payment_number"], settled["paid_on"]) == ("paid", "P1", "2026-03-11")
    stock = await callers["staff"].get("/v1/exam-voucher-stock")
    [lot] = stock.json()["lots"]
    assert (lot["cost_cents"], lot["charged_to"], lot["states"]) == (50_000, "line/oh-imap/2026", {"available": 2})
    assert stock.json()["exams"][0]["usable"] == 2
    assert "CANARY" not in stock.text
    assert (await callers["staff"].get("/v1/exam-voucher-stock?exam_id=other")).json()["lots"] == []


async def test_the_finance_office_reads_what_is_open(desk, callers):
    books = Books(desk)
    (payment,) = await books.send("ann")
    books.bank.debit(CENTS)
    await books.take()
    await books.take(b"neither")
    await books.turn()
    answer = await callers["anna"].get("/v1/reconciliation")
    shown = answer.json()
    assert answer.status_code == 200
    assert shown["in_transit"]["adds_up"]
    assert (shown["open_lines"], shown["open_payments"], len(shown["held"])) == (1, 1, 1)
    assert shown["lines"][0]["candidates"][0]["id"] == payment
