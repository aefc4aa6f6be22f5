"""Every return and change code drives its posting; prenotes come back; words said twice; strangers; faulty files."""

from datetime import date, timedelta

import pytest

from contracts.events.payments import DisbursementReturned, DisbursementSettled
from services.payments.books.ledger import Kind
from services.payments.domain import DisbursementState, NothingToPay
from services.payments.nacha import (
    CHANGE_REASONS,
    RETURN_REASONS,
    SAMPLE_ORIGINATOR,
    BatchHeader,
    ChangeAddendum,
    Correction,
    Dispute,
    Entry,
    FileHeader,
    ReturnAddendum,
    ServiceClass,
    corrected_data,
    file_bytes,
)
from services.payments.nacha.transactions import RETURNED
from services.payments.payees.payees import AccountState, Rail, Route, Waits
from services.payments.rails.ach_answers import (
    CHANGE_POSTINGS,
    RETURN_POSTINGS,
    ChangePosting,
    PayeeEffect,
    Standing,
    posting_of,
)
from services.payments.store import batches as batch_store
from services.payments.store import payees as payee_store
from services.payments.store import screening as screening_store
from services.payments.usecases.ach_answers import take_ach_answers
from services.payments.usecases.batches import call_for_unanswered
from services.payments.usecases.disbursements import approve_repair, open_repair
from services.payments.usecases.outcomes import Outcome, apply_outcomes, payments_of_words
from services.payments.usecases.payees import approve_change, dossier, payees, record_call_back
from services.payments.usecases.reconciliation_page import page_of
from services.payments.usecases.screening import close_alert
from tests.services.payments.case import NOW, PROVIDER, Case
from tests.services.payments.nacha.builders import judged
from tests.services.payments.usecases.test_batches import ACH, CALLED, NUMBER, NUMBERS, change_to_ach, on_ach, out, sent

LATER = NOW + timedelta(days=10)
DEBTS = sorted(code for code, posting in RETURN_POSTINGS.items() if posting.before is not None)
BANKS = sorted(set(RETURN_POSTINGS) - set(DEBTS))


def answer_file(*entries: Entry, entry_class: str = "CCD", effective: str = "260312") -> bytes:
    """A file as the receiving bank's operator writes it."""
    head = FileHeader(SAMPLE_ORIGINATOR.odfi_routing, "041000014", date(2026, 3, 23), "0600")
    batch = BatchHeader(
        service_class=ServiceClass.MIXED,
        company_name="CAIRN SAMPLE FUN",
        company_id=SAMPLE_ORIGINATOR.company_id,
        entry_class=entry_class,
        description="EDU PAYMT",
        effective=effective,
        odfi="04109999",
        number=1,
        settlement_day="083",
    )
    return file_bytes(head, [(batch, list(entries))])


def returned(original: Entry, code: str, *, cents: int | None = None, rdfi: str | None = None) -> Entry:
    again = {"dishonored_trace": "076401250000009", "dishonored_code": "68"} if code >= "R71" else {}
    dispute = Dispute("041099990000009", "02", **again) if code in BANKS else None
    addendum = ReturnAddendum(code, original.trace, rdfi or original.routing_number[:8], dispute=dispute)
    return Entry(
        RETURNED[original.transaction_code // 10],
        SAMPLE_ORIGINATOR.odfi_routing,
        original.account_number,
        original.amount_cents if cents is None else cents,
        original.name,
        original.identification,
        (addendum,),
        trace="041099990000001",
    )


async def take(desk, content: bytes, *, now=LATER, name="answer.ach"):
    ours = SAMPLE_ORIGINATOR.addresses
    return await take_ach_answers(name, content, ours=ours, numbers=NUMBERS, db=desk.db, now=now)


async def paid(desk) -> tuple[Case, Entry]:
    """A payment that was sent by ACH, and its entry."""
    case = await desk.approved(Case("ann"))
    await desk.pay(case)
    await on_ach(desk, PROVIDER)
    [found], _ = judged((await sent(desk, now=LATER)).content)
    return case, found.entry


async def settle(desk, entry: Entry) -> None:
    async with desk.db.transaction() as tx:
        known = await batch_store.entry_by_trace(tx, entry.trace)
        outcomes_of = await payments_of_words(tx, [known.disbursement_id], now=LATER)
        [payment] = outcomes_of.values()
        outcome = Outcome(payment.disbursement_id, Kind.SETTLE, "statement line stl_1", "P1", date(2026, 3, 23))
        await apply_outcomes(tx, [outcome], outcomes_of, actor="bank", now=LATER)


async def alerts(desk) -> list[str]:
    async with desk.db.connection() as connection:
        return [one.code for one in await screening_store.alerts(connection)]


async def account_of(desk):
    async with desk.db.connection() as connection:
        return (await payee_store.accounts(connection, [PROVIDER]))[PROVIDER][0]


def test_every_return_code_has_its_posting():
    assert set(RETURN_POSTINGS) == set(RETURN_REASONS)
    for code in DEBTS:
        assert posting_of(DisbursementState.SENT, None, code) is Kind.RETURN
        assert posting_of(DisbursementState.SETTLED, None, code) is Kind.RETURN_LATE
        assert posting_of(DisbursementState.RETURNED, code, code) is Standing.REPEATED
        assert posting_of(DisbursementState.RETURNED, "R00", code) is Standing.ALREADY_RETURNED
        assert posting_of(DisbursementState.BATCHED, None, code) is Standing.NOT_SENT
    for code in BANKS:
        assert {posting_of(state, None, code) for state in DisbursementState} == {Standing.BETWEEN_BANKS}
    assert all("R61" <= code <= "R77" for code in BANKS)


def test_every_change_code_proposes_or_calls_somebody():
    assert set(CHANGE_POSTINGS) == set(CHANGE_REASONS)
    proposing = {code for code, one in CHANGE_POSTINGS.items() if one is ChangePosting.PROPOSES_CHANGE}
    assert proposing == {f"C{number:02d}" for number in range(1, 8)}


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
async def test_every_return_code_posts_before_and_after_settlement(desk, late):
    """One payment for each code, returned in one file: payable again to the cent, never available."""
    await on_ach(desk, PROVIDER)
    codes = sorted(RETURN_REASONS)
    for number, code in enumerate(codes):
        await desk.pay(await desk.approved(Case(f"{code}-{number}"), 1_000 + number))
    found, _ = judged((await sent(desk, now=LATER)).content)
    by_amount = {one.entry.amount_cents: one.entry for one in found}
    entries = [(code, by_amount[1_000 + number]) for number, code in enumerate(codes)]
    if late:
        for _, entry in entries:
            await settle(desk, entry)
    back = [
        Entry(**{**_fields(returned(entry, code)), "trace": f"04109999{number:07d}"})
        for number, (code, entry) in enumerate(entries, 1)
    ]
    reading = await take(desk, answer_file(*back))
    assert reading.returned == len(DEBTS)
    assert {line.reason for line in reading.rejected} == {"between_banks"}
    owed = sum(entry.amount_cents for code, entry in entries if code in DEBTS)
    kept = sum(entry.amount_cents for code, entry in entries if code in BANKS)
    stages = await desk.stages()
    assert (stages["payable"], stages["disbursed" if late else "in_transit"]) == (owed, kept)
    assert stages["available"] == 1_000_000 - owed - kept
    told = {fact["return_code"]: fact["after_settlement"] for fact in await desk.told(DisbursementReturned)}
    assert told == dict.fromkeys(DEBTS, late)
    assert ("returned_after_settlement" in await alerts(desk)) is late
    assert (await account_of(desk)).state is AccountState.INVALID
    held = [code for code in DEBTS if RETURN_POSTINGS[code].payee is PayeeEffect.HELD]
    one = await dossier(PROVIDER, settles_on=date(2026, 4, 1), db=desk.db, now=LATER)
    assert len({hold.reference for hold in one.holds}) == min(len(held), 50)
    assert one.leaves is Waits.HELD
    assert (await desk.prove()).is_right


def _fields(entry: Entry) -> dict:
    return {name: getattr(entry, name) for name in Entry.__slots__}


async def test_a_late_return_is_repaired_and_paid_again_without_its_case(desk):
    _, entry = await paid(desk)
    await settle(desk, entry)
    assert await desk.stages() == {"available": 700_000, "disbursed": 300_000}
    assert (await take(desk, answer_file(returned(entry, "R23")))).returned == 1
    assert await desk.stages() == {"available": 700_000, "payable": 300_000}
    async with desk.db.transaction() as tx:
        repair = await open_repair(tx, PROVIDER, evidence="call-back", maker="finance/anna", now=LATER)
    async with desk.db.transaction() as tx:
        await approve_repair(tx, PROVIDER, repair.repair_id, checker="finance/ben", now=LATER)
        rows = await tx.fetch("SELECT attempt_number, state FROM disbursement ORDER BY attempt_number")
    assert [tuple(row) for row in rows] == [(1, "repaired"), (2, "ordered")]
    # A journey that still runs asks for the same attempt and finds it.
    again = await desk.pay(Case("ann"), 2)
    assert again.amount_cents == 300_000
    assert (await desk.prove()).is_right


async def test_a_file_again_changes_nothing_and_a_return_again_is_known(desk):
    _, entry = await paid(desk)
    content = answer_file(returned(entry, "R02"))
    assert (await take(desk, content)).returned == 1
    assert (await take(desk, content, name="other.ach")).again
    assert (await take(desk, answer_file(returned(entry, "R02"), effective="260313"))).repeated == 1
    other = await take(desk, answer_file(returned(entry, "R03")))
    assert [line.reason for line in other.rejected] == ["already_returned"]
    assert await desk.stages() == {"available": 700_000, "payable": 300_000}


async def test_answers_to_nothing_of_ours_are_put_aside_without_the_account(desk):
    _, entry = await paid(desk)
    strange = Entry(**{**_fields(entry), "trace": f"{ACH.odfi}7777777"})
    for answer, reason in (
        (returned(strange, "R02"), "unknown_trace"),
        (returned(entry, "R02", cents=1), "entry_differs"),
        (returned(entry, "R02", rdfi="07640125"), "entry_differs"),
        (entry, "not_an_answer"),
    ):
        batch = {"entry_class": "CCD"} if answer is entry else {}
        content = answer_file(Entry(**{**_fields(answer), "trace": "041099990000001"}), **batch)
        assert [line.reason for line in (await take(desk, content)).rejected] == [reason]
    assert await desk.stages() == {"available": 700_000, "in_transit": 300_000}
    async with desk.db.connection() as connection:
        kept = await connection.fetch("SELECT line, explanation FROM confirmation_rejected")
    assert not any(NUMBER in f"{row['line']} {row['explanation']}" for row in kept)
    page = await page_of(db=desk.db, now=LATER + timedelta(days=3))
    found = [(one.reason, days) for one, days in page.rejected]
    assert sorted(found) == [("entry_differs", 1), ("entry_differs", 1), ("not_an_answer", 1), ("unknown_trace", 1)]
    assert not page.nothing_is_open
    assert (await alerts(desk)).count("line_rejected") == 4
    assert not any(NUMBER in one.explanation for one, _ in page.rejected)
    for one, _ in page.rejected:
        await close_alert(one.alert_id, by="finance/anna", db=desk.db, now=LATER)
    assert (await page_of(db=desk.db, now=LATER)).rejected == ()


async def test_a_faulty_file_posts_nothing(desk):
    _, entry = await paid(desk)
    content = answer_file(returned(entry, "R02")).replace(b"799R02", b"798R02")
    reading = await take(desk, content)
    assert (reading.returned, [line.reason for line in reading.rejected]) == (0, ["file_faulty"])
    assert "Addenda Type Code" in reading.rejected[0].explanation
    assert NUMBER not in reading.rejected[0].explanation
    assert await desk.stages() == {"available": 700_000, "in_transit": 300_000}
    assert "ach_file_faulty" in await alerts(desk)


async def test_an_entry_at_fault_costs_no_other_of_its_file(desk):
    await on_ach(desk, PROVIDER)
    for number in range(2):
        await desk.pay(await desk.approved(Case(f"case-{number}"), 1_000 + number))
    found, _ = judged((await sent(desk, now=LATER)).content)
    back = [Entry(**{**_fields(returned(one.entry, code)), "trace": f"04109999{number:07d}"})
            for number, (one, code) in enumerate(zip(found, ("R02", "R03"), strict=True), 1)]  # fmt: skip
    reading = await take(desk, answer_file(*back).replace(b"799R02", b"799R99"))
    assert (reading.returned, [line.reason for line in reading.rejected]) == (1, ["entry_faulty"])
    assert "Return Reason Code" in reading.rejected[0].explanation
    assert await alerts(desk) == ["line_rejected"]


async def test_a_returned_prenote_ends_the_account(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_to_ach(desk, old_stays=False)
    [found], _ = judged((await sent(desk)).content)
    assert (await take(desk, answer_file(returned(found.entry, "R03")))).prenotes == 1
    account = await account_of(desk)
    assert (account.state, account.ended_reason[:12]) == (AccountState.INVALID, "prenote: R03")
    [(_, way)] = [one for one in await payees(settles_on=date(2026, 4, 1), db=desk.db, now=LATER) if
                  one[0].provider_id == PROVIDER]  # fmt: skip
    assert way is Waits.NO_ACCOUNT
    assert "prenote_returned" in await alerts(desk)
    assert await desk.stages() == {"available": 700_000, "payable": 300_000}


@pytest.mark.parametrize("code", sorted(CHANGE_REASONS))
async def test_a_notification_of_change_proposes_and_changes_nothing(desk, code):
    _, entry = await paid(desk)
    before = await account_of(desk)
    given = Correction("242077778", "5544332211", 32, "LORAIN CCC", "ID-9")
    change = ChangeAddendum(code, entry.trace, entry.routing_number[:8], corrected_data(code, given))
    answer = Entry(21, SAMPLE_ORIGINATOR.odfi_routing, NUMBER, 0, entry.name, entry.identification, (change,),
                   trace="041099990000001")  # fmt: skip
    assert (await take(desk, answer_file(answer, entry_class="COR"))).changes == 1
    assert await desk.stages() == {"available": 700_000, "in_transit": 300_000}
    assert "notification_of_change" in await alerts(desk)
    one = await dossier(PROVIDER, settles_on=date(2026, 3, 25), db=desk.db, now=LATER)
    assert one.leaves.account.account_id == before.account_id
    proposed = [c for c in one.changes if c.source == "notification_of_change"]
    if CHANGE_POSTINGS[code] is ChangePosting.ALERT:
        assert proposed == []
        return
    [change_made] = proposed
    assert (change_made.state, change_made.made_by) == ("awaiting_call_back", "bank")
    [account] = [a for a in one.accounts if a.account_id == change_made.account_id]
    places = {place for place, _, _ in CHANGE_REASONS[code].places}
    assert account.routing_number == ("242077778" if "routing_number" in places else before.routing_number)
    assert account.account_type == ("savings" if "transaction_code" in places else before.account_type)
    assert account.holder_name == ("LORAIN CCC" if "name" in places else before.holder_name)
    number = NUMBERS.open(account.account_id, account.sealed_number)
    assert number == ("5544332211" if "account_number" in places else NUMBER)


def notified(entry: Entry, code: str = "C01") -> bytes:
    """A file with a notification of change about this entry."""
    given = Correction("242077778", "5544332211", 32, "LORAIN CCC", "ID-9")
    change = ChangeAddendum(code, entry.trace, entry.routing_number[:8], corrected_data(code, given))
    answer = Entry(21, SAMPLE_ORIGINATOR.odfi_routing, NUMBER, 0, entry.name, entry.identification, (change,),
                   trace="041099990000001")  # fmt: skip
    return answer_file(answer, entry_class="COR")


async def leaves(desk, settles_on: date):
    return (await dossier(PROVIDER, settles_on=settles_on, db=desk.db, now=LATER)).leaves


async def test_an_account_is_paid_to_uncorrected_for_six_banking_days(desk):
    _, entry = await paid(desk)
    # Friday: the sixth banking day after it is Monday of the week after the next.
    assert LATER.date() == date(2026, 3, 20)
    await take(desk, notified(entry))
    assert isinstance(await leaves(desk, date(2026, 3, 30)), Route)
    assert await leaves(desk, date(2026, 3, 31)) is Waits.CHANGE_NOTIFIED
    # Another notification gives no more time; the voucher rail of before is not taken up again.
    await take(desk, notified(entry, "C05"), now=LATER + timedelta(days=5))
    assert await leaves(desk, date(2026, 3, 31)) is Waits.CHANGE_NOTIFIED
    await desk.pay(await desk.approved(Case("bea")))
    for rail in Rail:
        with pytest.raises(NothingToPay):
            await sent(desk, rail=rail, now=LATER + timedelta(days=11))
    await call_for_unanswered(db=desk.db, now=LATER + timedelta(days=5))
    assert "change_due" not in await alerts(desk)
    await call_for_unanswered(db=desk.db, now=LATER + timedelta(days=6))
    assert "change_due" in await alerts(desk)


async def test_an_account_whose_prenote_brought_a_change_is_not_paid_to(desk):
    await desk.pay(await desk.approved(Case("ann")))
    await change_to_ach(desk, old_stays=False)
    [found], _ = judged((await out(desk)).content)
    await take(desk, notified(found.entry), now=NOW + timedelta(days=1))
    assert await leaves(desk, date(2026, 3, 23)) is Waits.CHANGE_NOTIFIED
    with pytest.raises(NothingToPay):
        await sent(desk, now=LATER)
    [change] = [c for c in (await dossier(PROVIDER, settles_on=date(2026, 3, 23), db=desk.db, now=LATER)).changes
                if c.source == "notification_of_change"]  # fmt: skip
    async with desk.db.transaction() as tx:
        await record_call_back(tx, PROVIDER, change.change_id, CALLED, by="finance/anna", now=LATER)
        await approve_change(tx, PROVIDER, change.change_id, checker="finance/ben", cooling_off_days=0, now=LATER)
    await out(desk, now=LATER)
    way = await leaves(desk, date(2026, 4, 1))
    assert isinstance(way, Route)
    assert way.account.account_id == change.account_id


async def test_the_account_before_goes_on_paying_where_the_new_ones_prenote_brought_a_change(desk):
    await on_ach(desk, PROVIDER)
    before = await account_of(desk)
    await change_to_ach(desk, now=NOW + timedelta(days=2))
    [found], _ = judged((await out(desk, now=NOW + timedelta(days=2))).content)
    await take(desk, notified(found.entry))
    way = await leaves(desk, date(2026, 4, 1))
    assert isinstance(way, Route)
    assert way.account.account_id == before.account_id


async def test_an_acknowledgment_is_noted_and_settles_nothing(desk):
    _, entry = await paid(desk)
    answer = Entry(24, SAMPLE_ORIGINATOR.odfi_routing, NUMBER, 0, entry.name, entry.trace, trace="041099990000001")
    assert (await take(desk, answer_file(answer, entry_class="ACK"))).acknowledged == 1
    assert await desk.stages() == {"available": 700_000, "in_transit": 300_000}
    assert await desk.told(DisbursementSettled) == []
    async with desk.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM payment_entry WHERE acknowledged_at IS NOT NULL") == 1
