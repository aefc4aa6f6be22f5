"""Batches on both rails: what leaves by which, one file for ever, numbered across batches, put out once."""

import asyncio
import os
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from contracts.events.payments import DisbursementSent
from services.payments.claims.stops import BatchStopped
from services.payments.domain import BatchAlreadyApproved, BatchState, NothingToPay, TooManyFiles
from services.payments.gateways import ExchangeFolder
from services.payments.nacha import SAMPLE_ORIGINATOR
from services.payments.nacha.banking_days import is_banking_day
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.payees.payees import CallBack, Rail
from services.payments.rails import RailNotSetUp
from services.payments.rails.ach import ID_MODIFIERS, AchRail
from services.payments.rails.installed import Rails
from services.payments.rails.letter import LETTER_SUFFIX
from services.payments.usecases.batches import (
    approve_batch,
    build_batch,
    call_for_unanswered,
    mark_transmitted,
    transmit_batches,
    withdraw_batch,
)
from services.payments.usecases.payees import NewAccount, Proposal, approve_change, propose_change
from services.payments.usecases.screening import hold_payee, open_alerts
from tests.services.payments.case import NOW, OTHER, PROVIDER, RAILS, Case
from tests.services.payments.nacha.builders import judged

NUMBERS = AccountNumbers(os.urandom(32))
ACH = AchRail(SAMPLE_ORIGINATOR, NUMBERS, ZoneInfo("America/New_York"))
BOTH = replace(RAILS, ach=ACH)
NUMBER = "00998877665544"
CALLED = CallBack("Pat Doe, treasurer", "+1 440 555 0100", NOW - timedelta(hours=1))
ACCOUNT = NewAccount("Lorain College", "041099999", NUMBER, "checking")
COOLING_DAYS = 10


async def change_to_ach(desk, provider=PROVIDER, *, now=NOW, account=ACCOUNT, entry_class="CCD", old_stays=True):
    async with desk.db.transaction() as tx:
        proposal = Proposal(
            rail=Rail.ACH, entry_class=entry_class, account=account, call_back=CALLED, old_stays=old_stays
        )
        change = await propose_change(tx, provider, proposal, maker="finance/anna", numbers=NUMBERS, now=now)
    async with desk.db.transaction() as tx:
        return await approve_change(
            tx, provider, change.change_id, checker="finance/ben", cooling_off_days=COOLING_DAYS, now=now
        )


async def build(desk, *, rail=Rail.ACH, now=NOW, rails: Rails = BOTH):
    async with desk.db.transaction() as tx:
        return await build_batch(tx, maker="finance/anna", rails=rails, rail=rail, now=now)


async def approve(desk, batch, *, now=NOW, rails: Rails = BOTH):
    async with desk.db.transaction() as tx:
        return await approve_batch(tx, batch.batch_id, checker="finance/ben", rails=rails, now=now)


async def sent(desk, *, rail=Rail.ACH, now=NOW):
    return await approve(desk, await build(desk, rail=rail, now=now), now=now)


async def out(desk, *, rail=Rail.ACH, now=NOW):
    """Sent, and its file is out."""
    batch = await sent(desk, rail=rail, now=now)
    async with desk.db.transaction() as tx:
        await mark_transmitted(tx, batch.batch_id, now=now)
    return batch


async def on_ach(desk, *providers, entry_class="CCD"):
    """Payees whose accounts are old enough to be paid to; the moment from which on."""
    for provider in providers:
        await change_to_ach(desk, provider, entry_class=entry_class)
    await out(desk)
    return NOW + timedelta(days=COOLING_DAYS)


async def test_prenote_then_cooling_off_then_payment(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_to_ach(desk, old_stays=False)
    prenote = await out(desk)
    assert (prenote.payments, prenote.prenotes, prenote.total_cents) == (0, 1, 0)
    [found], verdict = judged(prenote.content)
    assert verdict.valid, verdict.first_fault
    assert (found.entry.transaction_code, found.entry.amount_cents, found.entry.addenda) == (23, 0, ())
    assert found.entry.account_number == NUMBER
    assert NUMBER not in prenote.letter
    # The prenote's three banking days are over, the cooling-off period is not; and nothing leaves the old way.
    for rail in Rail:
        with pytest.raises(NothingToPay):
            await build(desk, rail=rail, now=NOW + timedelta(days=9))
    assert await desk.stages() == {"available": 700_000, "payable": 300_000}
    later = NOW + timedelta(days=COOLING_DAYS)
    batch = await sent(desk, now=later)
    [paid], verdict = judged(batch.content)
    assert verdict.valid, verdict.first_fault
    assert (paid.entry.transaction_code, paid.entry.amount_cents) == (22, 300_000)
    assert paid.entry.addenda == ("RMR*IV*INV-ann**3000.00\\",)
    assert (paid.entry.name, paid.entry.identification) == ("LORAIN COLLEGE", "0000000001")
    assert paid.batch.effective_on == date(2026, 3, 23)
    assert paid.entry.trace > found.entry.trace
    assert await desk.stages() == {"available": 700_000, "in_transit": 300_000}
    assert (await desk.prove()).is_right


async def test_the_three_banking_days_of_a_prenote_are_kept_though_cooling_off_is_over(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_to_ach(desk, old_stays=False)
    later = NOW + timedelta(days=COOLING_DAYS)
    prenote = await out(desk, now=later)
    assert prenote.effective_on == date(2026, 3, 23)
    for day in range(3):
        with pytest.raises(NothingToPay):
            await build(desk, now=later + timedelta(days=day))
    assert (await sent(desk, now=datetime(2026, 3, 25, 15, tzinfo=UTC))).effective_on == date(2026, 3, 26)


async def test_a_prenote_counts_from_when_its_file_is_out(desk, tmp_path):
    await desk.pay(await desk.approved(Case("ann")))
    await change_to_ach(desk, old_stays=False)
    prenote = await sent(desk)
    assert prenote.effective_on == date(2026, 3, 11)
    with pytest.raises(NothingToPay):
        await build(desk, now=NOW + timedelta(days=30))
    # Friday: the file settles on Monday, and the account is paid to from Thursday on.
    friday = datetime(2026, 4, 10, 15, tzinfo=UTC)
    await transmit_batches(exchange=ExchangeFolder(tmp_path), db=desk.db, now=friday)
    [alert] = await open_alerts(db=desk.db)
    assert (alert.code, alert.batch_id) == ("batch_stale", prenote.batch_id)
    with pytest.raises(NothingToPay):
        await build(desk, now=datetime(2026, 4, 14, 15, tzinfo=UTC))
    assert (await sent(desk, now=datetime(2026, 4, 15, 15, tzinfo=UTC))).effective_on == date(2026, 4, 16)


async def test_a_file_that_is_out_in_time_is_not_stale(desk):
    await change_to_ach(desk)
    await out(desk, now=NOW)
    assert await open_alerts(db=desk.db) == []


async def test_the_old_way_pays_until_the_new_account_can(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_to_ach(desk)
    assert (await out(desk)).payments == 0
    voucher = await sent(desk, rail=Rail.PAYMENT_VOUCHER)
    assert (voucher.rail, voucher.payments) == (Rail.PAYMENT_VOUCHER, 1)
    await desk.pay(await desk.approved(Case("bea")))
    later = NOW + timedelta(days=COOLING_DAYS)
    with pytest.raises(NothingToPay):
        await build(desk, rail=Rail.PAYMENT_VOUCHER, now=later)
    assert (await sent(desk, now=later)).payments == 1


async def test_each_class_has_its_batch_and_traces_go_on_across_files(desk):
    later = await on_ach(desk, PROVIDER, OTHER)
    await desk.pay(await desk.approved(Case("ann")))
    await desk.pay(await desk.approved(Case("bea", provider=OTHER)))
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE payee SET entry_class = 'CTX' WHERE provider_id = $1", OTHER)
    first = await sent(desk, now=later)
    found, verdict = judged(first.content)
    assert verdict.valid, verdict.first_fault
    assert [(one.batch.entry_class, one.batch.number) for one in found] == [("CCD", 1), ("CTX", 2)]
    assert [int(one.entry.trace[8:]) for one in found] == [3, 4]
    assert f"TRN*1*{found[1].entry.trace}*" in "".join(found[1].entry.addenda)
    assert len(found[1].entry.name) <= 16
    async with desk.db.connection() as connection:
        rows = await connection.fetch("SELECT trace, amount_cents FROM payment_entry ORDER BY trace")
    assert [row["amount_cents"] for row in rows] == [0, 0, 300_000, 300_000]


async def test_file_ids_of_a_day_are_counted_and_run_out(desk):
    await change_to_ach(desk)
    async with desk.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO file_id_sequence VALUES ($1, $2, $3)",
            SAMPLE_ORIGINATOR.odfi_routing,
            date(2026, 3, 10),
            len(ID_MODIFIERS) - 1,
        )
    last = await sent(desk)
    assert judged(last.content)[1].header.id_modifier == "9"
    await change_to_ach(desk, OTHER)
    batch = await build(desk)
    with pytest.raises(TooManyFiles):
        await approve(desk, batch)
    tomorrow = await approve(desk, batch, now=NOW + timedelta(days=1))
    assert judged(tomorrow.content)[1].header.id_modifier == "A"


async def test_traces_that_run_out_begin_anew_and_still_ascend(desk):
    await change_to_ach(desk, PROVIDER)
    await change_to_ach(desk, OTHER)
    async with desk.db.transaction() as tx:
        await tx.execute("INSERT INTO trace_sequence VALUES ($1, 9999998)", ACH.odfi)
    found, verdict = judged((await sent(desk)).content)
    assert verdict.valid, verdict.first_fault
    assert [int(one.entry.trace[8:]) for one in found] == [1, 2]


async def test_a_hold_stops_the_next_batch_and_one_that_is_built(desk):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await build(desk, rail=Rail.PAYMENT_VOUCHER)
    async with desk.db.transaction() as tx:
        await hold_payee(tx, PROVIDER, "looks wrong", by="finance/anna", now=NOW)
    with pytest.raises(BatchStopped, match="payee_held"):
        await approve(desk, batch)
    assert await desk.stages() == {"available": 700_000, "payable": 300_000}
    async with desk.db.transaction() as tx:
        assert (await withdraw_batch(tx, batch.batch_id, by="finance/ben", now=NOW)).state is BatchState.WITHDRAWN
    with pytest.raises(NothingToPay):
        await build(desk, rail=Rail.PAYMENT_VOUCHER)
    with pytest.raises(BatchAlreadyApproved):
        async with desk.db.transaction() as tx:
            await withdraw_batch(tx, batch.batch_id, by="finance/ben", now=NOW)


async def test_a_batch_does_not_leave_a_way_that_was_given_up(desk):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await build(desk, rail=Rail.PAYMENT_VOUCHER)
    await change_to_ach(desk, old_stays=False)
    with pytest.raises(BatchStopped, match="cooling_off"):
        await approve(desk, batch)


async def test_without_a_sender_nothing_leaves_by_ach(desk):
    with pytest.raises(RailNotSetUp):
        await build(desk, rails=RAILS)


async def test_the_letter_says_what_the_file_says(desk):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await sent(desk, rail=Rail.PAYMENT_VOUCHER)
    lines = dict(line.split(":", 1) for line in batch.letter.splitlines() if ":" in line)
    said = {name: value.strip() for name, value in lines.items()}
    assert (said["Payments"], said["Total"]) == ("1", "$3,000.00")
    assert said["SHA-256 of the file"] == batch.content_sha256.hex()
    assert said["Made by"].startswith("finance/anna,")
    assert said["Checked by"].startswith("finance/ben,")
    await change_to_ach(desk, OTHER)
    prenotes = await sent(desk)
    _, verdict = judged(prenotes.content)
    lines = dict(line.split(":", 1) for line in prenotes.letter.splitlines() if ":" in line)
    assert lines["Entry hash"].strip() == f"{verdict.sums.entry_hash:010d}"
    assert lines["File ID"].strip() == "260310A"


@pytest.mark.parametrize(
    "change",
    [
        "content = 'x'::bytea, content_sha256 = sha256('x'::bytea)",
        "letter = 'other'",
        "file_name = 'other'",
        "checked_by = 'finance/cid'",
        "state = 'built', content = NULL, content_sha256 = NULL",
        "total_cents = 1",
    ],
)
async def test_an_approved_file_is_never_rebuilt(desk, change):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await sent(desk, rail=Rail.PAYMENT_VOUCHER)
    with pytest.raises(asyncpg.CheckViolationError):
        async with desk.db.transaction() as tx:
            await tx.execute(f"UPDATE payment_batch SET {change} WHERE batch_id = $1", batch.batch_id)


async def test_a_payment_stands_in_one_file_for_ever(desk):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await sent(desk, rail=Rail.PAYMENT_VOUCHER)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with desk.db.transaction() as tx:
            await tx.execute(
                "INSERT INTO payment_entry (batch_id, place, disbursement_id, amount_cents)"
                " SELECT batch_id, 2, disbursement_id, amount_cents FROM payment_entry WHERE batch_id = $1",
                batch.batch_id,
            )


class Dies(BaseException):
    """The process is gone."""


class DyingFolder(ExchangeFolder):
    """Dies at one step, after or before it was done."""

    def __init__(self, folder, step: str, *, after: bool) -> None:
        super().__init__(folder)
        self.step, self.after = step, after

    def _act(self, step: str, *given):
        if self.step == step and not self.after:
            raise Dies
        done = getattr(ExchangeFolder, step)(self, *given)
        if self.step == step:
            raise Dies
        return done

    def stage(self, name, token, content):
        return self._act("stage", name, token, content)

    def put(self, name, content):
        return self._act("put", name, content)

    def release(self, name, token):
        return self._act("release", name, token)


@pytest.mark.parametrize("step", ["stage", "put", "release"])
@pytest.mark.parametrize("after", [False, True])
async def test_whenever_the_process_dies_the_file_goes_out_once(desk, tmp_path, step, after):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await sent(desk, rail=Rail.PAYMENT_VOUCHER)
    with pytest.raises(Dies):
        await transmit_batches(exchange=DyingFolder(tmp_path, step, after=after), db=desk.db, now=NOW)
    assert await desk.told(DisbursementSent) == []
    path, taken = tmp_path / "outbound" / batch.file_name, []
    if path.exists():
        taken.append(path.read_bytes())
        path.unlink()
    for _ in range(2):
        await transmit_batches(exchange=ExchangeFolder(tmp_path), db=desk.db, now=NOW + timedelta(days=3))
        if path.exists():
            taken.append(path.read_bytes())
            path.unlink()
    assert taken == [batch.content]
    assert len(await desk.told(DisbursementSent)) == 1
    letter = tmp_path / "outbound" / f"{batch.batch_id}{LETTER_SUFFIX}"
    assert letter.read_text() == batch.letter


async def test_two_processes_at_once_put_a_file_out_once(desk, tmp_path):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await sent(desk, rail=Rail.PAYMENT_VOUCHER)
    turns = (transmit_batches(exchange=ExchangeFolder(tmp_path), db=desk.db, now=NOW) for _ in range(4))
    await asyncio.gather(*turns)
    assert (tmp_path / "outbound" / batch.file_name).read_bytes() == batch.content
    assert len(await desk.told(DisbursementSent)) == 1
    assert list((tmp_path / "staging").iterdir()) == []


async def test_a_lost_answer_calls_a_person_and_sends_nothing_again(desk, tmp_path):
    await desk.pay(await desk.approved(Case("ann")))
    batch = await sent(desk, rail=Rail.PAYMENT_VOUCHER)
    exchange = ExchangeFolder(tmp_path)
    await transmit_batches(exchange=exchange, db=desk.db, now=NOW)
    (tmp_path / "outbound" / batch.file_name).unlink()
    assert await call_for_unanswered(db=desk.db, now=NOW + timedelta(days=6)) == 0
    for _ in range(2):
        assert await call_for_unanswered(db=desk.db, now=NOW + timedelta(days=8)) == 1
        assert await transmit_batches(exchange=exchange, db=desk.db, now=NOW + timedelta(days=8)) == 0
    [alert] = await open_alerts(db=desk.db)
    assert (alert.code, alert.batch_id) == ("batch_unanswered", batch.batch_id)
    assert not (tmp_path / "outbound" / batch.file_name).exists()


def test_effective_entry_dates():
    at = datetime(2026, 3, 13, tzinfo=ACH.zone)
    assert ACH.settles_on(at.replace(hour=10)) == date(2026, 3, 16)
    assert ACH.settles_on(at.replace(hour=17)) == date(2026, 3, 17)
    assert ACH.settles_on(at.replace(day=14, hour=10)) == date(2026, 3, 17)
    assert replace(ACH, cutoff=time(9)).settles_on(at.replace(hour=10)) == date(2026, 3, 17)
    # Thanksgiving and the day before it, late.
    assert ACH.settles_on(datetime(2026, 11, 25, 18, tzinfo=ACH.zone)) == date(2026, 11, 30)
    for day in range(365):
        assert is_banking_day(ACH.settles_on(at + timedelta(days=day)))
    # The bank's clock counts, not ours.
    assert ACH.settles_on(datetime(2026, 3, 10, 2, tzinfo=UTC)) == date(2026, 3, 11)
