"""A return's reason has its effect on the payee, whoever tells of it first; what the books refuse costs no other."""

from datetime import date, timedelta

import asyncpg
import pytest

from services.payments.payees.payees import AccountState
from services.payments.rails.ach_answers import RETURN_POSTINGS, PayeeEffect
from services.payments.remittance import Confirmation, write_confirmations
from services.payments.store import payees as payee_store
from services.payments.store import screening as screening_store
from services.payments.usecases.confirmations import take_confirmations
from tests.services.payments.bank import DAY
from tests.services.payments.case import NOW, PROVIDER, Case
from tests.services.payments.nacha.builders import judged
from tests.services.payments.reconciled import CENTS, Books
from tests.services.payments.usecases.test_ach_answers import DEBTS, LATER, answer_file, returned, settle, take
from tests.services.payments.usecases.test_batches import change_to_ach, on_ach, sent


async def paid_for_each_code(desk) -> dict[str, tuple[str, object]]:
    """A payment for each return code, sent by ACH to one account: code → its trace and entry."""
    await on_ach(desk, PROVIDER)
    for number, code in enumerate(DEBTS):
        await desk.pay(await desk.approved(Case(code), 1_000 + number))
    found, _ = judged((await sent(desk, now=LATER)).content)
    by_amount = {one.entry.amount_cents: one.entry for one in found}
    return {code: (by_amount[1_000 + number].trace, by_amount[1_000 + number]) for number, code in enumerate(DEBTS)}


async def effects(desk, trace: str, code: str) -> set[PayeeEffect]:
    """What the payee shows of this code; the account is made usable again for the next one."""
    async with desk.db.transaction() as tx:
        [account] = (await payee_store.accounts(tx, [PROVIDER]))[PROVIDER]
        await tx.execute("UPDATE payee_account SET state = 'active', ended_reason = NULL")
        alerts = await tx.fetch("SELECT explanation FROM payment_alert WHERE code = 'ach_record_faulty'")
        holds = await tx.fetch("SELECT reference, reason FROM payee_hold")
    assert (account.state is AccountState.INVALID) is bool(account.ended_reason)
    found = set()
    if account.state is AccountState.INVALID:
        assert account.ended_reason.startswith(code)
        found.add(PayeeEffect.INVALID_ACCOUNT)
    if any(row["reference"].startswith(f"{code} {trace}") and row["reason"].startswith(code) for row in holds):
        found.add(PayeeEffect.HELD)
    if any(row["explanation"].startswith(code) for row in alerts):
        found.add(PayeeEffect.ALERT)
    return found


def expected(code: str) -> set[PayeeEffect]:
    effect = RETURN_POSTINGS[code].payee
    return set() if effect is PayeeEffect.NOTHING else {effect}


async def test_a_code_on_the_statement_has_its_effect_and_the_ach_file_after_it_adds_none(desk):
    books = Books(desk)
    books.now = LATER + timedelta(days=5)
    sent_entries = await paid_for_each_code(desk)
    for place, (code, (trace, entry)) in enumerate(sent_entries.items()):
        books.bank.credit(entry.amount_cents, trace, text=f"ACH RETURN {code}")
        await books.take(books.bank.statement(DAY + timedelta(days=place)))
        assert (await books.turn()).returned == 1, code
        assert await effects(desk, trace, code) == expected(code), code
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE payee_account SET state = 'invalid', ended_reason = 'before'")
        before = (
            await tx.fetchval("SELECT count(*) FROM payee_hold"),
            await tx.fetchval("SELECT count(*) FROM payment_alert"),
        )
    content = answer_file(*(numbered(entry, code, n) for n, (code, (_, entry)) in enumerate(sent_entries.items(), 1)))
    reading = await take(desk, content)
    assert (reading.repeated, reading.returned, reading.rejected) == (len(DEBTS), 0, [])
    async with desk.db.transaction() as tx:
        after = (
            await tx.fetchval("SELECT count(*) FROM payee_hold"),
            await tx.fetchval("SELECT count(*) FROM payment_alert"),
        )
        assert await tx.fetchval("SELECT DISTINCT ended_reason FROM payee_account") == "before"
    assert after == before


async def test_a_bare_credit_on_the_statement_gets_its_code_and_effect_from_the_ach_file(desk):
    books = Books(desk)
    books.now = LATER + timedelta(days=5)
    sent_entries = await paid_for_each_code(desk)
    for trace, entry in sent_entries.values():
        books.bank.credit(entry.amount_cents, trace, text="ACH RETURN")
    await books.take()
    assert (await books.turn()).returned == len(DEBTS)
    assert await books.rows("SELECT return_code, count(*) FROM disbursement GROUP BY 1") == {"X00": len(DEBTS)}
    for code, (trace, entry) in sent_entries.items():
        reading = await take(desk, answer_file(returned(entry, code)))
        assert (reading.repeated, reading.rejected) == (1, []), code
        assert await effects(desk, trace, code) == expected(code), code
    assert await books.rows("SELECT return_code, count(*) FROM disbursement GROUP BY 1") == dict.fromkeys(DEBTS, 1)
    assert (await desk.prove()).is_right


async def test_the_ach_file_first_has_its_effect_and_the_statement_confirms_it(desk):
    books = Books(desk)
    books.now = LATER + timedelta(days=5)
    sent_entries = await paid_for_each_code(desk)
    for code, (trace, entry) in sent_entries.items():
        assert (await take(desk, answer_file(returned(entry, code)))).returned == 1
        assert await effects(desk, trace, code) == expected(code), code
        books.bank.credit(entry.amount_cents, trace, text=f"ACH RETURN {code}")
    await books.take()
    assert (await books.turn()).returned == 0
    assert await books.lines() == {"matched confirms_return": len(DEBTS)}


async def test_another_reason_for_a_return_that_is_known_has_its_effect_too(desk):
    sent_entries = await paid_for_each_code(desk)
    trace, entry = sent_entries["R01"]
    await take(desk, answer_file(returned(entry, "R01")))
    other = await take(desk, answer_file(returned(entry, "R16")))
    assert [line.reason for line in other.rejected] == ["already_returned"]
    assert await effects(desk, trace, "R16") == {PayeeEffect.HELD}


async def test_a_late_return_leaves_the_account_that_the_payee_has_stated_since(desk):
    sent_entries = await paid_for_each_code(desk)
    _, entry = sent_entries["R02"]
    await settle(desk, entry)
    async with desk.db.connection() as connection:
        [before] = (await payee_store.accounts(connection, [PROVIDER]))[PROVIDER]
    await change_to_ach(desk)
    async with desk.db.transaction() as tx:
        since = LATER + timedelta(days=1)
        await tx.execute("UPDATE payee_account SET usable_at = $2 WHERE account_id <> $1", before.account_id, since)
        [newest, _] = (await payee_store.accounts(tx, [PROVIDER]))[PROVIDER]
    await take(desk, answer_file(returned(entry, "R02")))
    async with desk.db.connection() as connection:
        states = {one.account_id: one.state for one in (await payee_store.accounts(connection, [PROVIDER]))[PROVIDER]}
    assert states == {newest.account_id: AccountState.ACTIVE, before.account_id: AccountState.INVALID}


def numbered(entry, code: str, number: int):
    answer = returned(entry, code)
    fields = {name: getattr(answer, name) for name in type(answer).__slots__}
    return type(answer)(**{**fields, "trace": f"04109999{number:07d}"})


async def break_journal(fresh, disbursement_id: str) -> None:
    """The payment's own row names a journal entry that does not exist."""
    owner = await asyncpg.connect(fresh.owner_dsn, server_settings={"search_path": "payments"})
    await owner.execute("UPDATE disbursement SET sent_transfer_id = 'trf_none' WHERE disbursement_id = $1",
                        disbursement_id)  # fmt: skip
    await owner.close()


async def alerts_of(desk, code: str) -> list:
    async with desk.db.connection() as connection:
        return [one for one in await screening_store.alerts(connection) if one.code == code]


async def test_a_return_that_the_books_refuse_costs_no_other_of_its_file(desk, fresh):
    sent_entries = await paid_for_each_code(desk)
    async with desk.db.connection() as connection:
        broken = await connection.fetchval(
            "SELECT disbursement_id FROM payment_entry WHERE trace = $1", sent_entries["R03"][0]
        )
    await break_journal(fresh, broken)
    three = [numbered(sent_entries[code][1], code, n) for n, code in enumerate(("R02", "R03", "R16"), 1)]
    reading = await take(desk, answer_file(*three))
    assert (reading.returned, [line.reason for line in reading.rejected]) == (2, ["books_refused"])
    [called] = await alerts_of(desk, "books_refused")
    assert called.disbursement_id == broken
    assert (await desk.prove()).is_right


@pytest.mark.parametrize("code", [None, "R03"], ids=["settle", "return"])
async def test_a_word_that_the_books_refuse_costs_no_other_of_its_file(desk, fresh, code):
    books = Books(desk)
    names = await books.send("a", "b", "c", "d", "e", cents=CENTS)
    await break_journal(fresh, names[2])
    words = [
        Confirmation(one, "V1", f"P{one[-8:]}", date(2026, 3, 11), "RETURNED" if code else "PAID", code)
        for one in names
    ]
    reading = await take_confirmations("a.pcf", write_confirmations(words, NOW), db=desk.db, now=books.now)
    assert (reading.applied, [line.reason for line in reading.rejected]) == (4, ["books_refused"])
    assert await books.states() == {"returned" if code else "settled": 4, "sent": 1}
    assert [one.disbursement_id for one in await alerts_of(desk, "books_refused")] == [names[2]]
    # One call for one matter: the rejected line ends with the same alert.
    assert await alerts_of(desk, "line_rejected") == []
    [(rejected, _)] = (await books.page()).rejected
    assert (rejected.file_name, rejected.reason, rejected.disbursement_id) == ("a.pcf", "books_refused", names[2])
    assert (await desk.prove()).is_right


async def test_many_rejected_lines_call_somebody_a_bounded_number_of_times(desk):
    words = [Confirmation(f"dsb_{n:026d}", "V1", f"P{n}", date(2026, 3, 11), "PAID", None) for n in range(150)]
    await take_confirmations("a.pcf", write_confirmations(words, NOW), db=desk.db, now=NOW)
    assert len(await alerts_of(desk, "line_rejected")) == 100
    assert len(await alerts_of(desk, "lines_rejected")) == 1
    assert len((await Books(desk).page()).rejected) == 150
