"""A case that staff hold is not paid: not out of a batch, not in one, until the case is resumed or closed."""

import asyncio
from uuid import uuid4

import pytest

from contracts.envelope import Envelope, schema_uri, source_of
from contracts.events.applications import StaffAct, StaffActRecorded
from contracts.ids import StaffActId
from kit.clock import FixedClock
from kit.inbox import Received
from services.payments.claims.stops import BatchStopped
from services.payments.domain import NothingToPay
from services.payments.payees.payees import Rail
from services.payments.subscribers import handlers
from services.payments.usecases.batches import withdraw_batch
from tests.services.payments.case import NOW, OTHER, Case, Desk
from tests.services.payments.usecases.test_batches import approve, build
from tests.support.lock_waits import until_one_waits

ANN, BOB = Case("ann"), Case("bob", provider=OTHER)


async def staff(desk: Desk, case: Case, act: StaffAct, *, sequence: int) -> None:
    """Payments hears what staff did to a case, as the `sequence`-th fact of applications about it."""
    fact = StaffActRecorded(
        application_id=case.id, act_id=StaffActId.new(), act=act, actor="jo", reason="complaint", acted_at=NOW
    )
    envelope = Envelope(
        id=uuid4(),
        type=fact.TYPE,
        source=source_of(fact.TYPE),
        time=NOW,
        subject=fact.partition_key(),
        dataschema=schema_uri(fact.TYPE),
        sequence=sequence,
        correlation_id="test",
    )
    async with desk.db.transaction() as tx:
        await handlers(FixedClock(NOW))[StaffActRecorded](Received(envelope, fact), tx)


async def ordered(desk: Desk, *cases: Case) -> None:
    for case in cases:
        await desk.pay(await desk.approved(case))


@pytest.mark.parametrize("ends", [StaffAct.RESUMED, StaffAct.CLOSED])
async def test_a_held_case_stays_out_of_batches_until_the_hold_ends(desk: Desk, ends: StaffAct) -> None:
    await ordered(desk, ANN, BOB)
    await staff(desk, ANN, StaffAct.HELD, sequence=7)
    made = await build(desk, rail=Rail.PAYMENT_VOUCHER)
    assert (made.payments, made.total_cents) == (1, 300_000)
    with pytest.raises(NothingToPay):
        await build(desk, rail=Rail.PAYMENT_VOUCHER)
    await staff(desk, ANN, StaffAct.EXTENDED, sequence=8)
    with pytest.raises(NothingToPay):
        await build(desk, rail=Rail.PAYMENT_VOUCHER)
    await staff(desk, ANN, ends, sequence=9)
    assert (await build(desk, rail=Rail.PAYMENT_VOUCHER)).payments == 1


async def test_what_is_ordered_during_the_hold_waits_too(desk: Desk) -> None:
    await desk.approved(ANN)
    await staff(desk, ANN, StaffAct.HELD, sequence=7)
    await desk.pay(ANN)
    with pytest.raises(NothingToPay):
        await build(desk, rail=Rail.PAYMENT_VOUCHER)


async def test_an_older_act_that_comes_late_or_again_changes_nothing(desk: Desk) -> None:
    await ordered(desk, ANN)
    await staff(desk, ANN, StaffAct.RESUMED, sequence=8)
    await staff(desk, ANN, StaffAct.HELD, sequence=7)
    assert (await build(desk, rail=Rail.PAYMENT_VOUCHER)).payments == 1


async def test_a_hold_at_the_moment_of_the_approval_stops_the_payment_or_finds_it_sent(desk: Desk) -> None:
    for turn in range(3):
        case = Case(f"case-{turn}")
        await desk.pay(await desk.approved(case, 100_000))
        made = await build(desk, rail=Rail.PAYMENT_VOUCHER)
        before = (await desk.stages()).get("in_transit", 0)
        approved, _ = await asyncio.gather(
            approve(desk, made), staff(desk, case, StaffAct.HELD, sequence=7), return_exceptions=True
        )
        is_sent = not isinstance(approved, BaseException)
        assert is_sent or isinstance(approved, BatchStopped)
        assert (await desk.stages()).get("in_transit", 0) == before + (100_000 if is_sent else 0)
        if not is_sent:
            async with desk.db.transaction() as tx:
                await withdraw_batch(tx, made.batch_id, by="finance/ben", now=NOW)
    assert (await desk.prove()).is_right


async def test_a_hold_waits_for_an_approval_that_has_begun(desk: Desk) -> None:
    """Else the approval would read that nobody holds the case, and send the payment after the hold was kept."""
    await ordered(desk, ANN)
    async with desk.db.transaction() as approving:
        await approving.execute("SELECT FROM disbursement FOR UPDATE")
        hold = asyncio.create_task(staff(desk, ANN, StaffAct.HELD, sequence=7))
        await until_one_waits(desk.db, hold)
        assert not hold.done(), "the hold did not wait"
        assert await approving.fetchval("SELECT count(*) FROM held_case") == 0
    await hold
