"""Payments are addressed by the payee's supplier number and location; both change like an account, by no pack."""

from datetime import timedelta

import pytest

from contracts.steps.payments import ClaimStatus
from services.payments.claims.stops import BatchStopped, StopReason
from services.payments.domain import NothingToPay
from services.payments.payees.payees import Rail, Waits
from services.payments.remittance import read_vouchers
from services.payments.usecases.batches import withdraw_batch
from services.payments.usecases.payees import Proposal
from services.payments.usecases.program import follow_program
from services.payments.usecases.screening import open_alerts, take_screening_list
from tests.services.payments.case import NOW, PROVIDER, Case, published
from tests.services.payments.usecases.test_batches import CALLED, COOLING_DAYS, build
from tests.services.payments.usecases.test_batches import approve as approve_batch
from tests.services.payments.usecases.test_claims import failed
from tests.services.payments.usecases.test_payees import approve, propose, shown

FIRST, OTHER_NUMBER = "0000000001", "0000000666"
COOL = NOW + timedelta(days=COOLING_DAYS)


async def publish_other_number(desk, version=7) -> None:
    fact = published(version=version)
    providers = [
        one.model_copy(update={"supplier_number": OTHER_NUMBER}) if one.provider_id == PROVIDER else one
        for one in fact.providers
    ]
    async with desk.db.transaction() as tx:
        await follow_program(fact.model_copy(update={"providers": providers}), tx, now=NOW)


async def change_number(desk, *, old_stays=True):
    change = await propose(desk, Proposal(supplier_number=OTHER_NUMBER, call_back=CALLED, old_stays=old_stays))
    return await approve(desk, change)


async def numbers_in_file(desk, *, now=NOW) -> list[str]:
    batch = await approve_batch(desk, await build(desk, rail=Rail.PAYMENT_VOUCHER, now=now), now=now)
    return [payment.supplier_number for payment in read_vouchers(batch.content).payments]


async def test_a_pack_with_another_number_redirects_nothing(desk):
    await desk.pay(await desk.approved(Case("before")))
    await publish_other_number(desk)
    await desk.pay(await desk.approved(Case("after"), 250_000))
    assert await numbers_in_file(desk) == [FIRST, FIRST]
    assert (await shown(desk)).payee.supplier_number == FIRST
    assert [one.code for one in await open_alerts(db=desk.db)] == ["supplier_number_differs"]


async def test_an_invoice_stays_the_same_under_another_number(desk):
    await desk.approved(Case("ann"))
    await change_number(desk)
    again = Case("bea")
    await desk.hold(again)
    await desk.encumber(again)
    await desk.learn(again)
    desk.now = COOL
    reviewed = await desk.review(again, invoice_number="INV-ann")
    assert (reviewed.status, failed(reviewed)) == (ClaimStatus.RETURNED, {"invoice_used"})


async def test_the_old_number_is_paid_under_until_the_new_one_has_cooled_off(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_number(desk)
    assert await numbers_in_file(desk, now=COOL - timedelta(seconds=1)) == [FIRST]
    await desk.pay(await desk.approved(Case("bea")))
    assert await numbers_in_file(desk, now=COOL) == [OTHER_NUMBER]


async def test_payments_wait_where_the_old_number_is_not_to_be_paid_under(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_number(desk, old_stays=False)
    assert (await shown(desk)).leaves is Waits.COOLING_OFF
    with pytest.raises(NothingToPay):
        await build(desk, rail=Rail.PAYMENT_VOUCHER, now=COOL - timedelta(seconds=1))
    assert await numbers_in_file(desk, now=COOL) == [OTHER_NUMBER]


async def test_a_batch_stops_where_the_number_changed_since_its_making(desk):
    payment = await desk.pay(await desk.approved(Case("ann")))
    await change_number(desk)
    batch = await build(desk, rail=Rail.PAYMENT_VOUCHER)
    with pytest.raises(BatchStopped) as stopped:
        await approve_batch(desk, batch, now=COOL)
    assert [(one.what, one.reason) for one in stopped.value.stops] == [
        (payment.disbursement_id, StopReason.OTHER_SUPPLIER)
    ]
    async with desk.db.transaction() as tx:
        await withdraw_batch(tx, batch.batch_id, by="finance/anna", now=COOL)
    assert await numbers_in_file(desk, now=COOL) == [OTHER_NUMBER]


async def test_a_batch_stops_where_a_payment_names_a_number_that_is_not_the_payees(desk):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await build(desk, rail=Rail.PAYMENT_VOUCHER)
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE disbursement SET supplier_number = $1", OTHER_NUMBER)
    with pytest.raises(BatchStopped, match=StopReason.OTHER_SUPPLIER):
        await approve_batch(desk, batch)


async def test_a_proposed_number_is_screened_too(desk):
    lines = f"reference,name,supplier_number\nB-1,Somebody,{OTHER_NUMBER}\n".encode()
    async with desk.db.transaction() as tx:
        await take_screening_list(tx, lines, "sanctions", imported_by="x", now=NOW)
    await propose(desk, Proposal(supplier_number=OTHER_NUMBER, call_back=CALLED))
    assert (await shown(desk)).leaves is Waits.HELD


async def change_location(desk, location="MAIN", *, old_stays=True):
    return await approve(desk, await propose(desk, Proposal(location=location, call_back=CALLED, old_stays=old_stays)))


async def locations_in_file(desk, *, now) -> list[str]:
    batch = await approve_batch(desk, await build(desk, rail=Rail.PAYMENT_VOUCHER, now=now), now=now)
    return [payment.location for payment in read_vouchers(batch.content).payments]


async def test_the_old_location_is_paid_until_the_new_one_has_cooled_off(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_location(desk)
    assert await locations_in_file(desk, now=COOL - timedelta(seconds=1)) == [""]
    await desk.pay(await desk.approved(Case("bea")))
    assert await locations_in_file(desk, now=COOL) == ["MAIN"]


async def test_a_location_that_is_changed_twice_in_its_cooling_off_has_never_paid(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_location(desk, "SWINDLER")
    await change_location(desk, "MAIN")
    assert await locations_in_file(desk, now=COOL - timedelta(seconds=1)) == [""]


async def test_payments_wait_where_the_old_location_is_not_to_be_paid(desk):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await build(desk, rail=Rail.PAYMENT_VOUCHER)
    await change_location(desk, old_stays=False)
    assert (await shown(desk)).leaves is Waits.COOLING_OFF
    with pytest.raises(BatchStopped, match=StopReason.COOLING_OFF):
        await approve_batch(desk, batch, now=COOL - timedelta(seconds=1))
    async with desk.db.transaction() as tx:
        await withdraw_batch(tx, batch.batch_id, by="finance/anna", now=COOL)
    assert await locations_in_file(desk, now=COOL) == ["MAIN"]
