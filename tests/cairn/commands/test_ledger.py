"""`cairn ledger`: what it prints, as JSON and for people, and its exit codes."""

import asyncio
import json

import asyncpg
import pytest
from typer.testing import CliRunner

from cairn.commands import ledger as commands
from services.payments.settings import PaymentsSettings
from services.payments.usecases.program import follow_program
from tests.services.payments.case import NOW, PROGRAM, PROVIDER, ROUND, Case, Desk, published

AWARD = f"award/{PROGRAM}/{ROUND}/{PROVIDER}"
STAGES = ("available", "held", "encumbered", "payable", "in_transit", "disbursed", "lapsed")


@pytest.fixture
async def fresh(fresh_database):
    return await fresh_database("payments")


@pytest.fixture
async def call(fresh, database_for, monkeypatch):
    """A published program with one encumbered case; `await call(*arguments)` → exit code, output."""
    db = await database_for("payments", on=fresh)
    async with db.transaction() as tx:
        await follow_program(published(), tx, now=NOW)
    desk = Desk(db)
    await desk.hold(Case("one"), 100_000)
    await desk.encumber(Case("one"), 90_000)
    settings = PaymentsSettings(database_url=fresh.url, secrets_dir=fresh.home.secrets)
    monkeypatch.setattr(commands, "_payments", lambda: settings)

    async def run(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, commands.ledger, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


async def facts(call, *arguments: str) -> dict:
    code, output = await call(*arguments, "--json")
    assert code == 0
    found = json.loads(output)
    assert found.pop("ok")
    return found


async def test_the_books_are_proven(call):
    assert (await facts(call, "prove"))["differences"] == []
    code, output = await call("prove")
    assert (code, output.startswith("The books are right.")) == (0, True)


async def test_books_that_are_not_right_end_with_one(call, fresh):
    owner = await asyncpg.connect(fresh.owner_dsn)
    await owner.execute(
        "UPDATE payments.balance SET held_cents = held_cents + 1, available_cents = available_cents - 1 WHERE id = $1",
        AWARD,
    )
    await owner.close()
    code, output = await call("prove")
    assert (code, "NOT right: 2 faults" in output) == (1, True)
    code, output = await call("prove", "--json")
    assert (code, json.loads(output)["ok"]) == (1, False)


@pytest.mark.parametrize(("by", "rows"), [("line", 1), ("round", 1), ("award", 2), ("person", 0)])
async def test_every_row_adds_up(call, by, rows):
    found = await facts(call, "balance", PROGRAM, "--by", by)
    assert len(found["rows"]) == rows
    for row in found["rows"]:
        assert sum(row[f"{stage}_cents"] for stage in STAGES) == row["appropriated_cents"]
    code, output = await call("balance", PROGRAM, "--by", by)
    assert (code, "900.00" in output) == (0, rows > 0)


async def test_the_program_and_its_cost_lines(call):
    money = await facts(call, "balance", PROGRAM)
    assert money["encumbered"] == 90_000
    lines = await facts(call, "balance", PROGRAM, "--by", "cost-line")
    assert lines["cost_lines"]["tuition"]["encumbered"] == 90_000
    code, output = await call("balance", PROGRAM, "--by", "cost-line")
    assert (code, "exam_fee" in output) == (0, True)


async def test_the_journal_is_read_page_by_page(call):
    first = await facts(call, "journal", PROGRAM, "--limit", "4")
    rest = await facts(call, "journal", PROGRAM, "--after", str(first["next"]))
    assert rest["next"] is None
    kinds = [entry["kind"] for entry in (*first["entries"], *rest["entries"])]
    assert kinds[-3:] == ["hold", "encumber", "release_hold"]
    held = await facts(call, "journal", PROGRAM, "--kind", "hold", "--case", Case("one").id)
    assert [entry["kind"] for entry in held["entries"]] == ["hold"]
    code, output = await call("journal", PROGRAM, "--kind", "gift")
    assert (code, "there is no kind gift" in " ".join(output.split())) == (2, True)
    code, output = await call("journal", PROGRAM, "--limit", "2")
    assert (code, "--after 2" in output) == (0, True)


async def test_a_statement_opens_and_closes(call):
    found = await facts(call, "statement", AWARD, "--from", "2020-01-01", "--to", "2099-12-31")
    assert found["closing"]["encumbered"] == 90_000
    assert [one["kind"] for one in found["movements"]] == ["appropriate", "encumber", "hold", "release_hold"]
    code, output = await call("statement", AWARD, "--from", "2020-01-01", "--to", "2099-12-31")
    assert (code, "held → encumbered" in output) == (0, True)
    code, _ = await call("statement", AWARD, "--from", "2026-02-01", "--to", "2026-01-01")
    assert code == 2


async def test_a_forecast_is_shown(call):
    found = await facts(call, "forecast", PROGRAM)
    assert found["committed_cents"] == 90_000
    assert {one["award"] for one in found["providers"]} >= {AWARD}
    code, output = await call("forecast", PROGRAM, "--year", "2026")
    assert (code, "utilisation" in output) == (0, True)
