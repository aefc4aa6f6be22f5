"""Whole ACH files: what is not ours to read costs no answer of ours, what banks argue about moves nothing twice."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.payments.nacha import SAMPLE_ORIGINATOR, ChangeAddendum, Dispute, Entry, ReturnAddendum
from services.payments.payees.payees import AccountState, Route, Waits
from services.payments.usecases.payees import NOTIFIED, dossier, record_call_back, withdraw_change
from tests.services.payments.case import PROVIDER
from tests.services.payments.nacha.test_tolerance import iat_batch, web_batch, with_batches
from tests.services.payments.usecases.test_ach_answers import (
    LATER,
    account_of,
    alerts,
    answer_file,
    leaves,
    notified,
    paid,
    returned,
    take,
)
from tests.services.payments.usecases.test_batches import CALLED


async def disbursement(desk) -> tuple[str, str | None]:
    async with desk.db.connection() as connection:
        row = await connection.fetchrow("SELECT state, return_code FROM disbursement")
    return row["state"], row["return_code"]


async def transfers(desk) -> int:
    async with desk.db.connection() as connection:
        return await connection.fetchval("SELECT count(*) FROM transfer")


async def test_other_classes_a_missing_name_and_stripped_blanks_cost_no_return_of_ours(desk):
    _, entry = await paid(desk)
    content = answer_file(returned(replace(entry, name="NOBODY"), "R03")).replace(b"NOBODY", b"      ")
    mixed = with_batches(web_batch(), iat_batch(), content=content)
    reading = await take(desk, b"".join(line.rstrip() + b"\n" for line in mixed.splitlines()))
    assert (reading.returned, [line.reason for line in reading.rejected]) == (1, ["class_not_read"] * 2)
    assert await disbursement(desk) == ("returned", "R03")
    async with desk.db.connection() as connection:
        kept = await connection.fetch("SELECT line_number, explanation FROM confirmation_rejected ORDER BY line_number")
    assert [row["line_number"] for row in kept] == [2, 5]
    assert ["4200 cents" in kept[0]["explanation"], "5000 cents" in kept[1]["explanation"]] == [True, True]


async def test_a_dishonored_return_is_for_people_and_posts_nothing(desk):
    _, entry = await paid(desk)
    await take(desk, answer_file(returned(entry, "R03")))
    before = await transfers(desk)
    about = Dispute("041099990000001", "03", "083")
    addendum = ReturnAddendum("R68", entry.trace, entry.routing_number[:8], dispute=about)
    dishonored = replace(returned(entry, "R03"), addenda=(addendum,))
    for day in ("260313", "260316"):
        reading = await take(desk, answer_file(dishonored, effective=day), name=f"{day}.ach")
        assert [line.reason for line in reading.rejected] == ["between_banks"]
    assert await transfers(desk) == before
    assert await disbursement(desk) == ("returned", "R03")
    assert (await alerts(desk)).count("ach_return_between_banks") == 1
    async with desk.db.connection() as connection:
        told = await connection.fetchval(
            "SELECT explanation FROM payment_alert WHERE code = 'ach_return_between_banks'"
        )
    assert "about return R03 with trace 041099990000001" in told


async def test_a_refused_notification_calls_people_and_changes_nothing(desk):
    _, entry = await paid(desk)
    before = await account_of(desk)
    refusal = ChangeAddendum("C65", entry.trace, entry.routing_number[:8], "X", "C01", "0000001")
    answer = Entry(21, SAMPLE_ORIGINATOR.odfi_routing, "1", 0, "A", addenda=(refusal,), trace="041099990000001")
    reading = await take(desk, answer_file(answer, entry_class="COR"))
    assert (reading.changes, reading.rejected) == (1, [])
    assert await account_of(desk) == before
    assert before.state is AccountState.ACTIVE
    assert "change_refused" in await alerts(desk)


async def withdraw_notified(desk, *, called_by: str | None, by: str) -> None:
    one = await dossier(PROVIDER, settles_on=BLOCKED, db=desk.db, now=LATER)
    [change] = [change for change in one.changes if change.source == NOTIFIED and change.withdrawn_by is None]
    async with desk.db.transaction() as tx:
        if called_by is not None:
            await record_call_back(tx, PROVIDER, change.change_id, CALLED, by=called_by, now=LATER)
        await withdraw_change(tx, PROVIDER, change.change_id, by=by, now=LATER)


BLOCKED = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("called_by", "by", "is_paid"),
    [(None, "finance/ben", False), ("finance/anna", "finance/anna", False), ("finance/anna", "finance/ben", True)],
)
async def test_an_account_is_right_as_it_stands_once_the_payee_and_two_people_say_so(desk, called_by, by, is_paid):
    _, entry = await paid(desk)
    await take(desk, notified(entry))
    assert await leaves(desk, BLOCKED) is Waits.CHANGE_NOTIFIED
    await withdraw_notified(desk, called_by=called_by, by=by)
    assert isinstance(await leaves(desk, BLOCKED), Route) is is_paid


async def test_a_later_notification_outlasts_the_withdrawal_of_the_one_before(desk):
    _, entry = await paid(desk)
    await take(desk, notified(entry))
    await take(desk, notified(entry, "C05"), now=LATER + timedelta(hours=1))
    await withdraw_notified(desk, called_by="finance/anna", by="finance/ben")
    assert await leaves(desk, BLOCKED) is Waits.CHANGE_NOTIFIED


@pytest.mark.parametrize("kind", ["file", "company"])
async def test_what_is_for_another_is_not_posted(desk, kind):
    _, entry = await paid(desk)
    content = answer_file(returned(entry, "R03"))
    if kind == "file":
        content = content.replace(b"101 041099999", b"1011888888888")
    else:
        content = content.replace(SAMPLE_ORIGINATOR.company_id.encode(), b"1888888888")
    reading = await take(desk, content)
    (line,) = reading.rejected
    assert (reading.returned, line.reason) == (0, "not_for_us" if kind == "file" else "entry_differs")
    assert "1888888888" in line.explanation
    assert (await disbursement(desk))[0] == "sent"
    assert ("ach_file_not_for_us" in await alerts(desk)) is (kind == "file")
