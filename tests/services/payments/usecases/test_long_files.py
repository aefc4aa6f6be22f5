"""Ten thousand outcomes in one file: bounded batches, parts on record, a reading that was cut off goes on."""

from datetime import date

import pytest

from cairn.drills.drill import Ground
from cairn.drills.sent_payments import Paid, order, send
from contracts.events.payments import DisbursementSettled
from services.payments.remittance import Confirmation, RejectedLine, write_confirmations
from services.payments.store import confirmations as file_store
from services.payments.store import ledger as ledger_store
from services.payments.store import reconciliation as reconciliation_store
from services.payments.usecases import reconciliation
from services.payments.usecases.confirmations import PART_LINES, take_confirmations
from tests.services.payments.case import NOW
from tests.services.payments.reconciled import CENTS, Books

PAYMENTS = 10_000


@pytest.fixture
async def ground(fresh_database):
    fresh = await fresh_database("payments")
    async with Ground(fresh.owner_dsn, fresh.dsn) as ground:
        yield ground


async def test_ten_thousand_outcomes_in_one_file_of_which_the_reading_is_cut_off(ground, monkeypatch):
    db = await ground.open(connections_max=4)
    payments = [Paid(f"case {number}", 1_000) for number in range(PAYMENTS)]
    await order(ground, db, payments)
    await send(db, now=NOW)
    await send(db, now=NOW)
    words = [Confirmation(one.disbursement_id, "V1", "P1", date(2026, 3, 11), "PAID") for one in payments]
    content = write_confirmations(words, NOW)

    done = file_store.part_done
    parts: list[int | None] = []

    async def dies(*given, next_word, **named):
        parts.append(next_word)
        if len(parts) == 4:
            raise KeyError
        await done(*given, next_word=next_word, **named)

    monkeypatch.setattr(file_store, "part_done", dies)
    with pytest.raises(KeyError):
        await take_confirmations("a.pcf", content, db=db, now=NOW)
    owner = await ground.owner()
    states = (
        "SELECT count(*) FILTER (WHERE state = 'settled'), count(*) FILTER (WHERE state = 'sent') FROM disbursement"
    )
    assert tuple(await owner.fetchrow(states)) == (3 * PART_LINES, PAYMENTS - 3 * PART_LINES)

    reading = await take_confirmations("a.pcf", content, db=db, now=NOW)
    assert (reading.applied, reading.repeated, reading.rejected, reading.again) == (
        PAYMENTS - 3 * PART_LINES,
        0,
        [],
        False,
    )
    assert len(parts) == 4 + PAYMENTS // PART_LINES - 3
    assert tuple(await owner.fetchrow(states)) == (PAYMENTS, 0)
    kept = await owner.fetchrow("SELECT lines, applied, repeated, rejected, next_word FROM confirmation_file")
    assert tuple(kept) == (len(content.splitlines()), PAYMENTS, 0, 0, None)
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE type = $1", DisbursementSettled.TYPE) == PAYMENTS
    assert (await take_confirmations("b.pcf", content, db=db, now=NOW)).again
    async with db.connection() as connection:
        assert (await ledger_store.prove(connection)).is_right


async def test_what_one_part_says_of_a_payment_the_next_part_knows(desk, monkeypatch):
    monkeypatch.setattr("services.payments.usecases.confirmations.PART_LINES", 1)
    (one,) = await Books(desk).send("a")
    paid, back = (
        Confirmation(one, "V1", "P1", date(2026, 3, 11), status, code)
        for status, code in (("PAID", None), ("RETURNED", "R02"))
    )
    reading = await take_confirmations("a.pcf", write_confirmations([paid, paid, back], NOW), db=desk.db, now=NOW)
    assert (reading.applied, reading.repeated) == (2, 1)
    garbled = write_confirmations([paid], NOW) + b"what is this\n"
    assert [type(line) for line in (await take_confirmations("c.pcf", garbled, db=desk.db, now=NOW)).rejected][:1] == [
        RejectedLine
    ]


async def test_a_turn_of_reconciliation_posts_part_by_part_and_goes_on_after_a_cut(desk, monkeypatch):
    monkeypatch.setattr(reconciliation, "PART_SIZE", 2)
    books = Books(desk)
    payments = await books.send("a", "b", "c", "d")
    for one in payments[:3]:
        books.bank.debit(CENTS, one)
    books.bank.credit(CENTS, payments[0], text="ACH RETURN R02")
    await books.take()

    ends, calls = reconciliation_store.end_lines, list[int]()

    async def dies(tx, verdicts, **named):
        calls.append(len(verdicts))
        if len(calls) == 2:
            raise KeyError
        await ends(tx, verdicts, **named)

    monkeypatch.setattr(reconciliation_store, "end_lines", dies)
    with pytest.raises(KeyError):
        await books.turn()
    assert 0 < sum(count for name, count in (await books.lines()).items() if name.startswith("matched")) < 4
    turn = await books.turn()
    # Debit and return of one payment stand in one part: the payment is never settled in between.
    assert (turn.settled, turn.returned) in {(2, 0), (1, 1), (1, 0), (2, 1)}
    assert await books.states() == {"returned": 1, "settled": 2, "sent": 1}
    assert not [name for name in await books.lines() if name.startswith("open")]
    assert (await desk.prove()).is_right


async def test_a_line_that_a_person_ended_while_the_turn_was_matching_is_left_alone(desk, monkeypatch):
    books = Books(desk)
    (one,) = await books.send("a")
    books.bank.debit(CENTS, one)
    await books.take()
    look = reconciliation_store.still_open

    async def ended_meanwhile(tx, line_ids):
        ends = "UPDATE statement_line SET state = 'explained', reason = 'fee', ended_by = 'anna', ended_at = now()"
        await tx.execute(ends)
        return await look(tx, line_ids)

    monkeypatch.setattr(reconciliation_store, "still_open", ended_meanwhile)
    turn = await books.turn()
    assert (turn.settled, turn.ended) == (0, 0)
    assert await books.states() == {"sent": 1}
    assert await books.lines() == {"explained fee": 1}
