"""What is stopped is not sent: between a batch and its approval, when it came back, and after it was paid."""

import asyncio
from datetime import timedelta

import pytest

from contracts.events.applications import StaffAct
from contracts.events.payments import ClaimResumed, ClaimRevoked
from contracts.ids import DisbursementId
from services.payments.claims.queues import Queue
from services.payments.claims.stops import BatchStopped, PaymentUnderWay, StopReason
from services.payments.domain import BatchState, MakerIsChecker, NothingToPay
from services.payments.payees.payees import HoldSource, Rail
from services.payments.remittance import read_vouchers
from services.payments.store import batches as batch_store
from services.payments.store import claim_queues as queue_store
from services.payments.usecases.advances import REFUND_TO_AGREE, agree_refund, propose_refund
from services.payments.usecases.batches import withdraw_batch
from services.payments.usecases.charges import close_unanswered
from services.payments.usecases.claim_queues import queue_of
from services.payments.usecases.disbursements import approve_repair, open_repair
from services.payments.usecases.screening import hold_payee, open_alerts, place_hold, take_screening_list
from tests.services.payments.case import NOW, OTHER, PROGRAM, PROVIDER, ROUND, Case, Desk
from tests.services.payments.usecases.test_advances import advance_paid, dropped, make_platinum, settled
from tests.services.payments.usecases.test_batches import approve, build, change_to_ach
from tests.services.payments.usecases.test_charges import asking, decides, says
from tests.services.payments.usecases.test_claims import batch_of, confirm, word
from tests.services.payments.usecases.test_held_cases import staff

__all__ = ["asking"]

ANN = Case("ann")


async def ready(desk: Desk, case: Case):
    """The ordered payment of a case whose person was heard, or did not answer in time."""
    payment = await desk.pay(await desk.approved(case))
    await close_unanswered(db=desk.db, now=NOW + timedelta(days=5))
    return payment


async def run(desk: Desk, statement: str, *values: object) -> None:
    async with desk.db.transaction() as tx:
        await tx.execute(statement, *values)


async def said_yes(desk):
    await says(desk, ANN, charged=True)


async def refused(desk):
    await said_yes(desk)
    await decides(desk, ANN, "finance/anna", approve=False)


async def went_on(desk):
    await said_yes(desk)
    for name in ("finance/anna", "finance/ben"):
        await decides(desk, ANN, name, approve=True)


async def asked_again(desk):
    await run(desk, "UPDATE charge_question SET answer = NULL, closed_at = NULL WHERE claim_id = $1", ANN.claim_id)


async def gathered_into_the_next_month(desk):
    later = NOW + timedelta(days=22)
    await run(desk, "UPDATE claim SET payable_from = $2 WHERE claim_id = $1", ANN.claim_id, later)


async def in_review(desk):
    async with desk.db.transaction() as tx:
        await queue_store.open_review(
            tx,
            ANN.claim_id,
            queue=Queue.CHARGES,
            origin="charge",
            reasons=["person_says_charged"],
            approvers_needed=1,
            submitted_by=PROVIDER,
            now=NOW,
        )


async def held(desk):
    async with desk.db.transaction() as tx:
        await hold_payee(tx, PROVIDER, "looks wrong", by="finance/anna", now=NOW)


async def screened(desk):
    async with desk.db.transaction() as tx:
        hit = f"reference,name\nS-1,{PROVIDER}\n".encode()
        assert (await take_screening_list(tx, hit, "sanctions", imported_by="finance/anna", now=NOW))[1] == [PROVIDER]


async def held_by_a_return(desk):
    async with desk.db.transaction() as tx:
        await place_hold(tx, PROVIDER, HoldSource.RETURN, "dsb_x", "R16", by="bank", now=NOW)


async def account_cooling_off(desk):
    await change_to_ach(desk, old_stays=False)


async def account_not_prenoted(desk):
    await change_to_ach(desk, old_stays=False)
    await run(desk, "UPDATE payee_account SET usable_at = $1", NOW)


async def account_invalid(desk):
    await account_not_prenoted(desk)
    await run(desk, "UPDATE payee_account SET state = 'invalid', ended_reason = 'R03'")


async def account_usable(desk):
    await account_not_prenoted(desk)
    await run(desk, "UPDATE payee_account SET prenote_on = '2026-02-10'")


async def renumbered(desk):
    await run(desk, "UPDATE payee SET supplier_number = '0000000666' WHERE provider_id = $1", PROVIDER)


async def case_held(desk):
    await staff(desk, ANN, StaffAct.HELD, sequence=7)


async def account_with_a_change_notified(desk):
    await account_usable(desk)
    await run(desk, "UPDATE payee_account SET correct_by = '2026-03-10'")


REASONS = [
    (said_yes, StopReason.CLAIM_STOPPED),
    (refused, StopReason.CLAIM_REFUSED),
    (went_on, StopReason.LEFT_THE_BATCH),
    (case_held, StopReason.CASE_HELD),
    (asked_again, StopReason.CHARGES_ASKED),
    (gathered_into_the_next_month, StopReason.NOT_DUE_YET),
    (in_review, StopReason.CLAIM_IN_REVIEW),
    (held, StopReason.PAYEE_HELD),
    (screened, StopReason.PAYEE_HELD),
    (held_by_a_return, StopReason.PAYEE_HELD),
    (account_cooling_off, StopReason.COOLING_OFF),
    (account_not_prenoted, StopReason.PRENOTE),
    (account_with_a_change_notified, StopReason.CHANGE_NOTIFIED),
    (account_invalid, StopReason.NO_ACCOUNT),
    (account_usable, StopReason.OTHER_RAIL),
    (renumbered, StopReason.OTHER_SUPPLIER),
]


def test_every_reason_is_tried():
    assert {reason for _, reason in REASONS} == set(StopReason)


@pytest.mark.parametrize(("happens", "reason"), REASONS, ids=[happens.__name__ for happens, _ in REASONS])
async def test_what_is_stopped_after_the_batch_was_made_stops_its_approval(asking, happens, reason):
    stopped, clean = await ready(asking, ANN), await ready(asking, Case("bob", provider=OTHER))
    made = await build(asking, rail=Rail.PAYMENT_VOUCHER)
    await happens(asking)
    before = await asking.stages()
    with pytest.raises(BatchStopped) as caught:
        await approve(asking, made)
    [stop] = caught.value.stops
    assert stop.reason is reason
    if reason is not StopReason.LEFT_THE_BATCH:
        assert (stop.what, stop.provider_id) == (stopped.disbursement_id, PROVIDER)
    assert str(stop) in str(caught.value)
    # Nothing of it happened: not the file, not its money, not the other payment's.
    assert await asking.stages() == before
    assert "in_transit" not in before
    async with asking.db.transaction() as tx:
        standing = await batch_store.batch(tx, made.batch_id)
        assert standing is not None
        assert (standing.state, standing.content) == (BatchState.BUILT, None)
        await withdraw_batch(tx, made.batch_id, by="finance/ben", now=NOW)
        assert await tx.fetchval("SELECT count(*) FROM disbursement WHERE batch_id = $1", made.batch_id) == 0
    # What is made anew has totals of its own, and the file is what its maker saw.
    anew = await approve(asking, await build(asking, rail=Rail.PAYMENT_VOUCHER))
    assert anew.content is not None
    payments = read_vouchers(anew.content).payments
    paid = {clean.disbursement_id} | ({stopped.disbursement_id} if happens in {went_on, renumbered} else set())
    assert {one.disbursement_id for one in payments} == paid
    assert (anew.payments, anew.total_cents) == (len(paid), 300_000 * len(paid))
    assert (await asking.prove()).is_right


async def test_a_refusal_names_every_payment_and_a_prenote(asking):
    first, second = await ready(asking, ANN), await ready(asking, Case("bea"))
    made = await build(asking, rail=Rail.PAYMENT_VOUCHER)
    await said_yes(asking)
    await held(asking)
    with pytest.raises(BatchStopped) as caught:
        await approve(asking, made)
    found = {one.what: one.reason for one in caught.value.stops}
    assert found == {
        first.disbursement_id: StopReason.CLAIM_STOPPED,
        second.disbursement_id: StopReason.PAYEE_HELD,
    }
    await change_to_ach(asking, OTHER)
    prenote = await build(asking)
    async with asking.db.transaction() as tx:
        await hold_payee(tx, OTHER, "looks wrong", by="finance/anna", now=NOW)
    with pytest.raises(BatchStopped, match="payee_held"):
        await approve(asking, prenote)
    await run(asking, "UPDATE payee_hold SET release_made_by = 'a', released_by = 'b'")
    await run(asking, "UPDATE payee_account SET state = 'closed'")
    with pytest.raises(BatchStopped, match="no_account"):
        await approve(asking, prenote)


async def test_a_yes_at_the_moment_of_the_approval_stops_it_or_finds_it_sent(asking):
    sent = 0
    for turn in range(3):
        case = Case(f"case-{turn}", provider=OTHER if turn == 2 else PROVIDER)
        await ready(asking, case)
        made = await build(asking, rail=Rail.PAYMENT_VOUCHER)
        approved, _ = await asyncio.gather(
            approve(asking, made), says(asking, case, charged=True), return_exceptions=True
        )
        if isinstance(approved, BaseException):
            assert isinstance(approved, BatchStopped)
            async with asking.db.transaction() as tx:
                await withdraw_batch(tx, made.batch_id, by="finance/ben", now=NOW)
        else:
            sent += approved.total_cents
        assert (await asking.stages()).get("in_transit", 0) == sent
        assert (await asking.stages()).get("payable", 0) == 0
    assert len(await queue_of(Queue.CHARGES, db=asking.db)) == 3
    assert (await asking.prove()).is_right


async def test_a_payment_that_came_back_waits_for_the_decision_too(asking):
    first = await ready(asking, ANN)
    await batch_of(asking)
    await confirm(asking, word(first, "RETURNED", code="R03"))
    await said_yes(asking)
    await repaired(asking)
    second = await asking.pay(ANN, 2)
    with pytest.raises(NothingToPay):
        await build(asking, rail=Rail.PAYMENT_VOUCHER)
    await decides(asking, ANN, "finance/anna", approve=False)
    assert [fact["claim_id"] for fact in await asking.told(ClaimRevoked)] == [ANN.claim_id]
    assert (await asking.release(ANN, "claim_refused")).released_cents == 300_000
    assert await asking.stages() == {"available": 1_000_000}
    async with asking.db.connection() as connection:
        state = "SELECT state FROM disbursement WHERE disbursement_id = $1"
        assert await connection.fetchval(state, second.disbursement_id) == "stopped"
    assert (await asking.prove()).is_right


async def repaired(desk) -> None:
    async with desk.db.transaction() as tx:
        repair = await open_repair(tx, PROVIDER, evidence="call-back", maker="finance/rae", now=NOW)
    async with desk.db.transaction() as tx:
        await approve_repair(tx, PROVIDER, repair.repair_id, checker="finance/sam", now=NOW)


async def test_people_may_let_a_payment_go_on_that_came_back(asking):
    first = await ready(asking, ANN)
    await batch_of(asking)
    await confirm(asking, word(first, "RETURNED", code="R03"))
    await said_yes(asking)
    await repaired(asking)
    for name in ("finance/anna", "finance/ben"):
        await decides(asking, ANN, name, approve=True)
    assert await asking.told(ClaimResumed) == []
    await asking.pay(ANN, 2)
    assert (await batch_of(asking)).total_cents == 300_000


async def owed(desk) -> str:
    """The refund that the alert asks another person to agree to."""
    [alert] = [one for one in await open_alerts(db=desk.db) if one.code == REFUND_TO_AGREE]
    assert alert.provider_id == PROVIDER
    async with desk.db.connection() as connection:
        found = await connection.fetchval("SELECT refund_id FROM provider_refund WHERE checked_by IS NULL")
    assert found in alert.explanation
    return found


async def agrees(desk, refund_id: str, who: str = "finance/ben"):
    async with desk.db.transaction() as tx:
        return await agree_refund(tx, refund_id, checker=who, now=NOW)


async def test_a_yes_after_the_payment_ends_in_a_refund_out_of_the_next_one(asking):
    payment = await ready(asking, ANN)
    await batch_of(asking)
    await said_yes(asking)
    with pytest.raises(PaymentUnderWay, match=payment.disbursement_id):
        await decides(asking, ANN, "finance/anna", approve=False)
    [waiting] = await queue_of(Queue.CHARGES, db=asking.db)
    assert waiting.claim_id == ANN.claim_id
    await confirm(asking, word(payment))
    await decides(asking, ANN, "finance/anna", approve=False)
    assert await queue_of(Queue.CHARGES, db=asking.db) == []
    # The payment was made: the case does not end again, and nothing moves until another person agrees.
    assert await asking.told(ClaimRevoked) == []
    assert await asking.stages() == {"available": 700_000, "disbursed": 300_000}
    refund_id = await owed(asking)
    with pytest.raises(MakerIsChecker):
        await agrees(asking, refund_id, "anna")
    assert (await agrees(asking, refund_id)).cents == 300_000

    following = await ready(asking, Case("bea"))
    batch = await batch_of(asking)
    assert batch.total_cents == 100
    await confirm(asking, settled(following.disbursement_id, "P2"), name="b.pcf")
    # Of the 300,000 that ann's payment owes, all but the least payment came back and paid bea's claim.
    assert await asking.stages() == {"available": 699_900, "disbursed": 300_100}
    assert (await asking.prove()).is_right


async def test_a_yes_after_the_payment_that_people_do_not_believe_changes_nothing(asking):
    payment = await ready(asking, ANN)
    await batch_of(asking)
    await confirm(asking, word(payment))
    await said_yes(asking)
    for name in ("finance/anna", "finance/ben"):
        await decides(asking, ANN, name, approve=True)
    assert [one.code for one in await open_alerts(db=asking.db)] == []
    assert await asking.stages() == {"available": 700_000, "disbursed": 300_000}


@pytest.mark.parametrize("returned_first", [True, False])
async def test_what_the_bank_brings_back_late_is_not_owed_and_not_paid_again(asking, returned_first):
    payment = await ready(asking, ANN)
    await batch_of(asking)
    await confirm(asking, word(payment))
    await said_yes(asking)
    late = word(payment, "RETURNED", code="R03")
    if returned_first:
        await confirm(asking, late, name="late.pcf")
        await repaired(asking)
        await decides(asking, ANN, "finance/anna", approve=False)
        assert await asking.stages() == {"available": 1_000_000}
    else:
        await decides(asking, ANN, "finance/anna", approve=False)
        await agrees(asking, await owed(asking))
        await confirm(asking, late, name="late.pcf")
        await repaired(asking)
        assert await asking.stages() == {"available": 700_000, "payable": 300_000}
    with pytest.raises(NothingToPay):
        await build(asking, rail=Rail.PAYMENT_VOUCHER)
    await ready(asking, Case("bea"))
    assert (await batch_of(asking)).total_cents == 300_000
    assert (await asking.prove()).is_right


async def test_the_advance_and_what_was_netted_are_owed_back_too(desk):
    await make_platinum(desk)
    lost = await advance_paid(desk, "lost")
    await dropped(desk, lost)
    async with desk.db.transaction() as tx:
        refund = await propose_refund(tx, PROGRAM, ROUND, PROVIDER, maker="finance/anna", now=NOW)
    await agrees(desk, refund.refund_id)
    case = await advance_paid(desk, "ann")
    await desk.learn(case, price_cents=200_000)
    await desk.review(case, 160_000)
    payment = await desk.pay(case)
    made = await build(desk, rail=Rail.PAYMENT_VOUCHER)
    assert made.total_cents == 100
    # The file that would have paid the last dollar waits; 59,900 of the claim are netted by then.
    await says(desk, case, charged=True)
    with pytest.raises(BatchStopped, match="claim_stopped"):
        await approve(desk, made)
    assert await desk.stages() == {"available": 799_900, "encumbered": 100, "disbursed": 200_000}
    await decides(desk, case, "finance/anna", approve=False)
    assert (await desk.release(case, "claim_refused")).released_cents == 100
    again = await agrees(desk, await owed(desk))
    assert (again.cents, again.reason) == (100_000 + 59_900, "person_says_charged")
    async with desk.db.connection() as connection:
        state = "SELECT state FROM disbursement WHERE disbursement_id = $1"
        assert await connection.fetchval(state, DisbursementId(payment.disbursement_id)) == "stopped"

    following = await advance_paid(desk, "bea")
    await desk.learn(following, price_cents=200_000)
    await desk.review(following, 200_000)
    await desk.pay(following)
    assert (await batch_of(desk)).total_cents == 100
    assert (await desk.prove()).is_right


async def test_a_netted_payment_that_goes_on_is_paid_what_is_left_of_it(desk):
    await make_platinum(desk)
    await dropped(desk, await advance_paid(desk, "lost"))
    async with desk.db.transaction() as tx:
        refund = await propose_refund(tx, PROGRAM, ROUND, PROVIDER, maker="finance/anna", now=NOW)
    await agrees(desk, refund.refund_id)
    case = await advance_paid(desk, "ann")
    await desk.learn(case, price_cents=200_000)
    await desk.review(case, 200_000)
    await desk.pay(case)
    made = await build(desk, rail=Rail.PAYMENT_VOUCHER)
    await says(desk, case, charged=True)
    await decides(desk, case, "finance/anna", approve=True)
    with pytest.raises(BatchStopped, match="left_the_batch"):
        await approve(desk, made)
    anew = await batch_of(desk)
    assert (anew.payments, anew.total_cents) == (made.payments, made.total_cents)
    assert (await desk.prove()).is_right
