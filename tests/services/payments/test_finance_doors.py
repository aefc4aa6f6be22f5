"""Decisions about public money over HTTP: the person is the key's, two of them where it counts, one effect per key."""

import asyncio
import uuid

import asyncpg
import pytest

from services.payments.usecases.program import follow_program
from tests.services.payments.callers import DIGEST
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, ROUND, published
from tests.services.payments.reconciled import CENTS, Books
from tests.services.payments.usecases.test_advances import advance_paid, dropped, make_platinum
from tests.services.payments.usecases.test_fiscal_year import encumbered, propose, soft_close

DOORS = "/v1/reconciliation"
YEAR = f"/v1/fiscal-years/{PROGRAM}/2026"


@pytest.fixture
def books(desk) -> Books:
    return Books(desk)


async def opened(books: Books, reason: str) -> str:
    await books.take()
    await books.turn()
    return await books.line(reason)


async def test_a_line_is_matched_by_two_keys_and_the_payment_settles_once(books, callers):
    (payment,) = await books.send("ann")
    books.bank.debit(CENTS)
    line = await opened(books, "candidates_found")
    match = {"disbursement_id": payment, "reason": "  the bank said so by phone "}
    key = uuid.uuid4().hex
    made = await callers["anna"].post(f"{DOORS}/lines/{line}/match", match, key=key)
    assert (made.status_code, made.json()["state"], made.json()["made_by"]) == (201, "waiting", "finance/anna")
    assert made.json()["reason"] == "the bank said so by phone"
    assert (await callers["anna"].post(f"{DOORS}/lines/{line}/match", match, key=key)).content == made.content
    again = await callers["ben"].post(f"{DOORS}/lines/{line}/match", match)
    assert (again.status_code, again.json()["code"]) == (409, "decision_waits")
    door = f"{DOORS}/decisions/{made.json()['act_id']}/approval"
    own = await callers["anna"].post(door)
    assert (own.status_code, own.json()["code"]) == (403, "maker_is_checker")
    assert own.headers["content-type"] == "application/problem+json"
    answers = await asyncio.gather(*(callers["ben"].post(door, key="one") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert (answers[0].json()["state"], answers[0].json()["checked_by"]) == ("done", "finance/ben")
    assert await books.states() == {"settled": 1}
    late = await callers["ben"].post(door)
    assert (late.status_code, late.json()["code"]) == (409, "decision_made")


async def test_a_fee_takes_one_key_and_is_opened_again(books, callers):
    books.bank.debit(2_500, text="ACCOUNT FEE", kind="698")
    await books.take()
    await books.turn()
    [(one, _)] = (await books.page()).lines
    line = one.line.line_id
    done = await callers["anna"].post(f"{DOORS}/lines/{line}/explanation", {"reason": "March fee"})
    assert (done.status_code, done.json()["state"], done.json()["needs_check"]) == (201, "done", False)
    again = await callers["ben"].post(f"{DOORS}/lines/{line}/unmatch", {"reason": "not ours"})
    assert (again.status_code, again.json()["state"]) == (201, "done")
    assert list(await books.lines()) == ["open match_undone"]
    twice = await callers["ben"].post(f"{DOORS}/lines/{line}/unmatch", {"reason": "again"})
    assert (twice.status_code, twice.json()["code"]) == (409, "line_open")


async def test_a_decision_is_taken_back_by_name(books, callers):
    books.bank.debit(CENTS)
    line = await opened(books, "unknown_payment")
    made = await callers["anna"].post(f"{DOORS}/lines/{line}/explanation", {"reason": "another program's"})
    back = await callers["ben"].post(f"{DOORS}/decisions/{made.json()['act_id']}/withdrawal")
    assert (back.status_code, back.json()["state"], back.json()["withdrawn_by"]) == (201, "withdrawn", "finance/ben")
    late = await callers["ben"].post(f"{DOORS}/decisions/{made.json()['act_id']}/approval")
    assert (late.status_code, late.json()["code"]) == (409, "decision_made")


async def test_an_accepted_statement_brings_its_lines_and_they_are_matched_at_once(books, callers):
    (payment,) = await books.send("ann")
    await books.take()
    books.bank.balance_cents += 5
    books.bank.debit(CENTS, payment)
    (held,) = (await books.take()).held
    statement = f"{DOORS}/statements/{held.statement_id}"
    made = await callers["anna"].post(f"{statement}/acceptance", {"reason": "the bank's letter"})
    assert (made.json()["state"], made.json()["statement_id"]) == ("waiting", held.statement_id)
    door = f"{DOORS}/decisions/{made.json()['act_id']}/approval"
    assert (await callers["anna"].post(door)).status_code == 403
    assert (await callers["ben"].post(door)).json()["state"] == "done"
    assert await books.states() == {"settled": 1}
    late = await callers["ben"].post(f"{statement}/dismissal", {"reason": "too late"})
    assert (late.status_code, late.json()["code"]) == (409, "statement_not_held")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "   "},
        {"reason": "x" * 501},
        {"reason": "x", "made_by": "finance/ben"},
        {"reason": "x", "by": "ben"},
    ],
)
async def test_a_reason_is_bounded_and_nobody_names_another_person(desk, callers, body):
    for door in (f"{DOORS}/lines/{'stl_' + '0' * 26}/explanation", f"{DOORS}/statements/{'bst_' + '0' * 26}/dismissal"):
        answer = await callers["anna"].post(door, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        unknown = await callers["anna"].post(door, {"reason": "x"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_a_refund_is_assessed_by_one_key_and_agreed_by_another(desk, callers):
    await make_platinum(desk)
    whose = {"program_id": PROGRAM, "round_id": ROUND, "provider_id": PROVIDER}
    nothing = await callers["anna"].post("/v1/advance-refunds", whose)
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_owed")
    await dropped(desk, await advance_paid(desk, "ann"))
    made = await callers["anna"].post("/v1/advance-refunds", whose)
    assert (made.status_code, made.json()["made_by"], made.json()["checked_by"]) == (201, "finance/anna", None)
    door = f"/v1/advance-refunds/{made.json()['refund_id']}/approval"
    own = await callers["anna"].post(door)
    assert (own.status_code, own.json()["code"]) == (403, "maker_is_checker")
    agreed = await callers["ben"].post(door)
    assert (agreed.status_code, agreed.json()["checked_by"]) == (201, "finance/ben")
    assert agreed.json()["cents"] == made.json()["cents"]
    assert (await callers["ben"].post(door)).json()["code"] == "refund_already_agreed"


async def test_a_year_s_list_is_read_and_agreed_to_by_two_keys(desk, callers, closes):
    fact = published(version=2).model_copy(update={"fiscal_year_start": "07-01", "time_zone": "America/New_York"})
    async with desk.db.transaction() as tx:
        await follow_program(fact, tx, now=NOW)
    await encumbered(desk, "ann")
    await soft_close(desk)
    await propose(desk)
    shown = (await callers["staff"].get(YEAR)).json()
    assert (shown["phase"], shown["proposal"]["encumbrances"], shown["approvals"]) == ("soft_closed", 1, [])
    lines = (await callers["staff"].get(f"{YEAR}/lines")).json()
    assert ([one["open_cents"] for one in lines["lines"]], lines["next"]) == ([100_000], None)
    agreed = {"digest": DIGEST, "note": "looked at every line"}
    key = uuid.uuid4().hex
    first = await callers["anna"].post(f"{YEAR}/approval", agreed, key=key)
    assert (first.status_code, first.json()["approved_by"]) == (201, ["anna"])
    assert (await callers["anna"].post(f"{YEAR}/approval", agreed, key=key)).content == first.content
    own = await callers["anna"].post(f"{YEAR}/approval", agreed)
    assert (own.status_code, own.json()["code"]) == (403, "maker_is_checker")
    changed = await callers["ben"].post(f"{YEAR}/approval", agreed | {"digest": "b" * 64})
    assert (changed.status_code, changed.json()["code"]) == (409, "list_changed")
    other = await callers["ben"].post(f"{YEAR}/approval", agreed, key=key)
    assert other.json()["approved_by"] == ["anna", "ben"]
    line = lines["lines"][0]["transfer_id"]
    amendment = {"encumbrance": line, "disposition": "lapse", "reason": "the course was cancelled"}
    amended = await callers["ben"].post(f"{YEAR}/amendment", amendment)
    assert (amended.status_code, amended.json()["approved_by"]) == (201, [])
    assert [(one.actor, one.encumbrance) for one in closes.amended] == [("ben", line)]
    assert (await callers["anna"].get("/v1/fiscal-years/nowhere/2026")).status_code == 404
    for wrong in (agreed | {"digest": "x"}, agreed | {"note": ""}, agreed | {"actor": "ben"}):
        assert (await callers["anna"].post(f"{YEAR}/approval", wrong)).status_code == 422


async def test_an_act_whose_answer_was_lost_is_one_act_when_it_is_asked_again(callers, closes, fresh):
    """The close took the act, and the transaction that was to keep its answer was lost."""
    agreed, key = {"digest": DIGEST, "note": "looked at every line"}, uuid.uuid4().hex
    first = await callers["anna"].post(f"{YEAR}/approval", agreed, key=key)
    owner = await asyncpg.connect(fresh.owner_dsn)
    assert await owner.execute("DELETE FROM payments.idempotency") == "DELETE 1"
    await owner.close()
    assert (await callers["anna"].post(f"{YEAR}/approval", agreed, key=key)).content == first.content
    assert closes.approved_by == ["anna"]
    other = await callers["anna"].post(f"{YEAR}/approval", agreed | {"note": "another"}, key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
