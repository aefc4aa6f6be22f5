"""A claim is matched, decided once, and paid until it settles; files go out and come in."""

import asyncio
import hashlib
from datetime import UTC, date, datetime

import pytest

from contracts.errors import NotFound
from contracts.events.payments import (
    ClaimApproved,
    ClaimReferred,
    DisbursementOrdered,
    DisbursementRepaired,
    DisbursementReturned,
    DisbursementSent,
    DisbursementSettled,
)
from contracts.ids import ClaimId, DisbursementId
from contracts.steps.payments import ClaimStatus
from services.payments.domain import (
    BatchAlreadyApproved,
    BatchState,
    ClaimNotPayable,
    DisbursementStillOpen,
    MakerIsChecker,
    NothingToPay,
    NothingToRepair,
    NotYetKnown,
    RepairAlreadyApproved,
    RepairAlreadyOpen,
)
from services.payments.gateways import ExchangeFolder
from services.payments.remittance import Confirmation, read_vouchers, write_confirmations
from services.payments.usecases.batches import approve_batch, build_batch, transmit_batches
from services.payments.usecases.claims import claim_of_provider
from services.payments.usecases.confirmations import read_inbound, take_confirmations
from services.payments.usecases.disbursements import approve_repair, open_repair
from tests.services.payments.case import NOW, OTHER, PROVIDER, RAILS, Case, Desk
from tests.support.lock_waits import until_one_waits


def failed(reviewed):
    return {check.reason for check in reviewed.checks if not check.passed}


async def batch_of(desk, *, maker="finance/anna", checker="finance/ben"):
    async with desk.db.transaction() as tx:
        batch = await build_batch(tx, maker=maker, rails=RAILS, now=NOW)
    async with desk.db.transaction() as tx:
        return await approve_batch(tx, batch.batch_id, checker=checker, rails=RAILS, now=NOW)


def word(payment, status="PAID", *, number="P1", code=None) -> Confirmation:
    return Confirmation(payment.disbursement_id, "V1", number, date(2026, 3, 11), status, code)


async def confirm(desk, *words, name="answers.pcf"):
    return await take_confirmations(name, write_confirmations(words, NOW), db=desk.db, now=NOW)


async def test_a_clean_claim_approves_itself_and_only_once(desk):
    case = await desk.approved(Case("ann"), 250_000)
    answers = await asyncio.gather(*(desk.review(case, 250_000) for _ in range(5)))
    assert {a.status for a in answers} == {ClaimStatus.APPROVED}
    assert all(check.passed for check in answers[0].checks)
    assert answers[0].due_at == datetime(2026, 4, 9, 23, 59, 59, tzinfo=UTC)
    assert await desk.stages() == {"available": 750_000, "payable": 250_000}
    assert len(await desk.told(ClaimApproved)) == 1


async def test_what_the_claim_does_not_need_goes_back(desk):
    case = Case("ann")
    await desk.hold(case)
    await desk.encumber(case)
    await desk.learn(case)
    reviewed = await desk.review(case, 280_000)
    assert (reviewed.status, reviewed.approved_cents) == (ClaimStatus.APPROVED, 280_000)
    assert await desk.stages() == {"available": 720_000, "payable": 280_000}
    assert (await desk.release(case)).released_cents == 0
    assert (await desk.prove()).is_right


async def test_a_claim_waits_for_the_facts_it_is_matched_against(desk):
    case = Case("ann")
    await desk.hold(case)
    await desk.encumber(case)
    with pytest.raises(NotYetKnown):
        await desk.review(case)
    await desk.learn(case)
    assert (await desk.review(case)).status is ClaimStatus.APPROVED


async def test_a_returned_claim_may_come_again_mended(desk):
    case = Case("ann")
    await desk.hold(case)
    await desk.encumber(case)
    await desk.learn(case)
    returned = await desk.review(case, 300_001)
    assert (returned.status, failed(returned)) == (ClaimStatus.RETURNED, {"exceeds_encumbrance"})
    assert await desk.stages() == {"available": 700_000, "encumbered": 300_000}
    mended = await desk.review(case, 300_000, claim_id=ClaimId.derive("mended"))
    assert mended.status is ClaimStatus.APPROVED


async def test_an_invoice_is_not_paid_twice(desk):
    await desk.approved(Case("ann"))
    other = Case("bea")
    await desk.hold(other)
    await desk.encumber(other)
    await desk.learn(other)
    reviewed = await desk.review(other, invoice_number="INV-ann")
    assert (reviewed.status, failed(reviewed)) == (ClaimStatus.RETURNED, {"invoice_used"})
    resembles = await desk.review(other, invoice_number="inv 0ann".replace("0", ""), claim_id=ClaimId.derive("x"))
    assert (resembles.status, failed(resembles)) == (ClaimStatus.REFERRED, {"invoice_resembles"})


async def test_above_the_threshold_two_different_people_approve(desk):
    case = Case("ann")
    await desk.hold(case)
    await desk.encumber(case)
    await desk.learn(case)
    for approved_by in ([], ["ada"], ["ada", "ada"]):
        reviewed = await desk.review(case, auto_approve_max_cents=299_999, approved_by=approved_by)
        assert (reviewed.status, failed(reviewed)) == (ClaimStatus.REFERRED, {"above_self_approval"})
    reviewed = await desk.review(case, auto_approve_max_cents=299_999, approved_by=["ada", "ben"])
    assert reviewed.status is ClaimStatus.APPROVED
    assert len(await desk.told(ClaimReferred)) == 2
    late = await desk.review(case, auto_approve_max_cents=299_999, refused_by="cid")
    assert late.status is ClaimStatus.APPROVED


async def test_staff_may_refuse_a_referred_claim(desk):
    case = Case("ann")
    await desk.hold(case)
    await desk.encumber(case)
    await desk.learn(case)
    asked = await desk.review(case, participant_charged_cents=5_000)
    assert (asked.status, failed(asked)) == (ClaimStatus.REFERRED, {"participant_charged"})
    refused = await desk.review(case, participant_charged_cents=5_000, refused_by="ada")
    assert refused.status is ClaimStatus.REFUSED
    assert "refused_by_staff" in failed(refused)
    with pytest.raises(ClaimNotPayable):
        await desk.pay(case)


async def test_a_claim_after_the_release_finds_no_money(desk):
    case = Case("ann")
    await desk.hold(case)
    await desk.encumber(case)
    await desk.learn(case)
    await desk.release(case)
    reviewed = await desk.review(case)
    assert (reviewed.status, reviewed.approved_cents) == (ClaimStatus.REFUSED, 0)
    assert "no_encumbrance" in failed(reviewed)


async def test_a_provider_reads_its_own_claims_only(desk):
    case = await desk.approved(Case("ann"))
    assert (await claim_of_provider(case.claim_id, PROVIDER, db=desk.db)).approved_cents == 300_000
    with pytest.raises(NotFound):
        await claim_of_provider(case.claim_id, OTHER, db=desk.db)


async def test_the_whole_way_of_a_payment(desk, tmp_path):
    case = await desk.approved(Case("ann"))
    payment = await desk.pay(case)
    assert await desk.pay(case) == payment
    assert len(await desk.told(DisbursementOrdered)) == 1
    batch = await batch_of(desk)
    assert await desk.stages() == {"available": 700_000, "in_transit": 300_000}
    exchange = ExchangeFolder(tmp_path)
    await transmit_batches(exchange=exchange, db=desk.db, now=NOW)
    content = (tmp_path / "outbound" / f"{batch.batch_id}.pvf").read_bytes()
    assert hashlib.sha256(content).digest() == batch.content_sha256
    [line] = read_vouchers(content).payments
    assert (line.disbursement_id, line.amount_cents, line.invoice_number) == (
        payment.disbursement_id, 300_000, "INV-ann",
    )  # fmt: skip
    [sent] = await desk.told(DisbursementSent)
    assert sent["batch_id"] == batch.batch_id
    (tmp_path / "inbound").mkdir()
    (tmp_path / "inbound" / "answer.pcf").write_bytes(write_confirmations([word(payment)], NOW))
    assert await read_inbound(exchange=exchange, db=desk.db, now=NOW) == 1
    assert [p.name for p in (tmp_path / "inbound" / "processed").iterdir()] == ["answer.pcf"]
    assert await read_inbound(exchange=exchange, db=desk.db, now=NOW) == 0
    assert await desk.stages() == {"available": 700_000, "disbursed": 300_000}
    [settled] = await desk.told(DisbursementSettled)
    assert (settled["payment_number"], settled["paid_on"]) == ("P1", "2026-03-11")
    assert (await desk.prove()).is_right


async def test_a_returned_payment_is_repaired_and_paid_again(desk):
    case = await desk.approved(Case("ann"))
    first = await desk.pay(case)
    await batch_of(desk)
    with pytest.raises(DisbursementStillOpen):
        await desk.pay(case, 2)
    await confirm(desk, word(first, "RETURNED", code="R03"))
    assert await desk.stages() == {"available": 700_000, "payable": 300_000}
    assert [f["return_code"] for f in await desk.told(DisbursementReturned)] == ["R03"]
    async with desk.db.transaction() as tx:
        repair = await open_repair(tx, PROVIDER, evidence="call-back", maker="finance/anna", now=NOW)
    with pytest.raises(RepairAlreadyOpen):
        async with desk.db.transaction() as tx:
            await open_repair(tx, PROVIDER, evidence="call-back", maker="finance/ben", now=NOW)
    with pytest.raises(MakerIsChecker):
        async with desk.db.transaction() as tx:
            await approve_repair(tx, PROVIDER, repair.repair_id, checker="finance/anna", now=NOW)
    async with desk.db.transaction() as tx:
        _, repaired = await approve_repair(tx, PROVIDER, repair.repair_id, checker="finance/ben", now=NOW)
    assert repaired == [first.disbursement_id]
    assert len(await desk.told(DisbursementRepaired)) == 1
    second = await desk.pay(case, 2)
    assert second.disbursement_id != first.disbursement_id
    await batch_of(desk)
    # The bank's word on the first attempt comes again: it undoes nothing of the second.
    assert (await confirm(desk, word(first, "RETURNED", code="R03"), word(second, number="P2"))).repeated == 1
    assert await desk.stages() == {"available": 700_000, "disbursed": 300_000}
    assert (await desk.prove()).is_right


async def came_back(desk: Desk) -> tuple[Case, str]:
    """A case whose payment came back, and the repair of its payee that waits for a second person."""
    case = await desk.approved(Case("ann"))
    first = await desk.pay(case)
    await batch_of(desk)
    await confirm(desk, word(first, "RETURNED", code="R03"))
    async with desk.db.transaction() as tx:
        repair = await open_repair(tx, PROVIDER, evidence="call-back", maker="finance/anna", now=NOW)
    return case, repair.repair_id


async def approve_in_a_transaction(desk: Desk, repair_id: str, checker: str):
    async with desk.db.transaction() as tx:
        return await approve_repair(tx, PROVIDER, repair_id, checker=checker, now=NOW)


async def test_two_people_who_approve_a_repair_at_once_are_one_approval(desk):
    _, repair_id = await came_back(desk)
    answers = await asyncio.gather(
        *(approve_in_a_transaction(desk, repair_id, f"finance/{name}") for name in ("ben", "cid", "dee")),
        return_exceptions=True,
    )
    refused = [one for one in answers if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [RepairAlreadyApproved] * 2
    assert len(await desk.told(DisbursementRepaired)) == 1


async def test_a_repair_waits_for_the_claim_before_it_takes_the_payment(desk):
    """Whoever stops a claim locks it first and its payment after it: the other way round each would wait for ever."""
    case, repair_id = await came_back(desk)
    async with desk.db.transaction() as holder:
        await holder.execute("SELECT FROM claim WHERE claim_id = $1 FOR UPDATE", case.claim_id)
        approving = asyncio.create_task(approve_in_a_transaction(desk, repair_id, "finance/ben"))
        await until_one_waits(desk.db, approving)
        await holder.execute("SELECT FROM disbursement WHERE claim_id = $1 FOR UPDATE NOWAIT", case.claim_id)
    await approving


async def test_nothing_is_repaired_where_nothing_came_back(desk):
    with pytest.raises(NothingToRepair):
        async with desk.db.transaction() as tx:
            await open_repair(tx, PROVIDER, evidence="call-back", maker="finance/anna", now=NOW)


async def test_maker_and_checker_of_a_batch_are_two_people(desk):
    await desk.pay(await desk.approved(Case("ann")))
    async with desk.db.transaction() as tx:
        batch = await build_batch(tx, maker="finance/anna", rails=RAILS, now=NOW)
    with pytest.raises(MakerIsChecker):
        async with desk.db.transaction() as tx:
            await approve_batch(tx, batch.batch_id, checker="finance/anna", rails=RAILS, now=NOW)
    assert await desk.stages() == {"available": 700_000, "payable": 300_000}
    async with desk.db.transaction() as tx:
        await approve_batch(tx, batch.batch_id, checker="finance/ben", rails=RAILS, now=NOW)
    with pytest.raises(BatchAlreadyApproved):
        async with desk.db.transaction() as tx:
            await approve_batch(tx, batch.batch_id, checker="finance/cid", rails=RAILS, now=NOW)
    with pytest.raises(NothingToPay):
        async with desk.db.transaction() as tx:
            await build_batch(tx, maker="finance/anna", rails=RAILS, now=NOW)


async def test_two_makers_at_once_take_different_payments(desk):
    for name, provider in (("a", PROVIDER), ("b", OTHER)):
        await desk.pay(await desk.approved(Case(name, provider=provider)))

    async def make():
        async with desk.db.transaction() as tx:
            return await build_batch(tx, maker="finance/anna", rails=RAILS, now=NOW)

    made = await asyncio.gather(make(), make(), return_exceptions=True)
    batches = [one for one in made if not isinstance(one, NothingToPay)]
    assert sum(batch.payments for batch in batches) == 2


async def test_an_answer_that_overtakes_our_own_note_is_taken(desk):
    case = await desk.approved(Case("ann"))
    payment = await desk.pay(case)
    batch = await batch_of(desk)
    assert batch.state is BatchState.APPROVED
    await confirm(desk, word(payment))
    kinds = [f["type"].split(".", 2)[2] for f in await desk.told() if "disbursement" in f["type"]]
    assert kinds == ["disbursement.ordered.v1", "disbursement.sent.v1", "disbursement.settled.v1"]


async def test_confirmations_again_garbled_unknown_and_contradicting(desk):
    paid = await desk.pay(await desk.approved(Case("ann")))
    other = await desk.pay(await desk.approved(Case("bea", provider=OTHER)))
    await batch_of(desk)
    stranger = Confirmation(DisbursementId.derive("nobody"), "V9", "P9", date(2026, 3, 11), "PAID")
    content = write_confirmations([word(paid), stranger, word(paid), word(other, number="P2")], NOW)
    lines = content.split(b"\n")
    lines[4] = lines[4].replace(b"PAID", b"PA\xff\x00")
    reading = await take_confirmations("a.pcf", b"\n".join(lines), db=desk.db, now=NOW)
    assert (reading.applied, reading.repeated) == (1, 1)
    assert sorted((r.number, r.reason) for r in reading.rejected) == [
        (3, "unknown_disbursement"),
        (4 + 1, "not_printable"),
    ]
    async with desk.db.connection() as connection:
        kept = await connection.fetch(
            "SELECT line_number, line, reason FROM confirmation_rejected ORDER BY line_number"
        )
    assert [bytes(row["line"]) for row in kept] == [lines[2], lines[4]]
    assert (await take_confirmations("b.pcf", b"\n".join(lines), db=desk.db, now=NOW)).again
    # What another payment number says about a settled payment is for people to look at.
    for contradiction in (word(paid, "RETURNED", number="P7", code="R02"), word(paid, number="P7")):
        assert [r.reason for r in (await confirm(desk, contradiction)).rejected] == ["already_settled"]
    assert (await desk.stages())["disbursed"] == 300_000
    assert len(await desk.told(DisbursementSettled)) == 1
    assert (await desk.prove()).is_right


async def test_a_payment_that_was_never_sent_is_not_confirmed(desk):
    payment = await desk.pay(await desk.approved(Case("ann")))
    assert [r.reason for r in (await confirm(desk, word(payment))).rejected] == ["not_sent"]
