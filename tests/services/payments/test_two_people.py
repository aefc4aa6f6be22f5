"""Every path of two people, with every pair: the same person never makes and checks, two different ones may.

A path is a row of `PATHS`: it makes something as `maker`, then checks it as `checker`.
"""

from collections.abc import Awaitable, Callable

import pytest

from services.payments.domain import MakerIsChecker
from services.payments.payees.payees import Rail
from services.payments.remittance import write_confirmations
from services.payments.usecases import reconciliation_acts
from services.payments.usecases.advances import agree_refund, propose_refund
from services.payments.usecases.batches import approve_batch, build_batch
from services.payments.usecases.claim_queues import may_decide
from services.payments.usecases.confirmations import take_confirmations
from services.payments.usecases.disbursements import approve_repair, open_repair
from services.payments.usecases.lot_charges import approve_charge, charge_lot
from services.payments.usecases.payees import Proposal, approve_change, propose_change, record_call_back
from services.payments.usecases.program import follow_program
from services.payments.usecases.screening import approve_release, hold_payee, propose_release
from services.payments.usecases.vouchers import import_lot
from tests.services.payments.bank import OURS
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, ROUND, Case, Desk, published
from tests.services.payments.reconciled import CENTS, Books
from tests.services.payments.usecases.test_advances import advance_paid, dropped, make_platinum
from tests.services.payments.usecases.test_batches import ACCOUNT, BOTH, CALLED, NUMBERS
from tests.services.payments.usecases.test_charges import RULES, decides, says
from tests.services.payments.usecases.test_claims import word
from tests.services.payments.usecases.test_vouchers import KEYS, LOT

Path = Callable[[Desk, str, str], Awaitable[object]]
PEOPLE = ("finance/anna", "finance/ben")


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
    async with desk.db.transaction() as tx:
        await follow_program(published(version=2).model_copy(update={"claim_rules": RULES}), tx, now=NOW)
    case = await desk.approved(Case("ann"))
    await says(desk, case, charged=True)
    await decides(desk, case, maker, approve=True)
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


PATHS: list[Path] = [
    stopped_claim,
    claim_of_a_payee,
    advance_refund,
    voucher_batch,
    ach_batch,
    payee_repair,
    payee_account,
    payee_call_back,
    payee_release,
    exam_voucher_lot,
    line_matched,
    line_explained,
    statement_accepted,
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
@pytest.mark.parametrize("maker", PEOPLE)
@pytest.mark.parametrize("checker", PEOPLE)
async def test_two_people(desk: Desk, path: Path, maker: str, checker: str) -> None:
    if maker == checker:
        with pytest.raises(MakerIsChecker):
            await path(desk, maker, checker)
    else:
        await path(desk, maker, checker)
