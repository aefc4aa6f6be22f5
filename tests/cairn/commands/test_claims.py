"""`cairn claims`: a provider pays back by two people; what is taken down of letters on paper."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from cairn.commands import claims as commands
from services.payments.domain import MakerIsChecker
from services.payments.settings import PaymentsSettings
from services.payments.usecases.program import follow_program
from tests.services.payments.case import NOW, Case, Desk, published
from tests.services.payments.usecases.test_recoveries import DEBT, refund

__all__ = ["refund"]


@pytest.fixture
async def fresh(fresh_database):
    return await fresh_database("payments")


@pytest.fixture
async def desk(fresh, database_for) -> Desk:
    db = await database_for("payments", on=fresh)
    async with db.transaction() as tx:
        await follow_program(published(), tx, now=NOW)
    return Desk(db)


@pytest.fixture
async def call(fresh, monkeypatch):
    """`await call(*arguments)` → exit code and, where it is JSON, what was said."""
    settings = PaymentsSettings(database_url=fresh.url, secrets_dir=fresh.home.secrets)
    monkeypatch.setattr(commands, "_payments", lambda: settings)

    async def run(*arguments: str) -> dict:
        result = await asyncio.to_thread(CliRunner().invoke, commands.claims, [*arguments, "--json"])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    return run


async def test_what_a_provider_pays_back_is_posted_by_the_second_person(call, desk, refund):
    made = (await call("recover", refund, "--cents", "40000", "--document", "check 7", "--actor", "anna"))["recovery"]
    assert (made["cents"], made["document"], made["made_by"]) == (40_000, "check 7", "finance/anna")
    assert (await desk.stages())["disbursed"] == DEBT
    for same in ("anna", "finance/anna"):
        with pytest.raises(MakerIsChecker):
            await call("approve-recovery", refund, made["recovery_id"], "--actor", same)
    done = (await call("approve-recovery", refund, made["recovery_id"], "--actor", "ben"))["recovery"]
    assert done["checked_by"] == "finance/ben"
    assert (await desk.stages())["disbursed"] == DEBT - 40_000
    assert (await desk.prove()).is_right


@pytest.mark.parametrize("sources", [[], ["--line", "stl_x", "--document", "check 7"]])
async def test_a_payment_back_stands_on_a_line_or_on_a_document(call, refund, sources):
    with pytest.raises(AssertionError, match="one of the two"):
        await call("recover", refund, "--cents", "40000", *sources)


async def test_a_letter_on_paper_is_taken_down(call, desk):
    case = Case("bea")
    await desk.hold(case)
    await desk.encumber(case)
    await desk.learn(case)
    await desk.review(case, 300_001)
    [untold] = (await call("late"))["untold"]
    assert untold["claim_id"] == case.claim_id
    day = f"{NOW:%Y-%m-%d}"
    told = (await call("notified", case.claim_id, "--on", day, "--document", "file 3", "--actor", "anna"))["claim"]
    assert told["notice_sent_at"] == "2026-03-10T23:59:59Z"
    assert (await call("late"))["untold"] == []
