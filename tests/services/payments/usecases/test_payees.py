"""Payees: changes by call-back and two people, numbers under seal, holds that two people release, routes."""

import json
from dataclasses import replace
from datetime import date, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import NotFound
from services.payments.domain import MakerIsChecker
from services.payments.nacha.routing import names_an_account
from services.payments.payees.account_numbers import check_account, last_four
from services.payments.payees.payees import (
    Account,
    AccountFaulty,
    AccountState,
    CallBackInFuture,
    CallBackMissing,
    ChangeAlreadyOpen,
    ChangeNotOpen,
    HoldAlreadyReleased,
    ListUnreadable,
    NothingChanges,
    Payee,
    PayeeAccountId,
    Rail,
    ReleaseNotProposed,
    Route,
    TaxClass,
    Waits,
    name_key,
    route,
)
from services.payments.usecases.payees import (
    Proposal,
    approve_change,
    dossier,
    propose_change,
    record_call_back,
    withdraw_change,
)
from services.payments.usecases.screening import (
    approve_release,
    close_alert,
    hold_payee,
    open_alerts,
    propose_release,
    take_screening_list,
)
from tests.services.payments.case import NOW, OTHER, PROVIDER
from tests.services.payments.usecases.test_batches import ACCOUNT, CALLED, NUMBER, NUMBERS, change_to_ach

LIST = b"reference,name,supplier_number\nA-1,LORAIN-CCC,\nA-2,Somebody Else,0000000002\nA-3,Nobody,\n"


async def propose(desk, proposal, *, provider=PROVIDER, maker="finance/anna"):
    async with desk.db.transaction() as tx:
        return await propose_change(tx, provider, proposal, maker=maker, numbers=NUMBERS, now=NOW)


async def approve(desk, change, *, checker="finance/ben", provider=PROVIDER):
    async with desk.db.transaction() as tx:
        return await approve_change(tx, provider, change.change_id, checker=checker, cooling_off_days=10, now=NOW)


async def shown(desk, provider=PROVIDER, *, now=NOW, settles_on=date(2026, 3, 11)):
    return await dossier(provider, settles_on=settles_on, db=desk.db, now=now)


async def test_a_change_takes_a_call_back_and_two_people(desk):
    proposal = Proposal(tax_class=TaxClass.NONPROFIT, location="MAIN", call_back=CALLED)
    with pytest.raises(CallBackMissing):
        await propose(desk, replace(proposal, call_back=None))
    with pytest.raises(CallBackInFuture):
        await propose(desk, replace(proposal, call_back=replace(CALLED, at=NOW + timedelta(seconds=1))))
    with pytest.raises(NothingChanges):
        await propose(desk, Proposal(call_back=CALLED))
    with pytest.raises(NotFound):
        await propose(desk, proposal, provider="nobody")
    change = await propose(desk, proposal)
    with pytest.raises(ChangeAlreadyOpen):
        await propose(desk, proposal)
    with pytest.raises(MakerIsChecker):
        await approve(desk, change, checker="finance/anna")
    with pytest.raises(NotFound):
        await approve(desk, change, provider=OTHER)
    assert (await shown(desk)).payee.tax_class is TaxClass.NOT_STATED
    await approve(desk, change)
    with pytest.raises(ChangeNotOpen):
        await approve(desk, change, checker="finance/cid")
    payee = (await shown(desk)).payee
    assert (payee.tax_class, payee.location_at(NOW + timedelta(days=10)), payee.rail) == (
        TaxClass.NONPROFIT,
        "MAIN",
        Rail.PAYMENT_VOUCHER,
    )


@pytest.mark.parametrize("columns", ["checked_by = made_by", "checked_by = evidence_by"])
async def test_the_table_refuses_one_person_and_no_call_back(desk, columns):
    change = await propose(desk, Proposal(location="X", call_back=CALLED))
    for wrong in (columns, "checked_by = 'finance/ben', called_at = NULL"):
        with pytest.raises(asyncpg.CheckViolationError):
            async with desk.db.transaction() as tx:
                await tx.execute(f"UPDATE payee_change SET {wrong} WHERE change_id = $1", change.change_id)


async def test_a_number_is_sealed_masked_and_told_to_nobody(desk, caplog):
    await change_to_ach(desk)
    one = await shown(desk)
    [account] = one.accounts
    assert (account.masked, account.last_four) == ("****5544", "5544")
    assert NUMBERS.open(account.account_id, account.sealed_number) == NUMBER
    assert NUMBER not in repr(one)
    assert NUMBER not in repr(ACCOUNT)
    async with desk.db.connection() as connection:
        for table in ("payee_account", "payee_change", "outbox", "payment_alert"):
            rows = await connection.fetch(f"SELECT to_jsonb(t)::text AS row FROM {table} AS t")
            assert not any(NUMBER in row["row"] or NUMBER.encode().hex() in row["row"] for row in rows)
    assert NUMBER not in json.dumps(await desk.told(), default=str)
    assert NUMBER not in caplog.text


async def test_a_withdrawn_account_is_never_used(desk):
    change = await propose(desk, Proposal(rail=Rail.ACH, account=ACCOUNT, call_back=CALLED))
    async with desk.db.transaction() as tx:
        await withdraw_change(tx, PROVIDER, change.change_id, by="finance/anna", now=NOW)
    one = await shown(desk)
    assert [account.state for account in one.accounts] == [AccountState.WITHDRAWN]
    assert one.leaves == Route(Rail.PAYMENT_VOUCHER)
    with pytest.raises(ChangeNotOpen):
        await approve(desk, change)


@pytest.mark.parametrize(
    "wrong",
    [
        {"routing_number": "041099998"},
        {"routing_number": "000000000"},
        {"number": ""},
        {"number": "12345678901234567x"},
        {"number": "12é"},
        {"number": "0000000000"},
        {"number": "0-00 -0"},
        {"holder_name": " "},
    ],
)
async def test_an_account_that_no_entry_could_carry_is_refused(desk, wrong):
    with pytest.raises(AccountFaulty) as fault:
        await propose(desk, Proposal(account=replace(ACCOUNT, **wrong), call_back=CALLED))
    assert "12345678901234567" not in str(fault.value)
    assert (await shown(desk)).changes == ()


async def test_the_table_checks_the_check_digit(desk):
    with pytest.raises(asyncpg.CheckViolationError):
        async with desk.db.transaction() as tx:
            await tx.execute(
                "INSERT INTO payee_account VALUES ('pac_x', $1, 'A', '041099998', 'checking', 'x', '', 'proposed',"
                " NULL, NULL, NULL, NULL, now())",
                PROVIDER,
            )


async def test_a_bank_s_change_waits_for_its_call_back_and_a_third_person_is_not_needed(desk):
    change = await propose(desk, Proposal(location="Y", call_back=CALLED))
    async with desk.db.transaction() as tx:
        await tx.execute(
            "UPDATE payee_change SET called_person = NULL, called_number = NULL, called_at = NULL, evidence_by = NULL,"
            " made_by = 'bank', source = 'notification_of_change' WHERE change_id = $1",
            change.change_id,
        )
    with pytest.raises(CallBackMissing):
        await approve(desk, change)
    async with desk.db.transaction() as tx:
        await record_call_back(tx, PROVIDER, change.change_id, CALLED, by="finance/anna", now=NOW)
    with pytest.raises(MakerIsChecker):
        await approve(desk, change, checker="finance/anna")
    assert (await approve(desk, change)).state == "approved"


async def test_a_list_holds_whom_it_names_once_and_two_people_release(desk):
    async with desk.db.transaction() as tx:
        lines, held = await take_screening_list(tx, LIST, "sanctions", imported_by="finance/anna", now=NOW)
    assert (lines, held) == (3, [OTHER, PROVIDER] if OTHER < PROVIDER else [PROVIDER, OTHER])
    one = await shown(desk)
    [hold] = one.holds
    assert (one.leaves, hold.reference) == (Waits.HELD, "sanctions/A-1")
    with pytest.raises(ReleaseNotProposed):
        async with desk.db.transaction() as tx:
            await approve_release(tx, PROVIDER, hold.hold_id, checker="finance/ben", now=NOW)
    async with desk.db.transaction() as tx:
        await propose_release(tx, PROVIDER, hold.hold_id, "another college", maker="finance/anna", now=NOW)
    with pytest.raises(MakerIsChecker):
        async with desk.db.transaction() as tx:
            await approve_release(tx, PROVIDER, hold.hold_id, checker="finance/anna", now=NOW)
    async with desk.db.transaction() as tx:
        await approve_release(tx, PROVIDER, hold.hold_id, checker="finance/ben", now=NOW)
    with pytest.raises(HoldAlreadyReleased):
        async with desk.db.transaction() as tx:
            await approve_release(tx, PROVIDER, hold.hold_id, checker="finance/cid", now=NOW)
    # The same line does not hold again whom two people cleared of it.
    async with desk.db.transaction() as tx:
        assert (await take_screening_list(tx, LIST, "sanctions", imported_by="finance/anna", now=NOW))[1] == []
    assert (await shown(desk)).leaves == Route(Rail.PAYMENT_VOUCHER)
    raised = await open_alerts(db=desk.db)
    assert {one.code for one in raised} == {"screening_hit"}
    await close_alert(raised[0].alert_id, by="finance/ben", db=desk.db, now=NOW)
    assert len(await open_alerts(db=desk.db)) == len(raised) - 1


async def test_a_new_account_s_holder_is_screened_too(desk):
    async with desk.db.transaction() as tx:
        await take_screening_list(tx, b"reference,name\nB-1,Mallory Shell LLC\n", "sanctions", imported_by="x", now=NOW)
    account = replace(ACCOUNT, holder_name="SHELL, Mallory")
    await propose(desk, Proposal(rail=Rail.ACH, account=account, call_back=CALLED))
    assert (await shown(desk)).leaves is Waits.HELD


@pytest.mark.parametrize("content", [b"", b"name\nX\n", b"reference,name\n", b"reference,name\nA-1,\n", b"\xff\xfe"])
def test_a_list_that_is_none_is_refused(content):
    from services.payments.usecases.screening import read_screening_list

    with pytest.raises(ListUnreadable):
        read_screening_list(content)


async def test_a_manual_hold_needs_a_payee(desk):
    with pytest.raises(NotFound):
        async with desk.db.transaction() as tx:
            await hold_payee(tx, "nobody", "x", by="finance/anna", now=NOW)


def test_names_are_compared_without_what_lists_vary():
    assert name_key("The Lorain County C.C., Inc.") == name_key("CC COUNTY LORAIN")
    assert name_key("Müller & Söhne") == name_key("SOHNE AND MULLER")
    assert name_key("...") == ""


accounts = st.builds(
    Account,
    account_id=st.integers().map(PayeeAccountId.derive),
    provider_id=st.just(PROVIDER),
    holder_name=st.just("A"),
    routing_number=st.just("041099999"),
    account_type=st.just("checking"),
    last_four=st.just("1234"),
    sealed_number=st.just(b""),
    state=st.sampled_from(AccountState),
    usable_at=st.one_of(st.none(), st.integers(-20, 20).map(lambda days: NOW + timedelta(days=days))),
    prenote_batch_id=st.none(),
    prenote_on=st.one_of(st.none(), st.integers(-20, 20).map(lambda days: NOW.date() + timedelta(days=days))),
    ended_reason=st.none(),
    correct_by=st.one_of(st.none(), st.integers(-20, 20).map(lambda days: NOW.date() + timedelta(days=days))),
)
payees_of = st.builds(
    Payee,
    st.just(PROVIDER),
    st.just("1"),
    st.just("A"),
    st.sampled_from(TaxClass),
    st.just(""),
    st.sampled_from(Rail),
    st.just("CCD"),
    st.sampled_from([None, Rail.PAYMENT_VOUCHER]),
)


@given(payees_of, st.lists(accounts, max_size=4), st.booleans(), st.integers(1, 20))
def test_a_payment_never_goes_to_an_account_that_may_not_be_paid_to(payee, known, held, days):
    settles_on = NOW.date() + timedelta(days=days)
    way = route(payee, known, held=held, now=NOW, settles_on=settles_on)
    if isinstance(way, Route):
        assert not held
        if way.account is not None:
            assert way.rail is Rail.ACH
            assert way.account.state is AccountState.ACTIVE
            assert way.account.usable_at is not None
            assert way.account.usable_at <= NOW
            assert way.account.prenote_on is not None
            assert (settles_on - way.account.prenote_on).days >= 3
            assert way.account.correct_by is None or settles_on <= way.account.correct_by
        else:
            assert Rail.PAYMENT_VOUCHER in {payee.rail, payee.rail_before}
    else:
        notified = way is Waits.CHANGE_NOTIFIED
        assert held or (payee.rail is Rail.ACH and (payee.rail_before is None or notified))


@given(st.text(alphabet="0123456789", min_size=1, max_size=17).filter(names_an_account))
def test_at_most_four_characters_of_a_number_are_shown(number):
    check_account(holder_name="A", routing_number="041099999", number=number)
    assert last_four(number) == (number[-4:] if len(number) > 4 else "")
