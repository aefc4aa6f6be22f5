"""What payments does by itself: one hold, case, file or duty that fails keeps no other waiting; nobody is passed."""

import asyncio

import asyncpg
import pytest
from prometheus_client import REGISTRY

from contracts.events.payments import HoldExpired, HoldPlaced
from contracts.steps.payments import HoldStatus
from services.payments import main
from services.payments.domain import PostingFailed
from services.payments.gateways import FILE_BYTES_MAX, ExchangeFolder
from services.payments.remittance import write_confirmations
from services.payments.usecases import confirmations, funding
from services.payments.usecases.program import follow_program
from services.payments.usecases.screening import open_alerts
from services.payments.usecases.waiting import serve_all_waiting
from tests.services.payments.case import NOW, PROVIDER, Case, published

FAILED = "cairn_payments_turn_failed_total"


@pytest.fixture
async def owner(fresh):
    connection = await asyncpg.connect(fresh.owner_dsn, server_settings={"search_path": "payments"})
    yield connection
    await connection.close()


async def test_one_hold_that_cannot_be_released_keeps_no_other(desk, owner, monkeypatch):
    for name in ("ann", "bea", "cleo"):
        await desk.hold(Case(name), 100_000)
    await owner.execute("UPDATE funding SET expires_at = now() - interval '1 minute'")
    post = funding.post_moves

    async def refuses_one(tx, moves):
        if any(one.whole.workflow_id == f"application/{Case('bea').id}" for one in moves):
            raise PostingFailed(code="conflict", transfer_id="trf_x")
        await post(tx, moves)

    monkeypatch.setattr(funding, "post_moves", refuses_one)
    with pytest.raises(PostingFailed):
        await funding.expire_holds(db=desk.db, now=NOW)
    told = {one["application_id"] for one in await desk.told(HoldExpired)}
    assert told == {Case("ann").id, Case("cleo").id}


async def test_a_file_that_cannot_be_read_is_put_aside_and_holds_up_no_other(desk, tmp_path, monkeypatch):
    exchange, inbound = ExchangeFolder(tmp_path), tmp_path / "inbound"
    inbound.mkdir()
    (inbound / "a.pcf").write_bytes(write_confirmations([], NOW) + b"a")
    (inbound / "b.pcf").write_bytes(write_confirmations([], NOW))
    take, read = confirmations.take_confirmations, list[str]()

    async def fails(name, content, **given):
        if name == "a.pcf":
            raise ZeroDivisionError
        read.append(name)
        return await take(name, content, **given)

    monkeypatch.setattr(confirmations, "take_confirmations", fails)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await confirmations.read_inbound(exchange=exchange, db=desk.db, now=NOW)
    assert read == ["b.pcf"]
    assert await confirmations.read_inbound(exchange=exchange, db=desk.db, now=NOW) == 0
    assert [path.name for path in (inbound / "failed").iterdir()] == ["a.pcf"]
    [alert] = await open_alerts(db=desk.db)
    assert (alert.code, "a.pcf" in alert.explanation) == ("file_set_aside", True)


async def test_a_file_that_is_too_large_is_put_aside_and_told_at_once(desk, tmp_path):
    exchange, inbound = ExchangeFolder(tmp_path), tmp_path / "inbound"
    inbound.mkdir()
    with (inbound / "a.pcf").open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    (inbound / "b.pcf").write_bytes(write_confirmations([], NOW))
    assert await confirmations.read_inbound(exchange=exchange, db=desk.db, now=NOW) == 1
    assert [path.name for path in (inbound / "failed").iterdir()] == ["a.pcf"]
    [alert] = await open_alerts(db=desk.db)
    assert (alert.code, "a.pcf" in alert.explanation) == ("file_set_aside", True)
    async with desk.db.connection() as connection:
        [kept] = await connection.fetch("SELECT file_name, error, set_aside_at FROM inbound_failure")
    assert (kept["file_name"], kept["error"], kept["set_aside_at"]) == ("a.pcf", "FileTooLarge", NOW)


async def test_a_turn_that_fails_is_counted_and_tried_again():
    turns, again = 0, asyncio.Event()

    async def turn() -> None:
        nonlocal turns
        turns += 1
        if turns == 2:
            again.set()
        raise ZeroDivisionError

    before = REGISTRY.get_sample_value(FAILED, {"task": "a duty"}) or 0
    task = asyncio.create_task(main._again_and_again(main.Duty("a duty", turn, 0)))
    async with asyncio.timeout(10):
        await again.wait()
    task.cancel()
    assert (REGISTRY.get_sample_value(FAILED, {"task": "a duty"}) or 0) >= before + 1


async def test_money_that_comes_back_serves_the_whole_list_at_once(desk):
    await desk.hold(Case("big"), 600_000)
    for number in range(45):
        assert (await desk.hold(Case(f"waits {number}"), 10_000)).status is HoldStatus.WAITING
    await desk.release(Case("big"))
    assert sum(one["from_waiting_list"] for one in await desk.told(HoldPlaced)) == 45
    assert (await desk.stages())["held"] == 450_000
    assert (await desk.prove()).is_right


async def test_whoever_fits_is_found_behind_many_who_do_not(desk):
    words = {"waiting_list": {"order": ["waitlisted_at"], "smaller_may_pass": True}}
    async with desk.db.transaction() as tx:
        fact = published(awards={PROVIDER: 600_000}, version=2)
        await follow_program(type(fact).model_validate(fact.model_dump() | words), tx, now=NOW)
    await desk.hold(Case("big"), 550_000)
    await desk.hold(Case("small"), 50_000)
    for number in range(25):
        assert (await desk.hold(Case(f"much {number}"), 300_000)).status is HoldStatus.WAITING
    assert (await desk.hold(Case("fits"), 40_000)).status is HoldStatus.WAITING
    await desk.release(Case("small"))
    assert [one["application_id"] for one in await desk.told(HoldPlaced) if one["from_waiting_list"]] == [
        Case("fits").id
    ]


async def test_a_case_that_is_being_changed_is_not_passed(desk, owner):
    await desk.hold(Case("big"), 600_000)
    await desk.hold(Case("first"), 600_000)
    await desk.hold(Case("second"), 600_000)
    async with owner.transaction():
        await owner.execute("SELECT FROM funding WHERE application_id = $1 FOR UPDATE", Case("first").id)
        await desk.release(Case("big"))
        assert not [one for one in await desk.told(HoldPlaced) if one["from_waiting_list"]]
    await serve_all_waiting(db=desk.db, now=NOW)
    [served] = [one for one in await desk.told(HoldPlaced) if one["from_waiting_list"]]
    assert served["application_id"] == Case("first").id
