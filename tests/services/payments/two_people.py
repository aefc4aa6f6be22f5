"""Every path of two people, as rows: who makes, who checks, which guard refuses, what the database keeps, which door.

A path makes something as `maker`, then checks it as `checker`. Each row is walked by `test_two_people.py`, which also
looks for guards, tables and doors that no row names.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from contracts.steps.fiscal_year import ApproveYearEnd, ProposeYearEnd, SoftCloseYear
from services.payments.books.authority import DocumentKind
from services.payments.domain import person
from services.payments.payees.payees import Rail
from services.payments.remittance import write_confirmations
from services.payments.store.advances import Refund
from services.payments.usecases import authority, fiscal_year, reconciliation_acts
from services.payments.usecases.advances import agree_refund, propose_refund
from services.payments.usecases.batches import approve_batch, build_batch
from services.payments.usecases.claim_queues import may_decide
from services.payments.usecases.confirmations import take_confirmations
from services.payments.usecases.disbursements import approve_repair, open_repair
from services.payments.usecases.lot_charges import approve_charge, charge_lot
from services.payments.usecases.lot_payments import propose_payment, send_payment
from services.payments.usecases.payees import Proposal, approve_change, propose_change, record_call_back
from services.payments.usecases.program import follow_program
from services.payments.usecases.recoveries import approve_recovery, propose_recovery
from services.payments.usecases.screening import approve_release, hold_payee, propose_release
from services.payments.usecases.vouchers import import_lot
from tests.services.payments.bank import OURS
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, ROUND, Case, Desk, published
from tests.services.payments.reconciled import CENTS, Books
from tests.services.payments.usecases.test_advances import advance_paid, dropped, make_platinum
from tests.services.payments.usecases.test_authority import LINE, propose
from tests.services.payments.usecases.test_batches import ACCOUNT, BOTH, CALLED, NUMBERS
from tests.services.payments.usecases.test_charges import RULES, decides, says
from tests.services.payments.usecases.test_claims import word
from tests.services.payments.usecases.test_vouchers import KEYS, LOT

Walk = Callable[[Desk, str, str], Awaitable[object]]


@dataclass(frozen=True)
class TwoPeople:
    """One path."""

    walk: Walk
    guard: str
    """The function that refuses the same person, and with which code: `batches.approve_batch maker_is_checker`."""
    door: str
    """The HTTP door of whoever checks."""
    kept: str | None
    """`table maker_column checker_column`: where both are kept; None where the two never stand in one row."""


async def voucher_batch(desk: Desk, maker: str, checker: str) -> object:
    await desk.pay(await desk.approved(Case("ann")))
    async with desk.db.transaction() as tx:
        batch = await build_batch(tx, maker=maker, rails=BOTH, now=NOW)
    async with desk.db.transaction() as tx:
        return await approve_batch(tx, batch.batch_id, checker=checker, rails=BOTH, now=NOW)


async def ach_batch(desk: Desk, maker: str, checker: str) -> object:
    await payee_account(desk, "finance/cid", "finance/dee")
    async with desk.db.transaction() as tx:
        batch = await build_batch(tx, maker=maker, rails=BOTH, rail=Rail.ACH, now=NOW)
    async with desk.db.transaction() as tx:
        return await approve_batch(tx, batch.batch_id, checker=checker, rails=BOTH, now=NOW)


async def payee_repair(desk: Desk, maker: str, checker: str) -> object:
    payment = await desk.pay(await desk.approved(Case("ann")))
    async with desk.db.transaction() as tx:
        batch = await build_batch(tx, maker="finance/cid", rails=BOTH, now=NOW)
    async with desk.db.transaction() as tx:
        await approve_batch(tx, batch.batch_id, checker="finance/dee", rails=BOTH, now=NOW)
    content = write_confirmations([word(payment, "RETURNED", code="R03")], NOW)
    await take_confirmations("a.pcf", content, db=desk.db, now=NOW)
    async with desk.db.transaction() as tx:
        repair = await open_repair(tx, PROVIDER, evidence="call-back", maker=maker, now=NOW)
    async with desk.db.transaction() as tx:
        return await approve_repair(tx, PROVIDER, repair.repair_id, checker=checker, now=NOW)


async def payee_account(desk: Desk, maker: str, checker: str) -> object:
    proposal = Proposal(rail=Rail.ACH, account=ACCOUNT, call_back=CALLED)
    async with desk.db.transaction() as tx:
        change = await propose_change(tx, PROVIDER, proposal, maker=maker, numbers=NUMBERS, now=NOW)
    async with desk.db.transaction() as tx:
        return await approve_change(tx, PROVIDER, change.change_id, checker=checker, cooling_off_days=10, now=NOW)


async def payee_call_back(desk: Desk, maker: str, checker: str) -> object:
    """Whoever called back has made the evidence, whoever proposed the change."""
    async with desk.db.transaction() as tx:
        proposal = Proposal(location="X", call_back=CALLED)
        change = await propose_change(tx, PROVIDER, proposal, maker="finance/cid", numbers=NUMBERS, now=NOW)
        await record_call_back(tx, PROVIDER, change.change_id, CALLED, by=maker, now=NOW)
    async with desk.db.transaction() as tx:
        return await approve_change(tx, PROVIDER, change.change_id, checker=checker, cooling_off_days=10, now=NOW)


async def payee_release(desk: Desk, maker: str, checker: str) -> object:
    async with desk.db.transaction() as tx:
        hold = await hold_payee(tx, PROVIDER, "looks wrong", by=checker, now=NOW)
        await propose_release(tx, PROVIDER, hold.hold_id, "is another", maker=maker, now=NOW)
    async with desk.db.transaction() as tx:
        return await approve_release(tx, PROVIDER, hold.hold_id, checker=checker, now=NOW)


async def exam_voucher_lot(desk: Desk, maker: str, checker: str) -> object:
    await import_lot(LOT, ["CODE-1", "CODE-2"], keys=KEYS, db=desk.db, now=NOW)
    async with desk.db.transaction() as tx:
        await charge_lot(tx, LOT.lot_id, program_id=PROGRAM, fiscal_year=2026, invoice="INV-1", maker=maker, now=NOW)
    async with desk.db.transaction() as tx:
        return await approve_charge(tx, LOT.lot_id, checker=checker, now=NOW)


async def exam_voucher_payment(desk: Desk, maker: str, checker: str) -> object:
    await exam_voucher_lot(desk, "finance/carla", "finance/dora")
    async with desk.db.transaction() as tx:
        await propose_payment(tx, LOT.lot_id, payment_number="P1", maker=maker, now=NOW)
    async with desk.db.transaction() as tx:
        return await send_payment(tx, LOT.lot_id, payment_number="P1", checker=checker, now=NOW)


async def line_matched(desk: Desk, maker: str, checker: str) -> object:
    books = Books(desk)
    (payment,) = await books.send("ann")
    books.bank.debit(CENTS)
    await books.take()
    await books.turn()
    line = await books.line("candidates_found")
    act = await reconciliation_acts.match_line(line, payment, "by phone", maker=maker, db=desk.db, now=NOW)
    return await reconciliation_acts.agree(act.act_id, checker=checker, ours=OURS, db=desk.db, now=NOW)


async def line_explained(desk: Desk, maker: str, checker: str) -> object:
    books = Books(desk)
    books.bank.debit(CENTS)
    await books.take()
    await books.turn()
    line = await books.line("unknown_payment")
    act = await reconciliation_acts.explain_line(line, "another program's", maker=maker, db=desk.db, now=NOW)
    return await reconciliation_acts.agree(act.act_id, checker=checker, ours=OURS, db=desk.db, now=NOW)


async def statement_accepted(desk: Desk, maker: str, checker: str) -> object:
    books = Books(desk)
    await books.take()
    books.bank.balance_cents += 5
    (held,) = (await books.take()).held
    act = await reconciliation_acts.accept_statement(held.statement_id, "a letter", maker=maker, db=desk.db, now=NOW)
    return await reconciliation_acts.agree(act.act_id, checker=checker, ours=OURS, db=desk.db, now=NOW)


async def stopped_claim(desk: Desk, maker: str, checker: str) -> object:
    """Two approvals of a claim that the person's word stopped."""
    case = await _stopped(desk)
    await decides(desk, case, maker, approve=True)
    return await decides(desk, case, checker, approve=True)


async def claim_of_its_submitter(desk: Desk, maker: str, checker: str) -> object:
    """Whoever submitted a claim says nothing on it; the submitter is set here, since a provider is no officer."""
    case = await _stopped(desk)
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE claim_review SET submitted_by = $1", maker)
    return await decides(desk, case, checker, approve=True)


async def claim_of_a_payee(desk: Desk, maker: str, checker: str) -> object:
    """Whoever recorded a change of the payee approves none of its claims."""
    async with desk.db.transaction() as tx:
        await propose_change(
            tx, PROVIDER, Proposal(location="X", call_back=CALLED), maker=maker, numbers=NUMBERS, now=NOW
        )
    case = Case("ann")
    await desk.hold(case)
    await desk.encumber(case)
    await desk.learn(case)
    await desk.review(case, auto_approve_max_cents=1)
    return await may_decide(case.claim_id, checker, db=desk.db)


async def advance_refund(desk: Desk, maker: str, checker: str) -> object:
    await make_platinum(desk)
    await dropped(desk, await advance_paid(desk, "ann"))
    async with desk.db.transaction() as tx:
        refund = await propose_refund(tx, PROGRAM, ROUND, PROVIDER, maker=maker, now=NOW)
    async with desk.db.transaction() as tx:
        return await agree_refund(tx, refund.refund_id, checker=checker, now=NOW)


async def paid_back(desk: Desk, maker: str, checker: str) -> object:
    refund = await advance_refund(desk, "finance/carla", "finance/dora")
    assert isinstance(refund, Refund)
    async with desk.db.transaction() as tx:
        made = await propose_recovery(
            tx, refund.refund_id, cents=40_000, line_id=None, document="check 7", maker=maker, now=NOW
        )
    async with desk.db.transaction() as tx:
        return await approve_recovery(tx, refund.refund_id, made.recovery_id, checker=checker, now=NOW)


async def budget_document_approved(desk: Desk, maker: str, checker: str) -> object:
    document = await propose(desk, DocumentKind.APPROPRIATION, 5_000, to_row=LINE, maker=maker)
    async with desk.db.transaction() as tx:
        return await authority.approve(tx, document.document_id, checker=checker, now=NOW)


async def budget_document_refused(desk: Desk, maker: str, checker: str) -> object:
    document = await propose(desk, DocumentKind.APPROPRIATION, 5_000, to_row=LINE, maker=maker)
    async with desk.db.transaction() as tx:
        return await authority.refuse(tx, document.document_id, checker=checker, reason="no", now=NOW)


async def fiscal_year_closed(desk: Desk, maker: str, checker: str) -> object:
    """The close counts people by login name; payments asks again when the close brings both."""
    fact = published(version=2).model_copy(update={"fiscal_year_start": "07-01", "time_zone": "America/New_York"})
    async with desk.db.transaction() as tx:
        await follow_program(fact, tx, now=NOW)
    year = {"program_id": PROGRAM, "fiscal_year": 2026}
    await fiscal_year.soft_close(SoftCloseYear(**year), db=desk.db, now=NOW)
    listed = await fiscal_year.propose(ProposeYearEnd(**year), db=desk.db, now=NOW)
    ask = ApproveYearEnd(**year, digest=listed.digest, made_by=person(maker), checked_by=person(checker))
    return await fiscal_year.approve(ask, db=desk.db, now=NOW)


async def _stopped(desk: Desk) -> Case:
    async with desk.db.transaction() as tx:
        await follow_program(published(version=2).model_copy(update={"claim_rules": RULES}), tx, now=NOW)
    case = await desk.approved(Case("ann"))
    await says(desk, case, charged=True)
    return case


SAME = "maker_is_checker"
BATCHES = "POST /v1/payment-batches/{batch_id}/approval"
CHANGES = "POST /v1/payees/{provider_id}/changes/{change_id}/approval"
CLAIMS = "POST /v1/claims/{claim_id}/decision"
DECISIONS = "POST /v1/reconciliation/decisions/{act_id}/approval"
DOCUMENTS = "/v1/budget-documents/{document_id}"
CHANGED = f"payees.approve_change {SAME}"
AGREED = f"reconciliation_acts.agree_to {SAME}"
OPENED = f"authority._open_document {SAME}"
ACT = "reconciliation_act made_by checked_by"
DOCUMENT = "budget_document made_by checked_by"

PATHS = (
    TwoPeople(voucher_batch, f"batches.approve_batch {SAME}", BATCHES, "payment_batch made_by checked_by"),
    TwoPeople(ach_batch, f"batches.approve_batch {SAME}", BATCHES, "payment_batch made_by checked_by"),
    TwoPeople(
        payee_repair,
        f"disbursements.approve_repair {SAME}",
        "POST /v1/payees/{provider_id}/repairs/{repair_id}/approval",
        "payee_repair made_by checked_by",
    ),
    TwoPeople(payee_account, CHANGED, CHANGES, "payee_change made_by checked_by"),
    TwoPeople(payee_call_back, CHANGED, CHANGES, "payee_change evidence_by checked_by"),
    TwoPeople(
        payee_release,
        f"screening.approve_release {SAME}",
        "POST /v1/payees/{provider_id}/holds/{hold_id}/release/approval",
        "payee_hold release_made_by released_by",
    ),
    TwoPeople(
        exam_voucher_lot,
        f"lot_charges.approve_charge {SAME}",
        "POST /v1/exam-voucher-charges/approval",
        "exam_voucher_charge made_by checked_by",
    ),
    TwoPeople(
        exam_voucher_payment,
        f"lot_payments.send_payment {SAME}",
        "POST /v1/exam-voucher-charges/payment/approval",
        "exam_voucher_payment made_by checked_by",
    ),
    TwoPeople(line_matched, AGREED, DECISIONS, ACT),
    TwoPeople(line_explained, AGREED, DECISIONS, ACT),
    TwoPeople(statement_accepted, AGREED, DECISIONS, ACT),
    TwoPeople(stopped_claim, "claim_queues._may_decide approved_before", CLAIMS, None),
    TwoPeople(claim_of_its_submitter, f"claim_queues._may_decide {SAME}", CLAIMS, "claim_word submitted_by person"),
    TwoPeople(claim_of_a_payee, "claim_queues._may_decide payee_recorder", CLAIMS, None),
    TwoPeople(
        advance_refund,
        f"advances.agree_refund {SAME}",
        "POST /v1/advance-refunds/{refund_id}/approval",
        "provider_refund made_by checked_by",
    ),
    TwoPeople(
        paid_back,
        f"recoveries.approve_recovery {SAME}",
        "POST /v1/advance-refunds/{refund_id}/recoveries/{recovery_id}/approval",
        "recovery made_by checked_by",
    ),
    TwoPeople(budget_document_approved, OPENED, f"POST {DOCUMENTS}/approval", DOCUMENT),
    TwoPeople(budget_document_refused, OPENED, f"POST {DOCUMENTS}/refusal", DOCUMENT),
    TwoPeople(
        fiscal_year_closed,
        f"fiscal_year.approve {SAME}",
        "POST /v1/fiscal-years/{program_id}/{year}/approval",
        "fiscal_year_approval made_by checked_by",
    ),
)
